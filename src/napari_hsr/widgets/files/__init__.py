"""Panels about files: what is read of one, and from counts to reflectance."""
