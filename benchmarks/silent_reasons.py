"""Whether a change that was read as other values without a word could have been seen in the file itself.

It could not only where one of these holds, and where the file says nothing else that contradicts it:

a. bytes of pixels that no sum of check covers became others,
b. a number became another one of the same kind, and wavelengths are as even as before,
c. whole lines of a table that does not count them are gone, or its end, up to a number with as many digits as others,
d. a name or a comment became another, by which nothing is computed.

Everything else is unexplained, and a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from file_layouts import NAME, NUMBER, PIXELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from file_layouts import Part

BYTES, NUMBERS, LINES, NAMES, UNEXPLAINED = "a bytes", "b number", "c line", "d name", "unexplained"
_TOKEN = re.compile(r"[^\s,;={}\[\]\"':<>()|]+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
#: Numbers that sizes of the file, or other numbers in it, follow from.
_COUNTS = frozenset(
    ["samples", "lines", "bands", "nrows", "ncols", "nbands", "nbits", "shape", "chunks", "chunk_shape", "zarr_format", "layout", "version", "order", "dtype", "npoints", "firstx", "lastx", "deltax", "number_of_sets", "number_of_fields", "layer"]
) | {
    "header offset", "data type", "byte order", "number of x values", "first x value", "last x value", "data_type",
}  # fmt: skip
#: What a number of the metadata may change.
_MAY_CHANGE = frozenset(
    [
        "data",
        "wavelengths",
        "fwhm",
        "bbl",
        "place",
        "ground",
        "orientation",
        "norm_factor",
        "names",
        "settings",
    ]
) | {"map info"}
#: Wavelengths are even up to this part of a step; a value that is farther off stands out among so many others,
#: at an end of them among more, where bands may well be missing.
_EVEN, _OFF, _FEWEST, _FEWEST_AT_END = 1e-3, 0.02, 5, 16
#: Lines that are gone are missed where a step is so many times the others, of which there are at least so many.
_TIMES, _FEWEST_ROWS = (2, 3), 8


@dataclass(frozen=True)
class Change:
    """Bytes ``start`` to ``end`` of a good file, in whose place others were put."""

    how: str
    start: int
    end: int
    put: bytes
    field: str = ""

    def of(self, content: bytes) -> bytes:
        """The changed file."""
        return content[: self.start] + self.put + content[self.end :]

    def shown(self, content: bytes) -> str:
        """What was changed, for a person."""
        before, after = content[max(self.start - 30, 0) : self.start], content[self.end : self.end + 20]  # fmt: skip
        gone = content[self.start : self.end][:80]
        where = f" in {self.field}" if self.field else ""
        return f"{self.how} at {self.start} of {len(content)}{where}: {before + b'<' + gone + b'>' + after!r} -> {self.put[:80]!r}"


def reason(
    change: Change, content: bytes, parts: list[Part], text: bool, other: Mapping[str, Any]
) -> str:
    """Which of the four holds, or that none does.

    Parameters
    ----------
    other : mapping
        The facts that differ: of each the good one and the one that was read.
    """
    other = {key.split(" of ")[0]: both for key, both in other.items()}  # of several cameras
    facts = frozenset(other)
    if not _even_as_before(other.get("wavelengths")) or ("shape" in facts and not text):
        return UNEXPLAINED
    return (_of_text if text else _of_bytes)(change, content, parts, facts, other)


def _of_bytes(
    change: Change, content: bytes, parts: list[Part], facts: frozenset[str], _: Mapping[str, Any]
) -> str:
    in_place = len(change.put) == change.end - change.start
    changed = [change.start + i for i, (a, b) in enumerate(zip(content[change.start : change.end], change.put, strict=False)) if a != b]  # fmt: skip
    first, last = (changed[0], changed[-1] + 1) if changed and in_place else (change.start, change.end)  # fmt: skip
    met = [part for part in parts if part.start < last and first < part.end]
    covered = all(any(p.start <= at < p.end for p in met) for at in (changed if in_place else range(first, last)))  # fmt: skip
    if (not met or not covered) and _is_a_digit(change, content) and facts <= _MAY_CHANGE:
        return NUMBERS
    if not met or not covered:
        return UNEXPLAINED
    if not in_place and not all(part.moves for part in met):
        return UNEXPLAINED
    if not facts <= frozenset().union(*(part.facts for part in met)):
        return UNEXPLAINED
    kinds = {part.what for part in met}
    return BYTES if PIXELS in kinds else NUMBERS if NUMBER in kinds else NAMES


def _is_a_digit(change: Change, content: bytes) -> bool:
    """Whether a digit of a text in a file of bytes became another one."""
    around = content[max(change.start - 6, 0) : change.end + 6]
    digits = content[change.start : change.end].isdigit() and (
        change.put.isdigit() or change.put == b" "
    )
    return digits and len(change.put) == 1 and all(32 <= byte < 127 for byte in around)


def without_parts(change: Change, content: bytes, parts: list[Part]) -> Change | None:
    """The change of what lies beside the known parts; None where it met none of them, or nothing else."""
    if len(change.put) != change.end - change.start:
        return None
    put = bytearray(change.put)
    for part in parts:
        first, last = max(part.start, change.start), min(part.end, change.end)
        if first < last:
            put[first - change.start : last - change.start] = content[first:last]
    rest = Change(change.how, change.start, change.end, bytes(put), change.field)
    return rest if bytes(put) not in (change.put, content[change.start : change.end]) else None


def _of_text(
    change: Change, content: bytes, _: list[Part], facts: frozenset[str], other: Mapping[str, Any]
) -> str:
    if facts <= {"names"} or change.field == "illuminant":
        return NAMES
    good, bad = content.decode("latin-1"), change.of(content).decode("latin-1")
    if change.how in ("line gone", "cut"):
        whole = bad.endswith("\n") or not bad or change.end < len(content)
        whole = whole or _ends_as_others(bad.splitlines())
        return LINES if whole and not _rows_missed(other.get("wavelengths")) else UNEXPLAINED
    if "shape" in facts:
        return UNEXPLAINED
    start, end = change.start, change.end
    while start and _TOKEN.fullmatch(good[start - 1]):
        start -= 1
    while end < len(good) and _TOKEN.fullmatch(good[end]):
        end += 1
    before, after = good[start:end], bad[start : len(bad) - (len(good) - end)]
    olds, news = _TOKEN.findall(before), _TOKEN.findall(after)
    if len(olds) != len(news) or _TOKEN.sub("", before) != _TOKEN.sub("", after):
        return UNEXPLAINED
    for old, new in zip(olds, news, strict=True):
        if _NUMBER.fullmatch(old) and _NUMBER.fullmatch(new):
            if change.field.strip().lower() in _COUNTS or not facts <= _MAY_CHANGE:
                return UNEXPLAINED
        elif old != new:
            return UNEXPLAINED
    return NUMBERS


def _even_as_before(wavelengths: Any) -> bool:
    """Whether no wavelength left its place on a grid whose others are even."""
    if wavelengths is None:
        return True
    good, new = wavelengths
    if new is None or good is None:
        return False
    if len(good) != len(new):
        return True
    nm = np.asarray(new)
    return bool((np.diff(nm) > 0).all()) and out_of_line(nm) is None


def out_of_line(nm: np.ndarray) -> int | None:
    """The only one that is off the grid on which all others lie; None where there is none."""
    number = np.arange(nm.size)
    for at in number:
        at_end = at in (0, nm.size - 1)
        rest, numbers = np.delete(nm, at), np.delete(number, at)
        if rest.size < (_FEWEST_AT_END if at_end else _FEWEST):
            continue
        step = (rest[-1] - rest[0]) / (numbers[-1] - numbers[0])
        line = rest[0] + step * (number - numbers[0])
        if (np.abs(rest - line[numbers]) <= _EVEN * step).all() and abs(nm[at] - line[at]) > _OFF * step:  # fmt: skip
            return int(at)
    return None


def _ends_as_others(lines: list[str]) -> bool:
    """Whether the last number of a text is one, and as short as that of another line with as many words."""
    *above, cut = (re.split(r"[\s,;]+", line.strip()) for line in lines)
    last, others = cut[-1], [words[-1] for words in above if len(words) == len(cut)]
    numbers = [other for other in others if _NUMBER.fullmatch(other)]
    return bool(_NUMBER.fullmatch(last) and any(len(other) <= len(last) for other in numbers))


def _rows_missed(wavelengths: Any) -> bool:
    """Whether lines are gone from the middle of an even grid."""
    if wavelengths is None or wavelengths[1] is None:
        return False
    steps = np.diff(np.asarray(wavelengths[1]))
    step = float(np.median(steps)) if steps.size else 0.0
    wide = np.abs(steps - step) > _EVEN * step
    return bool(
        steps.size >= _FEWEST_ROWS
        and wide.sum() == 1
        and any(abs(steps[wide][0] - n * step) <= n * _EVEN * step for n in _TIMES)
    )


__all__ = [
    "BYTES",
    "LINES",
    "NAME",
    "NAMES",
    "NUMBERS",
    "UNEXPLAINED",
    "Change",
    "reason",
    "without_parts",
]
