"""NumPy files: ``.npy`` (read) and ``.npz`` (read and written); pickles are refused."""

from __future__ import annotations

import math
import os
import struct
import zipfile
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import (
    bands_apart,
    build_cube,
    embedded_record,
    lazy,
    limits,
    masks_beside,
    structured_arrays,
)
from napari_hsr.io.atomic import replacing
from napari_hsr.io.choose_variable import choose_cube, left_out
from napari_hsr.io.companions import companions
from napari_hsr.io.envi import byte_order
from napari_hsr.io.library_errors import translated
from napari_hsr.io.mapped import map_file
from napari_hsr.io.photographs.reader import unknown_encoding
from napari_hsr.io.read_choice import ANY, Choice
from napari_hsr.io.scale_and_offset import state_numbers
from napari_hsr.io.variable import Variable
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.cube import Cube

#: How a ZIP archive ends: a mark, and how many members there are; archives of many say it elsewhere.
_END, _COUNTED_ELSEWHERE = struct.Struct("<4s6xH10x"), 0xFFFF
#: Arrays of one archive that are looked at.
_MOST_ARRAYS = 2_000
#: Bytes of the head of an array.
_LONGEST_HEAD = 2**16
_DAMAGED = "the NumPy file is damaged or cut short"


def read_npy(path: Path, choice: Choice = ANY) -> Cube | Photograph:
    """Read one array; (height, width, 3 or 4) is a photograph of unknown encoding.

    Raises
    ------
    FileError
        If the file is damaged, holds Python objects or is no cube.
    """
    with translated(path, _DAMAGED), path.open("rb") as file:
        shape, fortran, dtype = _array_header(file)
        at = file.tell()
    if dtype.hasobject:
        raise FileError(path, "it holds pickled Python objects, which are not opened")
    if dtype.names is None:  # before it is read: of text or complex numbers nothing is used
        build_cube.check_dtype(path, dtype)
    if 0 in shape:  # cannot be memory-mapped
        build_cube.check_shape(path, shape)
    behind = _behind(path, at, shape, dtype)
    with translated(path, _DAMAGED):
        if lazy.too_big(shape) or math.prod(shape) * dtype.itemsize > lazy.LAZY_ABOVE_BYTES:
            values: np.ndarray = map_file(path, dtype, shape, at, "F" if fortran else "C")
        else:
            values = np.load(path, allow_pickle=False)
    if values.dtype.names:
        return structured_arrays.read(path, values, choice)
    if choice.variable is not None:
        raise FileError(
            path, f"it holds one array without fields, and none called {choice.variable!r}"
        )
    if choice.is_open and _is_photograph(values):
        limits.check_room(path, 2 * values.nbytes, "the picture")
        return _photograph(path, values, behind)
    if values.ndim == 3 and dtype.byteorder == ">" and byte_order.is_contradicted(values, 2):
        told = "The numbers were read as big-endian, as the file says, but make sense as little-endian only."
        behind += (Notice.warning(Code.BYTE_ORDER_DOUBTFUL, told),)
    return build_cube.build(path, build_cube.Found(values, notices=behind), choice)


def check_end(path: Path) -> None:
    """Refuse a ``.npy`` with more values than its head says, as :func:`read_npy` does.

    Raises
    ------
    FileError
        If there are whole rows or planes behind its array.
    """
    with translated(path, _DAMAGED), path.open("rb") as file:
        shape, _, dtype = _array_header(file)
        at = file.tell()
    _behind(path, at, shape, dtype)


def _behind(path: Path, at: int, shape: tuple[int, ...], dtype: np.dtype) -> tuple[Notice, ...]:
    """A notice of bytes behind an array: refused where they are a part of it that its head forgets."""
    size = math.prod(shape) * dtype.itemsize
    more = path.stat().st_size - at - size
    if more <= 0 or not size:
        return ()
    with path.open("rb") as file:
        file.seek(at + size)
        further = file.read(6) == np.lib.format.MAGIC_PREFIX  # saved one behind the other
    if not further and any(more % (size // length) == 0 for length in shape if length > 1):
        described = f"{' x '.join(map(str, shape))} of {dtype}"
        raise FileError(
            path,
            f"the NumPy file is damaged: its array ({described}) takes {size} bytes, but has {size + more}",
        )
    what = "Further arrays" if further else f"{more} bytes"
    told = f"{what} behind the array were left out."
    return (Notice.warning(Code.BYTES_LEFT_OUT, told),)


def _array_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and data type at the head of an array; the data come next."""
    formats = np.lib.format
    first = formats.read_magic(file) == (1, 0)
    size = file.read(2 if first else 4)
    if int.from_bytes(size, "little") > _LONGEST_HEAD:  # NumPy would make room for it
        raise ValueError("its head is longer than any")
    file.seek(-len(size), os.SEEK_CUR)
    read = formats.read_array_header_1_0 if first else formats.read_array_header_2_0
    return read(file)


def _is_photograph(values: np.ndarray) -> bool:
    fits = values.ndim == 3 and values.shape[2] in (3, 4) and values.shape[0] != 31
    photographic = values.dtype in (np.uint8, np.uint16) or values.dtype.kind == "f"
    return fits and photographic and min(values.shape[:2]) > 4


def _photograph(path: Path, values: np.ndarray, behind: tuple[Notice, ...]) -> Photograph:
    notices = [unknown_encoding("A bare array"), *behind]
    if values.shape[2] == 4:
        told = "The fourth channel was taken as alpha and left out."
        notices.append(Notice.info(Code.ALPHA_LEFT_OUT, told))
    colours = np.ascontiguousarray(values[..., :3])
    return Photograph(
        colours if colours.dtype.kind == "u" else lazy.to_float32(colours),
        encoding=None,
        name=path.stem,
        provenance=Provenance(input=path.name),
        notices=tuple(notices),
    )


def read_npz(path: Path, choice: Choice = ANY) -> Cube:
    """Read the cube of an archive, with wavelengths under a usual name beside it.

    Raises
    ------
    FileError
        If the file is damaged, holds Python objects or no (or more than one) cube.
    """
    with translated(path, _DAMAGED):
        file = path.open("rb")  # np.load would leave it open on a damaged archive
    with file:
        with translated(path, "the NumPy archive is damaged or cut short"):
            archive: Any = np.load(file, allow_pickle=False)
        _check_all_listed(path, archive)
        limits.check_count(path, len(archive.files), "arrays", _MOST_ARRAYS)
        return _read_archive(path, archive, choice)


def arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an archive, none larger than what holds it.

    Raises
    ------
    FileError
        If the file is damaged, holds anything else, or an array swells to far more than it takes.
    """
    limits.check_regular(path)
    found = {}
    with (
        translated(path, "the NumPy archive is damaged or cut short"),
        path.open("rb") as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        _check_all_listed(path, archive)
        limits.check_count(path, len(archive.files), "arrays", _MOST_ARRAYS)
        for name in archive.files:
            described = _variable(archive, name)
            _check_size(path, archive, described)
            held = _member(archive, name).compress_size
            limits.check_room(path, described.stored_bytes, described.describe(), held)
            found[name] = archive[name]
    return found


def _read_archive(path: Path, archive: Any, choice: Choice) -> Cube:
    with archive:
        with translated(path, "this is a ZIP archive, but not one of NumPy arrays"):
            variables = [_variable(archive, name) for name in archive.files]
        named = [v for v in variables if v.short != embedded_record.KEY]
        pickled = [v.name for v in named if v.kind == "pickled"]
        if pickled and not any(v.real and v.has_three_axes for v in named):
            raise FileError(
                path, f"{', '.join(pickled)}: pickled Python objects, which are not opened"
            )

        def load(name: str) -> Any:
            described = next(v for v in variables if v.name == name)
            if described.dtype is None or name not in wanted:
                limits.check_count(
                    path,
                    described.stored_bytes,
                    f"bytes in {described.describe()}",
                    limits.MOST_BYTES,
                )
            with translated(path, "the NumPy archive is damaged or cut short"):
                return archive[name]

        wanted: tuple[str, ...] = ()
        own = embedded_record.stored_as(archive.files)
        ours = embedded_record.of_variable(own, load(own)[()]) if own else None
        named = bands_apart.offered(named)
        chosen = choose_cube(path, named, ours is not None, choice.variable)
        wanted = chosen.parts or (chosen.name,)
        for name in wanted:
            _check_size(path, archive, next(v for v in variables if v.name == name))
        beside = companions(variables, chosen, load)
        others = left_out(path, named, chosen) if choice.variable is None else ()
        large = lazy.too_big(chosen.shape) and not chosen.parts
        mapped: np.ndarray | None = _map_member(path, archive, chosen) if large else None
        if mapped is None:
            held = sum(_member(archive, name).compress_size for name in wanted)
            limits.check_room(path, chosen.stored_bytes, chosen.describe(), held)
            arrays = [load(name) for name in wanted]
            mapped = np.stack([np.squeeze(a) for a in arrays]) if chosen.parts else arrays[0]
        found = build_cube.Found(
            mapped,
            wavelengths=beside.wavelengths,
            unit=beside.unit,
            metadata=beside.metadata,
            per_band=beside.per_band,
            notices=(*beside.notices, *others),
            record=ours,
            looked_in="its arrays",
            masks=masks_beside.find(named, chosen, lambda name: archive[name]),
        )
        state_numbers(found, {}, beside.around)
        found.ignore(beside.no_data)
        bands_apart.state(found, chosen)
        if pickled:
            told = f"Pickled Python objects are not opened: {', '.join(pickled)}."
            found.notices += (Notice.warning(Code.OTHER_ARRAYS_LEFT_OUT, told),)
        return build_cube.build(path, found, choice)


def _check_all_listed(path: Path, archive: Any) -> None:
    """Refuse an archive of whose members one is lost: its end says how many there are, and zipfile does not look."""
    file: zipfile.ZipFile = archive.zip
    with path.open("rb") as content:
        content.seek(-_END.size - len(file.comment), os.SEEK_END)
        mark, count = _END.unpack(content.read(_END.size))
    if mark == b"PK\5\6" and count not in (len(file.infolist()), _COUNTED_ELSEWHERE):
        problem = f"the NumPy archive is damaged: it says that it has {count} arrays, and lists {len(file.infolist())}"
        raise FileError(path, problem)


def _member(archive: Any, name: str) -> zipfile.ZipInfo:
    file: zipfile.ZipFile = archive.zip
    return file.getinfo(name if name in file.namelist() else f"{name}.npy")


def _variable(archive: Any, name: str) -> Variable:
    """Shape and data type from the head of a member, without loading it."""
    with archive.zip.open(_member(archive, name)) as file:
        shape, _, dtype = _array_header(file)
    kind = "pickled" if dtype.hasobject else str(dtype)
    size = math.prod(shape) * dtype.itemsize
    fields = tuple((field, dtype[field]) for field in dtype.names or ())
    numbers = dtype if dtype.kind in "fiubc" else None
    return Variable(name, shape, numbers, kind, stored_bytes=size, fields=fields)


def _check_size(path: Path, archive: Any, chosen: Variable) -> None:
    """What the head of an array claims must be there, before room is made for it.

    Raises
    ------
    FileError
        If there is more or less; mapped further, an array would show what lies behind it.
    """
    if chosen.dtype is None:
        return
    needed, member = chosen.stored_bytes, _member(archive, chosen.name)
    with archive.zip.open(member) as file:
        _array_header(file)
        held = member.file_size - file.tell()
    if held != needed:
        raise FileError(
            path,
            f"the NumPy archive is damaged: {chosen.describe()} takes {needed} bytes, but has {held}",
        )


def _map_member(path: Path, archive: Any, chosen: Variable) -> np.memmap | None:
    """The array of a member that was stored without compression, left in the file."""
    member = _member(archive, chosen.name)
    if member.compress_type != zipfile.ZIP_STORED:
        return None
    with translated(path, _DAMAGED), path.open("rb") as file:
        file.seek(member.header_offset + 26)  # lengths of name and extra field, then the data
        lengths = file.read(4)
        file.seek(int.from_bytes(lengths[:2], "little"), 1)
        file.seek(int.from_bytes(lengths[2:], "little"), 1)
        shape, fortran, dtype = _array_header(file)
        order: Literal["F", "C"] = "F" if fortran else "C"
        return map_file(path, dtype, shape, file.tell(), order)


def write_npz(cube: Cube, path: Path) -> None:
    """Write ``cube`` (bands, height, width), ``wavelengths`` in nm and the record.

    The archive is not compressed, and a cube on disk is copied band by band. Where its pixels
    have a place of their own, ``pixel_size`` and ``first_pixel_centre`` say it too (height and
    width, row and column, in pixels of the source); it is read from the record.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    head = {"descr": "<f4", "fortran_order": False, "shape": cube.shape}
    record = embedded_record.to_text(cube, 4)  # refused before all values are written
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("cube.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, head)
            for band in range(cube.bands):
                member.write(np.ascontiguousarray(cube.data[band], dtype="<f4").tobytes())
        beside = {embedded_record.KEY: np.array(record)}
        if cube.wavelengths is not None:
            beside["wavelengths"] = np.asarray(cube.wavelengths.nm)
        if cube.place is not None:
            beside["pixel_size"] = np.array(cube.place.pixel)
            beside["first_pixel_centre"] = np.array(cube.place.origin)
        for name, values in beside.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values, allow_pickle=False)
