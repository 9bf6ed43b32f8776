"""What intervals cost: runs with them against plain ones, and the feasible band of a pixel.

    python benchmarks/intervals.py                  every bundled model that has intervals, 512 by 512 pixels
    python benchmarks/intervals.py mstpp-photo      one of them

Processor time of one thread, which other programs hardly lengthen, by turns: plain, with intervals, plain…
Printed is the median of the ratios of neighbours, with the least and the greatest; 1.3 is the mark. What a run leaves for
later is printed too: the maps, when one of them is first looked at, and both ends of all intervals. A feasible band is computed for pixels drawn at random from the sample photograph (seed 0), in the row space of CIE 1931; the mark
is 50 ms each.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from napari_hsr import load_model, samples
from napari_hsr.inference import Result, reconstruct_events
from napari_hsr.inference.trust.intervals import offered
from napari_hsr.inference.trust.run import band_of
from napari_hsr.models import list_models
from napari_hsr.progress import result_of
from napari_hsr.trust.linear_camera import linear_camera

SIDE, TURNS, PIXELS = 512, 5, 50


def took(
    image: np.ndarray, model: object, encoding: str | None, intervals: bool
) -> tuple[float, Result]:
    """Processor time of a run, and what it made."""
    start = time.process_time()
    events = reconstruct_events(image, model, encoding=encoding, device="cpu", intervals=intervals)
    made = result_of(events)
    return time.process_time() - start, made


def later(made: Result) -> tuple[float, float]:
    """Milliseconds of the maps, and of the ends of the intervals after them."""
    found = made.trust.intervals
    start = time.process_time()
    found.mean_half_width()
    mapped = time.process_time()
    found.bounds(made.cube)
    return 1000 * (mapped - start), 1000 * (time.process_time() - mapped)


def ratios(name: str, turns: int) -> str:
    """How the two kinds of run compare."""
    model = load_model(name)
    image, encoding = np.array(samples.photograph().data), "srgb"
    if model.card.input_encoding.startswith("camera:"):
        encoding = model.card.input_encoding
    image = np.ascontiguousarray(np.tile(image, (2, 2, 1))[:SIDE, :SIDE])
    for intervals in (False, True):  # libraries are loaded, the copy is made
        took(image, model, encoding, intervals)
    found, plain, after = [], [], []
    for _ in range(turns):
        plain.append(took(image, model, encoding, intervals=False)[0])
        seconds, made = took(image, model, encoding, intervals=True)
        found.append(seconds / plain[-1])
        after.append(later(made))
    maps, ends = np.median(after, axis=0)
    return (
        f"{name}: {np.median(found):.2f} times the plain run ({min(found):.2f} to {max(found):.2f}; "
        f"{np.median(plain):.2f} s); maps {maps:.0f} ms, ends {ends:.0f} ms"
    )


def bands() -> str:
    """Milliseconds that a feasible band takes."""
    photograph, values = samples.photograph(), np.random.default_rng(0)
    seen = linear_camera(
        photograph.encoding or "srgb", tuple(np.arange(400.0, 701, 10)), "cie-1931"
    )
    places = values.integers(0, photograph.data.shape[:2], (PIXELS, 2))
    band_of(photograph, seen, *map(int, places[0]))
    each = []
    for row, column in places:
        start = time.process_time()
        band_of(photograph, seen, int(row), int(column))
        each.append(1000 * (time.process_time() - start))
    return (
        f"feasible band: {np.median(each):.0f} ms a pixel, nine of ten within "
        f"{np.quantile(each, 0.9):.0f} ms, at most {max(each):.0f} ms ({PIXELS} pixels)"
    )


def main() -> None:
    """Measure and print."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help="all that have intervals by default")
    parser.add_argument("--turns", type=int, default=TURNS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(bands(), flush=True)
    names = args.models or [card.name for card in list_models() if card.task == "reconstruction"]
    for name in names:
        if len(offered(load_model(name))) > 1:
            print(ratios(name, args.turns), flush=True)


if __name__ == "__main__":
    main()
