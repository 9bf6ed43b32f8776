"""MATLAB's files: of version 5, and of 7.3 by way of HDF5."""
