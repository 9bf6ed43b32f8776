"""Train a model on your own images, by a recipe.

  napari-hsr train --data FOLDER --start rootpoly-srgb     fine-tune an existing model
  napari-hsr train RECIPE.yaml --data FOLDER --dry-run     check the data, and stop
  napari-hsr train --materials SPECTRA.csv -o MINE         for the materials of a spectrometer's table
  napari-hsr train --output RUN --resume                   continue a stopped run

Ctrl-C finishes the step, saves everything and says how to continue; a second one quits at once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_hsr.training.events import Event, Report
    from napari_hsr.training.recipe.schema import Recipe

HELP = "train a model on your own images, or improve one"
#: The packaged recipe if none is named.
DEFAULT_RECIPE = "fine-tune"
#: The same, if ``--start`` names a super-resolution model.
FINER_RECIPE = "fine-tune-finer"
#: The same, if ``--materials`` names spectra.
MATERIALS_RECIPE = "materials"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe",
        nargs="?",
        metavar="RECIPE",
        help=f"a YAML file, or the name of a packaged recipe (default: {DEFAULT_RECIPE})",
    )
    parser.add_argument("--data", metavar="DIR", help="the folder of the training images")
    parser.add_argument(
        "--materials",
        metavar="TABLE",
        nargs="+",
        help="measured spectra (.csv, .sli, .npz …) to paint training scenes with; no cube is needed",
    )
    parser.add_argument(
        "--output",
        "-o",
        metavar="DIR",
        help="the folder of the run and of the model (default: one in the user's data folder)",
    )
    parser.add_argument("--start", metavar="MODEL", help="the model to begin with")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="settings of the recipe: --set schedule.minutes=30 batch.size=4",
    )
    parser.add_argument(
        "--resample",
        metavar="GRID",
        help="resample the cubes to these wavelengths: 400:700:10 in nm, a file that lists them, or "
        "a cube that has them",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in --output"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="read the data, say what would be done, and stop"
    )
    parser.add_argument(
        "--json", action="store_true", help="one event a line, as JSON, on standard output"
    )
    parser.add_argument(
        "--list-recipes", action="store_true", help="list the packaged recipes, and stop"
    )


def run(args: argparse.Namespace) -> int:
    try:
        if args.list_recipes:
            return _list_recipes(args.json)
        if args.dry_run:
            from napari_hsr.cli.train_dry_run import dry_run

            return dry_run(_recipe(args), args.json)
        return _train(args)
    except ModuleNotFoundError as error:
        from napari_hsr.training.runs.recorder import missing

        raise missing(error) from error


def _list_recipes(as_json: bool) -> int:
    from napari_hsr.cli.output import print_json, print_table
    from napari_hsr.training.recipe.yaml_io import recipe_names

    recipes = recipe_names()
    if as_json:
        print_json([{"name": name, "description": line} for name, line in recipes])
    else:
        print_table(["recipe", "what it is"], recipes)
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    """The recipe with the command line's settings."""
    from napari_hsr.training.recipe.yaml_io import read_recipe

    overrides = []
    if args.start:
        overrides += [f"model.start={json.dumps(args.start)}"]
    if args.data:
        folder = Path(os.path.expanduser(args.data)).absolute()
        if not folder.is_dir():
            raise FileError(args.data, "there is no such folder")
        overrides += [f"data.folder={json.dumps(str(folder))}"]
    if args.resample:
        from napari_hsr.cli.convert import grid

        overrides += [
            f"data.wavelengths_nm={json.dumps([float(nm) for nm in grid(args.resample)])}"
        ]
    recipe = args.recipe
    if args.materials:
        tables = [str(Path(os.path.expanduser(table)).absolute()) for table in args.materials]
        overrides += [f"materials.tables={json.dumps(tables)}"]
        recipe = recipe or MATERIALS_RECIPE
    if recipe is None and args.start:
        from napari_hsr.models import card_of
        from napari_hsr.models.card import SUPER_RESOLUTION

        card = card_of(args.start)
        if card.task == SUPER_RESOLUTION:
            recipe = FINER_RECIPE
            overrides += [f"coarse.scale={card.scale}"]
    read = read_recipe(recipe or DEFAULT_RECIPE, [*overrides, *args.set])
    return _named(read, recipe, args)


def _named(recipe: Recipe, source: str | None, args: argparse.Namespace) -> Recipe:
    """With the name of the output's folder, unless the recipe or the command line names it.

    The packaged recipes for fine-tuning name every model alike, which does not count.
    """
    if not args.output or any(setting.partition("=")[0].strip() == "name" for setting in args.set):
        return recipe
    named = (
        source not in (None, DEFAULT_RECIPE, FINER_RECIPE, MATERIALS_RECIPE)
        and "name" in recipe.model_fields_set
    )
    folder = os.path.basename(os.path.abspath(os.path.expanduser(args.output)))
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", folder).lstrip("._+-")
    return recipe if named or not name else recipe.model_copy(update={"name": name})


# --- a training ----------------------------------------------------------------------------


def _train(args: argparse.Namespace) -> int:
    from napari_hsr.cli.interrupt import cancelled_by_user
    from napari_hsr.training.engine import devices
    from napari_hsr.training.events import Failed, Stopped
    from napari_hsr.training.runs.recorder import reason

    recipe, output = _resumed(args) if args.resume else _new(args)
    if not devices.leads(recipe):  # another process of the same training prints and writes
        from napari_hsr.training.train import train

        with cancelled_by_user(None) as cancel:
            train(recipe, output, None, cancel, resume=args.resume)
        return 0
    report = _Reporter(args.json)
    _register(output, report)
    event: Event | None = None
    try:
        with cancelled_by_user(output) as cancel, _told_to_helpers(args, output):
            began = time.monotonic()  # torch takes seconds of a time budget
            from napari_hsr.training.train import train_events

            for event in train_events(recipe, output, cancel, resume=args.resume, began=began):
                report(event)
    except BaseException as error:
        report(Failed(reason(error), report.step))
        raise
    return 130 if isinstance(event, Stopped) else 0


def _new(args: argparse.Namespace) -> tuple[Recipe, Path]:
    from napari_hsr.training.engine import devices
    from napari_hsr.training.runs import processes
    from napari_hsr.training.runs.run_folder import check_new

    recipe = _recipe(args)
    leads = devices.leads(recipe)
    if not args.output and not leads:
        raise InputError("With several processes --output is needed: the folder that they share.")
    output = (
        Path(os.path.expanduser(args.output))
        if args.output
        else processes.default_output(recipe.name)
    )
    if leads:
        check_new(output)
    return recipe, output.absolute()


def _resumed(args: argparse.Namespace) -> tuple[Recipe, Path]:
    """The recipe of a resumed run: its own, which the command line may repeat."""
    from napari_hsr.training.recipe.yaml_io import read_recipe
    from napari_hsr.training.runs import processes
    from napari_hsr.training.runs.run_folder import RECIPE

    if not args.output:
        known = [str(r.output) for r in processes.find() if r.status().resumable][:5]
        can = f"; these can be resumed: {', '.join(known)}" if known else ""
        raise InputError(f"--resume needs --output, the folder of the run{can}.")
    output = Path(os.path.expanduser(args.output)).absolute()
    if not (output / RECIPE).is_file():
        raise FileError(output, f"no training was started here: it holds no {RECIPE}")
    own = read_recipe(output / RECIPE)
    if args.recipe or args.data or args.start or args.set:
        named = {**vars(args), "recipe": args.recipe or str(output / RECIPE)}
        given = _recipe(argparse.Namespace(**named))
        # the engine's settings say where it is computed, not what
        keys = [key for key in type(own).model_fields if key != "engine"]
        if differing := [key for key in keys if getattr(own, key) != getattr(given, key)]:
            raise InputError(
                f"The run in {output} was started with other settings ({', '.join(differing)}): "
                "resume it with --output and --resume alone, or start a new one."
            )
    return own, output


@contextmanager
def _told_to_helpers(args: argparse.Namespace, output: Path) -> Iterator[None]:
    """Name the folder on the command line that starts the other processes of a training.

    Not in the environment: a variable that somebody left there must not lead a run anywhere.
    """
    before = list(sys.argv)
    if not args.output:
        sys.argv += ["--output", str(output)]
    try:
        yield
    finally:
        sys.argv[:] = before


def _register(output: Path, report: Report) -> None:
    """Put the run's folder in the list of runs."""
    from napari_hsr.notices import Code, Notice
    from napari_hsr.training.events import Noticed
    from napari_hsr.training.runs import processes

    try:
        processes.register(output)
    except FileError as error:  # the run itself does not need it
        text = f"The Train panel will not list this run: {error}"
        report(Noticed(Notice.warning(Code.RUN_NOT_LISTED, text)))


class _Reporter:
    """Prints events as text or as JSON; remembers the step."""

    def __init__(self, as_json: bool):
        from napari_hsr.cli.train_messages import EventPrinter

        self.step = 0
        self._json, self._printer = as_json, EventPrinter()

    def __call__(self, event: Event) -> None:
        from napari_hsr.training.events import Began, Step, to_json

        if isinstance(event, (Began, Step)):
            self.step = event.step
        # nobody reads any more, the terminal was closed, the disk of a log is full: training goes on
        with suppress(OSError):
            if self._json:
                print(to_json(event), flush=True)
            else:
                self._printer(event)
