"""Options of the commands that read images: what a file leaves open."""

from __future__ import annotations

import argparse
import re
from typing import Any

from napari_hsr.io.limits import MOST_ENTRIES
from napari_hsr.io.number_parsing import number, whole

_OPTIONS = ("variable", "axes", "bands", "full_scale", "no_data")


def whole_number(text: str) -> int:
    """A whole number, of a size that computers count in."""
    found = whole(text)
    if found is None:
        raise ValueError(text)  # argparse says which option
    return found


whole_number.__name__ = "whole number"  # argparse: "invalid whole number value: 'x'"


def seconds(text: str) -> float:
    """A time that ends: a positive number."""
    found = number(text)
    if found is None or not 0 < found < float("inf"):
        raise ValueError(text)
    return found


seconds.__name__ = "number of seconds"  # argparse: "invalid number of seconds value: 'x'"


def band_numbers(text: str) -> list[int]:
    """``0,3,5-9`` as a list."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin, end = whole(first), whole(last if dash else first)
        if begin is None or end is None:
            raise ValueError(part)
        numbers = range(begin, end + 1)
        if len(found) + len(numbers) > MOST_ENTRIES:
            raise argparse.ArgumentTypeError(
                f"{text[:40]!r}: up to {MOST_ENTRIES:,} bands are taken"
            )
        found += numbers
    return found


band_numbers.__name__ = "band numbers"  # argparse: "invalid band numbers value: 'x'"


def take_minus(parser: argparse.ArgumentParser, what: str) -> None:
    """Have arguments that begin with a minus and ``what``, a pattern, be no options."""
    parser._negative_number_matcher = re.compile(f"-{what}")


def add_reading_options(parser: argparse.ArgumentParser, *, photographs: bool = False) -> None:
    """``--variable``, ``--axes`` and ``--bands``, and ``--full-scale`` where photographs are read."""
    group = parser.add_argument_group("reading, where a file leaves it open")
    group.add_argument(
        "--variable", metavar="NAME", help="which array of a file of several; or FILE:NAME"
    )
    group.add_argument("--axes", metavar="yxb", help="what the axes of the stored array are")
    group.add_argument(
        "--bands", metavar="0,3,5-9", type=band_numbers, help="only these bands, counted from 0"
    )
    group.add_argument(
        "--no-data",
        metavar="N",
        type=float,
        help="the number in a cube that stands for missing values, such as -9999",
    )
    if photographs:
        group.add_argument(
            "--full-scale",
            metavar="N",
            type=float,
            help="the value that means white in a photograph, such as 4095",
        )


def stated(args: argparse.Namespace) -> dict[str, Any]:
    """What these options state, for :func:`napari_hsr.read`."""
    return {name: getattr(args, name) for name in _OPTIONS if getattr(args, name, None) is not None}
