"""The Wavelength panel, and stating the wavelengths of a cube."""
