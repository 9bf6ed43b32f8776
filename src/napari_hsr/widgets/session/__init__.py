"""Sessions: a file that brings layers, panels and their settings back."""
