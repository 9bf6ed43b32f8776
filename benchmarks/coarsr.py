"""CoarSR band by band against its prepared copies: time, error, memory, and the machine's limit.

    python benchmarks/coarsr.py [--scale 4] [--side 64] [--bands 31] [--pairs 5] [--threads 2]
                                [--clock wall] [--device cpu] [--only ratio chunks curve]

Four parts, all with the random weights of the parity tests:

* ratio: the exact module, its copies and a large float32 matrix product take turns in one process;
  times are medians, ratios are medians of the ratios of each turn. The share of the limit is the
  multiplications of the *exact* module in a second of the copy, against those of the matrix
  product. Beside it stands the share of those that the copy itself does: its tail is one
  convolution, which leaves out a fifth of them and more.
* memory: the highest resident memory during one pass above that before it, in a process of its own
  (Linux).
* chunks: the copy with so many bands at a time.
* curve: time for each pixel and band, over images of several sides and cubes of several bands;
  cost is linear where it stays the same.

Other work on the machine spoils times: the load is printed, and ``--clock cpu --threads 1`` counts
the seconds of the processor instead of those of the wall.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from napari_hsr.models.model import Model

PARTS = ("ratio", "memory", "chunks", "curve")
#: Bands at a time that are tried, and what the curve is drawn over.
CHUNKS = (1, 2, 4, 8, 16, 31)
SIDES = (16, 32, 48, 64, 96)
BANDS = (5, 16, 31, 64, 128)


@cache
def model(scale: int) -> Model:
    import zoo

    return zoo.load(f"coarsr_x{scale}")


def copy(args: argparse.Namespace, kind: str) -> torch.nn.Module:
    """The exact module, or a copy of that precision, on the device; each its own."""
    found = model(args.scale)
    module = found.module if kind == "exact" else found.prepare(found.module, kind).eval()
    return module.to(args.device)


def noise(args: argparse.Namespace, bands: int, side: int) -> torch.Tensor:
    """(1, bands, side, side), the same in every run."""
    import torch

    seeded = torch.Generator().manual_seed(0)
    return torch.rand(1, bands, side, side, generator=seeded).to(args.device)


def timed(args: argparse.Namespace, call: Callable[[], object]) -> float:
    """Seconds of one call, all of it done."""
    import torch

    clock = time.perf_counter if args.clock == "wall" else time.process_time
    wait = torch.cuda.synchronize if args.device != "cpu" else lambda: None
    wait()
    start = clock()
    call()
    wait()
    return clock() - start


def ratio(args: argparse.Namespace) -> None:
    """Exact, copies and matrix product in turns."""
    import torch
    from networks import MATRIX, difference
    from torch.utils.flop_counter import FlopCounterMode

    image = noise(args, args.bands, args.side)
    made = {kind: copy(args, kind) for kind in ("exact", "float32", "bfloat16")}
    squares = {
        dtype: torch.rand(MATRIX, MATRIX, device=args.device).to(dtype)
        for dtype in (torch.float32, torch.bfloat16)
    }
    with FlopCounterMode(display=False) as counter:
        exact = made["exact"](image)
    work = {"exact": counter.get_total_flops() / 2e9}
    with FlopCounterMode(display=False) as counter:
        # on a device that fuses nothing, so that every product is seen
        made["float32"](image) if args.device != "cpu" else _unfused(made["float32"], image)
    work["float32"] = work["bfloat16"] = counter.get_total_flops() / 2e9
    calls = {kind: (lambda m=module: m(image)) for kind, module in made.items()}
    calls |= {str(dtype): (lambda s=s: s @ s) for dtype, s in squares.items()}
    for call in calls.values():
        call()
    seconds = {name: [] for name in calls}
    before = os.getloadavg()[0]
    for _ in range(args.pairs):
        for name, call in calls.items():
            seconds[name].append(timed(args, call))
    limits = {d: MATRIX**3 / 1e9 / median(seconds[str(d)]) for d in squares}
    print("| module | s | ratio | error | PSNR dB | GMAC/s of the exact | of limit | done itself |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in made:
        error, psnr = difference(made[kind](image), exact) if kind != "exact" else ("", "")
        took = median(seconds[kind])
        gain = median(a / b for a, b in zip(seconds["exact"], seconds[kind], strict=True))
        limit = limits[torch.bfloat16 if kind == "bfloat16" else torch.float32]
        print(
            f"| {kind} | {took:.3f} | {gain:.2f} | {error} | {psnr} | {work['exact'] / took:.0f} | "
            f"{work['exact'] / took / limit:.0%} | {work[kind] / took / limit:.0%} |"
        )
    print(
        f"<!-- {work['exact']:.0f} GMAC exact, {work['float32']:.0f} in the copies; limits "
        + ", ".join(f"{limit:.0f} GMAC/s in {d}" for d, limit in limits.items())
        + f"; load {before:.1f} to {os.getloadavg()[0]:.1f} -->\n",
        flush=True,
    )


def _unfused(module: torch.nn.Module, image: torch.Tensor) -> None:
    """One pass by torch's own convolutions, which its counter knows."""
    from napari_hsr.models.optimised import convolution

    fused, convolution._fused = convolution._fused, lambda: False
    try:
        module(image)
    finally:
        convolution._fused = fused


def memory(args: argparse.Namespace) -> None:
    """Of one pass of each, measured in fresh processes."""
    if args.device != "cpu":
        print("memory: measured on the CPU only\n")
        return
    print("| module | extra MiB |\n|---|---|")
    for kind in ("exact", "float32", "bfloat16"):
        command = [sys.executable, __file__, "--memory-of", kind]
        for name in ("scale", "side", "bands", "threads"):
            command += [f"--{name}", str(getattr(args, name))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"| {kind} | {json.loads(done.stdout):.0f} |", flush=True)
    print()


def memory_here(args: argparse.Namespace) -> float:
    """MiB of one pass above what is there before it, input excluded, output included."""
    import torch
    from memory import resident

    with torch.inference_mode():
        module, image = copy(args, args.memory_of), noise(args, args.bands, args.side)
        module(noise(args, 5, 16))  # libraries are there then
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = resident("VmRSS")
        module(image)
        return (resident("VmHWM") - before) / 2**20


def chunks(args: argparse.Namespace) -> None:
    """Bands at a time, in turns."""
    image = noise(args, args.bands, args.side)
    sizes = [size for size in CHUNKS if size <= args.bands]
    for kind in ("float32", "bfloat16"):
        module = copy(args, kind)
        seconds = {size: [] for size in sizes}
        for turn in range(args.pairs + 1):
            for size in sizes:
                module.pixels_at_once = size * args.side**2
                took = timed(args, lambda module=module: module(image))
                if turn:
                    seconds[size].append(took)
        words = ", ".join(f"{size}: {median(seconds[size]):.3f} s" for size in sizes)
        print(f"{kind}, bands at a time: {words}", flush=True)
    print()


def curve(args: argparse.Namespace) -> None:
    """Nanoseconds for each pixel and band."""
    for kind in ("float32", "bfloat16"):
        module = copy(args, kind)
        for words, shapes in (
            ("side (31 bands)", [(31, side) for side in SIDES]),
            ("bands (32 × 32)", [(bands, 32) for bands in BANDS]),
        ):
            found = []
            for bands, side in shapes:
                image = noise(args, bands, side)
                module(image)
                took = median(timed(args, lambda i=image, m=module: m(i)) for _ in range(3))
                free = side if words.startswith("side") else bands
                found.append(f"{free}: {1e9 * took / bands / side**2:.0f} ({took:.3f} s)")
            print(f"{kind}, ns for each pixel and band by {words}: {', '.join(found)}", flush=True)
    print()


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, default in (("scale", 4), ("side", 64), ("bands", 31), ("pairs", 5), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    args = parser.parse_args()

    import torch

    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(json.dumps(memory_here(args)))
        return
    print(
        f"×{args.scale} from {args.side} × {args.side} × {args.bands}, {args.device}, "
        f"{args.threads} threads, medians of {args.pairs} turns, {args.clock} clock, "
        f"torch {torch.__version__}\n"
    )
    with torch.inference_mode():
        for part in args.only:
            globals()[part](args)


if __name__ == "__main__":
    main()
