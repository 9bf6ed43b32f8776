"""Calibrate the intervals of bundled models, on photographs that neither trained nor chose them.

    python training/calibrate_intervals.py --data CAVE --cameras camera_sensitivities.csv
                                           --materials MATERIALS [--models mstpp-photo …]

Sources are those of ``benchmark.py``: the scenes of ``CAVE/val``, two charts, scenes of other
imagers. Each is photographed by three cameras that no model was trained with, under three lights,
with noise, 8 bits and JPEG; a model of one camera gets that camera's linear photographs. Where
``CAVE/val`` chose a model's weights it takes no part and is only looked at. What is called unlike
the training comes from photographs of ``CAVE/train``, by other cameras.

Half-widths are those of the worst source at each level of difficulty
(``napari_hsr.trust.conformal.worst_source``). Quantiles of all sources together cover a source that
took no part too seldom: 69 % of AVIRIS and 79 % of Jasper Ridge for mstpp-d700. ``WITHIN`` is the share
of a source's samples, and is the least, in steps of 0.005, at which every source left out in turn is
covered in 85 %; where the camera is known, in steps of 0.01 and for either of two seeds; for
rootpoly-nikon-d700, of which CAVE val is covered least, until it is in 87 % for each of three. Four levels leave each source enough samples in each. A level's half-widths hold at the
mean logarithm of its difficulties, and between those they are interpolated; where an easier level
has larger ones, both have their mean.

The mean of a region has ``OF_REGIONS`` of the half-widths that its pixels have: the least share, in steps of 0.05, at
which the regions of every source left out of any model are covered in 85 %, for either of two seeds. What is wrong in a
source is wrong in all of its pixels, so that their mean is hardly nearer to the truth than each of them. Quantiles of the regions' own
errors say too little of the next source: at 98 % of each source's regions one source left out was covered in 78 %, and
half-widths of other models were wider than their pixels'.

The table of a model goes into its card; its figures are by source: *coverage*, *coverage_regions*, *auroc* (of
difficulty times brightness, for errors in reflectance in the worst quartile of the source) and
*auroc_relative* (of the difficulty, for errors relative to the brightness) when the source took no part
in the calibration, *coverage_shipped* with the table that is written. *All sources* are the same of as
many pixels of each together, every one by the difficulty that was fitted without its source, over what 95 % of
the training's pixels do not exceed in it. For
``CAVE/val`` also *coverage_exchangeable*: of its own photographs, calibrated on five sixths of them and
looked at in the others, the mean over 40 splits, with one row for all of a level. It is run again
whenever a model or a witness has new weights: a table of other weights is not used.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from benchmark import LIGHTS, photographed_by, sources
from bundled import LEFT_OUT
from hashes import save_model
from root_polynomial import BUNDLED, GRID, load_scenes
from safetensors.torch import load_file
from scipy.optimize import isotonic_regression

import napari_hsr
from napari_hsr.cameras.random_camera import draw
from napari_hsr.cameras.settings import CaptureSettings
from napari_hsr.colour import decode_photograph_tile
from napari_hsr.inference.trust.model_disagreement import witnesses_of
from napari_hsr.models.interval_table import IntervalTable, between, decoded, encoded
from napari_hsr.models.model_file import read_card
from napari_hsr.photograph import Photograph
from napari_hsr.trust import conformal
from napari_hsr.trust.difficulty import (
    auroc,
    brightness_of,
    chromaticity_cell,
    difficulty,
    fit_share,
    fit_slopes,
    missed,
    rarity,
    rarity_table,
    spread,
)
from napari_hsr.trust.linear_camera import linear_camera

if TYPE_CHECKING:
    from collections.abc import Callable

COVERAGE = 0.9
#: Share of a source's samples that its quantile holds, of any camera and of a known one; see above.
WITHIN = {
    "mstpp-photo": 0.865,
    "instant-photo": 0.865,
    "rootpoly-srgb": 0.865,
    "mstpp-d700": 0.82,
    "instant-nikon-d700": 0.82,
    "rootpoly-nikon-d700": 0.86,
}
#: Of their pixels' half-widths, those of the means of regions.
OF_REGIONS = 0.9
LEVELS, SPLITS = 4, 40
CHOSE = "CAVE val"
#: Its weights are the last of its training.
CHOSEN_BY_NOTHING = ("instant-photo", "instant-nikon-d700")
PIXELS, REGIONS = 1500, 30


@dataclass
class Looked:
    """Some pixels and regions of a photograph: what is known before the truth, and the errors."""

    source: str
    cells: np.ndarray
    spread: np.ndarray
    error: np.ndarray  # (pixels, bands), relative to the brightness
    brightness: np.ndarray
    missed: np.ndarray | None = None  # of a known camera
    boxes: list[np.ndarray] = field(default_factory=list)  # which pixels of the photograph
    region_error: np.ndarray | None = None
    every_cell: np.ndarray | None = None
    every_spread: np.ndarray | None = None
    every_missed: np.ndarray | None = None
    every_brightness: np.ndarray | None = None
    colours: np.ndarray | None = None  # of the whole photograph, linear, (3, height, width)
    chosen: np.ndarray | None = None  # its pixels that the others are of
    corner: tuple[int, int] = (0, 0)  # of the photograph in its scene


def settings(model, table: Path, camera: str, light: str, leave_out=()) -> CaptureSettings:
    """How a model's photographs are taken."""
    if model.input_encoding.startswith("camera:"):
        return CaptureSettings(cameras=(f"{table}:{model.input_encoding.removeprefix('camera:')}",))
    return photographed_by(table, camera, light, leave_out)


def camera_of(model, table: Path) -> np.ndarray | None:
    """What the one camera of a model sees of a spectrum, (bands, 3); None if it is any camera's."""
    if not model.input_encoding.startswith("camera:"):
        return None
    name = model.input_encoding.removeprefix("camera:")
    return linear_camera(model.input_encoding, tuple(GRID), f"{table}:{name}").matrix.astype(
        np.float32
    )


def look(
    model,
    witnesses,
    source: str,
    cube: np.ndarray,
    taken: CaptureSettings,
    side: int,
    rng,
    camera: np.ndarray | None = None,
):
    """Photograph a part of a cube, reconstruct it, and hold it against the truth."""
    top, left = (int(rng.integers(0, max(1, n - side + 1))) for n in cube.shape[1:])
    cube = np.ascontiguousarray(cube[:, top : top + side, left : left + side])
    capture = draw(taken, np.asarray(GRID), rng, cube)
    rgb = capture.take(cube, rng)
    if taken.bits:
        photo = Photograph(np.rint(255 * rgb).astype(np.uint8), encoding="srgb")
    else:
        photo = Photograph(np.asarray(rgb, np.float32), encoding=model.input_encoding)
    made = napari_hsr.reconstruct(photo, model, device="cpu").data.reshape(len(GRID), -1)
    truth = (cube * np.float32(capture.gain)).reshape(len(GRID), -1)
    colours = decode_photograph_tile(photo.data, photo.encoding, witnesses.encoding)
    cell, brightness = chromaticity_cell(colours.reshape(-1, 3).T)
    apart = spread(made, cell, brightness, witnesses.mean, witnesses.variance)
    relative = brightness_of(made)
    failed = None
    if camera is not None:
        witnessed = witnesses.missed(camera)[cell] * brightness**2
        failed = missed(made, colours.reshape(-1, 3).T, camera, witnessed, relative)
    chosen = rng.permutation(made.shape[1])[:PIXELS]
    found = Looked(
        source,
        cell[chosen],
        apart[chosen],
        (np.abs(made - truth) / relative).T[chosen],
        relative[chosen],
        None if failed is None else failed[chosen],
    )
    height, width = cube.shape[1:]
    index, errors = np.arange(height * width).reshape(height, width), []
    for _ in range(REGIONS):
        h, w = (int(rng.integers(4, max(5, n // 2))) for n in (height, width))
        y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        box = index[y : y + h, x : x + w].ravel()
        found.boxes.append(box)
        errors.append(np.abs((made - truth)[:, box].mean(axis=1)) / relative[box].mean())
    found.region_error = np.array(errors)
    found.every_cell, found.every_spread, found.every_missed = cell, apart, failed
    found.every_brightness = relative
    found.colours, found.chosen = np.moveaxis(colours, -1, 0), chosen
    found.corner = top, left
    return found


@dataclass
class Table:
    """A calibration, with the difficulties it was made from."""

    slopes: tuple[float, float, float]
    rarity: np.ndarray
    edges: np.ndarray
    centres: np.ndarray
    largest: float
    half_widths: np.ndarray
    region_half_widths: np.ndarray
    usual: float = 1.0

    def colour(self, one: Looked) -> np.ndarray:
        """Difficulty of the pixels, whatever their brightness."""
        return difficulty(one.spread, rarity(one.cells, self.rarity), self.slopes[:2], one.missed)

    def hard(self, one: Looked) -> np.ndarray:
        """Difficulty of the pixels."""
        return self.colour(one) * one.brightness ** -self.slopes[2]

    def every_hard(self, one: Looked) -> np.ndarray:
        """Difficulty of all pixels of a photograph."""
        rare = rarity(one.every_cell, self.rarity)
        every = difficulty(one.every_spread, rare, self.slopes[:2], one.every_missed)
        out: np.ndarray = every * one.every_brightness ** -self.slopes[2]
        return out

    def region_rows(self, one: Looked) -> np.ndarray:
        """Row of the tables for the regions: the mean of their pixels."""
        rows = self.row(self.every_hard(one))
        return np.array([rows[box].mean() for box in one.boxes])

    def region_widths(self, one: Looked) -> np.ndarray:
        """Half-widths of the regions relative to their brightness, (regions, bands)."""
        bright = one.every_brightness
        scale = bright * np.maximum(1, self.every_hard(one) / self.largest)
        relative = [scale[box].mean() / bright[box].mean() for box in one.boxes]
        return (between(self.region_half_widths, self.region_rows(one)) * relative).T

    def widths(self, one: Looked) -> np.ndarray:
        """Half-widths relative to the brightness, (pixels, bands)."""
        hard = self.hard(one)
        scale = np.maximum(1, hard / self.largest)
        return (between(self.half_widths, self.row(hard)) * scale).T

    def row(self, hard: np.ndarray) -> np.ndarray:
        """Row of the tables for difficulties, between two of them."""
        return np.interp(np.log(hard), np.log(self.centres), np.arange(LEVELS))


def weights_of(seen: list[Looked]) -> np.ndarray:
    """Of photographs: sources count alike."""
    names = [one.source for one in seen]
    return np.array([1 / names.count(name) for name in names])


def calibrate(seen: list[Looked], rare: np.ndarray, training: list[Looked], within: float) -> Table:
    """Slopes, levels and quantiles from photographs; of those of the training what is usual."""
    weights = weights_of(seen)
    images = np.repeat(np.arange(len(seen)), [len(one.spread) for one in seen])
    each = np.repeat(weights, [len(one.spread) for one in seen]) / PIXELS
    error = np.concatenate([one.error for one in seen])
    apart = np.concatenate([one.spread for one in seen])
    rarities = np.concatenate([rarity(one.cells, rare) for one in seen])
    names = np.unique([one.source for one in seen], return_inverse=True)[1]
    failed = None
    size = np.concatenate([one.brightness for one in seen])
    if seen[0].missed is None:
        slopes = fit_slopes(apart, rarities, error.mean(axis=1), each, names[images], size)
    else:
        failed = np.concatenate([one.missed for one in seen])
        slopes = (fit_share(apart, failed, error.mean(axis=1), size, names[images]), 0.0, 0.0)
    hard = difficulty(apart, rarities, slopes[:2], failed) * size ** -slopes[2]
    order = np.argsort(hard)
    reached = np.cumsum(each[order]) / each.sum()
    edges = hard[order][np.searchsorted(reached, np.arange(1, LEVELS) / LEVELS)]
    levels = np.searchsorted(edges, hard, side="right")
    largest = float(hard[order][np.searchsorted(reached, 0.995)])
    mean = [np.average(np.log(hard[levels == k]), weights=each[levels == k]) for k in range(LEVELS)]
    table = Table(slopes, rare, edges, np.exp(mean), largest, np.empty(0), np.empty(0))
    table.usual = unlike_above(table.hard, training)
    table.half_widths = rising(conformal.worst_source(error, levels, names[images], within, LEVELS))
    table.region_half_widths = OF_REGIONS * table.half_widths
    return table


def unlike_above(hard: Callable[[Looked], np.ndarray], training: list[Looked]) -> float:
    """What 95 % of the training's pixels do not exceed."""
    return float(np.quantile(np.concatenate([hard(one) for one in training]), 0.95))


def rising(rows: np.ndarray) -> np.ndarray:
    """The nearest rows, band by band, that do not fall from a level to the next."""
    return np.stack([isotonic_regression(band).x for band in rows.T], axis=1)


def covered(table: Table, seen: list[Looked]) -> float:
    """Share of all values of photographs that lie in their intervals."""
    return float(np.mean([(one.error <= table.widths(one)).mean() for one in seen]))


def covered_regions(table: Table, seen: list[Looked]) -> float:
    """The same of the means of regions."""
    return float(np.mean([(one.region_error <= table.region_widths(one)).mean() for one in seen]))


#: Scores and errors of the pixels of a source.
Scored = tuple[np.ndarray, np.ndarray]


def scored(table: Table, seen: list[Looked], relative: bool) -> Scored:
    """Difficulties and relative errors; or both times the brightness, errors in reflectance."""
    size = [1 if relative else one.brightness for one in seen]
    score = [table.hard(one) / table.usual * b for one, b in zip(seen, size, strict=True)]
    error = [one.error.mean(axis=1) * b for one, b in zip(seen, size, strict=True)]
    return np.concatenate(score), np.concatenate(error)


def worst_quartile(score: np.ndarray, error: np.ndarray) -> float:
    """Area under the ROC for errors in the worst quartile."""
    return auroc(score, error >= np.quantile(error, 0.75))


def pooled(found: list[Scored], rng: np.random.Generator) -> float:
    """The same over all sources, as many pixels of each."""
    least = min(len(score) for score, _ in found)
    chosen = [rng.permutation(len(score))[:least] for score, _ in found]
    score, error = (
        np.concatenate([one[part][at] for one, at in zip(found, chosen, strict=True)])
        for part in (0, 1)
    )
    return worst_quartile(score, error)


def exchangeable(table: Table, seen: list[Looked], rng: np.random.Generator) -> float:
    """Coverage of a sixth of a source's photographs by quantiles of the others, mean over splits."""
    levels = [np.searchsorted(table.edges, table.hard(one), side="right") for one in seen]
    found = []
    for _ in range(SPLITS):
        new, old = np.split(rng.permutation(len(seen)), [len(seen) // 6])
        images = np.repeat(np.arange(len(old)), [len(levels[i]) for i in old])
        error = np.concatenate([seen[i].error for i in old])
        level = np.concatenate([levels[i] for i in old])
        widths = conformal.level_quantiles(error, level, images, COVERAGE, LEVELS)
        found.append(np.mean([(seen[i].error <= widths[levels[i]]).mean() for i in new]))
    return float(np.mean(found))


#: Photographs by source, and those of the training.
Seen = tuple[dict[str, list[Looked]], list[Looked]]


def photographs_of(model, witnesses, options: argparse.Namespace, rng: np.random.Generator) -> Seen:
    """Photograph and look."""
    by_source: dict[str, list[Looked]] = {}
    seen = camera_of(model, options.cameras)
    for source, cubes in sources(options.data, options.materials).items():
        for cube in cubes:
            for camera in LEFT_OUT:
                for light in LIGHTS:
                    taken = settings(model, options.cameras, camera, light)
                    one = look(model, witnesses, source, cube, taken, options.side, rng, seen)
                    by_source.setdefault(source, []).append(one)
    training = []
    for cube in load_scenes(options.data / "train").values():
        for light in LIGHTS:
            taken = settings(model, options.cameras, "*", light, LEFT_OUT)
            training.append(look(model, witnesses, "train", cube, taken, options.side, rng, seen))
    return by_source, training


def calibrate_model(name: str, options: argparse.Namespace) -> IntervalTable:
    """Photograph, look, calibrate, and print what remains."""
    model = napari_hsr.load_model(name)
    witnesses = witnesses_of(model)
    if witnesses is None:
        raise SystemExit(f"{name} has no witness among the bundled models")
    rng = np.random.default_rng(options.seed)
    seen = camera_of(model, options.cameras)
    by_source, training = photographs_of(model, witnesses, options, rng)
    cells = np.concatenate([one.cells for one in training])
    # as it will be read again from the card
    rare = decoded(encoded(rarity_table(cells, np.ones(len(cells)))))
    fit = [s for s in by_source if s != CHOSE or name in CHOSEN_BY_NOTHING]
    table = calibrate([one for s in fit for one in by_source[s]], rare, training, WITHIN[name])
    unlike = unlike_above(table.colour, training)
    figures: dict[str, dict[str, float]] = {}
    known: dict[str, list[Scored]] = {"auroc": [], "auroc_relative": []}
    for source, photographs in by_source.items():
        others = [one for s in fit if s != source for one in by_source[s]]
        without = calibrate(others, rare, training, WITHIN[name])
        for figure, relative in (("auroc", False), ("auroc_relative", True)):
            known[figure].append(scored(without, photographs, relative))
        figures[source] = {
            "coverage": covered(without, photographs),
            "coverage_regions": covered_regions(without, photographs),
            **{figure: worst_quartile(*found[-1]) for figure, found in known.items()},
            "coverage_shipped": covered(table, photographs),
            "half_width": float(np.mean([table.widths(one).mean() for one in photographs])),
            "unlike": float(np.mean([(table.colour(one) > unlike).mean() for one in photographs])),
        }
    figures[CHOSE]["coverage_exchangeable"] = exchangeable(table, by_source[CHOSE], rng)
    figures["all sources"] = {figure: pooled(found, rng) for figure, found in known.items()}
    print(
        f"{name}: slopes {table.slopes[0]:.2f}, {table.slopes[1]:.3f}, {table.slopes[2]:.2f}; {figures['all sources']}"
    )
    for source, row in figures.items():
        if "coverage" in row:
            print(f"  {source:<24}" + "  ".join(f"{k} {v:.3f}" for k, v in row.items()), flush=True)

    def rounded(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(float(f"{v:.3g}") for v in row) for row in values)

    return IntervalTable(
        weights_sha256=model.weights_sha256,
        coverage=COVERAGE,
        witnesses=witnesses.hashes,
        slopes=table.slopes[:2],
        dark_slope=table.slopes[2],
        camera=() if seen is None else tuple(tuple(row) for row in seen.tolist()),
        rarity=encoded(rare),
        edges=tuple(table.edges.tolist()),
        centres=tuple(table.centres.tolist()),
        half_widths=rounded(table.half_widths),
        region_half_widths=rounded(table.region_half_widths),
        unlike_above=unlike,
        largest=table.largest,
        photographs=sum(len(by_source[s]) for s in fit),
        calibrated_on=", ".join(s.replace("_", " ") for s in fit),
        figures={s: {k: round(v, 4) for k, v in row.items()} for s, row in figures.items()},
    )


def main() -> None:
    """Calibrate, and write the cards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and val/")
    parser.add_argument("--cameras", type=Path, required=True, help="table of sensitivities")
    parser.add_argument("--materials", type=Path, required=True)
    parser.add_argument(
        "--models",
        nargs="+",
        default=list(WITHIN),
    )
    parser.add_argument("--side", type=int, default=128, help="of the parts photographed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry-run", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    for name in options.models:
        intervals = calibrate_model(name, options)
        path = BUNDLED / f"{name}.safetensors"
        card = read_card(path).model_copy(update={"intervals": intervals})
        if not options.dry_run:
            save_model(path, load_file(path), card)


if __name__ == "__main__":
    main()
