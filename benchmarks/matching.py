"""Time of matching one spectrum against 7,000, and of classifying 512 x 512 x 31 by 20 entries.

    python benchmarks/matching.py

CPU seconds of one thread, best of five; the values are random, on which neither depends.
"""

from __future__ import annotations

import time

import numpy as np

from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.matching import classify, entries_on, match
from napari_hsr.spectra import pixel
from napari_hsr.spectral_library import SpectralLibrary


def best(work, rounds: int = 5) -> float:
    """Least CPU time of some rounds."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def library(entries: int, nm: np.ndarray, rng: np.random.Generator) -> SpectralLibrary:
    names = tuple(f"entry {number}" for number in range(entries))
    return SpectralLibrary(names, nm, rng.random((entries, nm.size)))


def main() -> None:
    """Print one line a job."""
    rng = np.random.default_rng(0)
    grid = Wavelengths.default()
    cube = Cube(rng.random((31, 512, 512), dtype=np.float32), grid, "reflectance", "cube")
    curve, many = pixel(cube, 3, 4), library(7_000, np.asarray(grid), rng)
    fine = library(7_000, np.arange(350.0, 2501.0), rng)
    for by in ("angle", "sid", "correlation"):
        seconds = best(lambda by=by: match(curve, many, by=by))
        print(f"7,000 spectra by {by}: {1e3 * seconds:.1f} ms")
    seconds = best(lambda: entries_on(fine, np.asarray(grid), 31))
    print(f"7,000 spectra of 2,151 bands brought to 31: {1e3 * seconds:.0f} ms")
    seconds = best(lambda: classify(cube, library(20, np.asarray(grid), rng)))
    print(f"512 x 512 x 31 against 20 entries: {1e3 * seconds:.0f} ms")


if __name__ == "__main__":
    main()
