"""Make the two bundled root-polynomial models from the CAVE scenes, in one command.

    python training/root_polynomial.py --data CAVE --cameras camera_sensitivities.csv

``CAVE`` holds ``train/`` and ``val/``, each with scene folders in the original layout or with
packed ``.npz`` scenes. The camera table has the columns camera, wavelength_nm, R, G, B.

Protocol: 30,000 random pixels of each train scene; RGB without noise; order, ridge and weighting
chosen on ``val/`` alone. A polynomial may explode on colours that no training scene shows, so
each candidate's largest output over the RGB unit cube is looked at too: of those within 0.15 dB
of the best PSNR, and not above 1.5 times the tamest of these, the lowest order is taken, and
then the smallest spectral angle.

The card has the figures of this protocol, and those of the network for the same photographs:
measured with its cameras on its held-out images, so that the two may be compared.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import torch
from bundled import recipe_for
from hashes import save_model

import napari_hsr
from napari_hsr import cameras, colour
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.metrics import evaluate
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import root_polynomial as architecture
from napari_hsr.models.card import HELD_OUT, ILL_POSED, ModelCard
from napari_hsr.models.library import card_of
from napari_hsr.training import ridge as regression
from napari_hsr.training import validation
from napari_hsr.training.data import packed_cave
from napari_hsr.training.events import result_of
from napari_hsr.training.train import prepare_events

ORDERS = (1, 2, 3, 4, 5, 6)
RIDGES = (1e-8, 1e-7, 1e-6, 1e-5)
DARK = (0.0, 0.5)
WITHIN_DB = 0.15
TAME = 1.5
PIXELS = 30_000
GRID = Wavelengths(range(400, 701, 10))
BUNDLED = Path(napari_hsr.__file__).parent / "models" / "bundled"

TRAINING_DATA = (
    "20 scenes of the CAVE set (Yasuma, Mitsunaga, Iso, Nayar, Columbia University CUCS-061-08, "
    "2008): one camera, one laboratory, 512 x 512 pixels each"
)
PROTOCOL = (
    "RGB simulated from the cubes without noise; {pixels} random pixels of each train scene; "
    "measured on four other CAVE scenes, prediction clipped to 0..1, global PSNR with L = 1, SAM over "
    "pixels whose RMS spectrum exceeds 0.02, MRAE over values above 1e-3 of the scene's maximum; "
    "means over scenes"
)
LIMITS = (
    ILL_POSED + " It looks at one pixel at a time, knows reflectance-like values of one laboratory "
    "data set, and nothing below 400 or above 700 nm. The light is taken as D65: a photograph under "
    "another light, or not white-balanced, gives tinted spectra."
)


def load_scenes(folder: Path) -> dict[str, np.ndarray]:
    """Every scene of a folder by name, (31, H, W) float32 in 0..1."""
    scenes = {}
    for path in sorted(folder.iterdir()):
        if packed_cave.is_packed(path):
            scenes[path.stem] = packed_cave.read_packed(path).data
        elif path.is_dir():
            scenes[path.name] = np.asarray(napari_hsr.read(path).data)
    if not scenes:
        raise SystemExit(f"{folder}: no scene found, neither packed .npz nor CAVE folders")
    return scenes


def flat(cube: np.ndarray) -> np.ndarray:
    """(bands, H, W) → (pixels, bands)."""
    return cube.reshape(cube.shape[0], -1).T


def sample(scenes: dict[str, np.ndarray], seed: int) -> list[np.ndarray]:
    """Random pixels of each scene, (PIXELS, bands) each."""
    generator = np.random.default_rng(seed)
    spectra = []
    for cube in scenes.values():
        pixels = flat(cube)
        chosen = generator.choice(len(pixels), min(PIXELS, len(pixels)), replace=False)
        spectra.append(pixels[chosen])
    return spectra


def angle_and_psnr(prediction: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """SAM in degrees and PSNR in dB of (pixels, bands) arrays, for choosing only."""
    prediction = prediction.clip(0, 1)
    psnr = -10 * np.log10(np.mean((prediction - truth) ** 2))
    bright = np.sqrt((truth**2).mean(1)) > 0.02
    p, t = prediction[bright], truth[bright]
    norms = np.linalg.norm(p, axis=1) * np.linalg.norm(t, axis=1)
    cosine = (p * t).sum(1) / np.maximum(norms, 1e-12)
    return float(np.degrees(np.arccos(cosine.clip(-1, 1))).mean()), float(psnr)


def choose(matrix: np.ndarray, train: list[np.ndarray], val: dict[str, np.ndarray]) -> dict:
    """Fit every candidate and take one, as the protocol above says."""
    steps = np.linspace(0, 1, 17)
    unit_cube = np.array(list(itertools.product(steps, repeat=3)))
    truths = [flat(cube)[::3].astype(np.float64) for cube in val.values()]
    candidates = []
    for order in ORDERS:
        exponents = architecture.exponents(order)
        corners = regression.root_features(unit_cube, exponents).T
        features = [regression.root_features(t @ matrix, exponents).T for t in truths]
        for dark in DARK:
            parts = (
                regression.gather_root_polynomial(s @ matrix, s, exponents, dark) for s in train
            )
            sums = next(parts)
            for part in parts:
                sums = sums + part
            for ridge in RIDGES:
                weight = regression.solve(sums, ridge * len(exponents))
                scores = [
                    angle_and_psnr(f @ weight, t) for f, t in zip(features, truths, strict=True)
                ]
                sam, psnr = np.mean(scores, axis=0)
                largest = float((corners @ weight).max())
                candidates.append(
                    dict(order=order, dark=dark, ridge=ridge, weight=weight, largest=largest,
                         sam=float(sam), psnr=float(psnr), pixels=int(sums.weight))
                )  # fmt: skip
                print(f"  order {order}  dark {dark:g}  ridge {ridge:g}  {psnr:.3f} dB  "
                      f"{sam:.3f}°  largest {largest:.2f}", flush=True)  # fmt: skip
    best = max(c["psnr"] for c in candidates)
    good = [c for c in candidates if c["psnr"] >= best - WITHIN_DB]
    tamest = min(c["largest"] for c in good)
    tame = [c for c in good if c["largest"] <= TAME * tamest]
    return min(tame, key=lambda c: (c["order"], c["sam"]))


def measure(model, matrix: np.ndarray, val: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean figures over the val scenes, through the product's own inference and metrics."""
    rows = []
    for cube in val.values():
        rgb = np.maximum(np.einsum("bhw,bc->hwc", cube.astype(np.float64), matrix), 0)
        prediction = napari_hsr.reconstruct(rgb.astype(np.float32), model, device="cpu")
        result = evaluate(prediction, Cube(cube, GRID), protocol="cave-val")
        rows.append([result[k] for k in ("psnr", "psnr_band", "sam", "mrae", "rmse")])
    names = ("psnr_db", "psnr_band_db", "sam_deg", "mrae", "rmse")
    return {n: round(float(v), 5) for n, v in zip(names, np.mean(rows, axis=0), strict=True)}


def measured_like(card: ModelCard, weights: dict, peer: str, data: Path, table: Path) -> ModelCard:
    """The card with figures under the conditions of those of ``peer``, a bundled network."""
    recipe = recipe_for(peer, data.absolute(), table.absolute(), None, [])
    images, _ = result_of(prepare_events(recipe))
    reference = card_of(peer)
    hashes = {image.name: {"sha256": image.sha256} for image in images.held_out}
    if hashes != reference.training["held_out"]:
        raise SystemExit(f"{data / 'val'} does not hold the images that {peer} was measured on")
    found = validation.validate(from_state_dict(weights, card), images.held_out, recipe)
    taken = {k: reference.training[k] for k in ("held_out", "held_out_cameras")}
    if not taken["held_out_cameras"]:
        taken["camera"] = reference.training["camera"]
    training = {
        **card.training,
        **taken,
        "held_out_protocol": reference.protocol,
        "figures_of_each": {name: rounded(figures) for name, figures in found.images.items()},
    }
    figures = {HELD_OUT: rounded(found.mean), **card.figures}
    return card.model_copy(update={"training": training, "figures": figures})


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """To as many digits as cards have."""
    return {name: round(value, 5) for name, value in figures.items()}


def make(name, title, encoding, origin, matrix, train, val, peer, options) -> None:
    """Choose, measure and save one model."""
    print(name)
    start = time.perf_counter()
    found = choose(matrix, train, val)
    weights = {
        "exponents": torch.from_numpy(architecture.exponents(found["order"])).float(),
        "weight": torch.from_numpy(np.ascontiguousarray(found["weight"].T)).float(),
    }
    card = ModelCard(
        name=name,
        title=title,
        architecture=architecture.ARCHITECTURE.id,
        input_encoding=encoding,
        wavelengths_nm=tuple(GRID),
        units="reflectance",
        training_data=f"{TRAINING_DATA}; {origin}",
        protocol=PROTOCOL.format(pixels=f"{PIXELS:,}"),
        licence="BSD-3-Clause (the weights; the scenes they were fitted on are not distributed)",
        limits=LIMITS,
        source="training/root_polynomial.py of napari-hsr",
        training={
            "order": found["order"],
            "ridge": found["ridge"],
            "dark_weight": found["dark"],
            "pixels": found["pixels"],
            "seed": options.seed,
            "largest_output_in_rgb_unit_cube": round(found["largest"], 3),
        },
        version=napari_hsr.__version__,
    )
    figures = measure(architecture.ARCHITECTURE.load(weights, card), matrix, val)
    card = card.model_copy(update={"figures": {"four CAVE val scenes": figures}})
    card = measured_like(card, weights, peer, options.data, options.cameras)
    path = save_model(options.output / f"{name}.safetensors", weights, card)
    print(f"  {card.training}\n  {card.figures}")
    print(f"  {path} ({path.stat().st_size} bytes, {time.perf_counter() - start:.0f} s)")


def main() -> None:
    """Make both models."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and val/")
    parser.add_argument("--cameras", type=Path, required=True, help="table of sensitivities")
    parser.add_argument("--output", type=Path, default=BUNDLED)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    train = sample(load_scenes(options.data / "train"), options.seed)
    val = load_scenes(options.data / "val")
    nm = np.asarray(GRID)
    make(
        "rootpoly-srgb",
        "Root-polynomial regression for photographs (sRGB)",
        "linear-srgb",
        "RGB: CIE 1931 observer under D65, linear sRGB, white (1, 1, 1)",
        np.asarray(colour.rendering_matrix(nm, "D65")),
        train, val, "mstpp-photo", options,
    )  # fmt: skip
    make(
        "rootpoly-nikon-d700",
        "Root-polynomial regression for the Nikon D700",
        "camera:nikon-d700",
        "RGB: measured Nikon D700 sensitivities (rawtoaces-data), each normalised to sum 1 over "
        "the bands, no illuminant",
        np.asarray(cameras.matrix(f"{options.cameras}:Nikon_D700", nm, normalise="sum")),
        train, val, "mstpp-d700", options,
    )  # fmt: skip


if __name__ == "__main__":
    main()
