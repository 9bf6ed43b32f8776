"""What a training would take here, tried in a process of its own: the command's ``--dry-run``."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import Cancelled, HSRError, InputError
from napari_hsr.training.runs.figures_text import bytes_words, duration

if TYPE_CHECKING:
    import threading

    from napari_hsr.training.recipe.schema import Recipe

#: How often a wish to cancel is looked for, in seconds.
LOOK_SECONDS = 0.1


def command(recipe: Path) -> list[str]:
    """The command line that estimates a recipe: what a terminal would run."""
    return [sys.executable, "-P", "-m", "napari_hsr.train", str(recipe), "--dry-run", "--json"]


def estimate(recipe: Recipe, cancel: threading.Event) -> dict[str, Any]:
    """Let another process take a few steps, as ``--dry-run`` does.

    Parameters
    ----------
    recipe : Recipe
        Its paths should be absolute.
    cancel : threading.Event
        When set, the process is ended.

    Returns
    -------
    dict
        ``seconds``, ``memory_bytes``, ``device``, ``seconds_a_step`` and ``steps``.

    Raises
    ------
    InputError
        Why the training could not start, in one sentence.
    HSRError
        If the process ended without an answer.
    Cancelled
    """
    from napari_hsr.training.recipe.yaml_io import write_recipe
    from napari_hsr.training.runs.processes import detached, kill_family

    with tempfile.TemporaryDirectory(prefix="napari-hsr-") as folder:
        path, said = Path(folder) / "recipe.yaml", Path(folder) / "said.json"
        log = Path(folder) / "log.txt"
        write_recipe(recipe, path)
        with said.open("wb") as out, log.open("wb") as err:
            process = subprocess.Popen(
                command(path), stdin=subprocess.DEVNULL, stdout=out, stderr=err, **detached()
            )
            try:
                while process.poll() is None:
                    if cancel.wait(LOOK_SECONDS):
                        raise Cancelled
            finally:
                if process.poll() is None:
                    kill_family(process.pid)
                process.wait()
        try:
            answer = json.loads(said.read_text(encoding="utf-8"))
        except ValueError:
            answer = {}
        if answer.get("obstacle"):
            raise InputError(answer["obstacle"])
        if not answer.get("estimate"):
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise HSRError(" ".join(last).removeprefix("napari-hsr: error: ") or _SILENT)
        return answer["estimate"]


_SILENT = "The estimate ended without an answer: its process was killed or crashed."


def words(found: dict[str, Any], recipe: Recipe) -> str:
    """The estimate in words: ``About 10 min and 812 MB of memory on CPU, 2 threads: ...``."""
    memory = bytes_words(found["memory_bytes"])
    said = f"About {duration(found['seconds'])} and {memory} of memory on {found['device']}"
    each = f"{found['seconds_a_step']:.2g} s"
    if found["steps"] < 2:
        return f"{said}."
    if recipe.strategy == "auto":
        return f"{said}; a step of all weights takes {each}."
    return f"{said}: {found['steps']:,} steps of {each}."
