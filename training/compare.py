"""The bundled networks beside regression, a linear map, and other networks: one table.

    python training/compare.py --data CAVE --cameras camera_sensitivities.csv --minutes 85

HSCNN+ and DRCR-Net are trained by the same engine with the recipe of ``mstpp-d700`` and only the
network exchanged, for the same wall time; runs in ``--output`` are taken as they are if they are
there already. All are measured on the scenes of ``CAVE/val`` as ``mstpp-d700`` and ``mstpp-photo``
were: means over scenes, and the worst and the best scene in brackets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from bundled import recipe_for

from napari_hsr import load_model
from napari_hsr.cameras import matrix
from napari_hsr.cli.train_messages import EventPrinter
from napari_hsr.models.architectures import root_polynomial
from napari_hsr.models.card import ModelCard
from napari_hsr.training import ridge, train, validation
from napari_hsr.training.events import result_of

if TYPE_CHECKING:
    from napari_hsr.models.model import Model
    from napari_hsr.training.data.cache import Images
    from napari_hsr.training.recipe.schema import Recipe

#: How their weights are drawn. DRCR-Net's own way lets nothing through that bfloat16 resolves.
OTHERS = {"hscnn_plus": "default", "drcr": "identity"}
PIXELS = 30_000


def linear(recipe: Recipe, images: Images) -> Model:
    """The least-squares linear map from the camera's response to spectra."""
    nm = np.asarray(images.wavelengths)
    response = matrix(recipe.camera.cameras[0], nm)
    rng = np.random.default_rng(recipe.seed)
    parts = []
    for image in images.train:
        spectra = np.asarray(image.cube, dtype=np.float32).reshape(nm.size, -1).T
        spectra = spectra[rng.permutation(len(spectra))[:PIXELS]].astype(np.float64)
        parts.append(
            ridge.gather_root_polynomial(
                spectra @ response, spectra, root_polynomial.exponents(1), 0.0
            )
        )
    weight = ridge.solve(ridge.added(parts), 1e-8 * len(root_polynomial.exponents(1)))
    weights = {
        "exponents": torch.from_numpy(root_polynomial.exponents(1)).float(),
        "weight": torch.from_numpy(np.ascontiguousarray(weight.T)).float(),
    }
    encoding = load_model("rootpoly-nikon-d700").input_encoding
    card = ModelCard(
        name="linear",
        title="Linear map",
        architecture=root_polynomial.ARCHITECTURE.id,
        input_encoding=encoding,
        wavelengths_nm=tuple(float(v) for v in nm),
    )
    return root_polynomial.ARCHITECTURE.load(weights, card)


def trained(name: str, recipe: Recipe, output: Path, minutes: float) -> Model:
    """Another network by the same recipe; the run's own model if it is finished already."""
    run = output / name
    if not (run / f"{name}.safetensors").is_file():
        changed = recipe.model_copy(
            update={
                "name": name,
                "title": name,
                "model": recipe.model.model_copy(
                    update={"architecture": name, "initialisation": OTHERS[name]}
                ),
                "schedule": recipe.schedule.model_copy(update={"minutes": minutes, "steps": None}),
            }
        )
        printer = EventPrinter()
        printer(train.train(changed, run, printer))
    return load_model(run)


def row(name: str, model: Model, images: Images, recipe: Recipe) -> str:
    """One line of the table."""
    found = validation.validate(model, images.held_out, recipe)
    cells = []
    for key, digits in (("psnr_db", 2), ("sam_deg", 2), ("mrae", 3), ("rmse", 4)):
        values = [figures[key] for figures in found.images.values()]
        mean = found.mean[key]
        cells.append(f"{mean:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of train/ and val/")
    parser.add_argument("--cameras", type=Path, required=True, help="table of sensitivities")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--minutes", type=float, default=85, help="of each other network")
    parser.add_argument("--without-others", action="store_true", help="train nothing")
    parser.add_argument("--set", nargs="+", default=[], help="settings of the recipes: key=value")
    args = parser.parse_args()
    places = (args.data.absolute(), args.cameras.absolute(), None, args.set)
    heading = "| model | PSNR dB | SAM ° | MRAE | RMSE |\n|---|---|---|---|---|"
    recipe = recipe_for("mstpp-d700", *places)
    images, _ = result_of(train.prepare_events(recipe))
    lines = [
        row("linear map", linear(recipe, images), images, recipe),
        row("rootpoly-nikon-d700", load_model("rootpoly-nikon-d700"), images, recipe),
    ]
    if not args.without_others:
        for name in OTHERS:
            model = trained(name, recipe, args.output.absolute(), args.minutes)
            lines.append(row(f"{name}, {args.minutes:g} minutes", model, images, recipe))
    lines.append(row("mstpp-d700", load_model("mstpp-d700"), images, recipe))
    print(f"\nNikon D700, linear, no noise; {len(images.held_out)} scenes\n\n{heading}")
    print("\n".join(lines), flush=True)
    recipe = recipe_for("mstpp-photo", *places)
    lines = [
        row(name, load_model(name), images, recipe)
        for name in ("rootpoly-srgb", "instant-photo", "mstpp-photo")
    ]
    print("\nphotographs of three cameras that are not trained with, random light, exposure,")
    print(f"noise, 8 bits, JPEG; {len(images.held_out)} scenes each\n\n{heading}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
