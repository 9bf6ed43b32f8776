"""Fits in closed form, which need neither an optimiser nor a GPU."""
