"""``python -m napari_hsr`` is the command ``napari-hsr``."""

from napari_hsr.cli import command

if __name__ == "__main__":
    command()
