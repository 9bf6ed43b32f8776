"""NetCDF files of the classic formats, and grids by the CF conventions."""
