"""Zarr stores: cubes, films frame by frame, and stores that several runs write."""
