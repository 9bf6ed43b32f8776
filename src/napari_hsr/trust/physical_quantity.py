"""Whether spectra can be held against each other, as far as their units say what they are."""

from __future__ import annotations

from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.quantities import Quantity, quantity_of

#: Divided by these, values are fractions.
_FULL = {Quantity.REFLECTANCE: 1.0, Quantity.PERCENT: 100.0}
#: What is to be done about spectra that hold the light.
_OF_LIGHT = (Quantity.RADIANCE, Quantity.IRRADIANCE, Quantity.COUNTS)


def factor_to(units: str | None, wanted: str | None, whose: str, target: str) -> float:
    """What values in a unit are multiplied by to be on the scale of another.

    Parameters
    ----------
    units, wanted : str or None
        Of the values, and of what they are held against. Where either is not known, the factor is 1.
    whose, target : str
        The two, for sentences.

    Raises
    ------
    InputError
        If they are not the same quantity.
    """
    own, other = quantity_of(units), quantity_of(wanted)
    if own is Quantity.RELATIVE:
        raise InputError(
            f"The spectra of {whose} were normalised ({units}): how bright they are is no longer known. "
            "Give them as they were measured."
        )
    if own is None or other is None or own is other:
        return 1.0
    if own in _FULL and other in _FULL:
        return fractions_factor(units, wanted)
    way = ""
    if own in _OF_LIGHT and other in _FULL:
        way = " Divide them by those of a white reference under the same light."
    elif other in _OF_LIGHT and own in _FULL:
        way = " Convert the cube to reflectance first, or give spectra in its unit."
    raise InputError(
        f"The spectra of {whose} are {_called(own, units)}, and {target} holds "
        f"{_called(other, wanted)}: these cannot be compared.{way}"
    )


def fractions_factor(units: str | None, wanted: str | None) -> float:
    """What reflectance in one unit is multiplied by to be in the other, as of percent; 1 where either is another quantity."""
    own, other = quantity_of(units), quantity_of(wanted)
    if own not in _FULL or other not in _FULL:
        return 1.0
    return _FULL[other] / _FULL[own]


def multiplied(whose: str, factor: float, units: str | None, wanted: str | None) -> str:
    """Such as ``They were in percent and multiplied by 0.01, as reflectance takes.``."""
    return f"{whose} were in {units} and multiplied by {factor:g}, as {wanted} takes."


def differing(units: str | None, wanted: str | None, whose: str, target: str) -> list[Notice]:
    """A warning where spectra and what they are held against are different quantities, as far as both say so.

    A factor between them, as of percent, is none; spectra that were normalised keep their shape.
    """
    own, other = quantity_of(units), quantity_of(wanted)
    unsaid = (None, Quantity.RELATIVE)
    if own in unsaid or other in unsaid or own is other or (own in _FULL and other in _FULL):
        return []
    told = (
        f"The spectra of {whose} are {_called(own, units)}, and {target} holds "
        f"{_called(other, wanted)}: what is found by comparing them means little."
    )
    return [Notice.warning(Code.UNITS_DIFFER, told)]


def _called(kind: Quantity, units: str | None) -> str:
    """The quantity with its unit, which may name it itself: ``"radiance (W m-2 sr-1 nm-1)"``."""
    named = (units or "").strip().lower().startswith(kind.value)
    return f"{units}" if named else f"{kind.value} ({units})"
