"""Whether an animated GIF is whole: its blocks are walked up to the byte that ends it.

The library stops in silence at the first block that is none, and shows the pictures before it.
"""

from __future__ import annotations

from typing import NamedTuple

_EXTENSION, _PICTURE, _END = 0x21, 0x2C, 0x3B
#: The extension that says how long the next picture is shown.
_CONTROL = b"\xf9"
#: Bytes of the header with the screen's descriptor, and of a picture's descriptor.
_HEADER, _DESCRIPTOR = 13, 10
#: The bit of a descriptor's flags that says that a table of colours follows.
_TABLE = 0x80


class Pictures(NamedTuple):
    """What a walk over the blocks of a GIF found."""

    begun: int  #: pictures whose descriptor is there
    complete: bool  #: whether the blocks lead to the end that the format asks for
    delays: list[int]  #: how long each is shown, in hundredths of a second; 0 if that is not said


def pictures(content: bytes) -> Pictures:
    """Count the pictures of a GIF (GIF89a Specification, appendix B)."""
    size, begun, delays, delay = len(content), 0, list[int](), 0
    at = _HEADER + _table(content, 10)
    while at < size:
        kind = content[at]
        if kind == _END:
            return Pictures(begun, complete=True, delays=delays)
        if kind == _EXTENSION:
            if content[at + 1 : at + 2] == _CONTROL:
                delay = int.from_bytes(content[at + 4 : at + 6], "little")
            at += 2
        elif kind == _PICTURE:
            begun += 1
            delays.append(delay)
            delay = 0
            at += _DESCRIPTOR + _table(content, at + _DESCRIPTOR - 1) + 1
        else:
            break
        while at < size and content[at]:  # blocks of data, each after its length
            at += content[at] + 1
        at += 1
    return Pictures(begun, complete=False, delays=delays)


def _table(content: bytes, at: int) -> int:
    """Bytes of the table of colours that the flags there announce."""
    flags = content[at] if at < len(content) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & _TABLE else 0
