"""How far a spectrum can be trusted: what a camera measured of it, and what was inferred."""
