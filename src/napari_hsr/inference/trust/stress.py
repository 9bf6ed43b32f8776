"""How much a model's answer moves when the photograph changes and the scene does not, and reverse."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.colour import srgb_decode, srgb_encode
from napari_hsr.errors import InputError
from napari_hsr.inference.reconstruction import reconstruct
from napari_hsr.models.bundled_models import DEFAULT
from napari_hsr.models.library import load_model
from napari_hsr.photograph import CAMERA, LINEAR_SRGB, SRGB, Photograph
from napari_hsr.progress import Progress, stop_if
from napari_hsr.trust.linear_camera import CIE, linear_camera
from napari_hsr.trust.metamers import metamers

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from os import PathLike

    from napari_hsr.cameras import Camera
    from napari_hsr.cube import Cube
    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.model import Model
    from napari_hsr.notices import Notice

#: Mean of the linear photograph that stands for a right exposure.
EXPOSED = 0.18
SHARES = (0.25, 0.5, 1.0)
EXPOSURES = (0.25, 0.5, 2.0, 4.0)
BALANCES = (0.05, 0.1, 0.2)
QUALITIES = (95, 80, 60, 40)
ELECTRONS = (20000, 5000, 1000)
BLURS = (0.7, 1.5, 3.0)
#: What cards keep of a row, beside the angle.
_KEPT = ("colour_change", "moved", "truth_moved", "error")


@dataclass(frozen=True)
class Row:
    """One change, and what came of it.

    Attributes
    ----------
    test : str
        ``"as it is"``, ``"metamers"``, ``"exposure"``, ``"white balance"``, ``"JPEG"``, ``"noise"`` or
        ``"blur"``.
    value : float or None
        How strong: the share of the other spectrum, the factor, the error of the gain, the quality,
        the electrons at full scale, the deviation in pixels.
    setting : str
        The same in words.
    colour_change : float
        Root mean square change of the linear photograph, relative to its own.
    moved : float
        The same of the answer, its exposure undone.
    truth_moved : float
        The same of the true spectra: not zero for metamers and for blur, which is of the light.
    sam : float
        Mean spectral angle to the true spectra, in degrees.
    error : float
        Root mean square error, relative to the root mean square of the true spectra.
    """

    test: str
    value: float | None
    setting: str
    colour_change: float
    moved: float
    truth_moved: float
    sam: float
    error: float


@dataclass(frozen=True)
class StressReport:
    """What a stress test ends with.

    Attributes
    ----------
    model, scene, camera : str
        What was tested, on what, and seen by what.
    rows : tuple of Row
    notices : tuple of Notice
        Of the camera.
    """

    model: str
    scene: str
    camera: str
    rows: tuple[Row, ...]
    notices: tuple[Notice, ...] = ()

    @classmethod
    def of_card(cls, card: ModelCard) -> StressReport:
        """What a model's card keeps of a report, the reverse of :meth:`card_fields`."""
        head = card.stress_protocol.partition(";")[0].removeprefix("on ")
        scene, _, camera = head.partition(", seen by ")
        rows = (
            Row(name, None, "", sam=figures["sam_deg"], **{key: figures[key] for key in _KEPT})
            for name, figures in card.stress.items()
        )
        return cls(card.name, scene, camera, tuple(rows))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(replace(self, notices=())) | {"notices": [str(n) for n in self.notices]}

    def table(self) -> str:
        """For people."""
        lines = [
            f"{self.model} on {self.scene}, seen by {self.camera}",
            f"{'':<35}{'colours':>10}{'answer':>10}{'truth':>10}{'SAM':>9}{'error':>9}",
        ]
        for row in self.rows:
            name = f"{row.test} {row.setting}".strip()
            moved = (row.colour_change, row.moved, row.truth_moved)
            lines.append(
                f"{name:<35}"
                + "".join(f"{value:>10.1%}" for value in moved)
                + f"{row.sam:>8.2f}°{row.error:>9.1%}"
            )
        lines.append("Changes and errors are root mean squares, relative to those of the whole.")
        return "\n".join(lines)

    def card_fields(self) -> dict[str, Any]:
        """What a model's card keeps of it: ``stress`` and ``stress_protocol``."""
        rows = {
            f"{row.test} {row.setting}".strip(): {
                "sam_deg": round(row.sam, 3),
                **{key: round(getattr(row, key), 5) for key in _KEPT},
            }
            for row in self.rows
        }
        protocol = (
            f"on {self.scene}, seen by {self.camera}; changes and errors are root mean squares, "
            "relative to those of the whole; napari-hsr stress"
        )
        return {"stress": rows, "stress_protocol": protocol}


def stress_events(
    model: Model | str | PathLike[str] = DEFAULT,
    scene: Cube | None = None,
    *,
    camera: str | Camera | None = None,
    device: str = "auto",
    seed: int = 0,
    cancel: threading.Event | None = None,
) -> Iterator[Progress | StressReport]:
    """Photograph a scene whose spectra are known in many ways, and see what moves.

    Parameters
    ----------
    model : Model, str or path
        As for :func:`napari_hsr.load_model`.
    scene : Cube, optional
        Reflectances on the model's wavelengths; a painted chart by default.
    camera : str or Camera, optional
        What takes the photographs, see :func:`napari_hsr.trust.linear_camera.linear_camera`; CIE 1931 under D65
        by default.
    device : str
        As for :func:`napari_hsr.reconstruct`.
    seed : int
        Of noise and of metamers.
    cancel : threading.Event, optional

    Yields
    ------
    Progress
    StressReport
        At the end.

    Raises
    ------
    InputError
        If the camera is not known or the scene has other bands.
    """
    model = load_model(model)
    if scene is None:
        from napari_hsr.samples import chart

        scene, _ = chart(seed, (120, 160))
    if scene.wavelengths is None or not scene.wavelengths.matches(model.wavelengths):
        raise InputError(
            f"{model.name} makes {model.wavelengths.describe()}, and {scene.name} does not have "
            "these bands."
        )
    rendered = not model.input_encoding.startswith(CAMERA)
    encoding = SRGB if rendered else model.input_encoding
    seen = linear_camera(
        encoding, tuple(model.wavelengths), (camera or CIE) if rendered else camera
    )
    truth = np.maximum(np.asarray(scene.data, np.float64), 0)
    shape = truth.shape
    flat = truth.reshape(len(truth), -1)
    if not np.isfinite(flat).all():
        raise InputError(f"{scene.name} holds values that are not finite.")
    colours = np.maximum(seen.matrix.T @ flat, 0)
    if not colours.mean() > 0:
        raise InputError(f"{scene.name} is black.")
    flat = flat * (EXPOSED / colours.mean())
    rng = np.random.default_rng(seed)
    base = _Shot((seen.matrix.T @ flat).T.reshape(*shape[1:], 3), flat)
    linear = LINEAR_SRGB if rendered else encoding
    rows: list[Row] = []
    tests = list(_tests(base, seen, rng, rendered))
    first: np.ndarray | None = None
    for number, (test, value, setting, make) in enumerate(tests):
        stop_if(cancel)
        yield Progress(number, len(tests), f"{test} {setting}".strip())
        shot = make()
        photograph = Photograph(shot.colours.astype(np.float32), encoding=linear, name=test)
        answer = reconstruct(photograph, model, device=device, cancel=cancel).data
        answer = answer.reshape(len(flat), -1).astype(np.float64) / shot.exposure
        first = answer if first is None else first
        rows.append(
            Row(
                test,
                value,
                setting,
                _change(shot.colours / shot.exposure, base.colours),
                _change(answer, first),
                _change(shot.spectra, base.spectra),
                _angle(answer, shot.spectra),
                _change(answer, shot.spectra),
            )
        )
    yield Progress(len(tests), len(tests), "Done")
    yield StressReport(model.name, scene.name, seen.name, tuple(rows), seen.notices)


@dataclass(frozen=True, eq=False)
class _Shot:
    """Linear colours (height, width, 3), the spectra behind them, and the exposure of the former."""

    colours: np.ndarray
    spectra: np.ndarray
    exposure: float = 1.0


def _tests(
    base: _Shot, seen: Any, rng: np.random.Generator, rendered: bool
) -> Iterator[tuple[str, float | None, str, Callable[[], _Shot]]]:
    """Name, strength, words, and what makes the photograph."""
    from scipy.ndimage import gaussian_filter

    height, width = base.colours.shape[:2]

    def other_spectra(share: float) -> _Shot:
        return _Shot(base.colours, metamers(base.spectra, seen, rng, share))

    def exposed(factor: float) -> _Shot:
        return _Shot(base.colours * factor, base.spectra, factor)

    def balanced(error: float) -> _Shot:
        return _Shot(base.colours * [1 + error, 1, 1 - error], base.spectra)

    def compressed(quality: int) -> _Shot:
        return _Shot(_jpeg(base.colours, quality), base.spectra)

    def noisy(electrons: int) -> _Shot:
        counted = rng.poisson(np.maximum(base.colours, 0) * electrons)
        return _Shot(counted / electrons, base.spectra)

    def blurred(sigma: float) -> _Shot:  # of the scene too: light blurs, not files
        spectra = gaussian_filter(base.spectra.reshape(-1, height, width), (0, sigma, sigma))
        colours = gaussian_filter(base.colours, (sigma, sigma, 0))
        return _Shot(colours, spectra.reshape(base.spectra.shape))

    yield "as it is", None, "", lambda: base
    for share in SHARES:
        yield "metamers", share, f"{share:.0%}", partial(other_spectra, share)
    for factor in EXPOSURES:
        yield "exposure", factor, f"× {factor:g}", partial(exposed, factor)
    for error in BALANCES:
        words = f"red +{error:.0%}, blue −{error:.0%}"
        yield "white balance", error, words, partial(balanced, error)
    for quality in QUALITIES if rendered else ():
        yield "JPEG", quality, f"{quality}", partial(compressed, quality)
    for electrons in ELECTRONS:
        yield "noise", electrons, f"{electrons:,} electrons", partial(noisy, electrons)
    for sigma in BLURS:
        yield "blur", sigma, f"{sigma:g} pixels", partial(blurred, sigma)


def _jpeg(colours: np.ndarray, quality: int) -> np.ndarray:
    """The linear picture after a JPEG file in sRGB."""
    from PIL import Image

    levels = np.rint(255 * srgb_encode(np.clip(colours, 0, 1))).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=quality)
    found: np.ndarray = srgb_decode(np.asarray(Image.open(file), np.float64) / 255)
    return found


def _change(now: np.ndarray, before: np.ndarray) -> float:
    return float(np.sqrt(np.mean((now - before) ** 2) / np.mean(before**2)))


def _angle(answer: np.ndarray, truth: np.ndarray) -> float:
    """Mean angle in degrees where both are lit."""
    lit = (np.abs(answer).sum(axis=0) > 0) & (truth.sum(axis=0) > 0)
    units = [v[:, lit] / np.linalg.norm(v[:, lit], axis=0) for v in (answer, truth)]
    apart = np.linalg.norm(units[0] - units[1], axis=0)
    together = np.linalg.norm(units[0] + units[1], axis=0)
    return float(np.degrees(2 * np.arctan2(apart, together)).mean())
