"""The panels that napari docks, and what they are built from; the only rooms that import Qt."""
