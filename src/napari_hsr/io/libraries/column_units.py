"""What the heading of a column of spectra says of its unit: percent, another one in brackets, or none."""

from __future__ import annotations

import re

import numpy as np

from napari_hsr.io import limits
from napari_hsr.io.libraries.assemble import MOST_REFLECTANCE
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

#: A share in the name of a spectrum, such as “99%”.
_QUANTITY_IN_NAME = re.compile(r"\d\s*(?:%|percent)")


def bare(name: str) -> str:
    """A heading without its unit in brackets."""
    unit = r"\s*(\[[^\]]*\]|(?<!\d)(?<!\d )%)\s*$"
    return re.sub(unit, "", name[: limits.LONGEST_NAME]).strip() or name


def are_percent(names: list[str], values: np.ndarray) -> bool:
    """Whether columns are percent, as each heading says.

    The heading of another unit in brackets does not, and in “Spectralon 99%” or “soil 20% water” the sign may
    belong to the number before it: the values decide.
    """
    said = [(name if other_unit(name) is None else "").lower() for name in names]
    if not all("%" in name or "percent" in name for name in said):
        return False
    bare = [_QUANTITY_IN_NAME.sub("", name) for name in said]
    if all("%" in name or "percent" in name for name in bare):
        return True
    return float(np.max(values, initial=0.0, where=np.isfinite(values))) > MOST_REFLECTANCE


def other_unit(heading: str) -> str | None:
    """What stands in square brackets behind a heading, unless it is percent."""
    bracket = re.search(r"\[([^\]]+)\]\s*$", heading[: limits.LONGEST_NAME])
    stated = bracket[1].strip() if bracket else "%"
    return None if "%" in stated or "percent" in stated.lower() else stated


def without_unit(names: list[str]) -> list[Notice]:
    """A notice of columns of Spectral Evolution's, which state percent, or [1.0], where none does."""
    bare = [name for name in names if other_unit(name) is None and "%" not in name]
    if not bare:
        return []
    told = f"The column “{one_line(bare[0], 40)}” does not say whether its values are percent."
    return [Notice.warning(Code.VALUES_SCALE_GUESSED, told)]
