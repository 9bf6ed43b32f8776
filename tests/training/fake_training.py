"""Stands in for the engine: a process that behaves as ``python -m napari_hsr.train`` does.

``fake_training.py OUTPUT how``: ``how`` is ``finish``, ``wait`` (until it is asked to stop),
``crash`` (without a word), ``hang`` (deaf to every request) or ``fail``.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

from napari_hsr.training.events import Began, Failed, Finished, Measured, Saved, Step, Stopped
from napari_hsr.training.runs.journal import Journal
from napari_hsr.training.runs.run_folder import CHECKPOINTS, LAST, STOP


def preview(folder: Path, value: float) -> str:
    name = "preview.npz"
    part = folder / "part.npz"
    nm = np.linspace(400, 700, 31)
    truth = np.full((31, 12, 16), 0.5, np.float32)
    sam = np.full((12, 16), 10 - 10 * value, np.float32)
    where = {"pixel": 1, "origin": (0.0, 0.0), "size": (12, 16)}
    np.savez(part, prediction=truth * value, truth=truth, sam=sam, wavelengths_nm=nm, **where)
    os.replace(part, folder / name)
    return name


def main(folder: Path, how: str, resume: bool) -> int:
    journal = Journal(folder, resume=resume)
    first = 3 if resume else 0
    total = 6
    if how == "crash":
        print("a line of the log", flush=True)
        journal(Began(0, total, "CPU", "float32", ("a",), ("b",)))
        journal(Step(1, total, 0.5))
        journal._file.write('{"kind": "step", "st')
        journal._file.flush()
        os._exit(9)
    if how == "fail":
        journal(Failed("The cube of a is broken.", 0))
        journal.close()
        return 1
    journal(Began(first, total, "CPU", "float32", ("a",), ("b",)))
    if not resume:
        journal(Measured(0, {"psnr_db": 30.0, "sam_deg": 9.0}, {"b": {"psnr_db": 30.0}}))
    for step in range(first + 1, total + 1):
        journal(Step(step, total, 1 / step, images_per_second=4.0, seconds_left=total - step))
        if step == 3:
            path = folder / CHECKPOINTS / LAST
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"weights")
            journal(Saved(step, str(path)))
            while how in ("wait", "hang"):
                time.sleep(0.02)
                if how == "wait" and (folder / STOP).exists():
                    (folder / STOP).unlink()
                    journal(Stopped(step, "the command that resumes"))
                    journal.close()
                    return 130
    after = {"psnr_db": 32.0, "sam_deg": 7.0}
    journal(Measured(total, after, {"b": after}, preview(folder, 0.9), best=True))
    (folder / "model.safetensors").write_bytes(b"")
    journal(Finished(str(folder), "The last weights, the best on b.", {"psnr_db": 30.0}, after, 2))
    journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], "--resume" in sys.argv))
