"""``python -m napari_hsr`` is the command ``napari-hsr``."""

import sys

from napari_hsr.cli import main

if __name__ == "__main__":
    sys.exit(main())
