"""List the models at hand: what each was made for, its figures, licence and limits."""

from __future__ import annotations

import argparse

from napari_hsr.cli.output import print_json, print_pairs

HELP = "list the models at hand"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the model cards as JSON")


def run(args: argparse.Namespace) -> int:
    from napari_hsr.models import DEFAULT, list_models

    cards = [card.model_dump(mode="json") for card in list_models()]
    if args.json:
        print_json([{**card, "default": card["name"] == DEFAULT} for card in cards])
        return 0
    for place, card in enumerate(cards):
        if place:
            print()
        grid = card["wavelengths_nm"]
        print(f"{card['name']}{'  (default)' if card['name'] == DEFAULT else ''}")
        print_pairs(
            [
                ("  title", card["title"]),
                ("  input", card["input_encoding"]),
                ("  bands", f"{len(grid)}, {grid[0]:g}–{grid[-1]:g} nm"),
                ("  figures", _figures(card.get("figures"))),
                ("  licence", card["licence"]),
                ("  limits", _in_one_line(card.get("limits"))),
            ]
        )
    return 0


def _figures(figures: dict | None) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in (figures or {}).items()
    )


def _in_one_line(text: str | list[str] | None) -> str:
    return " ".join(text) if isinstance(text, list) else (text or "")
