"""Settings of the camera that scan and references state: exposure times, gain, binning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.errors import InputError
from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_hsr.cube import Cube

#: Names under which headers state exposure times, small and without blanks and lines, and their units.
_EXPOSURE = re.compile(
    r"((?:camera|sensor|frame)?(?:exposuretime|exposure|integrationtime|tint|shuttertime|shutter))(ms|us|s|sec|seconds)?"
)
#: The unit that a name ends with, or has in brackets.
_UNIT_OF_NAME = re.compile(r"[\s_\-(\[]([a-zµμ]+)[)\]]?\s*$")
#: A time: a number or a fraction, such as 1/50, and its unit. 20,000 may be twenty or twenty thousand.
_TIME = re.compile(
    r"\s*(\d*[.,]?\d+(?:e[-+]?\d+)?)(?:\s*/\s*(\d{1,9}))?(\s*)([a-zµμ]*)\s*(?:[(\[;|].*)?",
    re.IGNORECASE | re.DOTALL,
)
_THOUSANDS = re.compile(r"[1-9]\d*,\d{3}(?!\d)")
#: Other settings that make counts of one scene differ.
_OTHERS = re.compile(
    r"(?:camera|sensor|analog|digital)?gain(?:position)?|(?:spatial|spectral|sample|line)?binning"
)
#: Seconds by their units.
_SECONDS = {
    name: seconds
    for seconds, names in {
        1.0: ("s", "sec", "secs", "second", "seconds"),
        1e-3: ("ms", "msec", "msecs", "millisecond", "milliseconds"),
        1e-6: ("us", "µs", "μs", "usec", "usecs", "microsecond", "microseconds"),
        1e-9: ("ns", "nsec", "nsecs", "nanosecond", "nanoseconds"),
    }.items()
    for name in names
}


def is_exposure(name: str) -> bool:
    """Whether a name in the metadata is that of an exposure time."""
    return _EXPOSURE.fullmatch(_plain(name)) is not None


def exposure_ratio(
    raw: Cube, white: Cube | None, stated: tuple[float, float] | None, one_dark: bool
) -> tuple[float, list[Notice]]:
    """The white's exposure time over the scan's, and how it is known.

    Raises
    ------
    InputError
        If the times stated are not positive.
    """
    if stated is not None:
        if not all(np.isfinite(t) and t > 0 for t in stated):
            raise InputError(f"Exposure times are positive numbers, not {stated!r}.")
        scan, reference = stated
        said = "as stated"
    elif white is None:
        return 1.0, []
    else:
        both = _in_both(raw, white)
        if both is None:
            told = _why_equal(raw.metadata, white.metadata)
            return 1.0, [Notice.warning(Code.REFERENCE_FITTED, told)] if told else []
        (scan, reference), said = both, "as the files state"
    if scan == reference:
        return 1.0, []
    told = f"The scan was exposed for {scan:g} and the white for {reference:g}, {said}."
    if one_dark:
        told += " One dark reference was subtracted from both."
    return reference / scan, [Notice.info(Code.SCALE_APPLIED, told)]


def differences(
    raw: Cube, white: Cube | None, dark: Cube | None, white_dark: Cube | None, times_known: bool
) -> list[Notice]:
    """Notices of settings in which references differ from what they are subtracted from or divided by."""
    notices = []
    pairs = (("scan", raw, "dark reference", dark), ("white", white, "white's dark", white_dark))
    for of, one, kind, other in pairs:
        times = _in_both(one, other) if one is not None and other is not None else None
        if times is not None and times[0] != times[1] and not times_known:
            told = (
                f"The {of} was exposed for {times[0]:g} and the {kind} for {times[1]:g}, as the files state: "
                "it was subtracted as it is."
            )
            notices.append(Notice.warning(Code.REFERENCE_FITTED, told))
    for kind, other in (("white", white), ("dark reference", dark)):
        for name, value in _others(raw.metadata).items():
            theirs = _others(other.metadata if other is not None else {}).get(name, value)
            if theirs != value:
                told = f"The scan has {name} {_shown(value)} and the {kind} {_shown(theirs)}, which was not taken into account."
                notices.append(Notice.warning(Code.REFERENCE_FITTED, told))
    if raw.units == "reflectance":
        told = "The scan says that it is reflectance already: it was calibrated all the same."
        notices.append(Notice.warning(Code.VALUES_SCALE_GUESSED, told))
    return notices


def _in_both(one: Cube, other: Cube) -> tuple[float, float] | None:
    """Exposure times that both state under one name; in seconds where both have a unit, else as they are."""
    here, there = _times(one.metadata), _times(other.metadata)
    for name, (value, unit) in here.items():
        if name in there:
            theirs, their_unit = there[name]
            if unit != their_unit and unit and their_unit:
                return value * _SECONDS[unit], theirs * _SECONDS[their_unit]
            return value, theirs
    return None


def _why_equal(raw: Mapping[str, Any], white: Mapping[str, Any]) -> str:
    """What is said where no two exposure times can be compared; nothing where none is stated, or they are one."""
    stated = [
        {_plain(name): _shown(value) for name, value in each.items() if is_exposure(name)}
        for each in (raw, white)
    ]
    if stated[0] == stated[1]:
        return ""
    if not all(stated):
        return "Only one of scan and white states its exposure time: they count as equal."
    scan, reference = (
        ", ".join(f"{name} {value}" for name, value in each.items()) for each in stated
    )
    return (
        f"The exposure times of scan ({scan}) and white ({reference}) could not be compared: they count as "
        "equal."
    )


def _times(metadata: Mapping[str, Any]) -> dict[str, tuple[float, str]]:
    """Positive exposure times and their units, by their names without these."""
    found: dict[str, tuple[float, str]] = {}
    for name, value in metadata.items():
        known = _EXPOSURE.fullmatch(_plain(name))
        if known is None:
            continue
        one = (
            value[0]
            if isinstance(value, list) and value and len(set(map(str, value))) == 1
            else value
        )
        match = _TIME.fullmatch(str(one))
        if match is None or _THOUSANDS.match(match[1]) or int(match[2] or 1) == 0:
            continue
        time = float(match[1].replace(",", ".")) / int(match[2] or 1)
        if match[4] and not match[3] and match[4].lower() not in _SECONDS:
            continue  # of "1O" the 1 is no time
        of_name = _UNIT_OF_NAME.search(name.lower())
        run_on = known[2] if known[2] != "s" else None  # which may be a plural
        units = match[4].lower(), of_name[1] if of_name else "", run_on
        if 0 < time < np.inf:
            unit = next((unit for unit in units if unit in _SECONDS), None) or ""
            found.setdefault(known[1], (time, unit))
    return found


def _others(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if _OTHERS.fullmatch(_plain(name))}


def _shown(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list) else str(value)[:40]


def _plain(name: str) -> str:
    """Small letters of a name without what stands in brackets: ``exposuretime`` of ``Exposure Time (ms)``."""
    return re.sub(r"[^a-zµμ]", "", re.sub(r"[\[(].*?[\])]", "", name.lower()))
