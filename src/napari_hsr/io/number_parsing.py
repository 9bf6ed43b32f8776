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
