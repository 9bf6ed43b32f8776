"""Sample data: a real photograph, and a chart scene whose spectra are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from napari_hsr.arguments import told
from napari_hsr.colour import render
from napari_hsr.colour.observers import colour_science, sample
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.photograph import SRGB, Photograph
from napari_hsr.provenance import Provenance

_CREDIT = (
    "Photograph of the astronaut Eileen Collins, NASA Great Images database; public domain, "
    "distributed with scikit-image."
)
_CHECKER = "ISO 17321-1"  # a measured ColorChecker of colour-science
_BLACK, _DARK, _TABLE, _WHITE = (
    *("black 2 (1.5 D)", "neutral 3.5 (1.05 D)"),
    *("neutral 6.5 (.44 D)", "white 9.5 (.05 D)"),
)
_SMALLEST = (120, 160)


def photograph_path() -> Path:
    """The file of the sample photograph, inside the installed scikit-image; nothing is loaded.

    Raises
    ------
    FileError
        If scikit-image is not installed or came without its data.
    """
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise FileError(
            "astronaut.png", "the sample photograph comes with scikit-image, which is not installed"
        )
    path = Path(found.origin).parent / "data" / "astronaut.png"
    if not path.is_file():
        raise FileError(path, "the sample photograph of scikit-image is not there")
    return path


def photograph() -> Photograph:
    """A real photograph, (512, 512, 3) uint8 in sRGB: a portrait with a flag and an orange suit.

    Raises
    ------
    FileError
        If scikit-image is not installed or came without its data.
    """
    from napari_hsr.io import read

    picture = read(photograph_path())
    assert isinstance(picture, Photograph)
    picture.provenance = picture.provenance.with_step(_CREDIT)
    picture.encoding = SRGB
    return picture


@dataclass(frozen=True)
class _Box:
    """A rectangle of pixels that shows one measured reflectance."""

    name: str
    top: int
    bottom: int
    left: int
    right: int

    @property
    def at(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


@told
def chart(seed: int = 0, size: tuple[int, int] = (360, 480)) -> tuple[Cube, Photograph]:
    """A chart scene with ground truth, and the photograph of it.

    The 24 patches of a ColorChecker and the 99 colour evaluation samples of CIE 224 and
    IES TM-30, all measured reflectances, on a dark neutral holder with a blend from black to white.
    The truth is reflectance x shading x texture: a light that falls off smoothly from the
    upper left, and a fine grain, the same in all bands.

    Parameters
    ----------
    seed : int
        Of the texture.
    size : (int, int)
        Height and width in pixels, at least 120 x 160.

    Returns
    -------
    truth : Cube
        (31, height, width), 400–700 nm every 10 nm, reflectance in 0..1. ``metadata["patches"]``
        lists name, top, bottom, left and right (pixels) of each patch.
    photograph : Photograph
        The same scene under D65, rendered through the CIE 1931 observer into 8-bit sRGB.

    Raises
    ------
    InputError
        If the size is too small for the patches.
    """
    height, width = (int(n) for n in size)
    if height < _SMALLEST[0] or width < _SMALLEST[1]:
        raise InputError(
            f"The chart needs at least {_SMALLEST[0]} x {_SMALLEST[1]} pixels (height x width), "
            f"not {height} x {width}."
        )
    wavelengths = Wavelengths(np.arange(400.0, 701.0, 10.0))
    spectra = _reflectances(np.asarray(wavelengths))
    holder, patches, ramp = _layout(height, width, [*spectra])

    scene = np.empty((len(wavelengths), height, width), dtype=np.float32)
    scene[:] = spectra[_TABLE][:, None, None]
    board = (spectra[_BLACK] + spectra[_DARK]) / 2  # no grey of the ColorChecker vanishes
    scene[(slice(None), *holder.at)] = board[:, None, None]
    for box in patches:
        scene[(slice(None), *box.at)] = spectra[box.name][:, None, None]
    share = np.linspace(0.0, 1.0, ramp.right - ramp.left)
    blend = np.outer(spectra[_BLACK], 1 - share) + np.outer(spectra[_WHITE], share)
    scene[(slice(None), *ramp.at)] = blend[:, None, :]
    scene *= _shading(height, width, holder) * _texture(height, width, seed)

    truth = Cube(
        scene,
        wavelengths,
        units="reflectance",
        name="chart",
        provenance=Provenance(
            input="chart scene with ground truth",
            steps=(
                f"Built from measured reflectances of colour-science: ColorChecker ({_CHECKER}) "
                "and the 99 colour evaluation samples of CIE 224:2017.",
                f"Multiplied by a smooth shading and a fine texture (seed {seed}).",
            ),
        ),
        metadata={
            "patches": [
                {k: getattr(box, k) for k in ("name", "top", "bottom", "left", "right")}
                for box in patches
            ],
            "illuminant": "D65",
            "seed": int(seed),
        },
    )
    picture = np.rint(render(truth, "D65") * 255).astype(np.uint8)
    provenance = replace(
        truth.provenance,
        steps=(
            *truth.provenance.steps,
            "Rendered under D65 (CIE 1931, 2 degrees) into 8-bit sRGB.",
        ),
    )
    return truth, Photograph(
        picture,
        encoding=SRGB,
        name="chart photograph",
        provenance=provenance,
        metadata={"illuminant": "D65"},
    )


def _reflectances(nm: np.ndarray) -> dict[str, np.ndarray]:
    """The 24 patches of the ColorChecker, then CES 1..99: reflectance (bands,) by name."""
    colour = colour_science()
    from colour.quality.cfi2017 import load_TCS_CIE2017

    spectra = {}
    for name, measured in colour.SDS_COLOURCHECKERS[_CHECKER].items():
        spectra[name] = sample(nm, measured.wavelengths, measured.values[:, None])[:, 0]
    samples = load_TCS_CIE2017(colour.SpectralShape(380, 780, 5))
    table = sample(nm, samples.wavelengths, samples.values)
    return spectra | {f"CES {i + 1:02d}": column for i, column in enumerate(table.T)}


def _layout(height: int, width: int, names: list[str]) -> tuple[_Box, list[_Box], _Box]:
    """Holder, patches and the black-to-white blend.

    The ColorChecker stands upright on the left, six rows of four, with the blend below it; the
    other samples are on the right, in eleven rows of nine.
    """
    margin = max(4, round(0.04 * min(height, width)))
    holder = _Box("holder", margin, height - margin, margin, width - margin)
    pad = max(3, round(0.03 * min(height, width)))
    top, bottom = holder.top + pad, holder.bottom - pad
    left, right = holder.left + pad, holder.right - pad
    split = left + round(0.40 * (right - left))
    foot = top + round(0.83 * (bottom - top))
    patches = _grid(names[:24], (top, foot), (left, split - pad), columns=4, gap=0.14)
    patches += _grid(names[24:], (top, bottom), (split, right), columns=9, gap=0.12)
    low = max(box.bottom for box in patches[:24])
    ramp = _Box(
        "blend",
        low + (bottom - low) // 3,
        max(b.bottom for b in patches[24:]),
        left,
        patches[3].right,
    )
    return holder, patches, ramp


def _grid(
    names: list[str], rows: tuple[int, int], columns_px: tuple[int, int], columns: int, gap: float
) -> list[_Box]:
    lines = -(-len(names) // columns)
    # The last gap is outside, so that patches end flush with their area.
    high = (rows[1] - rows[0]) / (lines - gap)
    wide = (columns_px[1] - columns_px[0]) / (columns - gap)
    boxes = []
    for i, name in enumerate(names):
        y, x = rows[0] + high * (i // columns), columns_px[0] + wide * (i % columns)
        boxes.append(
            _Box(name, round(y), round(y + high * (1 - gap)), round(x), round(x + wide * (1 - gap)))
        )
    return boxes


def _shading(height: int, width: int, holder: _Box) -> np.ndarray:
    """Light from the upper left, in 0.45..0.95, and the soft shadow that the holder casts."""
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    light = 0.95 / (1 + 0.30 * ((x - 0.2) ** 2 + (y - 0.1) ** 2)) ** 2
    reach = max(1.0, 0.012 * min(height, width))
    board = np.zeros((height, width))
    board[holder.at] = 1.0
    shadow = gaussian_filter(np.roll(board, (round(reach), round(reach)), (0, 1)), reach)
    return (light * (1 - 0.55 * shadow * (1 - board))).astype(np.float32)


def _texture(height: int, width: int, seed: int) -> np.ndarray:
    """A fine multiplicative grain within ±5%: pixel noise on a slightly coarser tooth."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    grain = rng.standard_normal((height, width))
    tooth = gaussian_filter(rng.standard_normal((height, width)), 1.2, mode="wrap")
    grain = 0.006 * grain + 0.012 * tooth / tooth.std()
    return (1 + np.clip(grain, -0.05, 0.05)).astype(np.float32)
