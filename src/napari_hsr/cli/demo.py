"""Reconstruct sample data, evaluate the result against ground truth, and show it.

Written into the output folder: the cube of a real photograph; a chart scene with ground
truth, its photograph and the cube reconstructed from it; metrics.json, spectra.csv and
screenshot.png. On a display the viewer stays open; without one it runs under Xvfb.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.output import note
from napari_hsr.errors import FileError, hints_worded, in_python

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from napari_hsr.cube import Cube
    from napari_hsr.models.model import Model

HELP = "reconstruct sample data, evaluate it and show it"

#: Patches of the chart whose spectra go to spectra.csv: a blue, a green, a red, a skin, a grey.
PATCHES = ("blue", "green", "red", "light skin", "neutral 5 (.70 D)")
PROTOCOL = "default"


@dataclass
class DemoFiles:
    """The files that the demonstration reads and writes."""

    photograph: Path
    photograph_cube: Path
    chart_truth: Path
    chart_photograph: Path
    chart_cube: Path
    metrics: Path
    spectra: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", metavar="DIR", default="demo", help="folder for the files (default demo)"
    )
    parser.add_argument(
        "--no-viewer", action="store_true", help="write the files, but open no viewer"
    )
    parser.add_argument(
        "--close-viewer",
        action="store_true",
        help="close the viewer once its picture is taken (so it is done without a display)",
    )


def run(args: argparse.Namespace) -> int:
    from napari_hsr.cli import display  # here: `python -m` runs it too, and would find it imported

    reason = None if args.no_viewer else why_no_viewer()
    viewer = not args.no_viewer and reason is None
    if viewer and not display.real_display():
        return _run_under_xvfb(args)
    output = Path(args.output)
    files = run_demo(output, say=lambda text: print(text, flush=True))
    for field in fields(files):
        print(f"{field.name.replace('_', ' '):<17} {getattr(files, field.name)}", flush=True)
    if viewer:
        _show(files, output / "screenshot.png", stay=not args.close_viewer)
    elif reason:
        note([f"no viewer was opened: {reason}"])
    return 0


def _run_under_xvfb(args: argparse.Namespace) -> int:
    from napari_hsr.cli import display

    # In a process of its own, which ends before its display: Qt cannot outlive one.
    command = [sys.executable, "-m", "napari_hsr", "demo", "--close-viewer"]
    debug = ["--debug"] if getattr(args, "debug", False) else []
    return display.run_under_xvfb([*command, "--output", args.output, *debug])


def run_demo(output: Path, say: Callable[[str], object] = lambda _text: None) -> DemoFiles:
    """Reconstruct and evaluate the sample data, without a viewer.

    Parameters
    ----------
    output : Path
        Folder for the files; made if it does not exist, files of an earlier run are replaced.
    say : callable
        Called with one line of text before each step.

    Returns
    -------
    DemoFiles
        Where everything is.
    """
    from napari_hsr import samples
    from napari_hsr.io import read, write
    from napari_hsr.metrics import evaluate
    from napari_hsr.models import DEFAULT, load_model

    photograph = samples.photograph_path()
    _check_folder(output, photograph.stem)
    output.mkdir(parents=True, exist_ok=True)
    model = load_model(DEFAULT)
    say(f"Reconstructing {photograph.name} with {model.name}")
    cube = _reconstruct(read(photograph), model)
    files = DemoFiles(
        photograph=photograph,
        photograph_cube=write(cube, output / f"{photograph.stem}_{model.name}.mat"),
        chart_truth=output / "chart_truth.mat",
        chart_photograph=output / "chart.png",
        chart_cube=output / f"chart_{model.name}.mat",
        metrics=output / "metrics.json",
        spectra=output / "spectra.csv",
    )
    say("Making a chart scene with ground truth, and its photograph")
    truth, chart_photograph = samples.chart()
    write(truth, files.chart_truth)
    write(chart_photograph, files.chart_photograph)

    # From here on everything is read from files, as a user's own data are.
    say("Reconstructing the chart and comparing it with its ground truth")
    prediction = _reconstruct(read(files.chart_photograph), model)
    write(prediction, files.chart_cube)
    evaluation = evaluate(read(files.chart_cube), read(files.chart_truth), protocol=PROTOCOL)
    say(evaluation.table())
    evaluation.write_json(files.metrics)
    _write_spectra(prediction, truth, files.spectra)
    return files


def _check_folder(output: Path, photograph: str) -> None:
    """FileError for a folder that holds anything but what an earlier demonstration began with and wrote."""
    names = {p.name for p in output.iterdir()} if output.is_dir() else set()
    names = {name for name in names if not name.startswith(".")}
    cubes = {name for name in names if name.startswith((f"{photograph}_", "chart_"))}
    others = names - cubes - {"chart.png", "metrics.json", "spectra.csv", "screenshot.png"}
    if others or (names and not any(name.startswith(photograph) for name in cubes)):
        some = ", ".join(sorted(others or names)[:3])
        problem = f"it holds files that are none of a demonstration ({some})"
        raise FileError(output, f"{problem}: name an empty folder, or one that is not there yet")


def _reconstruct(image: Any, model: Model) -> Cube:
    from napari_hsr.inference import reconstruct

    note(image.notices)
    return reconstruct(image, model)


def _write_spectra(prediction: Cube, truth: Cube, path: Path) -> None:
    """Mean spectra of some patches, reconstructed and measured."""
    import numpy as np

    from napari_hsr import spectra

    curves = []
    for patch in truth.metadata["patches"]:
        if patch["name"] in PATCHES:
            mask = np.zeros(truth.shape[1:], dtype=bool)
            mask[patch["top"] : patch["bottom"], patch["left"] : patch["right"]] = True
            for cube, what in ((prediction, "reconstructed"), (truth, "truth")):
                curves.append(spectra.region(cube, mask, name=f"{patch['name']}, {what}"))
    spectra.write_csv(curves, path)


def why_no_viewer() -> str | None:
    """None if a viewer can be opened here, else the reason and what to do."""
    if find_spec("napari") is None or not any(map(find_spec, ("PyQt6", "PySide6", "PyQt5"))):
        return 'napari or its window system is not installed; pip install "napari-hsr[all]".'
    from napari_hsr.cli import display

    if not display.real_display() and not display.can_start_xvfb():
        return "there is no display, and no Xvfb to stand in for one; install the package xvfb."
    return None


def _show(files: DemoFiles, screenshot: Path, stay: bool) -> None:
    # vispy asks for the resolution of the display by tools that few systems have; it needs none.
    logging.getLogger("vispy").addFilter(lambda record: "DPI" not in record.getMessage())
    from napari_hsr.viewer.demo_viewer import show_demo

    screenshot.unlink(missing_ok=True)
    print(f"{'screenshot':<17} {screenshot}", flush=True)
    if stay:
        print("The viewer stays open until you close it.", flush=True)
    with hints_worded(in_python):  # what is opened there takes none of this command's options
        show_demo(files, screenshot, stay=stay)
    if not screenshot.is_file():
        raise FileError(screenshot, "the viewer ended before its picture was taken")
