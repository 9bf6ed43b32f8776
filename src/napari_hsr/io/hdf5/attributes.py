"""Attributes of data sets and groups, as far as they can be read and are of use."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_hsr.io import limits
from napari_hsr.io.decoding import APPLIED, NO_DATA_NAMES, nearly, plain_name
from napari_hsr.io.hdf5 import number_types
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Bytes of an attribute that is read.
_LARGEST_ATTRIBUTE = 2**20
#: Up to here attributes lie beside one another; the library sorts more of them for each index.
_FEW_ATTRIBUTES = 64
#: Texts of free length in an attribute; each may be as long as the file.
_MOST_TEXTS = 64
#: Names, as ``plain_name`` has them without numbers, of those by which numbers become others, or bands bad.
_OF_USE = (
    "units",
    "wavelengths",
    "wavelengthunits",
    "bandwindownanometers",
    *APPLIED,
    *NO_DATA_NAMES,
)


def attributes(item: Any) -> dict[str, Any]:
    """The attributes of a data set or group; those of no use here are left out.

    That is what is too large, or of a type that NumPy does not have.
    """
    # a side note that cannot be read does not make the cube unreadable
    return {name: value for name, value in _stored_attributes(item) if not _failed(value)}


def damaged(item: Any) -> tuple[Notice, ...]:
    """A notice of attributes that say what the numbers are, but whose values the file does not give.

    Of one that cannot even be opened there is no name: it may be any.
    """
    failed = [name for name, value in _stored_attributes(item) if _failed(value)]
    plain = {name: re.sub(r"\d+", "", plain_name(name)) for name in failed}
    lost = [name for name in failed if plain[name] in _OF_USE or nearly(plain[name], _OF_USE)]
    if "" in failed:
        told = "An attribute of the file cannot be opened, as it is damaged: it has no effect."
        return (Notice.warning(Code.MAYBE_DAMAGED, told),)
    if not lost:
        return ()
    told = f"The file's {one_line(', '.join(lost), 80)} cannot be read, as it is damaged, or of no type that is known here: no effect."
    return (Notice.warning(Code.MAYBE_DAMAGED, told),)


def named(stated: Mapping[str, Any], name: str) -> Any:
    """The attribute of that name, whatever letters of it are capital; None if there is none."""
    return next((value for key, value in stated.items() if key.lower() == name), None)


def _failed(value: Any) -> bool:
    return isinstance(value, Exception)


def _stored_attributes(item: Any) -> Iterator[tuple[str, Any]]:
    """Names and values, or what was raised instead of one."""
    import h5py

    for key in _attribute_keys(item):
        name = ""
        try:
            stored = h5py.h5a.open(item.id, **key)
            name = stored.name.decode("utf-8", "surrogateescape")
            count = stored.get_space().get_simple_extent_npoints()
            kind = stored.get_type()
            free = kind.get_class() == h5py.h5t.VLEN or (
                isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
            )
            strange = number_types.contradiction(kind)
            if strange:
                raise OSError(strange)  # as of what the library cannot read
            if count * kind.get_size() > _LARGEST_ATTRIBUTE or (free and count > _MOST_TEXTS):
                continue
            yield name, item.attrs[name]
        except (OSError, RuntimeError, TypeError, ValueError, KeyError) as error:
            yield name, error


def _attribute_keys(item: Any) -> list[dict[str, Any]]:
    """How the attributes are opened: by index, or by name where each index would be searched."""
    import h5py

    count = h5py.h5a.get_num_attrs(item.id)
    if count <= _FEW_ATTRIBUTES:
        return [{"index": index} for index in range(count)]
    names: list[bytes] = []

    def note(name: bytes) -> bool | None:
        names.append(name)
        return True if len(names) >= limits.MOST_ATTRIBUTES else None

    h5py.h5a.iterate(item.id, note)
    return [{"name": name} for name in names]
