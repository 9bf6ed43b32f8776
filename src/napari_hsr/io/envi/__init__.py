"""ENVI files: a binary file and its header, and ESRI's kin of them."""
