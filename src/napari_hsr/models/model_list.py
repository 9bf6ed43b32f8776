"""What there is to choose from: models at hand, and networks whose weights are still to be had.

Each entry says in a few words what it is for, how large it is, what goes in and comes out, and
where its weights come from. Nothing is loaded: cards and headers of files are enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

from napari_hsr.models.card import CUBE, RECONSTRUCTION, SUPER_RESOLUTION
from napari_hsr.photograph import CAMERA

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.published_weights import Entry
    from napari_hsr.resample import Kind

#: Said of the interpolations that models are held against.
BASELINE = "An interpolation adds no detail: it is the baseline that models are held against."


@dataclass(frozen=True)
class Listing:
    """One line of a list of models.

    Attributes
    ----------
    name, title : str
        As in the card, or in the catalogue.
    purpose : str
        Which photographs it takes, or that it takes cubes.
    size : str
        How many weights, and how large their file is; empty if there is none yet.
    output : str
        Bands and wavelengths.
    origin : str
        Where its weights come from.
    card : ModelCard or None
        Of a model at hand.
    entry : Entry or None
        In the catalogue, of a network whose weights are not at hand.
    own : bool
        Whether the user imported it, and may remove it.
    kind : Kind or None
        Of an interpolation, which needs no weights.
    """

    name: str
    title: str
    purpose: str
    size: str
    output: str
    origin: str
    card: ModelCard | None = None
    entry: Entry | None = None
    own: bool = False
    kind: Kind | None = None

    @property
    def at_hand(self) -> bool:
        """Whether it can be used now: all but networks whose weights are still to be had."""
        return self.entry is None

    @property
    def task(self) -> str:
        """What it does, as :attr:`napari_hsr.models.card.ModelCard.task` says it."""
        return SUPER_RESOLUTION if self.kind else (self.card or self.entry).task

    @property
    def to_have(self) -> str:
        """What to do for weights that are not at hand."""
        return f"import a checkpoint… or train one: {training_command(self.entry)}"

    @property
    def use(self) -> str:
        """What is made of what, in as few words as a table has room for."""
        return "finer cubes" if self.task == SUPER_RESOLUTION else "photographs to cubes"

    @property
    def input(self) -> str:
        """The encoding that the weights were made for; empty if there are none."""
        return CUBE if self.kind else (self.card or self.entry).input_encoding

    @property
    def file_size(self) -> str:
        """Of the weights; empty if there are none."""
        return self.size.rpartition(", ")[2]

    @property
    def whence(self) -> str:
        """Where the weights come from, in as few words as a table has room for."""
        if self.entry is not None:
            return self.entry.page if self.entry.published else f"none published; {self.entry.page}"
        if not self.own:
            return "on board"
        return f"imported: {self.card.source.partition(', SHA-256')[0]}"

    @property
    def facts(self) -> str:
        """The second line under the title, in a list."""
        own_name = self.name if self.own else ""  # two may come from files of one name
        return " · ".join(filter(None, (own_name, self.purpose, self.output, self.size)))

    def details(self) -> list[tuple[str, str]]:
        """(heading, text) pairs for people, in reading order, those without text left out."""
        rows = [("For", purpose_of(self.input)), ("Size", self.size)]
        if self.card is not None:
            whose = "imported" if self.own else "came with the product"
            rows += [("Weights", whose), ("Network", self.card.architecture)]
            rows += self.card.sentences()  # among them, the source of the weights
        elif self.kind is not None:
            rows += [("Output", self.output), ("Exactly", self.kind.describe)]
        elif self.entry is not None:
            entry = self.entry
            rows += [
                ("Weights", self.origin),
                ("Input", "; ".join(filter(None, (entry.input_encoding, entry.input_rule)))),
                ("Output", entry.output),
                ("Trained on", entry.training_data),
                ("Reported", figures_text(entry.figures or {}, entry.protocol)),
                ("Licence", entry.licence),
                ("Note", entry.note),
            ]
        return [row for row in rows if row[1]]


def listings(task: str = RECONSTRUCTION, scale: int | None = None) -> list[Listing]:
    """Models at hand in the order of :func:`~napari_hsr.models.list_models`, then the others.

    Of the catalogue, those networks are listed of which no weights were imported.

    Parameters
    ----------
    task : str
        Which models: those that make cubes of photographs, or those that make the pixels of
        cubes finer (:data:`~napari_hsr.models.card.SUPER_RESOLUTION`).
    scale : int, optional
        Those alone that make pixels so many times as fine, and behind them the interpolations,
        which can do it at any scale.
    """
    from napari_hsr.models.library import bundled, list_models
    from napari_hsr.models.published_weights import ENTRIES
    from napari_hsr.models.user_models import stored

    files = {**stored(), **bundled()}
    cards = [card for card in list_models() if card.name in files and card.task == task]
    cards = [card for card in cards if scale in (None, card.scale)]
    at_hand = [_of_card(card, files[card.name][1], card.name not in bundled()) for card in cards]
    known = {card.architecture for card in cards if card.name not in bundled()}
    missing = (e for e in ENTRIES if e.task == task and e.architecture not in known)
    interpolations = [] if scale is None else _interpolations(scale)
    return [*at_hand, *interpolations, *map(_of_entry, missing)]


def training_command(entry: Entry) -> str:
    """The command that trains a network of the catalogue as its authors do."""
    return f"napari-hsr train {entry.architecture}-paper"


def purpose_of(encoding: str) -> str:
    """Which photographs a model made for this encoding takes, or that it takes cubes."""
    if not encoding:
        return ""
    if encoding == CUBE:
        return "cubes of coarse pixels"
    if encoding.startswith(CAMERA):
        return f"raw values of the camera {encoding[len(CAMERA) :]}"
    return "any photograph"


def count_text(count: int) -> str:
    """A number of weights for people: ``1.62 million weights``."""
    if count < 1_000_000:
        return f"{count:,} weight{'s' if count != 1 else ''}"
    return f"{count / 1e6:.3g} million weights" if count < 1e9 else f"{count / 1e9:.3g}e9 weights"


def figures_text(figures: dict[str, float], protocol: str = "") -> str:
    """``MRAE 0.1645, RMSE 0.0248 (the authors' table…)``."""
    from napari_hsr.models.card import FIGURE_LABELS

    values = ", ".join(f"{FIGURE_LABELS.get(k, k)} {v:.4g}" for k, v in figures.items())
    return f"{values} ({protocol})" if values and protocol else values


def _of_card(card: ModelCard, path: Path, own: bool) -> Listing:
    state = path.stat()
    count = _weights_in(path, state.st_mtime_ns, state.st_size)
    origin = card.source if own else f"came with the product; {card.source}"
    return Listing(
        name=card.name,
        title=card.title,
        purpose=purpose_of(card.input_encoding),
        size=f"{count_text(count)}, {_bytes_text(state.st_size)}",
        output=_output(card),
        origin=origin.removesuffix("; not stated"),
        card=card,
        own=own,
    )


def _interpolations(scale: int) -> list[Listing]:
    from napari_hsr.resample import KINDS

    return [
        Listing(
            name=kind.name,
            title=f"{kind.title[0].upper()}{kind.title[1:]}",
            purpose="interpolation, adds no detail",
            size="",
            output=f"×{scale}, any bands",
            origin="",
            kind=kind,
        )
        for kind in KINDS.values()
        if kind.up
    ]


def _of_entry(entry: Entry) -> Listing:
    where = f"published at {entry.page}" if entry.published else f"none published; see {entry.page}"
    return Listing(
        name=entry.name,
        title=entry.title,
        purpose=purpose_of(entry.input_encoding),
        size="",
        output=entry.output if entry.task == SUPER_RESOLUTION else _short(entry.wavelengths_nm),
        origin=where,
        entry=entry,
    )


@lru_cache(maxsize=256)
def _weights_in(path: Path, _changed: int, _size: int) -> int:
    """The number of values in a safetensors file; its date and size tell the cache of a change."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118


def _bytes_text(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def _output(card: ModelCard) -> str:
    """``31 bands, 400–700 nm``, or ``×4, any bands``."""
    return (
        f"×{card.scale}, any bands"
        if card.task == SUPER_RESOLUTION
        else _short(card.wavelengths_nm)
    )


def _short(wavelengths: tuple[float, ...]) -> str:
    """``31 bands, 400–700 nm``."""
    if len(wavelengths) == 1:
        return f"1 band, {wavelengths[0]:g} nm"
    return f"{len(wavelengths)} bands, {wavelengths[0]:g}–{wavelengths[-1]:g} nm"
