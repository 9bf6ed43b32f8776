"""Choosing, importing and removing models."""
