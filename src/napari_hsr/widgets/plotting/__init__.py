"""Line plots with units: curves, legend and export."""
