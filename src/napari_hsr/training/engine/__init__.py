"""Fitting weights by gradient steps: losses, schedules, the loop, and its checkpoints."""
