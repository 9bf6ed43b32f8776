"""What a training would be fed with: every image looked through, its faults said in its row."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_hsr import colour
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import Cancelled, HSRError, InputError
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.training import split
from napari_hsr.training.augment import source_side
from napari_hsr.training.cache import CacheError, folder
from napari_hsr.training.entry import Entry
from napari_hsr.training.events import Notice, Preparing, Report
from napari_hsr.training.recipe import Recipe
from napari_hsr.training.scenes import Pair, Scene, find
from napari_hsr.training.survey import Facts, Survey, load, survey

#: Reflectance beyond this is more likely counts, or per cent.
BRIGHTEST = 4.0
#: Images whose brightest values are so far from the others' are on another scale.
APART = 20.0
#: The other decoding leaves less than this share of what the stated one leaves unexplained.
FAR_BETTER = 0.6
#: Below this a photograph and its cube hardly show the same scene.
UNRELATED = 0.3


@dataclass(frozen=True, eq=False)
class Row:
    """One image of a table.

    Attributes
    ----------
    name : str
    rgb, cube : str
        Names of the files or layers; empty where there is none.
    held_out : bool
    height, width, bands : int or None
        None where the file could not be read.
    cube_range, rgb_range : (float, float) or None
        Least and highest finite value; of the photograph, of its full scale 1.
    rgb_encoding : str or None
    problem : str
        Why it cannot be used, in one sentence; empty if it can.
    left_out : bool
        It has a problem, but the training may start without it.
    warnings : tuple of str
        What is doubtful, a sentence each.
    wavelengths : Wavelengths or None
        After resampling.
    thumbnail : ndarray, shape (h, w, 3), uint8, or None
        At most 64 pixels a side.
    scene : Scene
    files : tuple of Path
    stamps : tuple
        Their sizes and times when they were looked through.
    """

    name: str
    rgb: str
    cube: str
    held_out: bool
    height: int | None = None
    width: int | None = None
    bands: int | None = None
    cube_range: tuple[float, float] | None = None
    rgb_range: tuple[float, float] | None = None
    rgb_encoding: str | None = None
    problem: str = ""
    left_out: bool = False
    warnings: tuple[str, ...] = ()
    wavelengths: Wavelengths | None = None
    resampled: str = ""
    thumbnail: np.ndarray | None = None
    scene: Scene | None = None
    files: tuple[Path, ...] = ()
    stamps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Findings:
    """All rows, and what concerns them together.

    Attributes
    ----------
    rows : tuple of Row
    wavelengths : Wavelengths or None
        The grid of the usable cubes; None if there are none.
    notices : tuple of Notice
        What the user must read; they have been reported.
    faults : tuple of str
        Why training cannot start that no single row is to blame for.
    """

    rows: tuple[Row, ...]
    wavelengths: Wavelengths | None
    notices: tuple[Notice, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def train(self) -> list[Row]:
        """Usable images to train on."""
        return [r for r in self.rows if not r.problem and not r.held_out]

    @property
    def held_out(self) -> list[Row]:
        """Usable images to measure on."""
        return [r for r in self.rows if not r.problem and r.held_out]

    @property
    def problems(self) -> list[str]:
        """``name: sentence`` of every row that has one."""
        return [f"{r.name}: {r.problem}" for r in self.rows if r.problem]

    @property
    def split(self) -> str:
        """The split as text that ``data.split_file`` takes."""
        return split.words((r.name, r.held_out) for r in self.rows if not r.problem)

    @property
    def decoded_bytes(self) -> int:
        """About what the decoded images take on disk."""
        total = 0
        for row in (*self.train, *self.held_out):
            each = (4 if row.held_out else 2) * row.bands + (12 if row.rgb else 0)
            total += row.height * row.width * each
        return total

    def check(self) -> None:
        """Refuse what training cannot start with.

        Raises
        ------
        InputError
            In one sentence: the first problem, how many there are, and what to do.
        """
        serious = [r for r in self.rows if r.problem and not r.left_out]
        if serious:
            first, more = serious[0], len(serious) - 1
            others = f" ({more} more image{'s have' if more > 1 else ' has'} problems.)"
            raise InputError(f"{first.name}: {first.problem}{others if more else ''}")
        if self.faults:
            raise InputError(self.faults[0])
        usable = len(self.train) + len(self.held_out)
        if not usable:
            first = next((f": {p}" for p in self.problems), ".")
            raise InputError(f"There is no image to train on{first}")
        if usable == 1:
            name = (self.train or self.held_out)[0].name
            raise InputError(
                f"There is one image only ({name}), so none can be held out to tell whether "
                "training helps: add a second one, or name a folder of others in "
                "data.validation_folder."
            )
        if not self.held_out:
            raise InputError(
                "No usable image is held out to tell whether training helps: name one in "
                "data.split_file, or a folder of others in data.validation_folder."
            )
        if not self.train:
            raise InputError(
                "All usable images are held out and none is left to train on: "
                "check data.split_file, data.hold_out and data.validation_folder."
            )


def inspect(
    recipe: Recipe,
    report: Report = lambda event: None,
    stop: threading.Event | None = None,
    *,
    images: Sequence[Pair] = (),
    keep: bool = False,
) -> Findings:
    """Look through every image that a recipe names.

    Parameters
    ----------
    recipe : Recipe
    report : callable
        Takes ``Preparing`` and ``Notice`` events.
    stop : threading.Event, optional
    images : sequence of (Cube, Photograph or None), optional
        Further images, in memory.
    keep : bool
        Decode into the cache on the way, so that :func:`cache.build` need not read twice.

    Returns
    -------
    Findings
        A row an image; one that cannot be used says why, and :meth:`Findings.check` refuses.

    Raises
    ------
    FileError, InputError
        If a folder, a split file or a named file is missing, or ``hold_out`` makes no sense.
    CacheError
        If images are to be kept and cannot be.
    Cancelled
        If ``stop`` is set.
    """
    data = recipe.data
    encoding = None
    if data.input_encoding is not None:
        encoding = colour.normalise_encoding(data.input_encoding)
    if data.wavelengths_nm is not None:
        Wavelengths(data.wavelengths_nm)  # says at once what is wrong with them
    scenes = split.assign(find(data, images), data, recipe.seed)
    rows = []
    for number, scene in enumerate(scenes):
        if stop is not None and stop.is_set():
            raise Cancelled
        report(Preparing(number, len(scenes), f"Looking through {scene.name}"))
        rows.append(_row(scene, recipe, encoding, stop, keep))
    report(Preparing(len(scenes), len(scenes), "All images are looked through"))
    grid = _common_grid(rows)
    rows = _on_one_grid(rows, grid)
    rows = _on_one_scale(rows)
    faults = _faults(rows, recipe)
    notices = _notices(rows)
    for notice in notices:
        report(notice)
    return Findings(tuple(rows), grid, notices, faults)


def _row(
    scene: Scene, recipe: Recipe, encoding: str | None, stop: threading.Event | None, keep: bool
) -> Row:
    row = Row(
        scene.name,
        _called(scene.rgb),
        _called(scene.cube),
        bool(scene.held_out),
        problem=scene.problem,
        left_out=scene.alone,
        scene=scene,
    )
    if scene.problem:
        return row
    place, wanted = folder(recipe.data.cache), recipe.data.wavelengths_nm
    try:
        entry = Entry(scene, place, wanted, encoding, bool(scene.held_out))
        row = replace(row, files=entry.files, stamps=entry.stamps)
        found = entry.facts()
        if found is None and keep:
            found = entry.write(stop)
        elif found is None:
            found = survey(*load(scene), wanted, encoding, stop)
    except CacheError:
        raise
    except HSRError as error:
        return replace(row, problem=str(error))
    return _judged(row, found, recipe)


def _called(image: Path | Cube | Photograph | None) -> str:
    return "" if image is None else image.name


def _judged(row: Row, found: Survey, recipe: Recipe) -> Row:
    facts = found.facts
    grid = facts.wavelengths_nm
    return replace(
        row,
        height=facts.height,
        width=facts.width,
        bands=facts.bands,
        cube_range=facts.cube_range,
        rgb_range=facts.rgb_range,
        rgb_encoding=facts.rgb_encoding,
        wavelengths=None if grid is None else Wavelengths(grid, facts.assumed),
        resampled=facts.resampled,
        thumbnail=found.preview,
        problem=_problem(row, facts, recipe),
        warnings=tuple(_warnings(facts)),
    )


def _problem(row: Row, facts: Facts, recipe: Recipe) -> str:
    size = f"{facts.width} x {facts.height}"
    if facts.not_finite:
        values = facts.height * facts.width * facts.bands
        return f"{facts.not_finite:,} of the {values:,} values of {row.cube} are NaN or infinite."
    if facts.rgb_not_finite:
        return f"{facts.rgb_not_finite:,} values of {row.rgb} are NaN or infinite."
    if facts.rgb_size is not None and facts.rgb_size != (facts.height, facts.width):
        height, width = facts.rgb_size
        return (
            f"The photograph {row.rgb} has {width} x {height} pixels and the cube {row.cube} "
            f"{size}; both must show the same pixels."
        )
    if facts.rgb_size is not None and facts.rgb_encoding is None:
        return (
            f"The encoding of {row.rgb} is not known: state in data.input_encoding whether its "
            "values are srgb, linear-srgb or a camera's linear response (camera:NAME)."
        )
    if facts.rgb_fault:
        return facts.rgb_fault
    if facts.wavelengths_nm is None:
        return (
            f"The wavelengths of the {facts.bands} bands of {row.cube} are not known: "
            "state them in data.wavelengths_nm."
        )
    if facts.cube_range[1] <= 0:
        return f"No value of {row.cube} is above 0 (they go up to {facts.cube_range[1]:g})."
    least = min(source_side(recipe.batch.patch, s) for s in recipe.augmentation.scales)
    if not row.held_out and min(facts.height, facts.width) < least:
        return (
            f"{row.cube} has {size} pixels, less than a patch of {least} x {least}: set "
            f"batch.patch to {min(facts.height, facts.width)} or less."
        )
    return ""


def _warnings(facts: Facts) -> list[str]:
    said = list(facts.rgb_notices)
    low, high = facts.cube_range
    if high > BRIGHTEST:
        said.append(
            f"The cube's values go up to {high:.4g}; reflectance lies in 0..1, and models are made "
            "for it: divide counts by their white."
        )
    if low < -0.05 * high:
        said.append(f"The cube has negative values, down to {low:.3g}.")
    if facts.explained is None:
        return said
    plain, decoded = facts.explained
    stated, other = (decoded, plain) if facts.rgb_encoding == SRGB else (plain, decoded)
    if max(plain, decoded) < UNRELATED:
        said.append(
            "The photograph and the cube hardly agree: its colours explain "
            f"{100 * max(plain, decoded, 0):.0f} % of it; do both show the same scene?"
        )
    elif other > 0.8 and 1 - other < FAR_BETTER * (1 - stated):
        is_now, looks = (
            ("sRGB-encoded", "linear") if facts.rgb_encoding == SRGB else ("linear", "sRGB-encoded")
        )
        said.append(
            f"The photograph is stated to be {is_now} but looks {looks}: taken so, the cube "
            f"explains {100 * other:.1f} % of it, and {100 * stated:.1f} % as stated; "
            "if so, say it in data.input_encoding."
        )
    return said


def _common_grid(rows: list[Row]) -> Wavelengths | None:
    """The grid that most of the usable cubes are on; of equals the first."""
    best, votes = None, 0
    for row in rows:
        if row.wavelengths is None or row.problem:
            continue
        same = sum(
            r.wavelengths is not None and not r.problem and r.wavelengths.matches(row.wavelengths)
            for r in rows
        )
        if same > votes:
            best, votes = row.wavelengths, same
    return best


def _on_one_grid(rows: list[Row], grid: Wavelengths | None) -> list[Row]:
    def checked(row: Row) -> Row:
        if row.problem or grid is None or row.wavelengths.matches(grid):
            return row
        return replace(
            row,
            problem=(
                f"{row.cube} has {row.wavelengths.describe()}, others have {grid.describe()}: "
                "state in data.wavelengths_nm what all are to be resampled to."
            ),
        )

    return [checked(row) for row in rows]


def _on_one_scale(rows: list[Row]) -> list[Row]:
    """A warning where a cube is far brighter or darker than the others."""
    tops = [r.cube_range[1] for r in rows if not r.problem]
    if len(tops) < 2:
        return rows
    usual = float(np.median(tops))

    def checked(row: Row) -> Row:
        if row.problem or 1 / APART < row.cube_range[1] / usual < APART:
            return row
        return replace(
            row,
            warnings=(
                *row.warnings,
                f"Its values go up to {row.cube_range[1]:.3g}, those of the others to about "
                f"{usual:.3g}: are they on one scale?",
            ),
        )

    return [checked(row) for row in rows]


def _faults(rows: list[Row], recipe: Recipe) -> tuple[str, ...]:
    bare = [r for r in rows if not r.problem and not r.rgb]
    if bare and recipe.camera is None:
        return (
            f"{_count(bare)} no photograph and the recipe names no camera: give photographs, or "
            "set the camera that simulates them (camera.cameras).",
        )
    return ()


def _notices(rows: list[Row]) -> tuple[Notice, ...]:
    said = []
    left_out = [r for r in rows if r.problem and r.left_out]
    if left_out:
        reasons = " ".join(f"{r.name}: {r.problem}" for r in left_out[:3])
        more = " …" if len(left_out) > 3 else ""
        said.append(
            Notice(f"{len(left_out)} of {len(rows)} images are left out. {reasons}{more}", True)
        )
    usable = [r for r in rows if not r.problem]
    for words in dict.fromkeys(r.resampled for r in usable if r.resampled):
        these = [r for r in usable if r.resampled == words]
        said.append(Notice(f"{len(these)} of {len(usable)} cubes are {words}."))
    assumed = [r for r in usable if r.wavelengths.assumed]
    if assumed:
        said.append(
            Notice(
                f"{_count(assumed)} no wavelengths of their own: "
                f"{assumed[0].wavelengths.describe()}.",
                True,
            )
        )
    for sentence in dict.fromkeys(w for r in usable for w in r.warnings):
        names = [r.name for r in usable if sentence in r.warnings]
        listed = ", ".join(names[:3]) + ("…" if len(names) > 3 else "")
        said.append(Notice(f"{listed}: {sentence}", True))
    return tuple(said)


def _count(rows: list[Row]) -> str:
    return f"{rows[0].name} has" if len(rows) == 1 else f"{len(rows)} images have"
