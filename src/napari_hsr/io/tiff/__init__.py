"""TIFF files: cubes and photographs, with what GDAL and OME write into them."""
