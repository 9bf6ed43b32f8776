"""Kill -9 at random moments: a run into a zarr store goes on each time, to the same bytes.

    python benchmarks/kill_and_resume.py --kills 20

Prints what each life of the run has computed, and at the end the number of tiles that were computed
more than once (at most one for each kill, the tile at hand), and whether the cube equals that of a run
that was left alone.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from large_result import write_photograph

from napari_hsr import read

CHILD = """
import sys
from napari_hsr.inference import reconstruct_events
from napari_hsr.inference.tile_loop import Progress
for event in reconstruct_events(sys.argv[1], sys.argv[3], device="cpu", tile=int(sys.argv[4]), output=sys.argv[2]):
    if isinstance(event, Progress):
        print(event.done, event.total, flush=True)
"""


def main() -> None:
    """Kill, go on, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--side", type=int, default=3000)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--model", default="instant-photo")
    args = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        source, out, alone = (Path(name) / n for n in ("a.tif", "killed.zarr", "alone.zarr"))
        write_photograph(source, args.side, args.side)

        def begin(output: Path) -> subprocess.Popen:
            given = [source, output, args.model, args.tile]
            return subprocess.Popen(
                [sys.executable, "-c", CHILD, *map(str, given)], stdout=subprocess.PIPE, text=True
            )

        start = time.perf_counter()
        assert begin(alone).wait() == 0
        whole, kills = time.perf_counter() - start, 0
        before = 0
        while not out.exists():
            process = begin(out)
            if kills < args.kills:
                while process.stdout.readline().split()[1] == "0":  # until its first tile
                    pass
                time.sleep(rng.uniform(0, whole / args.kills))
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
            journal = out.with_name("killed.unfinished.zarr") / "journal" / "parts.jsonl"
            there = journal.read_bytes().count(b'"tile"') if journal.exists() else before
            print(f"life {kills}: {there - before} tiles more, {there} finished", flush=True)
            before = there
        one, other = read(out), read(alone)
        equal = all(np.array_equal(one.data[b], other.data[b]) for b in range(one.bands))
        files = [
            sorted(p.relative_to(o) for p in o.rglob("*") if p.is_file()) for o in (out, alone)
        ]
        same = files[0] == files[1] and all(
            (out / f).read_bytes() == (alone / f).read_bytes()
            for f in files[0]
            if f.name != "zarr.json"
        )
        print(f"{kills} kills; values equal: {equal}; files equal: {same}; {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
