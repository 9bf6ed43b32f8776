"""The models and networks there are to choose from, as lists show them.

Each entry says in a few words what it is for, how large it is, what goes in and comes out, and
where its weights come from. Only cards and file headers are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

from napari_hsr.models.bundled_models import bundled
from napari_hsr.models.card import (
    CUBE,
    DETAIL_ESTIMATED,
    ILL_POSED,
    NOT_STATED,
    RECONSTRUCTION,
    SUPER_RESOLUTION,
    figures_text,
)
from napari_hsr.models.card_editing import ASSUMPTIONS, record_of
from napari_hsr.models.library import list_models
from napari_hsr.models.published_weights import ENTRIES
from napari_hsr.models.user_models import stored
from napari_hsr.photograph import CAMERA
from napari_hsr.units import format_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.models.card import ModelCard
    from napari_hsr.models.published_weights import Entry
    from napari_hsr.resample import Kind

#: Said of the interpolations that models are compared with.
BASELINE = "An interpolation adds no detail: it is the baseline that models are compared with."


@dataclass(frozen=True)
class Listing:
    """One line of a list of models.

    Attributes
    ----------
    name, title : str
        As in the card, or in the catalogue of published weights.
    output : str
        Bands and wavelengths.
    purpose : str
        Which photographs it takes, or that it takes cubes.
    origin : str
        Where its weights come from.
    weights : int
        Number of weights; 0 if they are not available.
    bytes : int
        Size of their file.
    card : ModelCard or None
        Of an available model.
    entry : Entry or None
        In the catalogue, of a network whose weights are not available.
    own : bool
        Whether the user imported it, and may remove it.
    kind : Kind or None
        Of an interpolation, which needs no weights.
    """

    name: str
    title: str
    output: str
    purpose: str
    origin: str = ""
    weights: int = 0
    bytes: int = 0
    card: ModelCard | None = None
    entry: Entry | None = None
    own: bool = False
    kind: Kind | None = None

    @property
    def at_hand(self) -> bool:
        """Whether it can be used now."""
        return self.entry is None

    @property
    def task(self) -> str:
        """What it does, as :attr:`napari_hsr.models.card.ModelCard.task` says it."""
        known = self.card or self.entry
        return SUPER_RESOLUTION if known is None else known.task

    @property
    def to_have(self) -> str:
        """How to get weights that are not available."""
        if self.entry is None:
            return ""
        return f"import a checkpoint… or train one: {self.entry.training_command}"

    @property
    def use(self) -> str:
        """What is made of what, short enough for a table."""
        return "finer cubes" if self.task == SUPER_RESOLUTION else "photographs to cubes"

    @property
    def input(self) -> str:
        """The encoding that the weights were made for; empty if there are none."""
        known = self.card or self.entry
        return CUBE if known is None else known.input_encoding

    @property
    def size(self) -> str:
        """Number of weights and size of their file; empty if there are none."""
        return f"{count_text(self.weights)}, {self.file_size}" if self.weights else ""

    @property
    def file_size(self) -> str:
        """Of the weights; empty if there are none."""
        return format_bytes(self.bytes) if self.bytes else ""

    @property
    def whence(self) -> str:
        """Where the weights come from, short enough for a table."""
        if self.entry is not None:
            return self.entry.page if self.entry.published else f"none published; {self.entry.page}"
        if not self.own or self.card is None:
            return "bundled"
        return f"imported: {record_of(self.card).file or self.card.source}"

    @property
    def facts(self) -> str:
        """The second line under the title, in a list."""
        own_name = self.name if self.own else ""  # two may come from files of one name
        return " · ".join(filter(None, (own_name, self.purpose, self.output, self.size)))

    @property
    def cautions(self) -> list[str]:
        """What to keep in mind before trusting its results."""
        if self.kind is not None:
            return [BASELINE]
        guess = DETAIL_ESTIMATED if self.task == SUPER_RESOLUTION else ILL_POSED
        assumed = record_of(self.card).assumed if self.card else ()
        return [guess, *(ASSUMPTIONS[field] for field in assumed)]

    def details(self) -> list[tuple[str, str]]:
        """(heading, text) pairs for people, in reading order, those without text left out."""
        rows = [("For", purpose_of(self.input)), ("Size", self.size)]
        if self.card is not None:
            whose = "imported" if self.own else "bundled"
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
    """Available models in the order of :func:`~napari_hsr.models.list_models`, then the others.

    Networks of the catalogue are listed unless weights of theirs were imported.

    Parameters
    ----------
    task : str
        Reconstruction or :data:`~napari_hsr.models.card.SUPER_RESOLUTION`.
    scale : int, optional
        Only models of this scale, followed by the interpolations, which take any.
    """
    files = {**stored(), **bundled()}
    cards = [card for card in list_models() if card.name in files and card.task == task]
    cards = [card for card in cards if scale in (None, card.scale)]
    at_hand = [_of_card(card, files[card.name][1], card.name not in bundled()) for card in cards]
    known = {card.architecture for card in cards if card.name not in bundled()}
    missing = (e for e in ENTRIES if e.task == task and e.architecture not in known)
    interpolations = [] if scale is None else _interpolations(scale)
    return [*at_hand, *interpolations, *map(_of_entry, missing)]


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


def _of_card(card: ModelCard, path: Path, own: bool) -> Listing:
    state = path.stat()
    source = card.source if card.source != NOT_STATED else ""
    return Listing(
        name=card.name,
        title=card.title,
        output=_output(card),
        purpose=purpose_of(card.input_encoding),
        origin=source if own else "; ".join(filter(None, ("bundled", source))),
        weights=_weights_in(path, state.st_mtime_ns, state.st_size),
        bytes=state.st_size,
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
            output=f"×{scale}, any bands",
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
