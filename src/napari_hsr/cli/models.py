"""List the models at hand: what each was made for, its figures, licence and limits."""

from __future__ import annotations

import argparse
import shutil
import textwrap

from napari_hsr.cli.output import print_json

HELP = "list the models at hand"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the model cards as JSON")


def run(args: argparse.Namespace) -> int:
    from napari_hsr.models import DEFAULT, list_models

    cards = list_models()
    if args.json:
        print_json(
            [{**card.model_dump(mode="json"), "default": card.name == DEFAULT} for card in cards]
        )
        return 0
    width = min(shutil.get_terminal_size().columns, 100)
    for card in cards:
        print(f"{card.name}{' (default)' if card.name == DEFAULT else ''}: {card.title}")
        for heading, text in card.sentences():
            print(
                textwrap.fill(
                    f"{heading}: {text}", width, initial_indent="  ", subsequent_indent="      "
                )
            )
    return 0
