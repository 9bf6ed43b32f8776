"""HDF5 files: looked at before the library opens them."""
