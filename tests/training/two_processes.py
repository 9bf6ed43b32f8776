"""Fits under torchrun, one of its processes: ``two_processes.py FOLDER``, each in a folder of its own.

One start of the processes for all of them, for that is what takes long.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import engine

from napari_hsr.training.engine import launch
from napari_hsr.training.validation import Validation

rank = int(os.environ["RANK"])


def run(folder: Path, fault: str, steps: int) -> dict:
    """How a fit ends here, and after which steps this process measured."""
    stop, plain, measured = threading.Event(), engine.batches(), []

    def batches(step, part, world):
        batch = plain(step, part, world)
        if fault == "nan" and rank == 1 and step == 2:
            batch.cubes[:] = float("nan")
        if fault == "stop" and rank == 1 and step == 3:
            stop.set()
        return batch

    def validate(model, step):
        measured.append(step)
        if fault == "patience":
            return Validation({"psnr_db": -float(step), "sam_deg": 1.0, "mrae": 1.0}, {})
        return engine.validate(model, step)

    settings = {"validation": {"every": 2, "choose": "last"}, "anchor": 0.1}
    if fault == "patience":
        settings = {"validation": {"every": 2, "patience": 1, "choose": "psnr"}}
    recipe = engine.recipe(steps, **settings)
    try:
        fitted, _ = engine.run(folder, recipe, batches=batches, validate=validate, cancel=stop)
        end = "stopped" if fitted.stopped else f"step {fitted.state.step}"
    except Exception as error:
        end = str(error)
    return {"end": end, "measured": measured}


for fault, steps in (("plain", 3), ("nan", 50), ("stop", 50), ("patience", 50)):
    folder = Path(sys.argv[1]) / fault
    found = run(folder, fault, steps)
    (folder / f"rank{rank}.json").write_text(json.dumps(found))
launch.end_process(0)
