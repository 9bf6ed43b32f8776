"""Results larger than memory: a synthetic photograph in a tiled TIFF, through a model into a zarr store.

Prints, for each size, the time and the processor time (of the process and all it starts; on a machine that
does other work too it is what counts), both a megapixel, the peak memory of the process, and the ratio of
its processor time to that of as many single photographs of 4 megapixels, computed one after the other into
stores of their own; at the end how far the cost is from a straight line. Each size runs in a process of its own, which imports everything before the clock starts.
A model that takes long computes a strip of the largest size, from which the whole is extrapolated.

    python benchmarks/large_result.py                              # 1 to 100 megapixels, instant-photo
    python benchmarks/large_result.py --sides 20000                # 400 megapixels, about 50 GB before compression
    python benchmarks/large_result.py --model mstpp-photo --detail full --strip 512
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

#: Side of the single photographs, in pixels.
SINGLE = 2000
_TILE = 256


def write_photograph(path: Path, height: int, width: int) -> None:
    """Smooth colours with noise and edges, in tiles of 256 pixels, packed by zlib; never whole in memory."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 4, (_TILE, _TILE, 3))

    def tiles():
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                y, x = np.mgrid[top : top + _TILE, left : left + _TILE] / 500
                colours = [np.sin(x + 0.7 * y), np.cos(1.3 * y - x), np.sin(x * y / 7)]
                values = 127 + 80 * np.stack(colours, -1) + noise
                values[(x % 1 < 0.02) | (y % 1 < 0.02)] *= 0.3
                yield np.clip(values, 0, 255).astype(np.uint8)

    tifffile.imwrite(
        path,
        tiles(),
        shape=(height, width, 3),
        dtype=np.uint8,
        tile=(_TILE, _TILE),
        photometric="rgb",
        compression="zlib",
        compressionargs={"level": 1},
    )


#: In a process of its own: seconds of each run, by the clock and of the processor, and the peak resident memory of the process.
CHILD = """
import json, resource, sys, time
from napari_hsr.inference import reconstruct_events
from napari_hsr.models import load_model
paths, outputs, model, detail = json.loads(sys.argv[1])
model = load_model(model)
seconds, processor = [], []
def used():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
for path, output in zip(paths, outputs):
    start, begun = time.perf_counter(), used()
    *_, result = reconstruct_events(path, model, device="cpu", detail=detail, output=output, overwrite=True)
    seconds.append(time.perf_counter() - start)
    processor.append(used() - begun)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "processor": processor, "peak": peak, "tiles": result.tiles}))
"""


def measure(paths: list[Path], outputs: list[Path], model: str, detail: str) -> dict:
    """Run in a process of its own."""
    given = json.dumps([[str(p) for p in paths], [str(p) for p in outputs], model, detail])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, given], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[1000, 2000, 4000, 10000])
    parser.add_argument("--model", default="instant-photo")
    parser.add_argument("--detail", default="auto", choices=("auto", "full", "fast"))
    parser.add_argument("--strip", type=int, help="rows of the largest size to compute")
    parser.add_argument("--singles", type=int, default=3, help="how many single photographs")
    parser.add_argument("--folder", type=Path, help="where the files go (default: temporary)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        source, out = folder / "photograph.tif", folder / "cube.zarr"
        a_single = None
        if args.strip is None:
            write_photograph(source, SINGLE, SINGLE)
            singles = measure(
                [source] * args.singles, [out] * args.singles, args.model, args.detail
            )
            a_single = float(np.median(singles["processor"]))
            print(
                f"{args.model}, one photograph of {SINGLE} x {SINGLE} pixels: {a_single:.2f} s of the "
                f"processor, {np.median(singles['seconds']):.2f} s by the clock (median of {args.singles}), peak {singles['peak'] / 1e9:.2f} GB"
            )
        curve = []
        for side in [max(args.sides)] if args.strip else args.sides:
            height = args.strip or side
            start = time.perf_counter()
            write_photograph(source, height, side)
            print(f"(written in {time.perf_counter() - start:.0f} s)", file=sys.stderr)
            found = measure([source], [out], args.model, args.detail)
            (seconds,), (processor,), pixels = found["seconds"], found["processor"], height * side
            curve.append((pixels / 1e6, processor))
            size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
            line = (
                f"{height} x {side} ({pixels / 1e6:.0f} megapixels): {processor:.1f} s of the processor, "
                f"{processor / pixels * 1e6:.2f} s a megapixel ({seconds:.1f} s by the clock), {found['tiles']} tiles, "
                f"peak {found['peak'] / 1e9:.2f} GB, store {size / 1e9:.2f} GB"
            )
            if a_single is not None:
                line += (
                    f", {processor / (a_single * pixels / SINGLE**2):.2f} x its single photographs"
                )
            if args.strip:
                whole = seconds * side / height
                line += f"; {side} x {side} would take {whole / 3600:.1f} hours"
            print(line, flush=True)
            shutil.rmtree(out)
        if len(curve) > 2:
            sizes, costs = np.array(curve).T
            slope, once = np.polyfit(
                sizes, costs, 1, w=1 / costs
            )  # relative errors, not absolute ones
            off = np.abs((slope * sizes + once) / costs - 1).max()
            print(f"{once:.1f} s and {slope:.3f} s a megapixel, to {off:.0%} at all sizes")


if __name__ == "__main__":
    main()
