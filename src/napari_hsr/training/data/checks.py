"""Problems and warnings of images: of each alone, and compared with the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_hsr import colour
from napari_hsr.cameras import random_camera
from napari_hsr.cube import Wavelengths
from napari_hsr.errors import HSRError
from napari_hsr.models.card import RECONSTRUCTION
from napari_hsr.models.library import card_of
from napari_hsr.notices import Code, Notice, as_notices
from napari_hsr.photograph import SRGB
from napari_hsr.training.data.augmentation import source_side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_hsr.training.data.findings import Row
    from napari_hsr.training.data.scan import Facts, Scan
    from napari_hsr.training.recipe.schema import Recipe

S = TypeVar("S", bound=str)

#: Reflectance above this is more likely counts or per cent.
BRIGHTEST = 4.0
#: Factor between an image's maximum and the median of the others that suggests another scale.
APART = 20.0
#: The other decoding leaves less than this fraction of what the stated one leaves unexplained.
FAR_BETTER = 0.6
#: Explained fraction below which photograph and cube are unlikely to show the same scene.
UNRELATED = 0.3


def checked(row: Row, found: Scan, recipe: Recipe) -> Row:
    """The row of an image with what was found in it, its problem and its warnings."""
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
        wavelengths=None if grid is None else Wavelengths(np.asarray(grid), facts.assumed),
        resampled=facts.resampled,
        thumbnail=found.preview,
        problem=_problem(row, facts, recipe),
        warnings=tuple(_warnings(facts)),
    )


def _problem(row: Row, facts: Facts, recipe: Recipe) -> Notice | None:
    """The first reason why an image cannot be used."""
    size = f"{facts.width} x {facts.height}"
    if facts.not_finite:
        values = facts.height * facts.width * facts.bands
        return Notice.warning(Code.NOT_FINITE, _not_finite(facts.not_finite, values, row.cube))
    if facts.rgb_size is not None:
        problem = _problem_of_photograph(row, facts, facts.rgb_size)
        if problem is not None:
            return problem
    if facts.wavelengths_nm is None:
        return Notice.warning(
            Code.WAVELENGTHS_MISSING,
            f"The wavelengths of the {facts.bands} bands of {row.cube} are not known: "
            "state them in data.wavelengths_nm.",
        )
    if facts.cube_range[1] <= 0:
        return Notice.warning(
            Code.NOTHING_POSITIVE,
            f"No value of {row.cube} is above 0 (they go up to {facts.cube_range[1]:g}).",
        )
    patch = 1 if row.held_out and recipe.finer else recipe.batch.patch
    least = min(source_side(patch * recipe.scale, s) for s in recipe.augmentation.scales)
    if (recipe.finer or not row.held_out) and min(facts.height, facts.width) < least:
        return Notice.warning(
            Code.SMALLER_THAN_A_PATCH,
            f"{row.cube} has {size} pixels, less than a patch of {least} x {least}: set "
            f"batch.patch to {min(facts.height, facts.width) // recipe.scale} or less.",
        )
    return None


def _problem_of_photograph(row: Row, facts: Facts, rgb_size: tuple[int, int]) -> Notice | None:
    height, width = rgb_size
    if facts.rgb_not_finite:
        told = _not_finite(facts.rgb_not_finite, height * width * 3, row.rgb)
        return Notice.warning(Code.NOT_FINITE, told)
    if rgb_size != (facts.height, facts.width):
        return Notice.warning(
            Code.SIZES_DIFFER,
            f"The photograph {row.rgb} has {width} x {height} pixels and the cube {row.cube} "
            f"{facts.width} x {facts.height}; both must show the same pixels.",
        )
    if facts.rgb_encoding is None:
        return Notice.warning(
            Code.ENCODING_UNKNOWN,
            f"The encoding of {row.rgb} is not known: state in data.input_encoding whether its "
            "values are srgb, linear-srgb or a camera's linear response (camera:NAME).",
        )
    return Notice.warning(Code.OUT_OF_RANGE, facts.rgb_fault) if facts.rgb_fault else None


def _not_finite(count: int, values: int, name: str) -> str:
    return f"{count:,} of the {values:,} values of {name} {_are(count)} NaN or infinite."


def _warnings(facts: Facts) -> Iterator[Notice]:
    yield from as_notices(facts.rgb_notices)
    low, high = facts.cube_range
    if high > BRIGHTEST:
        yield Notice.warning(
            Code.TOO_BRIGHT,
            f"The cube's values go up to {high:.4g}; reflectance lies in 0..1, and models are made "
            "for it: divide counts by their white.",
        )
    if low < -0.05 * high:
        yield Notice.warning(
            Code.NEGATIVE_VALUES, f"The cube has negative values, down to {low:.3g}."
        )
    if facts.explained is None:
        return
    plain, decoded = facts.explained
    stated, other = (decoded, plain) if facts.rgb_encoding == SRGB else (plain, decoded)
    if max(plain, decoded) < UNRELATED:
        yield Notice.warning(
            Code.PHOTOGRAPH_UNRELATED,
            "The photograph and the cube hardly agree: its colours explain "
            f"{100 * max(plain, decoded, 0):.0f}% of it; do both show the same scene?",
        )
    elif other > 0.8 and 1 - other < FAR_BETTER * (1 - stated):
        is_now, looks = (
            ("sRGB-encoded", "linear") if facts.rgb_encoding == SRGB else ("linear", "sRGB-encoded")
        )
        yield Notice.warning(
            Code.ENCODING_DOUBTFUL,
            f"The photograph is stated to be {is_now} but looks {looks}: taken so, the cube "
            f"explains {100 * other:.1f}% of it, and {100 * stated:.1f}% as stated; "
            "if so, say it in data.input_encoding.",
        )


def common_grid(rows: list[Row]) -> Wavelengths | None:
    """The wavelengths of most usable cubes; the first ones in case of a tie."""
    grids = [row.wavelengths for row in rows if row.wavelengths is not None and not row.problem]
    return max(grids, key=lambda grid: sum(other.matches(grid) for other in grids), default=None)


def on_one_grid(rows: list[Row], grid: Wavelengths | None) -> list[Row]:
    """The rows, with a problem where the wavelengths are other than those of most cubes."""

    def compared(row: Row) -> Row:
        own = row.wavelengths
        if row.problem or grid is None or own is None or own.matches(grid):
            return row
        told = (
            f"{row.cube} has {own.describe()}, others have {grid.describe()}: "
            "state in data.wavelengths_nm what all are to be resampled to."
        )
        return replace(row, problem=Notice.warning(Code.WAVELENGTHS_DIFFER, told))

    return [compared(row) for row in rows]


def on_one_scale(rows: list[Row]) -> list[Row]:
    """The rows, with a warning where a cube is far brighter or darker than the others."""
    tops = [r.cube_range[1] for r in rows if r.cube_range is not None and not r.problem]
    if len(tops) < 2:
        return rows
    usual = float(np.median(tops))

    def compared(row: Row) -> Row:
        if row.problem or row.cube_range is None:
            return row
        top = row.cube_range[1]
        if 1 / APART < top / usual < APART:
            return row
        told = (
            f"Its values go up to {top:.3g}, those of the others to about {usual:.3g}: "
            "are they on one scale?"
        )
        warning = Notice.warning(Code.SCALES_DIFFER, told)
        return replace(row, warnings=(*row.warnings, warning))

    return [compared(row) for row in rows]


def for_start_model(rows: list[Row], recipe: Recipe) -> list[Row]:
    """The rows, with a problem where the start model cannot take the photograph."""
    card = None if recipe.model.start is None else card_of(recipe.model.start)
    if card is None or card.task != RECONSTRUCTION or recipe.finer:
        return rows

    def compared(row: Row) -> Row:
        if row.problem or not row.rgb:
            return row
        told = colour.why_not_convert(row.rgb_encoding, card.input_encoding)
        problem = Notice.warning(Code.ENCODING_OF_NO_USE, told) if told else None
        return replace(row, problem=problem)

    return [compared(row) for row in rows]


def faults(
    rows: list[Row], recipe: Recipe, wavelengths_nm: np.ndarray | None = None
) -> tuple[str, ...]:
    """What is wrong with the data set as a whole, one sentence each."""
    bare = [r for r in rows if not r.problem and not r.rgb]
    if bare and recipe.camera is None and not recipe.finer:
        return (
            f"{_count(bare)} no photograph and the recipe names no camera: give photographs, or "
            "set the camera that simulates them (camera.cameras).",
        )
    if wavelengths_nm is not None and recipe.camera is not None and simulates(rows, recipe):
        try:
            random_camera.check(recipe.camera, wavelengths_nm)
        except HSRError as error:
            return (str(error),)
    return ()


def simulates(rows: list[Row], recipe: Recipe) -> bool:
    """Whether photographs are simulated, of cubes without one or of painted materials."""
    bare = any(not r.problem and not r.rgb for r in rows)
    return not recipe.finer and (bare or recipe.materials is not None)


def notices(rows: list[Row]) -> tuple[Notice, ...]:
    """What was left out, and what is doubtful about the data set as a whole."""
    said = []
    left_out = [r for r in rows if r.left_out]
    if left_out:
        reasons = " ".join(f"{r.name}: {r.problem}" for r in left_out[:3])
        more = " …" if len(left_out) > 3 else ""
        count = f"{len(left_out)} of {len(rows)} images {_are(len(left_out))} left out."
        said.append(Notice.warning(Code.IMAGES_LEFT_OUT, f"{count} {reasons}{more}"))
    usable = [r for r in rows if not r.problem]
    for how, names in _names_by((r.name, r.resampled) for r in usable if r.resampled).items():
        text = f"{len(names)} of {len(usable)} cubes {_are(len(names))} {how}."
        said.append(Notice.info(Code.RESAMPLED, text))
    assumed = [r for r in usable if r.wavelengths is not None and r.wavelengths.assumed]
    if assumed and assumed[0].wavelengths is not None:
        grid = assumed[0].wavelengths.describe()
        text = f"{_count(assumed)} no wavelengths of their own: {grid}."
        said.append(Notice.warning(Code.WAVELENGTHS_ASSUMED, text))
    for warning, names in _names_by((r.name, w) for r in usable for w in r.warnings).items():
        listed = ", ".join(names[:3]) + ("…" if len(names) > 3 else "")
        said.append(Notice.warning(warning.code, f"{listed}: {warning}"))
    return tuple(said)


def _names_by(pairs: Iterable[tuple[str, S]]) -> dict[S, list[str]]:
    """Images that share a value, by that value."""
    groups: dict[S, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(value, []).append(name)
    return groups


def _count(rows: list[Row]) -> str:
    return f"{rows[0].name} has" if len(rows) == 1 else f"{len(rows)} images have"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
