"""The bundled networks for finer cubes beside bicubic, with and without back-projection: one table.

    python training/compare_finer.py --data CAVE --scale 4

The scenes of ``CAVE/val``, each made coarse by MATLAB's bicubic and finer again, protocol
``dualsr``: means over scenes, and the worst and the best scene in brackets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_hsr import Cube, super_resolve
from napari_hsr.metrics import evaluate
from napari_hsr.resample import BASELINES, degrade, modcrop
from napari_hsr.training.data.discovery import find
from napari_hsr.training.data.scan import load
from napari_hsr.training.recipe.schema import DataSettings

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = "dualsr"
COLUMNS = {"psnr": ("PSNR dB", 2), "ssim": ("SSIM", 4), "sam": ("SAM °", 3)}


def row(name: str, make: Callable[[Cube], Cube], scenes: list[tuple[Cube, Cube]]) -> str:
    """One line of the table."""
    found = [evaluate(make(coarse), fine, PROTOCOL) for fine, coarse in scenes]
    cells = [name]
    for key, (_, digits) in COLUMNS.items():
        values = [float(figures[key]) for figures in found]
        mean = sum(values) / len(values)
        cells.append(f"{mean:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of train/ and val/")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 4))
    parser.add_argument("--model", help="name or path (default: the bundled one)")
    parser.add_argument("--half-model", help="for DualSR's FineSR at ×4 (default: the bundled one)")
    args = parser.parse_args()
    scale, model = args.scale, args.model or f"coarsr-x{args.scale}"
    scenes = []
    for scene in find(DataSettings(folder=args.data / "val", simulate=True)):
        fine = modcrop(load(scene)[0], scale)
        scenes.append((fine, degrade(fine, scale)))
    ways: dict[str, Callable[[Cube], Cube]] = {
        f"bicubic: `{name}`": lambda coarse, name=name: super_resolve(coarse, name, scale)
        for name in BASELINES
    }
    best = BASELINES[0]
    ways[f"`{best}` and back-projection"] = lambda c: super_resolve(c, best, scale, refine=True)
    ways[f"`{model}`"] = lambda c: super_resolve(c, model, precision="float32")
    ways[f"`{model}`, bfloat16"] = lambda c: super_resolve(c, model, precision="bfloat16")
    ways[f"`{model}` and back-projection"] = lambda c: super_resolve(
        c, model, precision="float32", refine=True
    )
    if scale == 4:
        half = args.half_model or "coarsr-x2"
        ways[f"`{model}` and FineSR with `{half}`"] = lambda c: super_resolve(
            c, model, precision="float32", refine="dualsr", half_model=half
        )
    print(f"×{scale}, {len(scenes)} scenes, protocol {PROTOCOL}\n")
    print(f"| | {' | '.join(title for title, _ in COLUMNS.values())} |\n|---|---|---|---|")
    for name, make in ways.items():
        print(row(name, make, scenes), flush=True)


if __name__ == "__main__":
    main()
