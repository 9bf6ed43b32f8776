"""Which axis of an array holds the bands."""

from __future__ import annotations

from collections.abc import Sequence

_NAMES = ("first", "second", "third")


def band_axis(
    shape: Sequence[int], wavelengths: int | None, convention: int
) -> tuple[int, str | None]:
    """Find the band axis of a three-dimensional array.

    In this order: the axis as long as the list of wavelengths; the one axis of length 31;
    the axis at least three times shorter than both others; the format's convention.

    Parameters
    ----------
    shape : sequence of three int
        In the format's own axis order.
    wavelengths : int or None
        How many wavelengths the file states.
    convention : int
        The axis that files of this format usually keep bands on.

    Returns
    -------
    axis : int
    notice : str or None
        Set where something weaker than a stated fact, or something unusual, decided.
    """
    matching = [axis for axis in range(3) if shape[axis] == wavelengths]
    thirty_one = [axis for axis in range(3) if shape[axis] == 31]
    if matching:
        axis = convention if convention in matching else matching[-1]
        reason = f"it is as long as the list of {wavelengths} wavelengths"
        certain = len(matching) == 1
    elif len(thirty_one) == 1:
        axis, reason, certain = thirty_one[0], "it is the only one of length 31", True
    else:
        short = [
            axis
            for axis in range(3)
            if all(3 * shape[axis] <= shape[other] for other in range(3) if other != axis)
        ]
        if not short:
            return convention, None
        axis, reason, certain = short[0], "it is by far the shortest", False
    if certain and axis == convention:
        return axis, None
    if axis == convention and matching:
        return axis, None
    size = " x ".join(str(n) for n in shape)
    return (
        axis,
        f"Of the stored array ({size}) the {_NAMES[axis]} axis was taken as bands: {reason}.",
    )
