"""Bundled models for photographs, source by source: one table.

    python training/benchmark.py --data CAVE --cameras camera_sensitivities.csv --materials MATERIALS

Each source is photographed by three cameras that no bundled model was trained with, under three
lights, white-balanced, with noise, 8 bits and JPEG; every model gets the same files. Sources are the
scenes of ``CAVE/val``, two charts painted as shaded, textured boards, and scenes of other imagers.
The truth is the cube at the exposure of the photograph, as on the cards. Figures follow the protocol
``cave-val``: means over photographs, then over the scenes of a source;
the last line is the mean over sources, each counting alike. The worst decile is the mean SAM of
the tenth of the pixels with the largest angle. ``--write`` puts the table into the models' cards.

``--known Nikon_D700`` measures the models of that camera instead, on its linear response to the same
sources, without noise and at their own exposure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from bundled import LEFT_OUT
from hashes import save_model
from root_polynomial import BUNDLED, GRID, load_scenes
from safetensors.torch import load_file

import napari_hsr
from napari_hsr.cameras.random_camera import draw
from napari_hsr.cameras.settings import CaptureSettings
from napari_hsr.cube import Cube
from napari_hsr.metrics import evaluate, maps
from napari_hsr.models.model_file import read_card
from napari_hsr.photograph import Photograph

LIGHTS = ("D65", "A", "D50")
#: As the table shows it.
BEST_FOR = {
    "mstpp-photo": "photographs of any object; the best on average over seven sources",
    "instant-photo": "previews, films and very large photographs; one pixel at a time, in seconds",
    "rootpoly-srgb": "comparison: what a plain regression can do",
    "instant-nikon-d700": "previews, films and very large linear photographs of a Nikon D700",
    "mstpp-d700": "linear (raw) photographs of a Nikon D700, whose colours it reproduces exactly",
    "rootpoly-nikon-d700": "comparison: what a plain regression can do for a known camera",
    "coarsr-x2": "cubes whose pixels are to be 2 times as fine, sharp or blurred, with noise or not",
    "coarsr-x3": "cubes whose pixels are to be 3 times as fine, sharp or blurred, with noise or not",
    "coarsr-x4": "cubes whose pixels are to be 4 times as fine, sharp or blurred, with noise or not",
    "coarsr-x8": "cubes whose pixels are to be 8 times as fine, sharp or blurred, with noise or not",
}
CHARTS = ("esser_chart113", "colorchecker_sg140")
FIGURES = {"psnr": "psnr_db", "sam": "sam_deg", "mrae": "mrae"}
#: Pixels whose truth has a smaller RMS over bands have no angle worth counting.
DARK = 0.02
PROTOCOL = (
    "each source photographed by three cameras that no bundled model was trained with "
    f"({', '.join(LEFT_OUT)}) under {', '.join(LIGHTS)}, white-balanced to sRGB, mean 0.12 to 0.25, "
    "1,000 to 20,000 photoelectrons, 8 bits, JPEG 70 to 98; protocol cave-val; means over "
    "photographs, then scenes; training/benchmark.py"
)
OF_A_KNOWN_CAMERA = (
    "each source as the camera's linear response without noise, at its own exposure; protocol "
    "cave-val; means over the scenes of a source; training/benchmark.py --known"
)


def board(spectra: np.ndarray, seed: int = 0, side: int = 16) -> np.ndarray:
    """Reflectances as patches of a board under a light that falls off, with a fine grain."""
    rng = np.random.default_rng(seed)
    columns = int(np.ceil(np.sqrt(len(spectra) * 1.4)))
    rows = -(-len(spectra) // columns)
    index = np.minimum(np.arange(rows * columns), len(spectra) - 1).reshape(rows, columns)
    picture = spectra[np.kron(index, np.ones((side, side), dtype=int))]
    y, x = np.mgrid[0 : rows * side, 0 : columns * side]
    light = 0.95 / (1 + 0.5 * ((x / x.max() - 0.2) ** 2 + (y / y.max() - 0.1) ** 2))
    grain = 1 + np.clip(0.02 * rng.standard_normal(light.shape), -0.06, 0.06)
    return np.moveaxis(picture * (light * grain)[..., None], -1, 0).clip(0, 1).astype(np.float32)


def sources(data: Path, materials: Path) -> dict[str, list[np.ndarray]]:
    """Cubes (31, H, W) of each source."""
    found = {"CAVE val": list(load_scenes(data / "val").values())}
    for name in CHARTS:
        with np.load(materials / "reflectances" / f"{name}.npz") as table:
            found[name] = [board(np.nan_to_num(table["spectra"]))]
    for path in sorted((materials / "scenes").glob("*.npz")):
        with np.load(path) as scene:
            cube = scene["data31"].astype(np.float32)
        for band in range(len(cube) - 2, -1, -1):  # what the imager does not see below
            if not np.isfinite(cube[band]).all():
                cube[band] = cube[band + 1]
        found[path.stem] = [(cube / np.percentile(cube, 99.9)).clip(0, 1)]
    return found


def photographed_by(
    table: Path, camera: str, light: str, leave_out: tuple[str, ...] = ()
) -> CaptureSettings:
    """How the photographs are taken: white-balanced to sRGB, with noise, 8 bits and JPEG."""
    return CaptureSettings(
        cameras=(f"{table}:{camera}",),
        leave_out=leave_out,
        illuminants=(light,),
        white_balance=True,
        colour_matrix=True,
        auto_exposure=(0.12, 0.25),
        photoelectrons=(1000, 20000),
        clip=True,
        encoding="srgb",
        bits=8,
        jpeg=(70, 98),
    )


def figures_of(made: Cube, truth: Cube) -> list[float]:
    """PSNR, SAM, MRAE and the mean SAM of the worst decile."""
    result = evaluate(made, truth, "cave-val")
    angles = maps.sam(made.data, truth.data).data[np.sqrt(np.square(truth.data).mean(0)) > DARK]
    angles = np.sort(angles[np.isfinite(angles)])
    worst = float(angles[-max(1, len(angles) // 10) :].mean())
    return [*(float(result[key]) for key in FIGURES), worst]


def write_card(
    name: str,
    rows: dict[str, np.ndarray],
    protocol: str,
    keys: tuple[str, ...] = (*FIGURES.values(), "worst_sam_deg"),
) -> None:
    """Put the figures by source into the card of a bundled model."""
    path = BUNDLED / f"{name}.safetensors"
    sources = {
        source: {key: round(float(v), 4) for key, v in zip(keys, row, strict=True)}
        for source, row in rows.items()
    }
    update = {"sources": sources, "sources_protocol": protocol, "best_for": BEST_FOR.get(name, "")}
    save_model(path, load_file(path), read_card(path).model_copy(update=update))


def known_camera(table: Path, camera: str) -> CaptureSettings:
    """The linear response of one camera, without noise."""
    return CaptureSettings(cameras=(f"{table}:{camera}",), normalise="sum")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cameras", type=Path, required=True)
    parser.add_argument("--materials", type=Path, required=True)
    parser.add_argument(
        "--models", nargs="+", default=["rootpoly-srgb", "instant-photo", "mstpp-photo"]
    )
    parser.add_argument("--known", metavar="CAMERA", help="the models are of this camera")
    parser.add_argument("--write", action="store_true", help="put the figures into the cards")
    options = parser.parse_args()
    models = [napari_hsr.load_model(name) for name in options.models]
    captures = [
        photographed_by(options.cameras, camera, light)
        for camera, light in zip(LEFT_OUT, LIGHTS, strict=True)
    ]
    if options.known:
        captures = [known_camera(options.cameras, options.known)]
    table: dict[str, np.ndarray] = {}
    for source, cubes in sources(options.data, options.materials).items():
        rows = []
        for number, cube in enumerate(cubes):
            for settings in captures:
                rng = np.random.default_rng(number)
                capture = draw(settings, np.asarray(GRID), rng, cube)
                taken = capture.take(cube, rng)
                photo = (
                    Photograph(taken, models[0].input_encoding)
                    if options.known
                    else Photograph(np.rint(255 * taken).astype(np.uint8))
                )
                exposed = Cube(cube * np.float32(capture.gain), GRID)
                made = [napari_hsr.reconstruct(photo, model) for model in models]
                rows.append([figures_of(m, exposed) for m in made])
        table[source] = np.mean(rows, axis=0)
    table["mean of sources"] = np.mean(list(table.values()), axis=0)
    heads = "".join(f"{m.name:>30}" for m in models)
    print(f"{'source':<24}{heads}   dB / ° / MRAE / ° of the worst decile")
    for source, figures in table.items():
        cells = "".join(f"{'{:6.2f} {:6.2f} {:6.3f} {:6.2f}'.format(*row):>30}" for row in figures)
        print(f"{source:<24}{cells}")
    if options.write:
        for at, model in enumerate(models):
            rows = {source: figures[at] for source, figures in table.items()}
            write_card(model.name, rows, OF_A_KNOWN_CAMERA if options.known else PROTOCOL)
    first = table.pop("mean of sources")[0]
    for i, model in enumerate(models[1:], 1):
        lost = [s for s, f in table.items() if f[i][0] < f[0][0] - 0.1 or f[i][1] > f[0][1] + 0.1]
        print(f"{model.name} loses to {models[0].name} on: {', '.join(lost) or 'none'}")
    assert np.isfinite(first).all()


if __name__ == "__main__":
    main()
