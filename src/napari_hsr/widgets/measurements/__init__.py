"""The Measurements panel: the user's own spectra and charts correct what was reconstructed."""
