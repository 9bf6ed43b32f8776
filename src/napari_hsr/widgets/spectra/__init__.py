"""The Spectra panel: spectra under the cursor, of pinned points and of regions."""
