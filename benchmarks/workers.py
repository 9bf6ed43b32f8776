"""Two workers against one, each with one thread, and what scheduling costs a tile.

    python benchmarks/workers.py                 1,000 tiles, and 4 megapixels on one and two workers
    python benchmarks/workers.py --small         a tenth of both

Prints the speed of two workers as a multiple of one worker's, and the time that a run of so many small
tiles on one worker takes beyond the same run in this process, as a share of it. Quiet cores are needed.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np

from napari_hsr import load_model, reconstruct
from napari_hsr.inference.cluster import connected

#: A network that takes long enough to be worth sending.
MODEL = "mstpp-photo"
SIDE = 64


def seconds(image: np.ndarray, model: Any, tile: int, client: Any) -> float:
    """Time of a run whose workers have the model already."""
    reconstruct(image[: 2 * tile, : 2 * tile], model, tile=tile, detail="full", client=client)
    start = time.perf_counter()
    reconstruct(image, model, tile=tile, device="cpu", detail="full", client=client)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the work")
    parser.add_argument("--model", default=MODEL)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    model = load_model(args.model)
    tiles = 100 if args.small else 1000
    values = np.random.default_rng(0)
    strip = values.integers(0, 255, (10 * SIDE, tiles // 10 * SIDE, 3), np.uint8)
    side = 640 if args.small else 2000
    large = values.integers(0, 255, (side, side, 3), np.uint8)
    here = seconds(strip, model, SIDE, None)
    with connected(workers=1) as client:
        alone, on_one = seconds(strip, model, SIDE, client), seconds(large, model, 256, client)
    print(f"scheduling: {alone / here - 1:.1%} over {tiles} tiles of {SIDE} pixels ({here:.1f} s)")
    with connected(workers=2) as client:
        on_two = seconds(large, model, 256, client)
    print(f"two workers: {on_one / on_two:.2f} times as fast as one ({on_one:.1f} s)")


if __name__ == "__main__":
    main()
