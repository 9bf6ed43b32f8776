"""Every network against its prepared copies: time, error, memory, and the machine's limit.

    python benchmarks/networks.py [--side 256] [--pairs 5] [--threads 2] [NETWORK ...]
    python benchmarks/networks.py --before SRC …   # this version against that in another folder

The exact module, its copies and matrix products take turns in one process; times
are medians, and ratios are medians of the ratios of each turn. Other work on the machine spoils
them: the load is printed, and ``--clock cpu --threads 1`` counts the seconds of the processor
instead of those of the wall; with OMP_WAIT_POLICY=passive in the environment threads do not take
the processor while they wait for each other. The share of the limit is the multiplications of the *exact* module
in a second of the copy, against those of the best of the products in the copy's own precision: of two
square matrices, and of a convolution of 3 x 3, which another library computes. (On an AMD processor MKL's
matrices reach half of what oneDNN's convolutions do.) Below :data:`MARK` of it, a line says
what the copy spends its time on: depthwise convolutions, which move as many numbers as they multiply,
operations that multiply nothing, and products that are slower by their shape, as few channels make them.

Memory is the highest resident memory during one pass above that before it, each in a process of
its own, and in brackets the highest of all with the weights (Linux). Error is max|a-b| over
max|b|, PSNR has the largest magnitude as its peak; weights are those of the parity tests, input
is seeded noise.
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
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from napari_hsr.models.model import Model

#: What the marks of the project are set for.
DEFAULT = ("drcr", "mstpp", "mxrunet_shallow", "mxrunet_full", "inr")
#: Share of the machine's limit below which a reason is printed.
MARK = 0.75
#: Parts of the names of torch's functions that multiply matrices.
PRODUCTS = ("conv", "mm", "matmul", "linear", "einsum")
#: Side of the matrices whose product stands for the machine's limit, and channels and side of the image
#: of the convolution.
MATRIX, CHANNELS, IMAGE = 2048, 256, 64
HEADER = (
    "network", "precision", "ms", "ratio", "error", "PSNR dB", "memory MiB", "of exact", "GMAC/s",
    "of limit",
)  # fmt: skip


class Memory(NamedTuple):
    """In MiB: above the level before the pass, and of the whole process."""

    extra: float
    whole: float


def modules(model: Model) -> dict[str, torch.nn.Module]:
    """The exact module and a copy for each precision, by name."""
    from napari_hsr.models.optimised_copy import prepared

    return {"exact": model.module, **{p: prepared(model, p) for p in computed(model)}}


def computed(model: Model) -> tuple[str, ...]:
    """The precisions of a model that runs on a processor take: none is computed in float16 there."""
    return tuple(p for p in model.precisions if p != "float16")


def noise(model: Model, side: int) -> torch.Tensor:
    """(1, channels, side, side), the same in every run."""
    import torch

    return torch.rand(1, model.channels, side, side, generator=torch.Generator().manual_seed(0))


def memory(name: str, kind: str, side: int, threads: int) -> Memory:
    """The memory of one pass, measured in a fresh process."""
    command = [sys.executable, __file__, name, "--memory-of", kind]
    command += ["--side", str(side), "--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Memory(*json.loads(done.stdout))


def memory_here(name: str, kind: str, side: int) -> Memory:
    """The same in this process: a small pass first, so that libraries are there."""
    import torch
    import zoo
    from memory import resident

    from napari_hsr.models.optimised_copy import prepared

    model = zoo.load(name)
    module = model.module if kind == "exact" else prepared(model, kind)
    image = noise(model, side)
    with torch.inference_mode():
        module(noise(model, 32))
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what is free counts as free
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = resident("VmRSS")
        module(image)
        peak = resident("VmHWM")
    return Memory((peak - before) / 2**20, peak / 2**20)


def turns(calls: dict[str, object], pairs: int, clock) -> dict[str, list[float]]:
    """Seconds of each call in every turn."""
    seconds = {name: [] for name in calls}
    for _ in range(pairs):
        for name, call in calls.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    return seconds


def measure(name: str, side: int, pairs: int, threads: int, clock) -> None:
    """Print the rows of one network."""
    import torch
    import zoo
    from torch.utils.flop_counter import FlopCounterMode

    model = zoo.load(name)
    image = noise(model, side)
    made = modules(model)
    every = {kind: products(kind) for kind in computed(model)}
    with torch.inference_mode():
        counter = FlopCounterMode(display=False)
        with counter:
            exact = model.module(image)
        gmac = counter.get_total_flops() / 2e9
        errors = {"exact": ("", "")}
        for kind in computed(model):
            errors[kind] = difference(made[kind](image), exact)
        calls = {kind: (lambda m=module: m(image)) for kind, module in made.items()}
        before = os.getloadavg()[0]
        large = {p: call for kind in every.values() for p, (_, call) in kind.items()}
        seconds = turns({**calls, **large}, pairs, clock)
    limits = {}
    for kind, some in every.items():
        speeds = [many / median(seconds.pop(product)) for product, (many, _) in some.items()]
        limits[kind] = max(speeds)
    limits["exact"] = limits["float32"]
    del calls, large
    used = {kind: memory(name, kind, side, threads) for kind in seconds}
    for kind, times in seconds.items():
        ratio = median(a / b for a, b in zip(seconds["exact"], times, strict=True))
        speed = gmac / median(times)
        row = (
            name,
            kind,
            f"{1e3 * median(times):.0f}",
            f"{ratio:.2f}",
            *errors[kind],
            f"{used[kind].extra:.0f} ({used[kind].whole:.0f})",
            f"{used[kind].extra / used['exact'].extra:.2f}",
            f"{speed:.0f}",
            f"{speed / limits[kind]:.0%}",
        )
        print("| " + " | ".join(row) + " |")
        if kind != "exact" and speed < MARK * limits[kind]:
            print(
                f"<!-- {name} in {kind}, below {MARK:.0%}: {reason(made[kind], image, clock)} -->"
            )
    said = ", ".join(f"{limits[kind]:.0f} in {kind}" for kind in every)
    print(
        f"<!-- {name}: {gmac:.1f} GMAC, limit in GMAC/s {said}, "
        f"load {before:.1f} to {os.getloadavg()[0]:.1f} -->",
        flush=True,
    )


def products(precision: str) -> dict[str, tuple[float, Callable[[], object]]]:
    """The products that stand for the limit of a precision: GMAC of each, and what computes it."""
    import torch

    kind = getattr(torch, precision)
    square = torch.rand(MATRIX, MATRIX).to(kind)
    image = torch.rand(1, CHANNELS, IMAGE, IMAGE).to(kind)
    kernel = torch.rand(CHANNELS, CHANNELS, 3, 3).to(kind)
    return {
        f"matrices in {precision}": (len(square) ** 3 / 1e9, lambda: square @ square),
        f"convolution in {precision}": (
            9 * CHANNELS**2 * IMAGE**2 / 1e9,
            lambda: torch.conv2d(image, kernel, padding=1),
        ),
    }


def reason(module: torch.nn.Module, image: torch.Tensor, clock) -> str:
    """What a pass spends its time on, in shares of it; of products also at what speed."""
    import torch
    from torch.overrides import TorchFunctionMode

    spent: Counter[str] = Counter()
    multiplied: Counter[str] = Counter()

    class Timed(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            start = clock()
            result = func(*args, **(kwargs or {}))
            seconds = clock() - start
            name = getattr(func, "__name__", str(func)).strip("_")
            if any(part in name for part in PRODUCTS):
                name, each = product(name, *args)
                multiplied[name] += each * getattr(result, "numel", int)() / 1e9
            spent[name] += seconds
            return result

    start = clock()
    with torch.inference_mode(), Timed():
        module(image)
    whole = clock() - start

    def words(name: str) -> str:
        speed = f" at {multiplied[name] / spent[name]:.0f} GMAC/s" if multiplied[name] else ""
        return f"{name} {spent[name] / whole:.0%}{speed}"

    return ", ".join(words(name) for name, _ in spent.most_common(6))


def product(name: str, *factors: object) -> tuple[str, float]:
    """What a product is called, and the multiplications for each of its results, 0 if unknown."""
    # of a convolution that adds to another image, that comes before the kernel
    *_, kernel = (None, *(one for one in factors if getattr(one, "ndim", 0) == 4))
    if kernel is not None and "conv" in name:
        inputs, *sides = kernel.shape[1:]
        size = " x ".join(map(str, sides))
        depthwise = inputs == 1 < len(kernel)
        if "transpose" in name:
            return f"transposed convolutions {size}", 0.0
        return f"{'depthwise ' * depthwise}convolutions {size}", float(kernel[0].numel())
    if name in ("linear", "matmul", "mm", "bmm"):
        return "matrices", float(factors[0].shape[-1])
    return name, 0.0


def difference(found: torch.Tensor, exact: torch.Tensor) -> tuple[str, str]:
    """Largest error against the largest magnitude, and PSNR in dB."""
    import torch

    error, peak = (found - exact).double(), exact.abs().max().double()
    psnr = 10 * torch.log10(peak**2 / error.square().mean())
    return f"{float(error.abs().max() / peak):.1e}", f"{float(psnr):.0f}"


def main() -> None:
    """Measure the networks named, or those that have marks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", nargs="*", default=DEFAULT, help="or 'all'")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument(
        "--before",
        metavar="SRC",
        type=Path,
        help="the src folder of another version, to compare in turns through the public API",
    )
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    args = parser.parse_args()

    import before_after
    import torch
    import zoo

    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(json.dumps(memory_here(args.network[0], args.memory_of, args.side)))
        return
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    print(
        f"{args.side} x {args.side} pixels, {args.threads} threads, medians of {args.pairs} turns, "
        f"{args.clock} clock, torch {torch.__version__}, "
        f"OMP_WAIT_POLICY {os.environ.get('OMP_WAIT_POLICY', 'not set')}\n"
    )
    header = before_after.HEADER if args.before else HEADER
    print("| " + " | ".join(header) + " |")
    print("|---" * len(header) + "|", flush=True)
    for name in zoo.names() if list(args.network) == ["all"] else args.network:
        if args.before:
            source = args.before.resolve()
            before_after.compare(source, name, args.side, args.pairs, args.threads, args.clock)
        else:
            measure(name, args.side, args.pairs, args.threads, clock)


if __name__ == "__main__":
    main()
