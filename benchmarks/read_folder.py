"""What is read of every file in a folder, and what is said of it.

    python benchmarks/read_folder.py FOLDER [--json OUT] [--timeout 60]

Every file is read in a process of its own, so that one that hangs, or ends its process, is a row of the
table like any other. A row is the file, what it became (shape, wavelengths, range of its values), the
time, and the notices, or the sentence that refused it. Anything but a sentence of ours is a fault: the
last line counts them, and the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

#: How a file ended.
READ, REFUSED, FAULT = "read", "refused", "FAULT"


def read_one(path: str) -> dict[str, Any]:
    """What reading a file gives, as plain values."""
    import numpy as np

    from napari_hsr import read, read_library
    from napari_hsr.cube import Cube
    from napari_hsr.errors import HSRError
    from napari_hsr.io.libraries import is_library
    from napari_hsr.spectral_library import SpectralLibrary

    try:
        image = read_library(path) if is_library(path) else read(path)
        if isinstance(image, Cube):
            low, high = image.value_range  # of a large one, read here
    except HSRError as error:
        return {"how": REFUSED, "what": "", "said": [str(error)]}
    if isinstance(image, Cube):
        nm = image.wavelengths
        grid = "no wavelengths" if nm is None else nm.describe()
        what = f"cube {' x '.join(map(str, image.shape))}, {grid}, {low:.4g}–{high:.4g}"
    elif isinstance(image, SpectralLibrary):
        low, high = np.nanmin(image.values), np.nanmax(image.values)
        grid = image.wavelengths.describe()
        what = f"library of {len(image)}, {grid}, {low:.4g}–{high:.4g}, {image.units}"
    else:
        data = image.data
        what = f"photograph {data.shape[0]} x {data.shape[1]}, {data.dtype}, {image.encoding}"
    said = [f"{notice.code}: {notice}" for notice in image.notices]
    return {"how": READ, "what": what, "said": said}


def row_of(path: Path, timeout: float) -> dict[str, Any]:
    """The row of a file, whatever becomes of the process that reads it."""
    start = time.perf_counter()
    command = [sys.executable, __file__, "--one", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        row = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except subprocess.TimeoutExpired:
        row = {"how": FAULT, "what": "", "said": [f"no end within {timeout:g} s"]}
    if row is None:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        row = {"how": FAULT, "what": "", "said": [f"exit status {done.returncode}: {last}"]}
    return {"file": str(path), "seconds": round(time.perf_counter() - start, 2), **row}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds a file")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(read_one(str(args.folder))))
        return 0
    rows = []
    for path in sorted(p for p in args.folder.rglob("*") if p.is_file()):
        row = row_of(path, args.timeout)
        rows.append(row)
        print(
            f"{row['how']:8}{row['seconds']:6.1f} s  {path.relative_to(args.folder)}  {row['what']}"
        )
        for said in row["said"]:
            print(f"{'':18}{said}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    counts = Counter(row["how"] for row in rows)
    print(", ".join(f"{counts[how]} {how}" for how in (READ, REFUSED, FAULT)))
    return 1 if counts[FAULT] else 0


if __name__ == "__main__":
    raise SystemExit(main())
