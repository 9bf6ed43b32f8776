"""The Maps panel: indices, components and unmixing of a cube."""
