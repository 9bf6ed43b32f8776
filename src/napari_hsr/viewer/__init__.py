"""napari: layers that hold cubes, the wavelength axis, and what the manifest points to."""
