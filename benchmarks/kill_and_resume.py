"""Kill -9 at random moments: a run into a zarr store goes on each time, to the same bytes.

    python benchmarks/kill_and_resume.py                    # a photograph, a cube made finer, a folder of frames
    python benchmarks/kill_and_resume.py --kills 20 --what photograph --side 3000 --tile 256

Each life of a run is a process of its own, which is killed at a moment between its beginning and a share of
the time that the whole run takes, wherever it then is: while it opens the store, computes, writes or ends.
Prints what there is after each life, and whether the files are those of a run that was left alone.
"""

import argparse
import importlib
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from large_result import write_photograph

from napari_hsr import Cube, Photograph, load_model
from napari_hsr.cube import Wavelengths
from napari_hsr.inference import reconstruct_events, super_resolve_events
from napari_hsr.inference.stacks.frames_on_disk import store_frames_events
from napari_hsr.io import write
from napari_hsr.io.stacks import read_stack

#: Lives are forks of this process, which has imported everything that a run does and computed nothing.
FORK = multiprocessing.get_context("fork")


def make(what: str, folder: Path, side: int) -> Path:
    """The input of a run."""
    rng = np.random.default_rng(0)
    if what == "photograph":
        write_photograph(folder / "a.tif", side, side)
        return folder / "a.tif"
    if what == "cube":
        cube = rng.random((31, side // 8, side // 8), np.float32)
        return write(Cube(cube, Wavelengths(np.arange(400, 710, 10))), folder / "a.mat")
    frames = folder / "frames"
    frames.mkdir()
    for number in range(20):
        values = rng.integers(0, 255, (side // 4, side // 4, 3), np.uint8)
        write(Photograph(values, "srgb"), frames / f"{number:02}.png")
    return frames


def run(what: str, source: Path, output: Path, model: object, tile: int) -> None:
    """The whole of it, or what is left."""
    if what == "photograph":
        events = reconstruct_events(source, model, device="cpu", tile=tile, output=output)
    elif what == "cube":
        events = super_resolve_events(source, model, device="cpu", tile=tile // 8, output=output)
    else:
        stack = read_stack(source)
        events = store_frames_events(stack, model, device="cpu", output=output)
    for _ in events:
        pass


def preload(run_once: object) -> None:
    """Import what a run imports."""
    ours, theirs = FORK.Pipe()

    def tell() -> None:
        run_once()
        theirs.send(list(sys.modules))

    process = FORK.Process(target=tell)
    process.start()
    for name in ours.recv():
        if name not in sys.modules and not name.startswith("__"):
            try:
                importlib.import_module(name)
            except ImportError:  # a module that others make
                print(f"({name} is not imported)", file=sys.stderr)
    process.join()


def contents(store: Path) -> dict[str, bytes]:
    """Every file of a store but its metadata, which hold the day."""
    files = (path for path in store.rglob("*") if path.is_file() and path.name != "zarr.json")
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def main() -> None:
    """Kill, go on, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = ("photograph", "cube", "frames")
    parser.add_argument("--what", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--side", type=int, default=1000)
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--model", default="instant-photo")
    parser.add_argument("--share", type=float, default=0.12, help="of the run that a life may take")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    for what in args.what:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = make(what, folder, args.side)
            out, alone = folder / "killed.zarr", folder / "alone.zarr"

            model = load_model("coarsr-x2" if what == "cube" else args.model)

            def life(
                output: Path, what=what, source=source, model=model
            ) -> multiprocessing.Process:
                given = (what, source, output, model, args.tile)
                process = FORK.Process(target=run, args=given)
                process.start()
                return process

            preload(partial(run, what, source, folder / "first.zarr", model, args.tile))
            start = time.perf_counter()
            whole = life(alone)
            whole.join()
            assert whole.exitcode == 0
            seconds, kills, ends = time.perf_counter() - start, 0, []
            while not out.exists():
                process = life(out)
                if kills < args.kills:
                    process.join(rng.uniform(0, args.share * seconds))
                    if process.is_alive():
                        process.kill()
                        kills += 1
                process.join()
                assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
                left = folder / "killed.unfinished.zarr"
                ends.append(sum(p.is_file() for p in left.rglob("*")) if left.exists() else "-")
            same = contents(out) == contents(alone)
            rest = sorted(p.name for p in folder.iterdir() if p.name not in (source.name,))
            print(
                f"{what}: {kills} kills of a run of {seconds:.1f} s; files after each life: "
                f"{' '.join(map(str, ends))}; files equal: {same}; the folder holds {', '.join(rest)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
