"""Numbers in texts: one way to read them, with limits, wherever a file or a user writes one."""

from __future__ import annotations

import math
import re
from typing import Any

#: No number that is meant has more characters.
LONGEST = 64
#: What programs write where there is nothing to say.
NOTHING = {"", "none", "null", "n/a", "undefined", "unknown"}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")
_WORDS = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}
#: The number at the end of a line, by its digits behind the point and in the exponent.
_AT_THE_END = re.compile(r"[0-9](?:[.,]([0-9]*))?(?:[eE][-+]?([0-9]+))?[ \t;,]*$")
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


def ends_in_a_cut_number(text: str) -> bool:
    """Whether a table's last number has fewer digits than all above it have, and no end of line: the file was cut short.

    A number that is cut is another number, and no reader can tell: ``0.`` of ``0.4312``.
    """
    if text.endswith(("\n", "\r")):
        return False
    lines = text[-20_000:].splitlines()[-2 * _LINES - 1 :]
    found = [_AT_THE_END.search(line) for line in lines]
    if len(lines) < _LINES + 1 or None in found[1:]:
        return False
    digits = [(len(m[1] or ""), len(m[2] or "")) for m in found[1:] if m]
    usual, last = digits[0], digits[-1]
    alike = len(digits) > _LINES - 1 and all(d == usual for d in digits[:-1])
    fewer = last[0] < usual[0] or last[1] < usual[1]
    return alike and usual[0] > 1 and fewer and last[0] <= usual[0] and last[1] <= usual[1]
