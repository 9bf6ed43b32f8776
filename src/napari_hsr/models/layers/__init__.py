"""Layers that several networks and their optimised copies are built from."""
