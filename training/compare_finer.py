"""The bundled networks for finer cubes beside bicubic, by source and by how pixels became coarse.

    python training/compare_finer.py --data CAVE --scale 4
    python training/compare_finer.py --data CAVE --materials MATERIALS --scale 2 3 4 8

The first: the scenes of ``CAVE/val``, each made coarse by MATLAB's bicubic and finer again, protocol
``dualsr``: means over scenes, and the worst and the best scene in brackets. The second: the middle
128 × 128 pixels of these, and scenes of other imagers, made coarse in nine ways; PSNR and SAM, in
brackets those of MATLAB's bicubic enlargement, and where the network loses to it. ``--write`` puts
these figures into the models' cards.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from benchmark import CHARTS, sources, write_card

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
WAVELENGTHS = np.arange(400, 701, 10)
#: Pixels a side that are taken of a CAVE scene.
MIDDLE = 128


@dataclass(frozen=True)
class Coarsening:
    """A way of becoming coarse: σ of a Gaussian in coarse pixels, noise as a fraction of 1."""

    name: str
    kind: str = "bicubic-matlab"
    blur: float = 0.0
    noise: float = 0.0

    def of(self, fine: Cube, scale: int) -> Cube:
        """The coarse cube; its noise is the same each time."""
        coarse = degrade(fine, scale, f"gaussian:{self.blur * scale:g}" if self.blur else self.kind)
        if not self.noise:
            return coarse
        grain = np.random.default_rng(0).standard_normal(coarse.shape, dtype=np.float32)
        return coarse.replace(data=coarse.data + np.float32(self.noise) * grain)


COARSENINGS = (
    Coarsening("bicubic"),
    Coarsening("blur σ = 0.5 px", blur=0.5),
    Coarsening("blur σ = 1 px", blur=1),
    Coarsening("blur σ = 1.5 px", blur=1.5),
    Coarsening("blur σ = 2.5 px", blur=2.5),
    Coarsening("box", kind="box"),
    Coarsening("bicubic, noise 1 %", noise=0.01),
    Coarsening("bicubic, noise 2 %", noise=0.02),
    Coarsening("blur σ = 1 px, noise 1 %", blur=1, noise=0.01),
)
MEASURED = (
    "PSNR and SAM of the cube made finer, and what they gain over MATLAB's bicubic enlargement "
    "(SAM: what it is smaller by), each model at its scale: the middle 128 × 128 pixels of the CAVE scenes that the "
    "weights were chosen on, and scenes of other imagers scaled to their 99.9th percentile; made "
    "coarse by MATLAB's bicubic imresize, a Gaussian blur of σ in coarse pixels, or averaging, with "
    "white noise as a fraction of 1; protocol dualsr; means over scenes; training/compare_finer.py"
)


def row(name: str, make: Callable[[Cube], Cube], scenes: list[tuple[Cube, Cube]]) -> str:
    """One line of the first table."""
    found = [evaluate(make(coarse), fine, PROTOCOL) for fine, coarse in scenes]
    cells = [name]
    for key, (_, digits) in COLUMNS.items():
        values = [float(figures[key]) for figures in found]
        mean = sum(values) / len(values)
        cells.append(f"{mean:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})")
    return f"| {' | '.join(cells)} |"


def compare(data: Path, scale: int, model: str, half: str) -> None:
    """Print the first table."""
    scenes = []
    for scene in find(DataSettings(folder=data / "val", simulate=True)):
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
        ways[f"`{model}` and FineSR with `{half}`"] = lambda c: super_resolve(
            c, model, precision="float32", refine="dualsr", half_model=half
        )
    print(f"×{scale}, {len(scenes)} scenes, protocol {PROTOCOL}\n")
    print(f"| | {' | '.join(title for title, _ in COLUMNS.values())} |\n|---|---|---|---|")
    for name, make in ways.items():
        print(row(name, make, scenes), flush=True)


def fine_cubes(data: Path, materials: Path) -> dict[str, list[Cube]]:
    """Cubes of each source."""
    found = {}
    for source, arrays in sources(data, materials).items():
        if source in CHARTS:
            continue
        middle = [slice(max(0, (n - MIDDLE) // 2), (n + MIDDLE) // 2) for n in arrays[0].shape[1:]]
        found[source] = [Cube(one[:, middle[0], middle[1]], WAVELENGTHS) for one in arrays]
    return found


def measured(model: str, scale: int, cubes: dict[str, list[Cube]]) -> dict[str, np.ndarray]:
    """PSNR and SAM of a model, and what it gains over bicubic, by source and coarsening."""
    found = {}
    for source, scenes in cubes.items():
        for way in COARSENINGS:
            rows = []
            for scene in scenes:
                fine = modcrop(scene, scale)
                coarse = way.of(fine, scale)
                made = [super_resolve(coarse, by, scale) for by in (model, BASELINES[0])]
                psnr, sam = zip(
                    *(
                        [float(evaluate(m, fine, PROTOCOL)[k]) for k in ("psnr", "sam")]
                        for m in made
                    ),
                    strict=True,
                )
                rows.append([psnr[0], sam[0], psnr[0] - psnr[1], sam[1] - sam[0]])
            found[f"{source}, {way.name}"] = np.mean(rows, axis=0)
    return found


def print_measured(title: str, found: dict[str, np.ndarray]) -> None:
    """The second table: a line for each coarsening, a column for each source."""
    names = list(dict.fromkeys(key.partition(", ")[0] for key in found))
    print(f"\n| {title} | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for way in COARSENINGS:
        cells = []
        for source in names:
            psnr, sam, more, less = found[f"{source}, {way.name}"]
            lost = " **loses**" if more < 0 or less < 0 else ""
            cells.append(f"{psnr:.2f} ({more:+.2f}) / {sam:.2f} ({-less:+.2f}){lost}")
        print(f"| {way.name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of train/ and val/")
    parser.add_argument("--materials", type=Path, help="folder of scenes/: the second table")
    parser.add_argument("--scale", type=int, nargs="+", default=[4], choices=(2, 3, 4, 8))
    parser.add_argument("--model", help="name or path (default: the bundled one)")
    parser.add_argument("--half-model", help="for DualSR's FineSR at ×4 (default: the bundled one)")
    parser.add_argument("--write", action="store_true", help="put the figures into the cards")
    args = parser.parse_args()
    cubes = fine_cubes(args.data, args.materials) if args.materials else {}
    for scale in args.scale:
        model = args.model or f"coarsr-x{scale}"
        if not args.materials:
            compare(args.data, scale, model, args.half_model or "coarsr-x2")
            continue
        found = measured(model, scale, cubes)
        print_measured(f"`{Path(model).stem}`, PSNR dB / SAM °", found)
        if args.write:
            keys = ("psnr_db", "sam_deg", "psnr_gain_db", "sam_gain_deg")
            write_card(model, found, MEASURED, keys)


if __name__ == "__main__":
    main()
