"""Two versions of the package against each other, in one run: time, memory and result.

    python benchmarks/networks.py --before ../earlier/src [--side 256] [--pairs 5] [NETWORK ...]

Each version has a process of its own that reconstructs the same noise through the public API, from
the whole image at once; the two take turns. Ratios are medians of the ratios of each turn. Peaks are
those of resident memory during a run, the cube included (Linux). The difference is max|a-b| over max|b|.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parents[1] / "src"
HEADER = (
    "network", "precision", "before ms", "after ms", "ratio", "peak before MiB", "after MiB", "difference",
)  # fmt: skip


class Version:
    """A process that runs one version of the package.

    Parameters
    ----------
    source : Path
        The folder that holds ``napari_hsr``.
    network : str
    side, threads : int
    clock : str
        ``"wall"`` or ``"cpu"``.
    """

    def __init__(self, source: Path, network: str, side: int, threads: int, clock: str):
        command = [sys.executable, __file__, network, str(side), str(threads), clock]
        environment = {**os.environ, "PYTHONPATH": str(source)}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.precisions: list[str] = self._answer()

    def run(self, precision: str, keep: Path | None = None) -> dict[str, float]:
        """Seconds and peak bytes of one reconstruction, whose cube is kept as an .npy file."""
        assert self._process.stdin is not None
        print(json.dumps([precision, str(keep or "")]), file=self._process.stdin, flush=True)
        found: dict[str, float] = self._answer()
        return found

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a version of the package ended early: see its message above")
        return json.loads(line)


def compare(before: Path, network: str, side: int, pairs: int, threads: int, clock: str) -> None:
    """Print the rows of one network."""
    import numpy as np

    versions = [Version(source, network, side, threads, clock) for source in (before, HERE)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.npy" for name in ("before", "after")]
        for precision in versions[1].precisions:
            if precision not in versions[0].precisions or precision == "float16":  # GPUs alone
                continue
            for version, file in zip(versions, files, strict=True):  # libraries are loaded
                version.run(precision, file)
            cubes = [np.load(file).astype(float) for file in files]
            difference = np.abs(cubes[1] - cubes[0]).max() / np.abs(cubes[0]).max()
            turns = [[version.run(precision) for version in versions] for _ in range(pairs)]
            seconds = [[one["seconds"] for one in turn] for turn in turns]
            peaks = [median(turn[i]["peak"] for turn in turns) / 2**20 for i in (0, 1)]
            row = (
                network,
                precision,
                *(f"{1e3 * median(turn[i] for turn in seconds):.0f}" for i in (0, 1)),
                f"{median(after / first for first, after in seconds):.2f}",
                *(f"{peak:.0f}" for peak in peaks),
                f"{difference:.1e}",
            )
            print("| " + " | ".join(row) + " |", flush=True)
    for version in versions:
        version.close()


def serve(network: str, side: int, threads: int, clock: str) -> None:
    """Reconstruct on request: a line of JSON in, a line of JSON out."""
    import numpy as np
    import torch
    import zoo
    from memory import resident

    from napari_hsr import reconstruct

    torch.set_num_threads(threads)
    now = time.perf_counter if clock == "wall" else time.process_time
    model = zoo.load(network)
    image = np.random.default_rng(0).random((side, side, model.channels), np.float32)
    print(json.dumps(model.precisions), flush=True)
    for line in sys.stdin:
        precision, keep = json.loads(line)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, start = resident("VmRSS"), now()
        cube = reconstruct(image, model, device="cpu", tile="whole", precision=precision)
        seconds, peak = now() - start, resident("VmHWM") - before
        if keep:
            np.save(keep, cube.data)
        print(json.dumps({"seconds": seconds, "peak": peak}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
