"""Make the guide's picture of a calibration: ``python docs/make_calibration_picture.py RAW WHITE DARK``.

The scan is of PlantCV's hyperspectral tutorial (Danforth Center, CC BY 4.0): a line scanner of 580
bands, a seed of maize on a tray, 43 x 31 pixels of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from napari_hsr import Cube, calibrate, read
from napari_hsr.colour.render import render

IMAGES = Path(__file__).parent / "images"
#: Rows and columns whose spectra are drawn: a seed of maize, and the tray beside it.
PLACES = {"seed": (14, 20), "tray": (4, 4)}


def main() -> None:
    """Draw counts and reflectance, in colour and as spectra."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("raw", "white", "dark"):
        parser.add_argument(name, type=Path)
    files = parser.parse_args()
    raw = read(files.raw)
    cube = calibrate(raw, read(files.white), read(files.dark))
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", width_ratios=(1, 1.6))
    for row, (title, unit, shown) in zip(
        axes, (("Counts", "counts", raw), ("Reflectance", "reflectance", cube)), strict=True
    ):
        draw(row, title, unit, shown)
    figure.savefig(IMAGES / "calibration.png", dpi=100)
    print(IMAGES / "calibration.png")


def draw(row, title: str, unit: str, cube: Cube) -> None:
    """One cube in true colour, and its spectra at the places."""
    picture, plot = row
    picture.imshow(render(cube).data, interpolation="nearest")
    picture.set(title=f"{title}, in true colour", xticks=[], yticks=[])
    for name, (y, x) in PLACES.items():
        line = plot.plot(cube.wavelengths.nm, cube.data[:, y, x], label=name)[0]
        picture.plot(x, y, "o", mfc="none", mec=line.get_color(), ms=10, mew=2)
    plot.set(xlabel="wavelength (nm)", ylabel=unit, title=f"{title} of two pixels")
    plot.set_ylim(bottom=0)
    plot.legend(frameon=False)


if __name__ == "__main__":
    main()
