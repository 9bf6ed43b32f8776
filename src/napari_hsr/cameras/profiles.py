"""Camera profiles: the way from a camera's own colours to linear sRGB, found by a chart, and kept."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from itertools import chain, count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_hsr.cameras.chromatic import TERMS, terms, undo
from napari_hsr.cameras.sensitivities import Camera, get_camera
from napari_hsr.colour import decode_photograph_tile, normalise_encoding
from napari_hsr.colour.observers import band_widths, sample
from napari_hsr.errors import FileError, InputError
from napari_hsr.io import limits
from napari_hsr.io.library_errors import made_folder
from napari_hsr.io.text_files import write_text
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import LINEAR_SRGB, SRGB, saturated, slug
from napari_hsr.user_folders import data_folder

if TYPE_CHECKING:
    from napari_hsr.photograph import Photograph

#: A name that stands for a kept profile: ``profile:NAME``.
PREFIX = "profile:"
#: In the metadata of a photograph: the profile that was applied.
KEY = "camera_profile"
_VERSION = 1
#: How near a polynomial that was undone must come to the colours it made, relative to these.
_UNDONE = 1e-6


@dataclass(frozen=True)
class CameraProfile:
    """What a chart said of a camera.

    Attributes
    ----------
    name : str
    encoding : str
        Of the photographs that it is for.
    gains : tuple of 3 float
        Of the linear channels: exposure times white balance.
    matrix : tuple of 3 tuples of 3 float
        ``colours * gains @ matrix`` is about linear sRGB, and by the estimated sensitivities linear.
    chart, illuminant : str
        What it was found by, under which light.
    delta_e : float
        Mean CIEDE2000 of the patches after it.
    wavelengths_nm, sensitivities, deviations : tuple
        Estimated sensitivities (bands, 3) to reflectance under that light and their standard
        deviations; empty if there are none.
    polynomial : tuple of 7 tuples of 3 float
        ``terms(colours * gains) @ polynomial`` is linear sRGB, nearer than by the matrix; empty for the
        matrix alone.
    """

    name: str
    encoding: str
    gains: tuple[float, ...]
    matrix: tuple[tuple[float, ...], ...]
    chart: str
    illuminant: str
    delta_e: float
    wavelengths_nm: tuple[float, ...] = ()
    sensitivities: tuple[tuple[float, ...], ...] = ()
    deviations: tuple[tuple[float, ...], ...] = ()
    polynomial: tuple[tuple[float, ...], ...] = ()

    @property
    def linear(self) -> str:
        """The encoding of the linear colours that the gains are for."""
        return LINEAR_SRGB if self.encoding == SRGB else self.encoding

    def seen(self, wavelengths_nm: np.ndarray) -> np.ndarray | None:
        """The camera's own channels, exposed and balanced, of a reflectance, (bands, 3).

        By the estimated sensitivities; None without these.
        """
        if not self.sensitivities:
            return None
        nm = np.asarray(self.wavelengths_nm)
        curves = sample(wavelengths_nm, nm, np.array(self.sensitivities))
        widths = band_widths(np.asarray(wavelengths_nm, float)) / (nm[1] - nm[0])
        out: np.ndarray = curves * widths[:, None] * np.array(self.gains)
        return out

    def undone(self, made: np.ndarray) -> np.ndarray:
        """The camera's own channels (…, 3), exposed and balanced, of colours that :meth:`apply` made."""
        by_matrix: np.ndarray = made @ np.linalg.inv(np.array(self.matrix))
        if not self.polynomial:
            return by_matrix
        polynomial = np.array(self.polynomial)
        found = undo(made, polynomial)
        away = np.abs(terms(found) @ polynomial - made).max(axis=-1, keepdims=True)
        near = away <= _UNDONE * np.abs(made).max(axis=-1, keepdims=True)
        # no camera has such a colour: the two are then about the same
        out: np.ndarray = np.where(near, found, by_matrix)
        return out

    def apply(self, photograph: Photograph) -> Photograph:
        """A photograph in linear sRGB, exposed and balanced as the chart was.

        Raises
        ------
        InputError
            If it is in another encoding.
        """
        if photograph.metadata.get(KEY) == self.name:
            return photograph
        if photograph.encoding != self.encoding:
            raise InputError(
                f"The profile {self.name} is for photographs in {self.encoding}; {photograph.name} is "
                f"in {photograph.encoding or 'an encoding that is not known'}."
            )
        out = np.empty(photograph.data.shape, np.float32)
        gains = np.array(self.gains, np.float32)
        made = np.array(self.polynomial or self.matrix, np.float32)
        clipped = 0
        for start in range(0, photograph.height, 256):
            rows = slice(start, start + 256)
            stored = np.asarray(photograph.data[rows])
            clipped += int(saturated(stored).any(axis=-1).sum())
            linear = decode_photograph_tile(stored, self.encoding, self.linear) * gains
            out[rows] = (terms(linear) if self.polynomial else linear) @ made
        step = f"Exposed, balanced and converted to linear sRGB by the camera profile {self.name}."
        told: tuple[Notice, ...] = ()
        if clipped:
            text = (
                f"{clipped} of {photograph.height * photograph.width} pixels are saturated in the "
                "camera's own channels: the light there was at least what the photograph says."
            )
            told = (Notice.warning(Code.SATURATED, text),)
        return replace(
            photograph,
            data=np.maximum(out, 0),
            encoding=LINEAR_SRGB,
            notices=(*photograph.notices, *told),
            measured=photograph,
            metadata={**photograph.metadata, KEY: self.name},
            provenance=photograph.provenance.with_step(step),
        )


_Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
_Three = tuple[_Number, _Number, _Number]
_LONGEST = 200
_Text = Annotated[str, Field(max_length=_LONGEST)]
_Curves = Annotated[tuple[_Three, ...], Field(max_length=10_000)]


class _Stored(BaseModel):
    """The file of a profile: anybody may have written it."""

    model_config = ConfigDict(strict=True, extra="forbid")
    profile: Literal[1]
    name: _Text
    encoding: _Text
    gains: _Three
    matrix: tuple[_Three, _Three, _Three]
    chart: _Text
    illuminant: _Text
    delta_e: float
    wavelengths_nm: Annotated[tuple[_Number, ...], Field(max_length=10_000)] = ()
    sensitivities: _Curves = ()
    deviations: _Curves = ()
    polynomial: _Curves = ()

    @model_validator(mode="after")
    def _fits(self) -> _Stored:
        nm = self.wavelengths_nm
        if len(nm) == 1 or any(high <= low for low, high in pairwise(nm)):
            raise ValueError("wavelengths that ascend")
        if not len(nm) == len(self.sensitivities) == len(self.deviations):
            raise ValueError("three sensitivities a wavelength")
        if len(self.polynomial) not in (0, TERMS):
            raise ValueError(f"{TERMS} terms")
        if min(self.gains) <= 0 or np.linalg.matrix_rank(np.array(self.matrix)) < 3:
            raise ValueError("gains above 0, and a matrix that keeps three colours apart")
        self.encoding = normalise_encoding(self.encoding)  # in any spelling
        return self


def folder() -> Path:
    """Where profiles are kept; it need not exist."""
    return data_folder() / "profiles"


def save(profile: CameraProfile, path: Path | None = None) -> Path:
    """Keep a profile under its name, in place of an earlier one of that name, or write it to a file.

    Raises
    ------
    InputError, FileError
        If its name is none to keep it by, or is kept by another one.
    """
    if path is None and not slug(profile.name):
        raise InputError(
            f"The name {profile.name!r} has no letter a to z and no digit to be kept by."
        )
    if len(profile.name) > _LONGEST:
        raise InputError(
            f"The name {profile.name[:40]!r}… of the camera profile has {len(profile.name)} letters: up to "
            f"{_LONGEST} were expected."
        )
    target = path or folder() / f"{slug(profile.name)}.json"
    if path is None and target.exists() and read_profile(target).name != profile.name:
        raise FileError(target, "it holds another profile, whose name differs in signs alone")
    made_folder(target.parent)
    text = json.dumps({"profile": _VERSION, **asdict(profile)}, indent=1)
    return write_text(target, text)


def save_beside(profile: CameraProfile) -> CameraProfile:
    """Keep a profile under its name, or with a number where another one has it; as it is kept.

    Raises
    ------
    InputError, FileError
        If its name is none to keep it by, or it cannot be written.
    """
    others = (f"{profile.name} {number}" for number in count(2))
    name = next(name for name in chain([profile.name], others) if not is_kept(name))
    kept = replace(profile, name=name)
    save(kept)
    return kept


def is_kept(name: str) -> bool:
    """Whether something stands where a profile of that name would be kept."""
    return bool(slug(name)) and os.path.lexists(folder() / f"{slug(name)}.json")


def known_by(camera: str | Camera | None) -> str | None:
    """A camera as results remember it: its name, and a hash of its sensitivities or its profile.

    What a table or a profile holds may change under the same name.

    Raises
    ------
    InputError, FileError
        If it is not known, or its file cannot be used.
    """
    if camera is None:
        return None
    if isinstance(camera, str) and camera.startswith(PREFIX):
        profile = read_profile(camera)
        name, content = profile.name, json.dumps(asdict(profile), sort_keys=True).encode()
    else:
        found = get_camera(camera)
        curves = np.column_stack([found.wavelengths_nm, found.sensitivities])
        name, content = found.name, np.ascontiguousarray(curves).tobytes()
    return f"{name} {hashlib.sha256(content).hexdigest()[:16]}"


def read_profile(name: str | Path) -> CameraProfile:
    """A kept profile by name, or that of a file.

    Raises
    ------
    InputError, FileError
        If there is none, or the file holds something else.
    """
    text = str(name).removeprefix(PREFIX)
    path = Path(text) if text.endswith(".json") else folder() / f"{slug(text)}.json"
    if not os.path.lexists(path):  # a folder or a broken link of that name is told below
        known = ", ".join(list_profiles()) or "none"
        raise InputError(f"There is no camera profile {text!r}; kept are: {known}.")
    try:
        found = _Stored.model_validate_json(limits.content(path))
        made = CameraProfile(**found.model_dump(exclude={"profile"}))
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(path, "it holds no camera profile of this version") from error
    return made


def list_profiles() -> list[str]:
    """Names of the kept profiles; files that hold none are left out."""
    found = []
    for path in sorted(folder().glob("*.json")):
        try:
            found.append(read_profile(path).name)
        except FileError:
            continue
    return found
