"""Stacks and films: cubes of their frames, when these are looked at or all into one store."""
