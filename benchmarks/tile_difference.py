"""How far the cube in blended tiles is from that of the whole image, network by network.

    python benchmarks/tile_difference.py [--tile 128] [--image 256] [NETWORK ...]

For the networks that depend on the whole image, on the middle of the sample photograph, with the
random weights of the parity tests. Printed are the root-mean-square difference and the largest
one, both over the root mean square of the whole image's cube. The first is what a user is told
(``tile_difference`` of the model).
"""

from __future__ import annotations

import argparse

import numpy as np
import zoo

from napari_hsr import Photograph, reconstruct
from napari_hsr.samples import photograph


def main() -> None:
    """Print one line for each network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", nargs="*")
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--image", type=int, default=256)
    args = parser.parse_args()
    sample = photograph().data
    top, left = ((length - args.image) // 2 for length in sample.shape[:2])
    middle = Photograph(sample[top : top + args.image, left : left + args.image])
    print(f"tiles of {args.tile} in {args.image} x {args.image} pixels")
    print(f"{'network':16} {'mean':>9} {'largest':>9} {'declared':>9}")
    for name in args.network or zoo.names():
        model = zoo.load(name)
        if model.context is not None:
            continue
        whole, tiled = (
            reconstruct(middle, model, tile=tile, device="cpu").data.astype(np.float64)
            for tile in ("whole", args.tile)
        )
        size = np.sqrt(np.square(whole).mean())
        difference = np.abs(tiled - whole)
        declared = model.tile_difference.mean if model.tile_difference else float("nan")
        mean, largest = np.sqrt(np.square(difference).mean()) / size, difference.max() / size
        print(f"{name:16} {mean:9.2g} {largest:9.2g} {declared:9.2g}", flush=True)


if __name__ == "__main__":
    main()
