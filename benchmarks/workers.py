"""Two workers against one, each with one thread, and what scheduling costs a tile.

    python benchmarks/workers.py                 1,000 tiles, and 4 megapixels on one and two workers
    python benchmarks/workers.py --small         a tenth of both
    python benchmarks/workers.py --scheduling    the tiles alone

Scheduling overhead is the time of so many small tiles through a scheduler with one worker of one
thread, beyond that of the same tiles in one process of one thread, as a share of it. Both are measured
by turns, a quarter of the tiles at a time, so that whatever else the machine does falls on both; the
processor time of the worker, which other programs do not lengthen, is compared too. The second figure is
the speed of two workers as a multiple of one worker's; beside it stands what two processes without any
scheduler reach on this machine, by matrix products and by the same network: two threads of one core share
what it has. Quiet cores are needed.

Where the time goes is said in processor time, which other programs hardly lengthen: of the workers, of the
loop over tiles (reading, blending, writing) and of the scheduler and its messages, which share the two
cores with the workers; the most that two workers can then reach, if all else is even; and of how many
rounds the last is not full. All workers are warm: they have the model, and have run it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import load_model, reconstruct
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.local_workers import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A network that takes long enough to be worth sending.
MODEL = "mstpp-photo"
SIDE = 64
#: Turns that the tiles are shared out to.
TURNS = 4


@contextmanager
def connected(workers: int) -> Iterator[Any]:
    """A client of so many workers of one thread."""
    from distributed import Client, LocalCluster

    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    options = {"threads_per_worker": 1, "dashboard_address": None, "env": one}
    with quiet(), LocalCluster(n_workers=workers, **options) as cluster, Client(cluster) as client:
        yield client


def seconds(image: np.ndarray, model: Any, tile: int, client: Any = None) -> float:
    """Time of a run."""
    start = time.perf_counter()
    reconstruct(image, model, tile=tile, device="cpu", detail="full", client=client)
    return time.perf_counter() - start


def worker_time(client: Any) -> float:
    """Processor time of all workers, so far."""
    return sum(client.run(processor_seconds).values())


class Shares:
    """Processor time by who took it, in runs with two workers."""

    def __init__(self) -> None:
        self.workers = self.loop = self.messages = 0.0

    def run(self, image: np.ndarray, model: Any, tile: int, client: Any) -> float:
        """Time of a run, which is added."""
        before = worker_time(client), time.thread_time(), processor_seconds()
        took = seconds(image, model, tile, client)
        loop, here = time.thread_time() - before[1], processor_seconds() - before[2]
        self.workers += worker_time(client) - before[0]
        self.loop += loop
        self.messages += here - loop
        return took

    def __str__(self) -> str:
        whole = self.workers + self.loop + self.messages
        each = {"workers": self.workers, "loop over tiles": self.loop, "scheduler": self.messages}
        said = ", ".join(f"{name} {time / whole:.1%}" for name, time in each.items())
        return f"{said} of {whole:.1f} s of processor time: at most {2 * self.workers / whole:.2f} times"


def processor_seconds() -> float:
    """Of this process, so far."""
    times = os.times()
    return times.user + times.system


#: In a process of its own: begins when told to, and says how many seconds the work took.
CHILD = """
import sys, time
import numpy as np, torch
torch.set_num_threads(1)
if sys.argv[1] == "products":
    one = torch.rand(1024, 1024)
    def work(turns):
        for _ in range(turns):
            one @ one
else:
    from napari_hsr import load_model, reconstruct
    model = load_model(sys.argv[1])
    image = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    def work(turns):
        for _ in range(turns):
            reconstruct(image, model, device="cpu", detail="full")
turns = int(sys.argv[2])
work(1)
print("ready", flush=True)
sys.stdin.readline()
start = time.perf_counter()
work(turns)
print(time.perf_counter() - start, flush=True)
"""


def apart(what: str, turns: int) -> float:
    """Speed of two processes as a multiple of one's, without a scheduler."""

    def took(processes: int) -> float:
        command = [sys.executable, "-c", CHILD, what, str(turns)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        children = [subprocess.Popen(command, **pipes) for _ in range(processes)]
        for child in children:
            child.stdout.readline()
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        each = [float(child.communicate()[0]) for child in children]
        return float(np.mean(each))

    alone, both = zip(*((took(1), took(2)) for _ in range(TURNS)), strict=True)
    return 2 * min(alone) / min(both)


def scheduling(tiles: int, model: Any, values: np.random.Generator) -> None:
    """Print what a scheduler costs."""
    image = values.integers(0, 255, (10 * SIDE, tiles // 10 // TURNS * SIDE, 3), np.uint8)
    first = image[: 2 * SIDE, : 2 * SIDE]
    here, there = np.zeros(2), np.zeros(2)  # seconds, and those of the processor

    with connected(workers=1) as client:
        seconds(first, model, SIDE), seconds(first, model, SIDE, client)  # libraries are loaded
        for _ in range(TURNS):
            begun = processor_seconds()
            here[0] += seconds(image, model, SIDE)
            here[1] += processor_seconds() - begun
            begun = worker_time(client)
            there[0] += seconds(image, model, SIDE, client)
            there[1] += worker_time(client) - begun
    clock, work = there / here - 1
    print(
        f"scheduling: {clock:.1%} over {tiles} tiles of {SIDE} pixels ({here[0]:.1f} s); "
        f"processor time {work:.1%} ({here[1]:.1f} s)"
    )


def main() -> None:
    """Measure and print."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the work")
    parser.add_argument("--scheduling", action="store_true", help="no comparison of two with one")
    parser.add_argument("--model", default=MODEL)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    model, values = load_model(args.model), np.random.default_rng(0)
    scheduling(120 if args.small else 1000, model, values)
    if args.scheduling:
        return
    side = 640 if args.small else 2000
    large = values.integers(0, 255, (side, side, 3), np.uint8)
    tile = 128 if args.small else 256
    tiles = len(plan_run(model, side, side, device="cpu", tile=tile).tiles)
    shares = Shares()
    with connected(workers=1) as one, connected(workers=2) as two:
        took: dict[int, list[float]] = {1: [], 2: []}
        for client in (one, two):
            seconds(large[:512, :512], model, tile, client)
        for _ in range(TURNS):
            took[1].append(seconds(large, model, tile, one))
            took[2].append(shares.run(large, model, tile, two))
    alone, both = (min(took[count]) for count in (1, 2))
    print(f"two workers: {alone / both:.2f} times as fast as one ({alone:.1f} s; best of {TURNS})")
    print(f"  {shares}")
    print(f"  {tiles} tiles on two: at most {tiles / -(-tiles // 2):.2f} times")
    turns = 1 if args.small else 4
    print(
        f"two processes without a scheduler: matrix products {apart('products', 60 * turns):.2f}, "
        f"{args.model} {apart(args.model, turns):.2f} times as fast as one"
    )


if __name__ == "__main__":
    main()
