"""Numbers in texts: one way to read them, with limits, wherever a file or a user writes one."""

from __future__ import annotations

import math
import re
from enum import Enum, auto
from typing import Any

#: No number that is meant has more characters.
LONGEST = 64
#: What programs write where there is nothing to say.
NOTHING = {"", "none", "null", "n/a", "undefined", "unknown"}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_WORDS = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}
#: The number at the end of a line, by its digits behind the point and in the exponent.
_AT_THE_END = {
    point: re.compile(rf"[0-9](?:[{point}]([0-9]*))?(?:[eE][-+]?([0-9]+))?[ \t;,]*$")
    for point in ".,"
}
_BEHIND = {point: re.compile(rf"[0-9][{point}]([0-9]*)") for point in ".,"}
_SEPARATORS = ("\t", ";", ",")
#: So many lines say how many digits a program writes.
_LINES = 4
#: Whole numbers up to here are the same as floats.
_MOST = 2**53


def number(value: Any) -> float | None:
    """The number that a text is, NaN and infinity included; None if it is none.

    Only the digits 0 to 9 count: ``²`` and ``٣`` are none.
    """
    text = str(value)[: LONGEST + 1].strip("\0 \t\r\n")
    if len(text) > LONGEST:
        return None
    word = text.lower().lstrip("+-")
    if word in _WORDS:
        return -_WORDS[word] if text.startswith("-") else _WORDS[word]
    return float(text) if _NUMBER.fullmatch(text) else None


def whole(value: Any) -> int | None:
    """The whole number that a text is, ``31`` or ``31.0``; None if it is none, or beyond 2⁵³."""
    found = number(value)
    if found is None or not math.isfinite(found) or not found.is_integer() or abs(found) > _MOST:
        return None
    return int(found)


class Ending(Enum):
    """How a text of numbers ends: as one that is whole, perhaps cut short, or certainly."""

    WHOLE = auto()
    DOUBTFUL = auto()
    CUT = auto()


def how_it_ends(text: str) -> Ending:
    """Whether a table's last number has fewer digits than others have, and no end of line.

    A number that is cut is another number, and no reader can tell: ``0.`` of ``0.4312``. Where a program
    writes all with as many digits, or writes them behind a point, the last is certainly cut; where their
    digits differ, or are one, or where there are few lines, its own may be few by chance.
    """
    if text.endswith(("\n", "\r")):
        return Ending.WHOLE
    lines = text[-20_000:].splitlines()[-2 * _LINES - 1 :]
    point = "." if any(re.search(r"[0-9]\.", line) for line in lines) else ","
    ends = [None if _is_named(line) else _AT_THE_END[point].search(line) for line in lines]
    since = next((at for at in range(len(ends), 0, -1) if ends[at - 1] is None), 0)
    lines, numbers = lines[since:], [m for m in ends[since:] if m]
    if not numbers:
        return Ending.WHOLE
    *above, last = ((len(m[1] or ""), len(m[2] or "")) for m in numbers)
    behind = [len(m[1]) for line in lines for m in _BEHIND[point].finditer(line)]
    others = behind[: len(behind) - (numbers[-1][1] is not None)]
    if numbers[-1][1] == "" and min(others, default=0) > 0:
        return Ending.CUT if len(others) >= _LINES else Ending.DOUBTFUL
    if len(lines) > 1 and lines[-1][-1] in _SEPARATORS and lines[-2][-1] not in _SEPARATORS:
        return Ending.DOUBTFUL
    if len(above) < _LINES:
        return Ending.DOUBTFUL if last[0] < min(others, default=0) else Ending.WHOLE
    fewer = any(last[k] < min(digits[k] for digits in above) for k in (0, 1))
    if not fewer or last[0] > max(digits[0] for digits in above):
        return Ending.WHOLE
    return Ending.CUT if len(set(above)) == 1 and above[0][0] > 1 else Ending.DOUBTFUL


def _is_named(line: str) -> bool:
    """Whether a line ends in a name, such as ``p7`` of a heading."""
    return re.split(r"[\s;,]+", line.rstrip(" \t;,"))[-1][:1].isalpha()
