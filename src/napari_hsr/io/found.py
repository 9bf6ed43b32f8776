"""What a format found in a file: the array as it is stored, and what is stated of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_hsr.io.decoding import NO_DATA, Decoding

if TYPE_CHECKING:
    from napari_hsr.io import masks_beside
    from napari_hsr.io.embedded_record import Record
    from napari_hsr.notices import Notice


@dataclass
class Found:
    """What a format found in a file.

    Attributes
    ----------
    source : array-like
        With ``shape``, ``dtype`` and basic indexing; may be on disk.
    convention : int
        The axis on which the format keeps bands by custom, in the format's order.
    flipped : bool
        The axes of ``source`` are the format's in reverse (MATLAB arrays in HDF5).
    stated : bool
        The format says which axis holds the bands, so ``convention`` is a fact.
    wavelengths, unit
        As the file gives them; None where it does not.
    line : bool
        The array has two axes, of which ``convention`` holds the bands: it is a line of pixels.
    turned : bool
        The file names its axes, and columns come before rows.
    unit_has_a_place : bool
        The format has an item for the unit, so that its absence is worth a notice.
    per_band : dict
        Metadata with one value a band, turned round together with the bands.
    width_unit : str or None
        The unit of ``fwhm`` among them, where it has one of its own.
    decoding : Decoding
        What the file states about its numbers.
    record : Record or None
        Set if the file is one of ours.
    looked_in : str
        Where wavelengths were looked for.
    value_range : (float, float) or None
        Extremes of the finite values, where the file knows them.
    masks : tuple of (name, array or None)
        Arrays beside it that may say which pixels count, in the format's order of rows and columns.
    """

    source: Any
    convention: int = 0
    flipped: bool = False
    stated: bool = False
    line: bool = False
    turned: bool = False
    wavelengths: Any = None
    unit: str | None = None
    unit_has_a_place: bool = False
    units: str | None = None
    name: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    per_band: dict[str, Any] = field(default_factory=dict)
    width_unit: str | None = None
    notices: tuple[Notice, ...] = ()
    steps: tuple[str, ...] = ()
    decoding: Decoding = field(default_factory=Decoding)
    record: Record | None = None
    looked_in: str = "the file"
    value_range: tuple[float, float] | None = None
    masks: masks_beside.Masks = ()

    def ignore(self, markers: tuple[float, ...]) -> None:
        """Take these stored numbers for missing values too."""
        if markers:
            every = tuple(dict.fromkeys((*self.decoding.no_data, *markers)))
            self.decoding = replace(self.decoding, no_data=every)
            self.metadata.setdefault(NO_DATA, every[0])
