"""What is wrong or doubtful about an image, in sentences: alone, and beside the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.cube import Wavelengths
from napari_hsr.photograph import SRGB
from napari_hsr.training.data.augmentation import source_side
from napari_hsr.training.events import Notice

if TYPE_CHECKING:
    from napari_hsr.training.data.findings import Row
    from napari_hsr.training.data.scan import Facts, Survey
    from napari_hsr.training.recipe.schema import Recipe

#: Reflectance beyond this is more likely counts, or per cent.
BRIGHTEST = 4.0
#: Images whose brightest values are so far from the others' are on another scale.
APART = 20.0
#: The other decoding leaves less than this share of what the stated one leaves unexplained.
FAR_BETTER = 0.6
#: Below this a photograph and its cube hardly show the same scene.
UNRELATED = 0.3


def judged(row: Row, found: Survey, recipe: Recipe) -> Row:
    """An image with the problems and warnings that it has for a recipe."""
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
        return (
            f"{facts.not_finite:,} of the {values:,} values of {row.cube} "
            f"{_are(facts.not_finite)} NaN or infinite."
        )
    if facts.rgb_not_finite:
        values = facts.rgb_size[0] * facts.rgb_size[1] * 3
        return (
            f"{facts.rgb_not_finite:,} of the {values:,} values of {row.rgb} "
            f"{_are(facts.rgb_not_finite)} NaN or infinite."
        )
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
    finer = recipe.coarse.scale if recipe.finer else 1
    patch = 1 if row.held_out and recipe.finer else recipe.batch.patch
    least = min(source_side(patch * finer, s) for s in recipe.augmentation.scales)
    if (recipe.finer or not row.held_out) and min(facts.height, facts.width) < least:
        return (
            f"{row.cube} has {size} pixels, less than a patch of {least} x {least}: set "
            f"batch.patch to {min(facts.height, facts.width) // finer} or less."
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


def common_grid(rows: list[Row]) -> Wavelengths | None:
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


def on_one_grid(rows: list[Row], grid: Wavelengths | None) -> list[Row]:
    """The images, those on another wavelength grid with that as their problem."""

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


def on_one_scale(rows: list[Row]) -> list[Row]:
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


def faults(rows: list[Row], recipe: Recipe) -> tuple[str, ...]:
    """What is wrong with the data set as a whole, one sentence each."""
    bare = [r for r in rows if not r.problem and not r.rgb]
    if bare and recipe.camera is None and not recipe.finer:
        return (
            f"{_count(bare)} no photograph and the recipe names no camera: give photographs, or "
            "set the camera that simulates them (camera.cameras).",
        )
    return ()


def notices(rows: list[Row]) -> tuple[Notice, ...]:
    """What was left out, and what is doubtful about the data set as a whole."""
    said = []
    left_out = [r for r in rows if r.problem and r.left_out]
    if left_out:
        reasons = " ".join(f"{r.name}: {r.problem}" for r in left_out[:3])
        more = " …" if len(left_out) > 3 else ""
        said.append(
            Notice(
                f"{len(left_out)} of {len(rows)} images {_are(len(left_out))} left out. {reasons}{more}",
                True,
            )
        )
    usable = [r for r in rows if not r.problem]
    for words in dict.fromkeys(r.resampled for r in usable if r.resampled):
        these = [r for r in usable if r.resampled == words]
        said.append(Notice(f"{len(these)} of {len(usable)} cubes {_are(len(these))} {words}."))
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


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
