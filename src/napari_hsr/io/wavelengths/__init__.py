"""Wavelengths, wherever a format keeps them."""
