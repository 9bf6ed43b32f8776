"""Train the bundled networks from the CAVE scenes, in one command each.

    python training/bundled.py mstpp-d700 --data CAVE --cameras camera_sensitivities.csv \
        --materials MATERIALS
    python training/bundled.py mstpp-photo --data CAVE --cameras camera_sensitivities.csv \
        --materials MATERIALS
    python training/bundled.py coarsr-x4 --data CAVE    # also coarsr-x2, coarsr-x3, coarsr-x8

``CAVE`` holds ``train/`` and ``val/``, each with scene folders in the original layout or with packed
``.npz`` scenes. The camera table has the columns camera, wavelength_nm, R, G, B. Weights are chosen on
``val/`` alone. ``mstpp-…``, ``coarsr-x2`` and ``coarsr-x4`` begin with their own last weights,
``coarsr-x3`` and ``coarsr-x8`` with those of ``coarsr-x4`` but for the upsampling; ``mstpp-photo`` is
measured with three cameras that it is never trained with.
``MATERIALS`` holds ``reflectances/`` and ``lights/`` with tables of spectra.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hashes import save_model
from safetensors.torch import load_file

import napari_hsr
from napari_hsr import inference
from napari_hsr.cli.train_messages import EventPrinter
from napari_hsr.metrics import evaluate
from napari_hsr.models.card import HELD_OUT
from napari_hsr.models.model_file import read_card
from napari_hsr.resample import degrade, modcrop
from napari_hsr.training import train as training
from napari_hsr.training.data.discovery import find
from napari_hsr.training.data.scan import load
from napari_hsr.training.recipe.schema import DataSettings
from napari_hsr.training.recipe.yaml_io import read_recipe

if TYPE_CHECKING:
    from napari_hsr.training.recipe.schema import Recipe

HERE = Path(__file__).parent
BUNDLED = Path(napari_hsr.__file__).parent / "models" / "bundled"
#: Never trained with; one of each large maker.
LEFT_OUT = ("Canon_EOS_5D_Mark_II", "Nikon_D5100", "Sony_ILCE-7M4")
DATA = (
    "20 scenes of the CAVE set (Yasuma, Mitsunaga, Iso, Nayar, Columbia University CUCS-061-08, "
    "2008): one camera, one laboratory, 512 x 512 pixels each; {seen}"
)
PAINTED = (
    "half of the patches painted with 7,989 reflectances and mixtures of two: Munsell, paint, "
    "objects, skin (SFU, MIT), IES TM-30 materials (luxpy), soils and towns (earthlib, MIT), leaves "
    "simulated with PROSPECT-D, skin and tongue (ISET, MIT)"
)
#: Of the networks for finer pixels.
SCALES = (2, 3, 4, 8)
FIGURES = {"psnr": "psnr_db", "sam": "sam_deg", "ssim": "ssim"}
SEEN = {
    "mstpp-d700": f"{PAINTED}; photographs simulated with the measured sensitivities of a Nikon "
    "D700, linear, without noise",
    "mstpp-photo": f"{PAINTED}; photographs simulated with 46 measured cameras (rawtoaces-data, "
    "Apache-2.0) and mixtures of them under "
    "seven kinds of light and 1,662 measured ones (luxpy, ISET, photobiology), random exposure, "
    "noise, 8 bits and JPEG",
    **{
        f"coarsr-x{scale}": f"made {scale} times as coarse by MATLAB's bicubic imresize (half of the "
        "patches), Gaussian blurs of σ = 0.5 to 2.5 coarse pixels (a third) and averaging, three in "
        "ten with noise of up to 2 %"
        for scale in SCALES
    },
}
#: Said first of what a network is not.
NARROWER = dict.fromkeys(
    (f"coarsr-x{scale}" for scale in SCALES),
    "Narrower than the published network: 32 channels in place of 64, one block in place of two.",
)


#: Where weights begin with their own last ones: how much is taken of those that were trained. All of
#: it is safer where pixels are blurred and less sharp where they are not; chosen on ``val/``.
SHARES = {"coarsr-x4": 0.2, "coarsr-x2": 0.2}


#: Tables of ``MATERIALS`` to train on; both charts and all scenes are for validation only.
REFLECTANCES = (
    "sfu1995",
    "tm30_unique2696",
    "earthlib7261",
    "prospectD_leaves1000_simulated",
    "hyspex_skin71",
    "tongue12",
    "opstelten215",
)
LIGHTS = (
    "tm30_318",
    "cie_led9",
    "dicarlo_daylight1076",
    "sfu102",
    "aphalo_lamps67",
    "aphalo_leds90",
)


#: How the photographs differ that models are measured on: as those of the README always were.
MEASURED = {"exposure": (0.5, 1.4), "jpeg": (75.0, 100.0)}


def recipe_for(
    name: str, data: Path, cameras: Path | None, materials: Path | None, extra: list[str]
) -> Recipe:
    """The recipe of a bundled network with its data, cameras and held-out photographs."""
    recipe = read_recipe(
        HERE / f"{name}.yaml",
        [f"data.folder={data / 'train'}", f"data.validation_folder={data / 'val'}", *extra],
    )
    update: dict = {
        "data_statement": DATA.format(seen=SEEN[name]),
        "licence": "BSD-3-Clause; trained on CAVE, which is made available to the research community",
    }
    if recipe.finer:
        return recipe.model_copy(update=update)
    measured = ()
    if materials is not None:  # to measure with, none are needed
        tables = tuple(materials / "reflectances" / f"{table}.npz" for table in REFLECTANCES)
        measured = tuple(f"{materials / 'lights' / light}.npz:*" for light in LIGHTS)
        update["materials"] = recipe.materials.model_copy(update={"tables": tables})
    else:
        update["materials"] = None
    if name == "mstpp-d700":
        camera = recipe.camera.model_copy(update={"cameras": (f"{cameras}:Nikon_D700",)})
    else:
        left_out = tuple(f"{cameras}:{camera}" for camera in LEFT_OUT)
        camera = recipe.camera.model_copy(
            update={
                "cameras": (f"{cameras}:*",),
                "leave_out": LEFT_OUT,
                "illuminants": (*recipe.camera.illuminants, *measured),
            }
        )
        captures = tuple(
            recipe.camera.model_copy(update={"cameras": (one,), "mix_cameras": False, **MEASURED})
            for one in left_out
        )
        update["validation"] = recipe.validation.model_copy(update={"captures": captures})
    return recipe.model_copy(update={**update, "camera": camera})


def main() -> None:
    """Train one of them and put it among the bundled models."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(SEEN))
    parser.add_argument("--data", type=Path, required=True, help="folder of train/ and val/")
    parser.add_argument("--cameras", type=Path, help="table of sensitivities, for mstpp-…")
    parser.add_argument("--materials", type=Path, help="folder of spectra, for mstpp-…")
    parser.add_argument("--output", type=Path, help="folder of the run (default: runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--set", nargs="+", default=[], help="settings of the recipe: key=value")
    args = parser.parse_args()
    if args.cameras is None and args.name.startswith("mstpp"):
        parser.error(f"{args.name} needs --cameras")
    if args.materials is None and args.name.startswith("mstpp"):
        parser.error(f"{args.name} needs --materials")
    cameras = args.cameras and args.cameras.absolute()
    materials = args.materials and args.materials.absolute()
    recipe = recipe_for(args.name, args.data.absolute(), cameras, materials, args.set)
    output = (args.output or Path("runs") / args.name).absolute()
    if train(recipe, output, resume=args.resume and output.is_dir()):
        bundle(output / f"{args.name}.safetensors", args.data / "val")


def train(recipe: Recipe, output: Path, resume: bool) -> bool:
    """Whether a recipe's model is there: trained now, or finished before."""
    if (output / f"{recipe.name}.safetensors").is_file():
        return True
    printer = EventPrinter()
    end = training.train(recipe, output, printer, resume=resume)
    printer(end)
    return bool(getattr(end, "directory", ""))


def bundle(made: Path, held_out: Path) -> None:
    """Put a trained model among the bundled ones, what lower precisions cost in its card."""
    card, weights, path = read_card(made), load_file(made), BUNDLED / made.name
    update: dict = {"units": "reflectance"}  # as CAVE's cubes are
    if made.stem in NARROWER:
        share, facts = SHARES.get(made.stem), dict(card.training)
        if share is not None:
            before = load_file(path)
            weights = {
                key: (share * v.float() + (1 - share) * before[key].float()).to(v.dtype)
                if v.is_floating_point() and key in before
                else v
                for key, v in weights.items()
            }
            facts["share"] = share
        update |= {"limits": f"{NARROWER[made.stem]} {card.limits}", "weights_sha256": ""}
        save_model(path, weights, card.model_copy(update=update))
        card, weights = read_card(path), load_file(path)
        update, found = {"training": facts}, figures_of(path, held_out)
        facts["figures_of_each"] = found
        means = {key: sum(f[key] for f in found.values()) / len(found) for key in FIGURES.values()}
        update["figures"] = {**card.figures, HELD_OUT: {k: round(v, 5) for k, v in means.items()}}
        save_model(path, weights, card.model_copy(update=update))
        card, weights, update = read_card(path), load_file(path), {}
    errors = inference.measure(path if made.stem in NARROWER else made).errors
    card = card.model_copy(update={**update, "precision_errors": errors})
    save_model(path, weights, card)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; {errors}")


def figures_of(path: Path, held_out: Path) -> dict[str, dict[str, float]]:
    """PSNR, SSIM and SAM of each held-out scene made coarse by MATLAB's bicubic and finer again."""
    model, found = napari_hsr.load_model(path), {}
    for scene in find(DataSettings(folder=held_out, simulate=True)):
        fine = modcrop(load(scene)[0], model.scale)
        made = napari_hsr.super_resolve(degrade(fine, model.scale), model)
        result = evaluate(made, fine, "dualsr")
        found[scene.name] = {name: round(float(result[key]), 5) for key, name in FIGURES.items()}
        print(f"{scene.name}: {found[scene.name]}", flush=True)
    return found


if __name__ == "__main__":
    main()
