"""ENVI headers: reading them through ``spectral``, checking them, finding their binary."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_hsr.errors import FileError
from napari_hsr.io import limits
from napari_hsr.io.decoding import nearly, nearly_words, plain_name
from napari_hsr.io.detect import ENVI_BINARY_SUFFIXES
from napari_hsr.io.envi import esri_header, r_header
from napari_hsr.io.library_errors import translated
from napari_hsr.io.number_parsing import number, whole
from napari_hsr.io.wavelengths.resolve import from_band_names, key_of
from napari_hsr.notices import Code, Notice
from napari_hsr.units import one_line

_DAMAGED = "the ENVI header is damaged or cut short"
_NO_FOLDER = (
    "it needs a folder for temporary files, and none can be written to: the disk may be full. TMPDIR "
    "names another one"
)
#: Lists that programs write in square brackets, as Python prints them.
_SQUARE = re.compile(
    r"^((?:wavelengths?|center wavelengths?|fwhm|bbl|band names|default bands)[ \t]*)=\s*\[([^\[\]{}=]*)\]",
    re.IGNORECASE | re.MULTILINE,
)
#: Items in braces, and those that say how many entries a list may have.
_LIST = re.compile(r"^([^={}\n]+)=\s*\{([^{}]*)\}", re.MULTILINE)
_SIZES = re.compile(
    r"^(bands|lines|samples)[^\S\n]*=[^\S\n]*(\d{1,9})[^\S\n]*$", re.IGNORECASE | re.MULTILINE
)
#: Entries that are read of all lists together that are not one entry a band.
_MOST_OTHERS = 200_000
WAVELENGTH_ITEMS = ("wavelength", "wavelengths", "center wavelength", "center wavelengths")
UNIT_ITEMS = ("wavelength units", "wavelength unit", "wavelengths units")
#: Lines of a header: ``spectral`` takes them off one by one, in time that grows with their square.
_MOST_LINES = 40_000
_BLANKS = re.compile(r"(?<=[\d.])\s+(?=[-+.\d])")
_STRUCTURE = ("bands", "wave", "waves", "nm")  # whatever else these may be in a header
#: Other items by which something is computed or placed, and those whose names are so short that others are near.
_OF_USE = ("data units", "wavelength units", "coordinate system string")
_SHORT = ("fwhm", "bbl")
_NEEDED = ("lines", "samples", "bands", "data type", "interleave")


@dataclass(frozen=True)
class Layout:
    """How the numbers lie in the binary."""

    bands: int
    lines: int
    samples: int
    dtype: np.dtype
    interleave: str
    offset: int
    notices: tuple[Notice, ...]

    @property
    def size(self) -> int:
        """Bytes that the binary must have."""
        return self.offset + self.bands * self.lines * self.samples * self.dtype.itemsize

    def describe(self) -> str:
        """``31 bands x 512 lines x 512 samples of uint16``."""
        return (
            f"{self.bands} bands x {self.lines} lines x {self.samples} samples of "
            f"{self.dtype.name}{f' after {self.offset} bytes' if self.offset else ''}"
        )


def parse(path: Path) -> dict[str, Any]:
    """Items of the header: text, or a list of texts where the value stands in braces.

    Raises
    ------
    FileError
        If it cannot be parsed.
    """
    from spectral.io import envi

    with translated(path, _DAMAGED):
        text = _decoded(limits.content(path))
        if esri_header.is_one(text.encode("utf-8", "replace")):
            return esri_header.parse(path, text)
        if r_header.is_one(text.encode("utf-8", "replace")):
            return r_header.parse(path, text)
        text = re.sub(r"=[^\S\n]*\n\s*\{", "= {", text)  # the brace on a line of its own
        text = re.sub(r"^envi\b", "ENVI", text, flags=re.IGNORECASE)
        text = _SQUARE.sub(r"\1= {\2}", text)
        text, _ = _without_long_lists(text)
        limits.check_count(path, text.count("\n"), "lines", _MOST_LINES)
        plain = text.encode("ascii", "xmlcharrefreplace").decode("ascii")
        # spectral reads files only, in the locale's encoding: hand it a clean copy
        with _temporary_folder(path) as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns about capital letters in names
            clean = Path(folder, "clean.hdr")
            with translated(path, _NO_FOLDER, only=(OSError,)):
                clean.write_text(plain, encoding="ascii", newline="\n")
            items = envi.read_envi_header(str(clean))
    restore = _decode_item if plain != text else lambda value: value
    return {key.lower(): restore(value) for key, value in items.items()}


def _without_long_lists(text: str) -> tuple[str, list[str]]:
    """The text without lists of more entries than can be of use, and their names."""
    sizes = {key.lower(): int(size) for key, size in _SIZES.findall(text)}
    library = re.search(r"=\s*ENVI Spectral Library\b", text, re.IGNORECASE) is not None
    counts = {sizes.get(key) for key in (("bands", "lines", "samples") if library else ("bands",))}
    room = {True: limits.MOST_VALUES, False: _MOST_OTHERS}
    left_out = []

    def shortened(found: re.Match[str]) -> str:
        listed = found[2]
        known = {listed.count(",") + 1, size := max(listed.count(",") + 1, len(listed.split()))}
        of_bands = not counts.isdisjoint(known)
        if size > room[of_bands]:
            left_out.append(found[1].strip())
            return ""
        room[of_bands] -= size
        return found[0]

    return _LIST.sub(shortened, text), left_out


def long_lists(path: Path) -> tuple[Notice, ...]:
    """A notice of lists that were left out, unread: they have far more entries than the image has bands."""
    with translated(path, _DAMAGED):
        _, names = _without_long_lists(_SQUARE.sub(r"\1= {\2}", _decoded(limits.content(path))))
    if not names:
        return ()
    named = ", ".join(one_line(name, 40) for name in names[:3])
    told = f"The header's {named} {'have' if names[1:] else 'has'} more entries than any image has bands: left out."
    return (Notice.warning(Code.LIST_UNUSABLE, told),)


def stated_twice(path: Path) -> tuple[Notice, ...]:
    """A notice of items that a header states more than once, and differently; the last ones count."""
    with translated(path, _DAMAGED):
        lines = _decoded(limits.content(path)).split("\n")
    stated: dict[str, list[str]] = {}
    name, inside = "", 0
    for line in lines:
        if not inside and "=" in line and not line.startswith((";", "#")):
            name, _, line = line.partition("=")
            name = name.strip().lower()
            stated.setdefault(name, []).append("")
        elif not stated or not (inside or line.startswith("{")):
            continue
        stated[name][-1] += "".join(line.split())
        inside = max(inside + line.count("{") - line.count("}"), 0)
    twice = [name for name, values in stated.items() if len(set(values)) > 1]
    if not twice:
        return ()
    named = ", ".join(twice[:3])
    told = f"The header states {named} more than once, and differently: the last counts."
    return (Notice.warning(Code.OTHER, told),)


def no_items(path: Path) -> tuple[Notice, ...]:
    """A notice of lines that are no items: the header may be cut short, or a sign of it lost."""
    with translated(path, _DAMAGED):
        lines = [line for line in _decoded(limits.content(path)).split("\n") if line.strip()]
    strange, inside = [], 0
    for at, line in enumerate(lines):
        if not inside and at and "=" not in line and not line.startswith((";", "#", "{", "}")):
            strange.append((at, line))
        inside = max(inside + line.count("{") - line.count("}"), 0)
    if inside or not strange or not lines[0].lower().startswith("envi"):
        return ()
    at, line = strange[-1]
    told = f"The header's line “{one_line(line, 40)}” is no item: it has no effect."
    if at == len(lines) - 1:
        told = f"The header ends in “{one_line(line, 40)}”, which is no item: it may be cut short."
    return (Notice.warning(Code.MAYBE_DAMAGED, told),)


def misnamed(items: dict[str, Any], bands: int) -> tuple[Notice, ...]:
    """Notices of items without a name, or whose name is nearly one that is read."""
    notices = []
    for key, value in items.items():
        listed = len(entries(value)) if isinstance(value, list) else 1
        words = key.split()
        doubled = " ".join(words[: len(words) // 2]) if words[::2] == words[1::2] else ""
        meant = nearly(key, map(plain_name, _OF_USE)) or nearly_words(key, _OF_USE) or doubled
        if listed in (bands, bands + 1) and not meant:
            meant = nearly(key, _SHORT)
        if not key.strip():
            told = "The header has an item without a name, as of a damaged one: it has no effect."
        elif meant and key not in (*WAVELENGTH_ITEMS, *UNIT_ITEMS) and str(value).strip():
            told = f"The header's {one_line(key, 40)} may be a damaged “{doubled or meant}”: it has no effect."
        else:
            continue
        notices.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    return tuple(notices)


def _temporary_folder(path: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory()
    except OSError as error:
        raise FileError(path, _NO_FOLDER) from error


def _decoded(content: bytes) -> str:
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    text = "\n".join(line.strip() for line in text.replace("\r", "\n").split("\n"))
    return text.strip()


def _decode_item(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode_item(item) for item in value if item != ""]
    return re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), value)


def layout(path: Path, items: dict[str, Any]) -> Layout:
    """Check the items that describe the binary.

    Raises
    ------
    FileError
        If one is missing, is not a number, or names what is not supported.
    """
    from spectral.io import envi

    lacking = [name for name in _NEEDED if name not in items]
    if lacking:
        raise FileError(path, f"the ENVI header lacks {', '.join(repr(n) for n in lacking)}")
    if "spectral library" in str(items.get("file type", "")).lower():
        raise FileError(
            path,
            "this is an ENVI spectral library, not an image: read_library and `napari-hsr library` read it",
        )
    numbers = {name: _whole(path, name, items[name]) for name in ("lines", "samples", "bands")}
    for name, value in numbers.items():
        if value < 1:
            raise FileError(path, f"the image is empty: the ENVI header says {name} = {value}")
    notices: tuple[Notice, ...] = ()
    if "byte order" not in items:
        told = "The ENVI header names no byte order: little-endian was taken."
        notices = (Notice.warning(Code.BYTE_ORDER_ASSUMED, told),)
    order = _whole(path, "byte order", items.get("byte order", 0))
    code = _whole(path, "data type", items["data type"])
    interleave = str(items["interleave"]).strip().lower()
    if interleave not in ("bsq", "bil", "bip"):
        raise FileError(path, f"interleave {interleave!r} is none of bsq, bil and bip")
    if str(code) not in envi.envi_to_dtype:
        raise FileError(path, f"{code} is no ENVI data type")
    if order not in (0, 1):
        raise FileError(path, f"byte order {order} is neither 0 (little) nor 1 (big)")
    dtype = np.dtype(envi.envi_to_dtype[str(code)])
    if dtype.kind == "c":
        raise FileError(path, "it holds complex numbers; a cube holds real ones")
    checked = {**items, **numbers, "byte order": order, "data type": code}
    with translated(path, "this kind of ENVI file is not supported"):
        envi.check_compatibility(checked)
    offset = _whole(path, "header offset", items.get("header offset", 0))
    if offset < 0:
        raise FileError(path, f"header offset {offset} is negative")
    return Layout(
        **numbers,
        dtype=dtype.newbyteorder("<" if order == 0 else ">"),
        interleave=interleave,
        offset=offset,
        notices=notices,
    )


def _whole(path: Path, name: str, value: Any) -> int:
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    found = whole(one.partition(";")[0].strip() if isinstance(one, str) else one)  # a remark behind
    if found is None:
        shown = repr(value)[:60]
        raise FileError(path, f"the ENVI header says {name} = {shown}, a whole number was expected")
    return found


def numbers(items: dict[str, Any], name: str) -> list[float] | None:
    """The list of numbers under ``name``, or None if there is none."""
    value = items.get(name)
    if value is None:
        return None
    found = [number(item) for item in (entries(value) if isinstance(value, list) else [value])]
    known = [item for item in found if item is not None]
    return known if len(known) == len(found) else None


def entries(listed: list[Any]) -> list[str]:
    """A list's entries without quotes, parted by blanks between numbers too.

    Where semicolons part them, commas are those of decimals.
    """
    texts = [str(item).strip() for item in listed]
    if any(";" in text for text in texts):
        texts = [part.replace(",", ".").strip() for part in ",".join(texts).split(";")]
    texts = [
        part
        for text in texts
        for part in (_BLANKS.split(text) if len(text.split()) > 1 else (text,))
    ]
    return [plain for text in texts if (plain := text.strip("\"' "))]


def wavelengths(items: dict[str, Any]) -> tuple[Any, str | None]:
    """The list of wavelengths and its unit, wherever other programs write it."""
    unit = next((items[key] for key in UNIT_ITEMS if key in items), None)
    unit = " ".join(map(str, unit)) if isinstance(unit, list) else unit
    for key in WAVELENGTH_ITEMS:
        listed = items.get(key)
        if isinstance(listed, list):
            listed = entries(listed)
        if listed:
            return listed, unit
    for key, listed in items.items():
        known, of_name = key_of(key)
        if known and isinstance(listed, list) and len(listed) > 1 and key not in _STRUCTURE:
            return entries(listed), of_name or unit
    names = items.get("band names")
    return from_band_names(names) if isinstance(names, list) else (None, None)


def candidates(header: Path) -> list[Path]:
    """Files beside a header that could be its binary, the likeliest first."""
    stem = header.stem
    names = [stem + suffix for suffix in ENVI_BINARY_SUFFIXES]
    names += [stem + suffix.upper() for suffix in ENVI_BINARY_SUFFIXES if suffix]
    known = [header.with_name(n) for n in names]
    found = [file for file in known if os.path.isfile(file) and file != header]
    others = [
        file
        for file in sorted(header.parent.iterdir())
        if ((file.stem == stem and file.suffix) or _packed(file, stem)) and file not in (header, *found)
        and file.is_file() and file.suffix.lower() != ".hdr"
    ]  # fmt: skip
    return found + others


def of_size(header: Path, size: int) -> list[Path]:
    """Files beside a header that could be its binary and are as large as it says."""
    return [file for file in candidates(header) if file.stat().st_size == size]


def find_binary(header: Path, size: int) -> Path | None:
    """The binary of a header: the likeliest file of the right size, else the likeliest."""
    right = of_size(header, size)
    if right:
        return right[0]
    found = candidates(header)
    likely = [file for file in found if file.suffix.lower() in ENVI_BINARY_SUFFIXES]
    likely += [file for file in found if file.name == header.stem or _packed(file, header.stem)]
    return likely[0] if likely else None


def _packed(file: Path, stem: str) -> bool:
    """Whether it is ``scene.img.gz`` beside ``scene.hdr``."""
    return file.suffix == ".gz" and stem in (Path(file.stem).stem, file.stem)
