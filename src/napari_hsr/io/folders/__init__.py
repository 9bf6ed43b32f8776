"""Cubes that lie in several files of one folder."""
