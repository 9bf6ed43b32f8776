"""Train ``instant-photo``: a small network that looks at one pixel at a time, on many materials.

    python training/instant.py --data CAVE --cameras camera_sensitivities.csv --materials MATERIALS

With ``--known Nikon_D700`` it is ``instant-nikon-d700``, for the linear response of that camera.

``CAVE`` holds ``train/`` with packed scenes; ``MATERIALS`` holds ``reflectances/`` and ``lights/``
with ``.npz`` tables of ``wavelengths`` and ``spectra``. Each batch is of spectra — half of them
pixels of the scenes, half measured reflectances and mixtures of two — seen by cameras and mixtures
of cameras under measured lights, white-balanced with an error, through a colour matrix to sRGB,
with noise, clipping and 8 bits. Three cameras, both charts and all scenes of other imagers take no
part. Nothing is chosen on anything: the last averaged weights are what is kept.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from bundled import LEFT_OUT
from hashes import save_model
from root_polynomial import BUNDLED, GRID, flat, load_scenes, measured_like

import napari_hsr
from napari_hsr import cameras as measured_cameras
from napari_hsr.cameras import read_cameras
from napari_hsr.cameras.illuminants import Light
from napari_hsr.cameras.response import mixture, response
from napari_hsr.colour.transfer import srgb_decode, srgb_encode
from napari_hsr.errors import InputError
from napari_hsr.models.architectures.per_pixel import ARCHITECTURE, PerPixel
from napari_hsr.models.card import ILL_POSED, ModelCard

#: Tables of reflectances to train on, and the most spectra taken of each: soils are many and alike.
REFLECTANCES = {
    "sfu1995": 1995,
    "tm30_unique2696": 2696,
    "earthlib7261": 2000,
    "prospectD_leaves1000_simulated": 1000,
    "hyspex_skin71": 71,
    "tongue12": 12,
    "opstelten215": 215,
}
LIGHTS = (
    "tm30_318",
    "cie_led9",
    "dicarlo_daylight1076",
    "sfu102",
    "aphalo_lamps67",
    "aphalo_leds90",
)
#: A few lights are drawn as often as a thousand daylights.
SHARE_OF_DAYLIGHT = 0.4
#: Cameras under lights that a run draws from, and how many of them a step sees.
RESPONSES, A_STEP, SPECTRA_EACH = 4000, 64, 64
#: Colour matrices with a larger coefficient are of lights too narrow to see colours by.
STEEPEST = 5.0
NM = tuple(float(nm) for nm in GRID)


@dataclass(frozen=True)
class MeasuredLight(Light):
    """A light from a table."""

    table: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())

    def power(self, wavelengths_nm: np.ndarray) -> np.ndarray:
        """Linear between the wavelengths of the table, constant outside."""
        return np.interp(wavelengths_nm, *self.table)


def read_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths and spectra of a table; what is NaN at an end is what stands next to it."""
    with np.load(path) as table:
        nm, spectra = table["wavelengths"].astype(float), table["spectra"].astype(float)
    for row in spectra:
        known = np.isfinite(row)
        row[:] = np.interp(nm, nm[known], row[known])
    return nm, spectra


def lights(folder: Path) -> tuple[list[MeasuredLight], np.ndarray]:
    """All measured lights, and how likely each is."""
    found, weights = [], []
    for name in LIGHTS:
        nm, spectra = read_table(folder / f"{name}.npz")
        daylight = name.startswith("dicarlo")
        share = SHARE_OF_DAYLIGHT if daylight else (1 - SHARE_OF_DAYLIGHT) / (len(LIGHTS) - 1)
        for i, row in enumerate(spectra):
            table = (tuple(nm.tolist()), tuple(np.maximum(row, 0).tolist()))
            found.append(MeasuredLight(f"{name} {i}", None, table))
            weights.append(share / len(spectra))
    return found, np.array(weights) / np.sum(weights)


def draw_responses(cameras: list, folder: Path, rng: np.random.Generator, count: int) -> np.ndarray:
    """Matrices from spectra to linear sRGB, (count, bands, 3): a camera under a light each."""
    available, likely = lights(folder)
    made = []
    while len(made) < count:
        camera = cameras[rng.integers(len(cameras))]
        if rng.random() < 0.5:
            other = cameras[rng.integers(len(cameras))]
            camera = mixture(camera, other, rng.uniform(), NM) if other is not camera else camera
        light = (
            Light("D65") if rng.random() < 0.3 else available[rng.choice(len(available), p=likely)]
        )
        try:
            seen = response(camera, light, NM, "sum", True, True)
        except (InputError, np.linalg.LinAlgError):
            continue  # a light without energy where the camera sees
        if np.abs(seen.correction).max() > STEEPEST:
            continue  # nobody balances a photograph under a light of one colour
        balance = np.exp(rng.normal(0, 0.02, 2))
        balanced = seen.sensor * seen.balance * (balance[0], 1.0, balance[1])
        made.append(balanced @ seen.correction)
    return np.array(made, dtype=np.float32)


def draw_spectra(scenes: np.ndarray, library: np.ndarray, shape: tuple, rng) -> np.ndarray:
    """Reflectances, half of them pixels of scenes, half measured ones and mixtures of two."""
    count = int(np.prod(shape))
    out = scenes[rng.integers(len(scenes), size=count)]
    measured = rng.random(count) < 0.5
    number = int(measured.sum())
    first, second = (library[rng.integers(len(library), size=number)] for _ in range(2))
    share = np.where(rng.random((number, 1)) < 0.5, 1.0, rng.random((number, 1)))
    mixed = share * first + (1 - share) * second
    # shading and gloss: darker by chance, with a white reflection on some
    mixed *= rng.uniform(0.2, 1.0, (number, 1)) ** (rng.random((number, 1)) < 0.7)
    mixed += rng.uniform(0, 0.15, (number, 1)) * (rng.random((number, 1)) < 0.15)
    out[measured] = mixed
    return out.reshape(*shape, -1)


def photograph(spectra: np.ndarray, matrices: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
    """What files hold of spectra, decoded to linear sRGB, and the spectra at that exposure."""
    cameras = len(spectra)
    brightness = spectra.mean((1, 2), keepdims=True)
    gain = rng.uniform(0.12, 0.25, (cameras, 1, 1)) / np.maximum(brightness, 0.02)
    spectra = spectra * gain.astype(np.float32)
    rgb = np.einsum("cpb,cbk->cpk", spectra, matrices)
    electrons = np.exp(rng.uniform(np.log(1000), np.log(20000), (cameras, 1, 1)))
    noise = np.sqrt(np.maximum(rgb, 0) / electrons) * rng.standard_normal(rgb.shape)
    rgb = np.clip(rgb + noise, 0, 1)
    files = np.rint(srgb_encode(rgb) * 255) / 255
    kept = (rgb < 1).all(-1) & (rgb.sum(-1) > 0)  # what is clipped teaches nothing
    return srgb_decode(files)[kept].astype(np.float32), spectra[kept]


def linear_response(spectra: np.ndarray, matrix: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
    """What a known camera's raw values are, a quarter of them with noise, and the spectra."""
    brightness = spectra.mean((1, 2), keepdims=True)
    gain = rng.uniform(0.12, 0.35, brightness.shape) / np.maximum(brightness, 0.02)
    spectra = spectra * gain.astype(np.float32)
    rgb = spectra @ matrix
    electrons = np.exp(rng.uniform(np.log(10000), np.log(100000), brightness.shape))
    noise = np.sqrt(np.maximum(rgb, 0) / electrons) * (rng.random(brightness.shape) < 0.25)
    rgb = np.maximum(rgb + noise * rng.standard_normal(rgb.shape), 0).astype(np.float32)
    kept = (rgb < 1).all(-1) & (rgb.sum(-1) > 0)
    return rgb[kept], spectra[kept].astype(np.float32)


def card_for(options: argparse.Namespace, cameras: int, library: int) -> ModelCard:
    """The card, without figures."""
    seen = (
        f"the measured sensitivities of a {options.known.replace('_', ' ')} (rawtoaces-data, "
        "Apache-2.0), linear, a quarter of it with noise"
        if options.known
        else f"{cameras} measured cameras (rawtoaces-data, Apache-2.0) and mixtures of them under "
        "1,662 measured lights (luxpy, ISET, photobiology), with noise and 8 bits"
    )
    tinted = (
        "" if options.known else " A photograph that is not white-balanced gives tinted spectra."
    )
    return ModelCard(
        name=name_of(options),
        title=f"Per-pixel network for {_camera_words(options)}",
        architecture=ARCHITECTURE.id,
        input_encoding=f"camera:{slug(options.known)}" if options.known else "linear-srgb",
        wavelengths_nm=NM,
        units="reflectance",
        training_data=(
            f"pixels of 20 CAVE scenes (Columbia University CUCS-061-08, 2008) and {library:,} "
            "reflectances with mixtures of two: Munsell, paint, objects, skin (SFU, MIT), IES TM-30 "
            "materials (luxpy), soils and towns (earthlib, MIT), leaves simulated with PROSPECT-D, "
            f"skin and tongue (ISET, MIT); seen by {seen}"
        ),
        licence="BSD-3-Clause (the weights; what they were trained on is not distributed)",
        limits=(
            ILL_POSED + " It looks at one pixel at a time and knows nothing below 400 or above "
            "700 nm." + tinted
        ),
        source="training/instant.py of napari-hsr",
        training={
            "steps": options.steps,
            "seed": options.seed,
            "left_out_cameras": [] if options.known else list(LEFT_OUT),
        },
        version=napari_hsr.__version__,
    )


def slug(camera: str) -> str:
    """A camera's name as encodings and models have it."""
    return camera.lower().replace("_", "-")


def name_of(options: argparse.Namespace) -> str:
    """The model's name."""
    return f"instant-{slug(options.known) if options.known else 'photo'}"


def _camera_words(options: argparse.Namespace) -> str:
    return f"the {options.known.replace('_', ' ')}" if options.known else "photographs"


def read_library(folder: Path, rng: np.random.Generator, without: str | None = None) -> np.ndarray:
    """Reflectances of all tables (n, 31), 0..1; ``without``: the name of one that is left out."""
    library = []
    for name, most in REFLECTANCES.items():
        nm, spectra = read_table(folder / f"{name}.npz")
        assert tuple(nm) == NM, name
        if name != without:
            library.append(spectra[rng.permutation(len(spectra))[:most]])
    return np.concatenate(library).clip(0, 1).astype(np.float32)


def train(
    options: argparse.Namespace, without: str | None = None
) -> tuple[int, int, dict[str, torch.Tensor]]:
    """How many cameras and reflectances it saw, and the averaged weights.

    ``without`` names a table of reflectances that is left out.
    """
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    known = read_cameras(options.cameras)
    cameras = [camera for name, camera in known.items() if name not in LEFT_OUT]
    if options.known:
        matrix = measured_cameras.matrix(
            f"{options.cameras}:{options.known}", np.asarray(GRID), normalise="sum"
        ).astype(np.float32)
    else:
        responses = draw_responses(cameras, options.materials / "lights", rng, RESPONSES)
    pixels = [flat(cube) for cube in load_scenes(options.data / "train").values()]
    scenes = np.concatenate([p[rng.choice(len(p), 40_000, replace=False)] for p in pixels])
    library = read_library(options.materials / "reflectances", rng, without)
    print(f"{len(cameras)} cameras, {len(library)} reflectances", flush=True)

    network = PerPixel(len(NM), options.width).train()
    average = {key: value.clone() for key, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, options.steps, pct_start=0.03)
    start = time.perf_counter()
    for step in range(options.steps):
        spectra = draw_spectra(scenes, library, (A_STEP, SPECTRA_EACH), rng)
        if options.known:
            taken = linear_response(spectra, matrix, rng)
        else:
            taken = photograph(spectra, responses[rng.choice(len(responses), A_STEP)], rng)
        colours, truth = (torch.from_numpy(v) for v in taken)
        error = network.spectra(colours) - truth
        level = truth.mean(1, keepdim=True)
        # half absolute, as PSNR counts, half relative, as the angle and MRAE do
        loss = error.abs().mean() / truth.mean() + (error.abs() / (level + 0.01)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        decay = min(0.999, (step + 1) / (step + 10))
        with torch.no_grad():
            for key, value in network.state_dict().items():
                average[key].lerp_(value, 1 - decay)
        if step % 500 == 0:
            print(
                f"step {step}  loss {loss.item():.4f}  {time.perf_counter() - start:.0f} s",
                flush=True,
            )
    return len(cameras), len(library), average


def main() -> None:
    """Train, and write the model with its card."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cameras", type=Path, required=True)
    parser.add_argument("--materials", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=BUNDLED)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--known", metavar="CAMERA", default="", help="for this camera alone")
    options = parser.parse_args()

    cameras, library, average = train(options)
    card = card_for(options, cameras, library)
    peer = "mstpp-d700" if options.known else "mstpp-photo"
    card = measured_like(card, average, peer, options.data, options.cameras)
    path = save_model(options.output / f"{card.name}.safetensors", average, card)
    print(f"{path} ({path.stat().st_size} bytes)")


if __name__ == "__main__":
    main()
