"""Texts of others — names of layers, files and models — shown as they are, never as markup.

Qt takes whatever looks like HTML for rich text, in tool tips and labels alike: a name could load
pictures or hide a part of itself.
"""

from __future__ import annotations

import unicodedata
from html import escape
from typing import Any, cast

from qtpy.QtCore import Qt


def visible(text: str, longest: int = 10_000) -> str:
    r"""``text`` with control and direction characters written out, as ``\x1b``; lines stay.

    So are halves of a pair, which names of files that are no text hold: Qt draws them, and Python's
    codecs refuse them.

    A text that nobody reads is cut: Qt would be busy with it for minutes.
    """
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    if text.replace("\n", "").isprintable():  # as nearly all are: looking at each letter takes long
        return text
    return "".join(
        char
        if char == "\n" or unicodedata.category(char) not in _UNSEEN or char in _SOFT
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


#: Categories of Unicode: control and direction, halves of a pair, ends of lines and paragraphs.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
#: Invisible, and harmless: they only say where a line or a word may break.
_SOFT = "\u200b\u200d\u00ad"


def tip(text: str) -> str:
    """``text`` for a tool tip, which Qt shows as it is."""
    text = visible(text)
    if not cast("Any", Qt).mightBeRichText(text):  # qtpy puts it there
        return text
    return f"<qt>{escape(text)}</qt>".replace("\n", "<br>")


def one_line(text: str, longest: int = 1_000) -> str:
    """A name for a list or a button: on one line, its control characters written out."""
    return visible(text, longest).replace("\n", "\\n")


def on_button(text: str) -> str:
    """A name for a button, a tick box or a menu, where a single ``&`` would mark a key."""
    return one_line(text).replace("&", "&&")
