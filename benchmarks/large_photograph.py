"""Time and memory of one large photograph, tile by tile.

    python benchmarks/large_photograph.py [MEGAPIXELS] [--network mstpp]

Without a network: the bundled model in automatic tiles and whole, and whether both cubes are
equal. With one of the zoo, in the random weights of the parity tests: automatic tiles alone.
Printed are the seconds, the peak memory beyond the output, and the highest resident memory of
the whole process (Linux).
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np

from napari_hsr import Photograph, load_model
from napari_hsr.inference import Result, estimate, reconstruct_events


def process_peak() -> str:
    """The highest resident memory that this process ever had, where the system tells."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return "not known on this system"
    kilobytes = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.M)[1]
    return f"{int(kilobytes) * 1024 / 1e9:.2f} GB"


def main() -> None:
    """Reconstruct random noise of that size, the worst case for any cache."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("megapixels", nargs="?", type=float, default=24.0)
    parser.add_argument("--network", help="one of the zoo, instead of the regression rootpoly-srgb")
    args = parser.parse_args()
    height = round((args.megapixels * 1e6 / 1.5) ** 0.5)
    width = round(1.5 * height)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    photograph = Photograph(image)
    if args.network:
        import zoo

        model, tiles = zoo.load(args.network), ("auto",)
    else:
        model, tiles = load_model("rootpoly-srgb"), ("auto", "whole")
    for _ in reconstruct_events(Photograph(image[:64, :64]), model):
        pass  # loading libraries is not part of the measurement
    print(f"{height} x {width} pixels, seed 0, {model.name}")
    cubes = {}
    for tile in tiles:
        print(f"tile {tile}: {estimate(image.shape, model, tile).words()}", flush=True)
        for event in reconstruct_events(photograph, model, tile=tile):
            if isinstance(event, Result):
                result = event
            elif event.done in (1, event.total // 2):
                print(f"  {event.done} of {event.total}: {event.message}", flush=True)
        beyond = (result.peak_bytes - result.cube.data.nbytes) / 2**20
        print(
            f"  {result.tiles} tiles, {result.seconds:.1f} s on {result.device}, "
            f"output {result.cube.data.nbytes / 2**20:.0f} MiB, beyond it +{beyond:.0f} MiB, "
            f"peak of the process {process_peak()}"
        )
        for notice in result.notices:
            print(f"  {notice}")
        cubes[tile] = result.cube.data
    if len(cubes) > 1:
        print("equal to the last bit:", np.array_equal(cubes["auto"], cubes["whole"]))


if __name__ == "__main__":
    main()
