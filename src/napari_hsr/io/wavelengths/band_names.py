"""Wavelengths in the names of things that hold one band each: arrays of a file, pictures of a folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBER = re.compile(r"\d+(?:\.\d+)?")
#: One of the words in the names of bands, and those of what is said about bands.
OF_BANDS = {
    "b", "band", "bands", "ch", "channel", "channels", "wl", "wavelength", "lambda", "nm", "um", "oa", "sr",
    "refl", "reflectance", "reflectances", "ref", "rad", "radiance", "radiances", "rrs", "rhos", "rhot", "rhow", "lt", "lw",
    "nlw", "toa", "boa", "cube", "spectral", "hsi", "msi", "ms", "bandwise", "x",
}  # fmt: skip
#: nm; where a number in a name without a unit may be a wavelength.
_SHORTEST, _LONGEST = 200.0, 3000.0


def are_centres(values: np.ndarray) -> bool:
    """Whether numbers may be wavelengths in nm by their size."""
    return bool(values.min() >= _SHORTEST and values.max() <= _LONGEST)


def centres_in_names(parts: Sequence[str]) -> tuple[np.ndarray, str | None] | None:
    """Wavelengths in the names of the arrays, with their unit if they have one."""
    numbers = np.array([[float(n) for n in NUMBER.findall(name)] for name in parts])
    behind = [re.split(NUMBER, name)[1:] for name in parts]
    for column in range(numbers.shape[1]):
        values = numbers[:, column]
        if len(set(values)) < len(parts):
            continue
        unit = re.match(r"[\s_]*(nm|[uµ]m)(?![a-z])", behind[0][column].lower())
        if unit:
            return values, unit[1]
        words = set(re.findall(r"[a-zµ]+", NUMBER.sub(" ", parts[0]).lower()))
        bare = not re.search("[a-z]", parts[0].rsplit("/", 1)[-1].lower())
        bare = bare and not (np.diff(np.sort(values)) == 1).all()  # numbers of frames
        if are_centres(values) and (words & OF_BANDS or bare):
            return values, None
    return None
