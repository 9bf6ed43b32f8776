"""Descriptions of numbers in HDF5 files that contradict themselves, as of damaged ones.

The library reads every description as it stands: with one byte of it changed all values become others.
"""

from __future__ import annotations

from typing import Any

#: Depths of cameras that are kept in two bytes without a filter.
_IN_TWO_BYTES = (10, 12, 14)
#: Digits of Intel's long double, the only one that writes the digit before the point.
_INTELS = 64


def contradiction(kind: Any, packed: bool = False) -> str:
    """What contradicts itself in a stored type of h5py, or empty.

    Parameters
    ----------
    kind : h5py.h5t.TypeID
        That of a data set or an attribute. Parts of records, and what arrays are of, are looked at too.
    packed : bool
        Whether a filter packs numbers of fewer bits than their bytes have.
    """
    import h5py

    if isinstance(kind, h5py.h5t.TypeCompoundID):
        parts = [kind.get_member_type(at) for at in range(kind.get_nmembers())]
        return next(filter(None, (contradiction(part, packed) for part in parts)), "")
    if isinstance(kind, (h5py.h5t.TypeArrayID, h5py.h5t.TypeEnumID)):
        return contradiction(kind.get_super(), packed)
    if isinstance(kind, h5py.h5t.TypeFloatID):
        return _of_floats(kind)
    if isinstance(kind, h5py.h5t.TypeIntegerID) and not packed:
        return _of_integers(kind)
    return ""


def _of_floats(kind: Any) -> str:
    """Sign, exponent and mantissa lie side by side, and the exponent counts from its middle.

    So it is in all of IEEE's, in bfloat16, in Intel's long double and in packed ones.
    """
    import h5py

    sign, exponent, exponents, mantissa, digits = kind.get_fields()
    side_by_side = (
        mantissa == kind.get_offset()
        and exponent == mantissa + digits
        and sign == exponent + exponents
        and kind.get_precision() == digits + exponents + 1
    )
    if not side_by_side:
        return "floats whose parts do not lie side by side"
    middle = 2 ** (exponents - 1) - 1 if exponents else 0
    if kind.get_ebias() != middle:
        return f"floats whose exponent counts from {kind.get_ebias()} instead of {middle}"
    if kind.get_order() not in (h5py.h5t.ORDER_LE, h5py.h5t.ORDER_BE):
        return "floats in the order of a VAX"
    written = kind.get_norm() == h5py.h5t.NORM_NONE  # the digit before the point
    return "" if written == (digits == _INTELS) else "floats of another normalisation"


def _of_integers(kind: Any) -> str:
    """As many bits as their bytes have, where no filter packs them."""
    bits, size = kind.get_precision(), kind.get_size()
    whole = kind.get_offset() == 0 and (bits == 8 * size or (size == 2 and bits in _IN_TWO_BYTES))
    return "" if whole else f"integers of {bits} bits in {size} bytes"
