"""Time and memory of cubes larger than memory should hold: rendered in colour, and only opened.

    python benchmarks/large_cubes.py [--gigabytes 2] [--folder DIR]

Writes an ENVI cube of random reflectance in each interleave, renders it in true colour in a
process of its own and prints seconds, those of the processor and the peak of resident memory beyond the start; then opens
one of 10 GB, sparse, without reading it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BANDS, WIDTH = 224, 1600
ORDERS = {"bip": (1, 2, 0), "bil": (1, 0, 2), "bsq": (0, 1, 2)}
DTYPES = {"float32": 4, "uint16": 12}

#: Runs in a process of its own, so that its peak of memory is its own.
CHILD = """
import json, resource, sys, threading, time
import psutil
from napari_hsr import read
from napari_hsr.colour import render
me, peak, done = psutil.Process(), 0, threading.Event()
def watch():
    global peak
    while not done.wait(0.01):
        peak = max(peak, me.memory_info().rss)
read(sys.argv[2])
before = me.memory_info().rss
threading.Thread(target=watch, daemon=True).start()
start, used = time.perf_counter(), time.process_time()
cube = read(sys.argv[1])
opened = time.perf_counter() - start
if sys.argv[3] == "render":
    render(cube)
seconds, busy = time.perf_counter() - start, time.process_time() - used
done.set()
print(json.dumps({"open": opened, "seconds": seconds, "busy": busy, "mib": (peak - before) / 2**20}))
"""


def write_header(binary: Path, lines: int, interleave: str, dtype: str) -> Path:
    header = binary.with_suffix(".hdr")
    nm = ", ".join(f"{value:.3f}" for value in np.linspace(400, 1000, BANDS))
    scale = "" if dtype == "float32" else "reflectance scale factor = 10000\n"
    header.write_text(
        f"ENVI\nsamples = {WIDTH}\nlines = {lines}\nbands = {BANDS}\nheader offset = 0\n"
        f"data type = {DTYPES[dtype]}\ninterleave = {interleave}\nbyte order = 0\n{scale}"
        f"wavelength units = nm\nwavelength = {{{nm}}}\n"
    )
    return header


def write_cube(binary: Path, lines: int, interleave: str, dtype: str) -> Path:
    """Ten different blocks of lines over and over: no compression, no sparse file."""
    rng = np.random.default_rng(0)
    shape = (BANDS, lines, WIDTH)
    stored = np.dtype(dtype)
    with binary.open("wb") as file:
        if interleave == "bsq":
            for _ in range(BANDS):
                file.write(_numbers(rng, shape[1:], stored))
        else:
            turned = tuple(shape[axis] for axis in ORDERS[interleave])
            blocks = [_numbers(rng, (10, *turned[1:]), stored) for _ in range(10)]
            for first in range(0, lines, 10):
                file.write(blocks[first // 10 % 10][: min(10, lines - first)])
    return write_header(binary, lines, interleave, dtype)


def _numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    values = rng.random(shape, np.float32)
    return values if dtype == np.float32 else (values * 10000).astype(dtype)


def measured(header: Path, small: Path, what: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, header, small, what],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, help="where the files go for a while")
    parser.add_argument("--only", nargs="*", default=[], help="such as bip-float32")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        small = write_cube(folder / "small.img", 4, "bip", "float32")
        print(f"{'file':<14} {'opened s':>9} {'rendered s':>11} {'CPU s':>6} {'memory MiB':>11}")
        for interleave in ORDERS:
            for dtype in DTYPES:
                if args.only and f"{interleave}-{dtype}" not in args.only:
                    continue
                lines = int(args.gigabytes * 1e9 / (BANDS * WIDTH * np.dtype(dtype).itemsize))
                binary = folder / "large.img"
                found = measured(write_cube(binary, lines, interleave, dtype), small, "render")
                figures = f"{found['open']:>9.2f} {found['seconds']:>11.1f} {found['busy']:>6.1f}"
                print(f"{interleave} {dtype:<10} {figures} {found['mib']:>11.0f}", flush=True)
                binary.unlink()
        lines = int(10e9 / (BANDS * WIDTH * 4))
        binary = folder / "sparse.img"
        with binary.open("wb") as file:
            file.truncate(lines * WIDTH * BANDS * 4)
        header = write_header(binary, lines, "bip", "float32")
        found = measured(header, small, "open")
        print(f"{'10 GB, opened':<14} {found['open']:>9.2f} {'':>18} {found['mib']:>11.0f}")


if __name__ == "__main__":
    main()
