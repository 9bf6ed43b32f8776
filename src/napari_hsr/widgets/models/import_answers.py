"""What a user states of a checkpoint, checked before it is imported; nothing here is Qt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import InputError

if TYPE_CHECKING:
    from napari_hsr.cube import Wavelengths
    from napari_hsr.models.checkpoint_import import Checkpoint
    from napari_hsr.models.published_weights import Entry

#: Files of weights besides those of torch.
SUFFIXES = (".safetensors",)

_NUMBER = r"(\d+(?:\.\d+)?)"
_RANGE = re.compile(
    rf"\s*{_NUMBER}\s*(?:nm)?\s*(?:[:–…-]|to)\s*{_NUMBER}\s*(?:nm)?"
    rf"(?:\s*(?:[:/,]|every|in steps of|by)\s*{_NUMBER}\s*(?:nm)?)?\s*"
)


@dataclass(frozen=True)
class Answers:
    """The fields of the dialog as they were filled in; empty texts are not stated.

    Attributes
    ----------
    name : str
        What the model will be called.
    overwrite : bool
        Whether a model of that name may be replaced.
    entry : Entry or None
        The published weights that the file is.
    wavelengths : str
        Band centres in nm: ``400–700``, ``400:700:10``, or a list.
    input_encoding : str
        As :func:`napari_hsr.colour.normalise_encoding` takes it.
    input_rule, units, training_data, licence : str
        In words.
    """

    name: str = ""
    overwrite: bool = False
    entry: Entry | None = None
    wavelengths: str = ""
    input_encoding: str = ""
    input_rule: str = ""
    units: str = ""
    training_data: str = ""
    licence: str = ""

    def stated(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Arguments for :func:`napari_hsr.models.import_checkpoint`.

        Raises
        ------
        HSRError
            If something is missing or does not fit: the first of it, in one sentence.
        """
        from napari_hsr.colour import normalise_encoding
        from napari_hsr.models.input_rules import statistics_from_words
        from napari_hsr.models.user_models import place_for

        if not self.name:
            raise InputError("A name is needed, to find the model by.")
        place_for(self.name, self.overwrite)
        facts: dict[str, Any] = {"name": self.name, "overwrite": self.overwrite}
        if self.entry is not None:
            facts["entry"] = self.entry.name
        free = checkpoint.bands is None  # a network for cubes takes any bands
        nm = None
        if checkpoint.bands is not None:
            nm = wavelengths_from(self.wavelengths, checkpoint.bands)
        if nm is not None:
            facts["wavelengths"] = nm
        elif not free and len(self.known_wavelengths(checkpoint)) != checkpoint.bands:
            raise InputError(
                "The network makes one band: state its wavelength in nm."
                if checkpoint.bands == 1
                else f"The network makes {checkpoint.bands} bands: state their wavelengths in nm, "
                "400–700 if they are evenly spaced, or a list."
            )
        if self.input_encoding and not free:
            facts["input_encoding"] = normalise_encoding(self.input_encoding)
        if self.input_rule:
            statistics_from_words(self.input_rule)
            facts["input_rule"] = self.input_rule
        words = ("units", "training_data", "licence")
        return facts | {key: getattr(self, key) for key in words if getattr(self, key)}

    def known_wavelengths(self, checkpoint: Checkpoint) -> tuple[float, ...]:
        """What is taken for the wavelengths while none are stated."""
        from napari_hsr.cube import DEFAULT_WAVELENGTHS_NM

        if self.entry is not None:
            return self.entry.wavelengths_nm
        return checkpoint.card.wavelengths_nm if checkpoint.card else DEFAULT_WAVELENGTHS_NM

    def assumed(self, checkpoint: Checkpoint) -> list[str]:
        """What is an assumption as things stand, in a few words each."""
        entry, card = self.entry, checkpoint.card
        found = []
        if not self.wavelengths and entry is None and card is None and checkpoint.bands == 31:
            found.append("wavelengths 400–700 nm, every 10 nm")
        known = card is not None or (entry is not None and entry.input_encoding)
        if not self.input_encoding and not known and checkpoint.bands is not None:
            found.append("made for linear sRGB")
        if checkpoint.asks_for_rule and not self.input_rule and card is None:
            found.append("statistics of the NTIRE 2020 clean track")
        return found


def wavelengths_from(text: str, bands: int) -> Wavelengths | None:
    """Band centres as people write them; None if nothing is written.

    Parameters
    ----------
    text : str
        ``400–700`` or ``400-700 nm``: evenly spaced, both ends included; ``400:700:10`` says
        the step too; else a list.
    bands : int
        How many there must be.

    Raises
    ------
    InputError
        If they are not as many as the bands, or do not ascend.
    """
    from napari_hsr.io.wavelengths.wavelength_list import evenly, listed, parse

    if not text.strip():
        return None
    span = _RANGE.fullmatch(text)
    if span is None:
        bare = re.sub(r"\s*nm\s*$", "", text)
        _check_count(len(parse(bare)), bands)
        return listed(bare, bands)
    first, last = float(span[1]), float(span[2])
    if span[3]:
        step = float(span[3])
        if step <= 0 or abs((last - first) / step - round((last - first) / step)) > 1e-6:
            raise InputError(f"From {first:g} to {last:g} nm there are no whole steps of {step:g}.")
        _check_count(round((last - first) / step) + 1, bands)
    return evenly(first, last, bands)


def _check_count(count: int, bands: int) -> None:
    if count != bands:
        are = "wavelength is" if count == 1 else "wavelengths are"
        plural = "" if bands == 1 else "s"
        raise InputError(f"{count} {are} stated, but the network makes {bands} band{plural}.")


def suggested_name(path: Path, entry: Entry | None = None) -> str:
    """A free name: that of the published weights, or one like the file's."""
    from napari_hsr.models import list_models

    stem = entry.name if entry else re.sub(r"[^A-Za-z0-9._+-]+", "-", path.stem).strip("-._+")
    stem = stem[:90] or "model"
    taken = {card.name for card in list_models()}
    names = [stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def dropped_checkpoint(paths: list[str]) -> Path | None:
    """The one checkpoint in what was dropped, by its suffix; None if it is anything else."""
    from napari_hsr.models.torch_checkpoint import TORCH_SUFFIXES

    if len(paths) != 1 or not paths[0]:
        return None
    path = Path(paths[0])
    return path if path.suffix.lower() in SUFFIXES + TORCH_SUFFIXES else None


def file_filter() -> str:
    """For the dialog that asks for a file."""
    from napari_hsr.models.torch_checkpoint import TORCH_SUFFIXES

    patterns = " ".join(f"*{suffix}" for suffix in (*TORCH_SUFFIXES, *SUFFIXES))
    return f"Checkpoints ({patterns});;All files (*)"
