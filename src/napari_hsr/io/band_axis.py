"""Which axis of an array holds the bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.notices import Code, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = ("first", "second", "third")
#: Axes that a user may state instead, by the axis that was taken.
_OTHERWISE = ("yxb", "byx", "byx")


#: Below this an axis may be a crop or a number of bands: its length tells nothing.
SIDE_OF_A_PICTURE = 64


def band_axis(
    shape: Sequence[int], wavelengths: int | None, convention: int
) -> tuple[int, Notice | None]:
    """Find the band axis of a three-dimensional array whose file does not name it.

    In this order: the axis as long as the list of wavelengths; the one axis of length 31; the
    axis beside two equal ones, which are then the picture; the axis at least three times shorter
    than both others, if these are at least :data:`SIDE_OF_A_PICTURE` long; the format's
    convention, which also wins every tie.

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
    notice : Notice or None
        None where a stated fact and the convention agree; else it names the choice.
    """
    matching = [axis for axis in range(3) if shape[axis] == wavelengths]
    thirty_one = [axis for axis in range(3) if shape[axis] == 31]
    odd = [axis for axis in range(3) if _others_are_equal(axis, shape)]
    short = [axis for axis in range(3) if is_by_far_the_shortest(axis, shape)]
    certain = False
    if matching:
        axis = convention if convention in matching else matching[-1]
        reason = f"it is as long as the list of {wavelengths} wavelengths"
        certain = len(matching) == 1
    elif len(thirty_one) == 1:
        axis, reason, certain = thirty_one[0], "it is the only one of length 31", True
    elif odd:
        axis, reason = odd[0], "the other two are equally long, as the sides of a picture"
    elif short:
        axis, reason = short[0], "it is by far the shortest"
    else:
        axis, reason = convention, "files of this format usually have them there"
    if certain and axis == convention:
        return axis, None
    return axis, _told(shape, axis, reason)


def _others_are_equal(axis: int, shape: Sequence[int]) -> bool:
    one, other = (shape[i] for i in range(3) if i != axis)
    return one == other != shape[axis]


def is_by_far_the_shortest(axis: int, shape: Sequence[int]) -> bool:
    """True if both other axes are those of a picture, and three times as long."""
    others = [shape[other] for other in range(3) if other != axis]
    return min(others) >= max(SIDE_OF_A_PICTURE, 3 * shape[axis])


def band_axis_of_pages(shape: Sequence[int], wavelengths: int | None) -> tuple[int, Notice | None]:
    """Find the band axis of a stack of pages whose writer named no axes.

    One page a band is the rule. An array (height, width, bands) written in one piece also
    lies there as pages, one a row: the last axis holds the bands if only it is as long as
    the list of wavelengths, or without a list if only it is 31 long, is by far the
    shortest of a picture, or stands beside two equal ones.

    Parameters
    ----------
    shape : sequence of three int
        (pages, rows, columns).
    wavelengths : int or None
        How many wavelengths the file states.

    Returns
    -------
    axis : int
        0 or 2.
    notice : Notice or None
        Set if the last axis was taken, or could be it as well.
    """
    if wavelengths is None and is_by_far_the_shortest(2, shape):
        reason = "it is by far the shortest"
    elif wavelengths is None and shape[2] == 31 and 31 not in shape[:2]:
        reason = "it is the only one of length 31"
    elif wavelengths == shape[2] and wavelengths != shape[0]:
        reason = f"it is as long as the list of {wavelengths} wavelengths"
    elif wavelengths is None and shape[0] != 31 and _others_are_equal(2, shape):
        reason = "the other two are equally long, as the sides of a picture"
    elif wavelengths is None and not (
        shape[0] == 31 or shape[1] == shape[2] or is_by_far_the_shortest(0, shape)
    ):
        return 0, _told(shape, 0, "a page a band is the rule")
    else:
        return 0, None
    return 2, _told(shape, 2, reason)


def _told(shape: Sequence[int], axis: int, reason: str) -> Notice:
    size = " x ".join(str(n) for n in shape)
    told = (
        f"Of the stored array ({size}) the {_NAMES[axis]} axis was taken as bands: {reason}. "
        f"If it is another one, state the axes, such as “{_OTHERWISE[axis]}”."
    )
    return Notice.warning(Code.AXIS_GUESSED, told)
