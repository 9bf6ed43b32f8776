"""How far the places of errors can be known: what is shipped against oracles that have seen the truth.

    python training/error_limits.py --data CAVE --cameras camera_sensitivities.csv --materials MATERIALS

Photographs are those of ``calibrate_intervals.py``. For each source, the area under the ROC for its
worst quartile of errors, in reflectance / relative to the brightness, by

* *ours*: the difficulty that was fitted on the other sources (times the brightness, in reflectance),
* *oracle, colour*: the best of a network and of nearest neighbours that see the colour of the pixel alone and
  are fitted to the errors in half of the same source's places, squares of 8 pixels, looked at in the
  other half: no function of three numbers does much better there, wherever it was fitted,
* *oracle, surroundings*: the same with means and contrast of the surroundings at two scales, the brightness
  relative to the photograph, spread and rarity,
* *others*: a network with all of these features fitted on the other sources, as one that ships would be.

Oracles are no way to ship anything: they are told where this source's errors are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from calibrate_intervals import (
    CHOSE,
    CHOSEN_BY_NOTHING,
    WITHIN,
    Looked,
    calibrate,
    photographs_of,
    scored,
    worst_quartile,
)
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

import napari_hsr
from napari_hsr.inference.trust.model_disagreement import witnesses_of
from napari_hsr.models.interval_table import decoded, encoded
from napari_hsr.trust.difficulty import auroc, rarity, rarity_table

MODELS = ("mstpp-photo", "instant-photo", "rootpoly-srgb", "mstpp-d700", "instant-nikon-d700")
#: Pixels of a source, neighbours looked at, steps and pixels a step of a network.
MOST, NEIGHBOURS, STEPS, BATCH = 8_000, 50, 200, 2048
#: Side of the squares that belong to one half.
SQUARE = 8
SCALES = (1.5, 6.0)
#: Of the features, those that the colour alone says.
OF_COLOUR = 3


def features(one: Looked, rare: np.ndarray) -> np.ndarray:
    """What is known of the chosen pixels of a photograph before the truth, (pixels, features)."""
    sums = one.colours.sum(axis=0)
    light = np.log(sums + 1e-3)
    r, g = (channel / np.maximum(sums, 1e-6) for channel in one.colours[:2])
    found = [light, r, g, light - light.mean()]
    for scale in SCALES:
        for plane in (light, r, g):
            mean = gaussian_filter(plane, scale)
            contrast = gaussian_filter(np.square(plane - mean), scale)
            found += [plane - mean, np.sqrt(contrast)]
    chosen = np.stack([plane.ravel()[one.chosen] for plane in found], axis=1)
    known = [np.log(one.spread + 1e-3), rarity(one.cells, rare)]
    return np.column_stack([chosen, *known]).astype(np.float32)


def network(x: np.ndarray, y: np.ndarray, at: np.ndarray, seed: int) -> np.ndarray:
    """A small network's score at other pixels for what is true of these."""
    torch.manual_seed(seed)
    mean, size = x.mean(axis=0), x.std(axis=0) + 1e-6
    seen, asked = (torch.from_numpy((part - mean) / size) for part in (x, at))
    truth = torch.from_numpy(y.astype(np.float32))
    layers = torch.nn.Sequential(
        *(torch.nn.Linear(x.shape[1], 48), torch.nn.GELU()),
        *(torch.nn.Linear(48, 48), torch.nn.GELU(), torch.nn.Linear(48, 1)),
    )
    optimiser = torch.optim.AdamW(layers.parameters(), 1e-2, weight_decay=1e-2)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        some = torch.randint(len(seen), (BATCH,))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            layers(seen[some])[:, 0], truth[some]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falling.step()
    with torch.no_grad():
        out: np.ndarray = layers(asked)[:, 0].numpy()
    return out


def neighbours(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The share that it is true of, among the nearest."""
    mean, size = x.mean(axis=0), x.std(axis=0) + 1e-6
    _, near = cKDTree((x - mean) / size).query((at - mean) / size, NEIGHBOURS)
    out: np.ndarray = y[near].mean(axis=1)
    return out


def odd_squares(one: Looked) -> np.ndarray:
    """Which of the chosen pixels lie in the odd squares of a chessboard over the scene."""
    y, x = np.divmod(one.chosen, one.colours.shape[2])
    return (((y + one.corner[0]) // SQUARE + (x + one.corner[1]) // SQUARE) % 2).astype(bool)


def halves(score, x: np.ndarray, bad: np.ndarray, odd: np.ndarray) -> float:
    """Area under the ROC where each half of the places is scored by what the other half has shown."""
    return float(np.mean([auroc(score(x[h], bad[h], x[~h]), bad[~h]) for h in (odd, ~odd)]))


def limits(name: str, options: argparse.Namespace) -> dict[str, dict[str, tuple[float, float]]]:
    """For each source, each way's areas in reflectance and relative."""
    model = napari_hsr.load_model(name)
    witnesses = witnesses_of(model)
    assert witnesses is not None
    rng = np.random.default_rng(options.seed)
    by_source, training = photographs_of(model, witnesses, options, rng)
    cells = np.concatenate([one.cells for one in training])
    rare = decoded(encoded(rarity_table(cells, np.ones(len(cells)))))
    fit = [s for s in by_source if s != CHOSE or name in CHOSEN_BY_NOTHING]
    known: dict[str, tuple[np.ndarray, list[np.ndarray], np.ndarray]] = {}
    ours: dict[str, list[float]] = {}
    for source, photographs in by_source.items():
        rest = [one for s in fit if s != source for one in by_source[s]]
        without = calibrate(rest, rare, training, WITHIN[name])
        both = [scored(without, photographs, relative) for relative in (False, True)]
        ours[source] = [worst_quartile(*one) for one in both]
        x = np.concatenate([features(one, rare) for one in photographs])
        some = rng.permutation(len(x))[:MOST]
        bad = [error[some] >= np.quantile(error, 0.75) for _, error in both]
        odd = np.concatenate([odd_squares(one) for one in photographs])
        known[source] = x[some], bad, odd[some]
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for source, (x, bad, odd) in known.items():
        rows: dict[str, list[float]] = {
            "ours": ours[source],
            "colour": [],
            "around": [],
            "others": [],
        }
        others = [known[s] for s in fit if s != source]
        for kind, worst in enumerate(bad):

            def trained(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
                return network(x, y, at, options.seed)

            for row, columns in (("colour", OF_COLOUR), ("around", x.shape[1])):
                ways = [halves(way, x[:, :columns], worst, odd) for way in (trained, neighbours)]
                rows[row].append(max(ways))
            learned = network(
                np.concatenate([one[0] for one in others]),
                np.concatenate([one[1][kind] for one in others]),
                x,
                options.seed,
            )
            rows["others"].append(auroc(learned, worst))
        found[source] = {row: (values[0], values[1]) for row, values in rows.items()}
        print(f"| {source} | {cell(found[source])} |", flush=True)
    return found


def cell(row: dict[str, tuple[float, float]]) -> str:
    """One cell of the table each way."""
    return " | ".join(f"{one:.2f} / {two:.2f}" for one, two in row.values())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and val/")
    parser.add_argument("--cameras", type=Path, required=True, help="table of sensitivities")
    parser.add_argument("--materials", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--side", type=int, default=128, help="of the parts photographed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.models:
        print(
            f"\n{name}\n| source | ours | oracle, colour | oracle, surroundings | others |",
            flush=True,
        )
        found = limits(name, options)
        for row in next(iter(found.values())):
            reached = [sum(s[row][k] >= 0.75 for s in found.values()) for k in (0, 1)]
            print(f"{row}: {reached[0]} and {reached[1]} of {len(found)} sources reach 0.75")


if __name__ == "__main__":
    main()
