"""Working memory of every network for each pixel: measured, against what its descriptor says.

    python benchmarks/memory.py [--side 256] [--precision float32] [NETWORK ...]

Each network runs in processes of its own, on the CPU: one pass over a small image, so that
libraries are loaded and weights laid out, then one over an image of that side. Printed is the
highest resident memory during that pass above that before it, without the image, as the kernel
counts it (Linux), for each pixel: the median of three processes, since the allocator keeps now
more and now less. Automatic tiles are sized by the declared figure, which here holds its share of
what the network takes for an image of any size: it should be 1.0 to 1.6 times the measured one.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

#: Processes for each network.
RUNS = 3


def resident(field: str) -> int:
    """``VmRSS`` or ``VmHWM`` of this process, in bytes."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    return int(found[1]) * 1024


def measure(name: str, side: int, precision: str) -> tuple[float, int, int, int]:
    """(measured bytes for each pixel, declared, resident with weights, peak of all)."""
    import torch
    import zoo

    from napari_hsr import load_model
    from napari_hsr.models.optimised_copy import prepared

    model = load_model("rootpoly-srgb") if name == "root_polynomial" else zoo.load(name)
    module = prepared(model, precision)
    with torch.inference_mode():
        module(torch.rand(1, model.channels, 32, 32))
        image = torch.rand(1, model.channels, side, side)
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what loading left would be used again, unseen
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = resident("VmRSS")
        module(image)
        peak = resident("VmHWM")
    declared = model.bytes_per_pixel + model.bytes_fixed // side**2
    return (peak - before) / side**2, declared, before, peak


def main() -> None:
    """Measure the networks named, or all, one process each."""
    import zoo

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", nargs="*")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.network[0], args.side, args.precision)))
        return
    print(f"{args.side} x {args.side} pixels, {args.precision}; bytes for each pixel, then MiB")
    print(f"{'network':16} {'measured':>9} {'declared':>9} {'ratio':>6} {'before':>9} {'peak':>9}")
    for name in args.network or ["root_polynomial", *zoo.names()]:
        options = ["--one", "--side", str(args.side), "--precision", args.precision]
        command = [sys.executable, __file__, name, *options]
        runs = [
            json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            for _ in range(RUNS)
        ]
        measured, declared, before, peak = map(median, zip(*runs, strict=True))
        print(
            f"{name:16} {measured:9.0f} {declared:9d} {declared / measured:6.2f} "
            f"{before / 2**20:9.0f} {peak / 2**20:9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
