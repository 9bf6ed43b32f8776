"""What a library of reflectances that was never seen costs: each left out of the training in turn.

    python training/cross_check.py --data CAVE --cameras camera_sensitivities.csv \
        --materials MATERIALS --output RUNS

The per-pixel network is trained once on all libraries and once without each (``training/instant.py``,
the same seed, fewer steps). At most 140 spectra of a library are painted as a shaded, grainy board and
photographed as in ``training/benchmark.py``; the table has the regression, the network that saw the
library, and the one that did not: PSNR in dB, SAM in degrees, MRAE. Weights are kept in ``RUNS``, so
that a second call goes on where the first was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import instant
import numpy as np
from benchmark import LIGHTS, board, figures_of, photographed_by
from bundled import LEFT_OUT
from hashes import save_model
from root_polynomial import GRID

import napari_hsr
from napari_hsr.cameras.random_camera import draw
from napari_hsr.cube import Cube
from napari_hsr.photograph import Photograph

#: As many as the larger chart has.
PATCHES = 140
REGRESSION = "rootpoly-srgb"


def trained(options: argparse.Namespace, without: str | None) -> Path:
    """The file of a network trained on all libraries, or without one."""
    path: Path = options.output / f"{f'without-{without}' if without else 'all'}.safetensors"
    if not path.exists():
        cameras, library, weights = instant.train(options, without)
        save_model(path, weights, instant.card_for(options, cameras, library))
    return path


def photographs(options: argparse.Namespace, library: str) -> list[tuple[Photograph, Cube]]:
    """A board of a library by each camera, and the truth at that exposure."""
    nm, spectra = instant.read_table(options.materials / "reflectances" / f"{library}.npz")
    assert tuple(nm) == instant.NM, library
    chosen = np.random.default_rng(1).permutation(len(spectra))[:PATCHES]
    cube = board(spectra[chosen].clip(0, 1))
    taken = []
    for camera, light in zip(LEFT_OUT, LIGHTS, strict=True):
        rng = np.random.default_rng(0)
        capture = draw(photographed_by(options.cameras, camera, light), np.asarray(GRID), rng, cube)
        photo = Photograph(np.rint(255 * capture.take(cube, rng)).astype(np.uint8))
        taken.append((photo, Cube(cube * np.float32(capture.gain), GRID)))
    return taken


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cameras", type=Path, required=True)
    parser.add_argument("--materials", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder of the weights")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.known = ""
    options.output.mkdir(parents=True, exist_ok=True)
    everything = trained(options, None)
    print("| library left out | regression | network that saw it | network that did not |")
    print("|---|---|---|---|")
    rows = []
    for library in instant.REFLECTANCES:
        models = [
            napari_hsr.load_model(m) for m in (REGRESSION, everything, trained(options, library))
        ]
        found = [
            [figures_of(napari_hsr.reconstruct(photo, m), truth)[:3] for m in models]
            for photo, truth in photographs(options, library)
        ]
        rows.append(np.mean(found, axis=0))
        print(line(library, rows[-1]), flush=True)
    print(line("**mean**", np.mean(rows, axis=0)))


def line(name: str, figures: np.ndarray) -> str:
    """A line of the table."""
    cells = [f"{psnr:.2f} / {sam:.2f} / {mrae:.3f}" for psnr, sam, mrae in figures]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
