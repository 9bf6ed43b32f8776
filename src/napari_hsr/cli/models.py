"""List, show, import, edit, measure, remove and export models.

Without an action, all models are listed.
"""

from __future__ import annotations

import argparse
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.models_measure import HELP as MEASURE_HELP
from napari_hsr.cli.models_measure import add_arguments as add_measure_arguments
from napari_hsr.cli.models_measure import run as measure
from napari_hsr.cli.output import note, print_json, print_table, warnings_as_notes
from napari_hsr.io.limits import MOST_VALUES
from napari_hsr.units import one_line

if TYPE_CHECKING:
    from napari_hsr.models import ModelCard

HELP = "list, show, import, edit, measure, remove and export models"

#: Facts of a card that can be stated, with the help of each option.
_FACTS = {
    "title": "one line for lists",
    "units": "what the output values are, for instance reflectance",
    "training-data": "what it was trained on",
    "protocol": "how it was trained and measured",
    "licence": "the licence of the weights",
    "limits": "what it cannot do",
    "source": "where the weights come from",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the model cards as JSON")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action")

    def action(name: str, about: str) -> argparse.ArgumentParser:
        command = actions.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}."
        )
        command.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        return command

    def with_json(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print it as JSON"
        )

    with_json(action("list", "list all models"))
    show = action("show", "show the card of one model")
    show.add_argument("name", metavar="NAME", help="a model, or a safetensors file with a card")
    with_json(show)

    bring = action("import", "recognise a checkpoint and keep it among your models")
    bring.add_argument("file", metavar="FILE", help="a .pth, .pt, .ckpt or .safetensors file")
    bring.add_argument("--name", required=True, help="what to call the model")
    bring.add_argument(
        "--as",
        dest="entry",
        metavar="ENTRY",
        help="the entry of the catalogue that the file belongs to, which completes the card",
    )
    bring.add_argument("--input-rule", help="its input rule, for networks that have a choice")
    _add_facts(bring)
    bring.add_argument("--overwrite", action="store_true", help="replace a model of that name")

    edit = action("edit", "complete or correct the card of an imported model")
    edit.add_argument("name", metavar="NAME")
    _add_facts(edit)

    measured = action("measure", MEASURE_HELP)
    add_measure_arguments(measured)
    with_json(measured)

    action("remove", "delete an imported model").add_argument("name", metavar="NAME")

    export = action("export", "copy a model with its card to a file")
    export.add_argument("name", metavar="NAME")
    export.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="a .safetensors file, or a folder"
    )
    export.add_argument("--overwrite", action="store_true", help="replace the file")

    with_json(action("catalogue", "list public weights and the pages where they are published"))


def _add_facts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wavelengths",
        type=_wavelengths,
        metavar="NM",
        help="band centres in nm: 400:700:10 (first:last:step), or 410,430,450",
    )
    parser.add_argument(
        "--input-encoding",
        metavar="ENCODING",
        help="what the model was made for: srgb, linear-srgb, xyz-d65, camera:<name>",
    )
    for name, about in _FACTS.items():
        parser.add_argument(f"--{name}", help=about)


def _wavelengths(text: str) -> list[float]:
    """``400:700:10`` or ``410,430,450`` in nm."""
    try:
        if ":" not in text:
            return [float(part) for part in text.replace(",", " ").split()]
        first, last, step = (float(part) for part in text.split(":"))
        count = round((last - first) / step)
        if not 1 <= count <= MOST_VALUES or abs(first + count * step - last) > 1e-6 * abs(step):
            raise ValueError(text)
        return [first + i * step for i in range(count + 1)]
    except (ValueError, ZeroDivisionError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r}: first:last:step or a list with commas was expected, in nm"
        ) from None


def run(args: argparse.Namespace) -> int:
    with warnings_as_notes():
        return _ACTIONS[args.action or "list"](args)


def _list(args: argparse.Namespace) -> int:
    from napari_hsr.models import DEFAULT, list_models

    if args.json:
        cards = list_models()
        print_json(
            [{**card.model_dump(mode="json"), "default": card.name == DEFAULT} for card in cards]
        )
        return 0
    from napari_hsr.models.card import RECONSTRUCTION, SUPER_RESOLUTION
    from napari_hsr.models.model_list import listings

    found = [*listings(RECONSTRUCTION), *listings(SUPER_RESOLUTION)]
    at_hand = [x for x in found if x.card is not None]
    print_table(
        ("MODEL", "FOR", "INPUT", "OUTPUT", "SIZE", "WEIGHTS"),
        (
            (
                x.name + " (default)" * (x.name == DEFAULT),
                *(x.use, x.input, x.output, x.file_size, x.whence),
            )
            for x in at_hand
        ),
    )
    cards = [x.card for x in found if x.card is not None]
    if any(card.best_for for card in cards):
        print("\nBest for:")
        for card in cards:
            if card.best_for:
                _print_row(card.name, card.best_for)
    _print_figures(cards)
    _print_sources(cards)
    _print_limits(cards)
    others = [x for x in found if x.card is None]
    if others:
        print("\nNetworks without weights here: import a checkpoint of one, or train one by its")
        print("recipe (napari-hsr train --list-recipes).")
        print_table(
            ("NETWORK", "FOR", "INPUT", "OUTPUT", "PUBLISHED AT"),
            ((x.name, x.use, x.input or "-", x.output, x.whence) for x in others),
        )
    print("\nnapari-hsr models show MODEL prints the card of one.")
    return 0


def _print_figures(cards: list[ModelCard]) -> None:
    """The figures of each model, those measured under the same conditions together."""
    from napari_hsr.models.measured_figures import comparable_figures

    columns = {"psnr_db": ".2f", "sam_deg": ".2f", "mrae": ".3f", "rmse": ".4g", "ssim": ".4f"}
    groups = comparable_figures(cards)
    if not groups:
        return
    print("\nFigures may be compared only under the same conditions, [1], [2] …:")
    print_table(
        ("MODEL", "PSNR dB", "SAM °", "MRAE", "RMSE", "SSIM", "CONDITIONS"),
        (
            (name, *(f"{f[k]:{how}}" if k in f else "-" for k, how in columns.items()), f"[{i}]")
            for i, (_, rows) in enumerate(groups, 1)
            for name, f in rows
        ),
    )
    for i, (found, _) in enumerate(groups, 1):
        _print_row(f"[{i}]", found.describe())


def _print_sources(cards: list[ModelCard]) -> None:
    """Figures by source, of the models that were measured by one protocol together."""
    from napari_hsr.models.card import RECONSTRUCTION
    from napari_hsr.models.figures_in_words import source_words

    protocols: dict[str, list[ModelCard]] = {}
    for card in cards:
        if card.sources:
            protocols.setdefault(card.sources_protocol, []).append(card)
    for protocol, together in protocols.items():
        of = "" if together[0].task == RECONSTRUCTION else ", in brackets against bicubic"
        print(f"\nBy source (PSNR dB / SAM °{of or ' / MRAE'}):")
        print_table(
            ("SOURCE", *(card.name for card in together)),
            (
                (source_words(source), *(_three(card.sources.get(source, {})) for card in together))
                for source in together[0].sources
            ),
        )
        _print_row("Protocol", protocol)


def _three(figures: dict[str, float]) -> str:
    """PSNR, SAM and MRAE; where a card has none, what the first two gain over interpolation."""
    columns = {"psnr_db": ".2f", "sam_deg": ".2f", "mrae": ".3f"}
    if figures.keys() >= {"psnr_gain_db", "sam_gain_deg", "psnr_db", "sam_deg"}:
        better, closer = figures["psnr_gain_db"], -figures["sam_gain_deg"]
        return (
            f"{figures['psnr_db']:.2f} ({better:+.2f}) / {figures['sam_deg']:.2f} ({closer:+.2f})"
        )
    return " / ".join(f"{figures[k]:{how}}" if k in figures else "-" for k, how in columns.items())


def _print_limits(cards: list[ModelCard]) -> None:
    """What the models cannot do, each text once."""
    limits: dict[str, list[str]] = {}
    for card in cards:
        limits.setdefault(card.limits, []).append(card.name)
    print("\nLimits:")
    for text, names in limits.items():
        _print_row(", ".join(names), text)


def _show(args: argparse.Namespace) -> int:
    from napari_hsr.models import card_of

    card = card_of(args.name)
    if args.json:
        print_json(card.model_dump(mode="json"))
    else:
        _print_card(card)
        _print_row("Architecture", card.architecture)
        _print_row("SHA-256 of the weights", card.weights_sha256 or "not pinned")
    return 0


def _import(args: argparse.Namespace) -> int:
    from napari_hsr.models.card import NOT_STATED
    from napari_hsr.models.checkpoint_import import import_checkpoint

    model = import_checkpoint(
        args.file,
        args.name,
        entry=args.entry,
        input_rule=args.input_rule,
        overwrite=args.overwrite,
        **_facts(args),
    )
    print(one_line(f"{args.file}: recognised as {model.card.architecture}, kept as {model.name}."))
    _print_card(model.card)
    open_facts = [k for k in ("training_data", "licence") if getattr(model.card, k) == NOT_STATED]
    if open_facts:
        options = " ".join(f"--{name.replace('_', '-')} …" for name in open_facts)
        note([f"complete its card with: napari-hsr models edit {model.name} {options}"])
    return 0


def _edit(args: argparse.Namespace) -> int:
    from napari_hsr.models.user_models import edit

    facts = {key: value for key, value in _facts(args).items() if value is not None}
    if not facts:
        args.usage_error("edit: nothing was stated; see napari-hsr models edit --help")
    _print_card(edit(args.name, **facts))
    return 0


def _remove(args: argparse.Namespace) -> int:
    from napari_hsr.models.user_models import remove

    remove(args.name)
    print(f"{args.name} was deleted.")
    return 0


def _export(args: argparse.Namespace) -> int:
    from napari_hsr.models.user_models import export

    print(one_line(export(args.name, args.output, overwrite=args.overwrite)))
    return 0


def _catalogue(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from napari_hsr.models.card import FIGURE_LABELS
    from napari_hsr.models.published_weights import ENTRIES

    if args.json:
        print_json([asdict(entry) for entry in ENTRIES])
        return 0
    for entry in ENTRIES:
        print(f"{entry.name}: {entry.title}")
        _print_row("Architecture", entry.architecture)
        _print_row("Published at", entry.page)
        _print_row("Weights", entry.link or "none published")
        _print_row("Input", "; ".join(filter(None, (entry.input_encoding, entry.input_rule))))
        _print_row("Output", entry.output)
        _print_row("Trained on", entry.training_data)
        if entry.figures:
            figures = ", ".join(f"{FIGURE_LABELS[k]} {v:g}" for k, v in entry.figures.items())
            _print_row("Reported", f"{figures} ({entry.protocol})")
        _print_row("Licence", entry.licence)
        _print_row("Note", entry.note)
    return 0


_ACTIONS = {
    "list": _list,
    "show": _show,
    "import": _import,
    "edit": _edit,
    "measure": measure,
    "remove": _remove,
    "export": _export,
    "catalogue": _catalogue,
}


def _facts(args: argparse.Namespace) -> dict[str, Any]:
    names = ["wavelengths", "input_encoding", *(name.replace("-", "_") for name in _FACTS)]
    return {name: getattr(args, name) for name in names}


def _print_card(card: ModelCard) -> None:
    print(one_line(f"{card.name}: {card.title}"))
    for heading, text in card.sentences():
        _print_row(heading, text)


def _print_row(heading: str, text: str) -> None:
    if not text:
        return
    width = min(shutil.get_terminal_size().columns, 100)
    print(
        textwrap.fill(
            one_line(f"{heading}: {text}", 10_000),
            width,
            initial_indent="  ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
