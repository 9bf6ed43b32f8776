"""Time and memory of one large photograph, tile by tile, and against the whole in one go.

    python benchmarks/large_photograph.py [MEGAPIXELS]

Prints the seconds, the peak memory beyond the output, and whether both cubes are equal.
"""

from __future__ import annotations

import sys

import numpy as np

from napari_hsr import Photograph, load_model
from napari_hsr.inference import events


def main(megapixels: float = 24.0) -> None:
    """Reconstruct random noise of that size, the worst case for any cache."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    width = round(1.5 * height)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    photograph, model = Photograph(image), load_model()
    for _ in events(Photograph(image[:64, :64]), model):
        pass  # loading libraries is not part of the measurement
    print(f"{height} x {width} pixels, seed 0, {model.name}")
    cubes = {}
    for tile in ("auto", "whole"):
        *_, result = events(photograph, model, tile=tile)
        beyond = (result.peak_bytes - result.cube.data.nbytes) / 2**20
        print(
            f"tile {tile:<6} {result.tiles:4d} tiles  {result.seconds:6.1f} s on {result.device}  "
            f"output {result.cube.data.nbytes / 2**20:.0f} MiB, beyond it +{beyond:.0f} MiB"
        )
        cubes[tile] = result.cube.data
    print("equal to the last bit:", np.array_equal(cubes["auto"], cubes["whole"]))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
