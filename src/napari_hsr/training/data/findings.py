"""What an inspection of the images found: one row per image, and whether training can start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.errors import InputError
from napari_hsr.training.data import split
from napari_hsr.training.data.image_source import LEFT_OUT

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from napari_hsr.cube import Wavelengths
    from napari_hsr.notices import Notice
    from napari_hsr.training.data.image_source import Scene


@dataclass(frozen=True, eq=False)
class Row:
    """One image of a table.

    Attributes
    ----------
    name : str
    rgb, cube : str
        Names of the files or layers; empty where there is none.
    held_out : bool
    height, width, bands : int or None
        None if the file could not be read.
    cube_range, rgb_range : (float, float) or None
        Least and greatest finite value; the photograph's at full scale 1.
    rgb_encoding : str or None
    problem : Notice or None
        Why it cannot be used.
    warnings : tuple of Notice
        What is doubtful.
    wavelengths : Wavelengths or None
        After resampling.
    thumbnail : ndarray, shape (h, w, 3), uint8, or None
        At most 64 pixels a side.
    scene : Scene
    files : tuple of Path
    stamps : tuple
        Their sizes and modification times at the inspection.
    coarse : (int, int) or None
        Height and width of the coarse image that is made from it; only for super-resolution.
    left_over : (int, int)
        Rows and columns that exceed a multiple of the scale: left out of validation.
    """

    name: str
    rgb: str
    cube: str
    held_out: bool
    height: int | None = None
    width: int | None = None
    bands: int | None = None
    cube_range: tuple[float, float] | None = None
    rgb_range: tuple[float, float] | None = None
    rgb_encoding: str | None = None
    problem: Notice | None = None
    warnings: tuple[Notice, ...] = ()
    wavelengths: Wavelengths | None = None
    resampled: str = ""
    thumbnail: np.ndarray | None = None
    scene: Scene | None = None
    files: tuple[Path, ...] = ()
    stamps: tuple[tuple[int, int], ...] = ()
    coarse: tuple[int, int] | None = None
    left_over: tuple[int, int] = (0, 0)

    @property
    def left_out(self) -> bool:
        """Whether its problem does not stop a training: the image is left out."""
        return self.problem is not None and self.problem.code in LEFT_OUT


@dataclass(frozen=True, eq=False)
class Findings:
    """All rows, and what concerns the data set as a whole.

    Attributes
    ----------
    rows : tuple of Row
    wavelengths : Wavelengths or None
        Of the usable cubes; None if there are none.
    notices : tuple of Notice
        What the user must read; they have been reported.
    faults : tuple of str
        Reasons why training cannot start that concern no single image.
    """

    rows: tuple[Row, ...]
    wavelengths: Wavelengths | None
    notices: tuple[Notice, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def train(self) -> list[Row]:
        """Usable images to train on."""
        return [r for r in self.rows if not r.problem and not r.held_out]

    @property
    def held_out(self) -> list[Row]:
        """Usable images to validate on."""
        return [r for r in self.rows if not r.problem and r.held_out]

    @property
    def problems(self) -> list[str]:
        """``name: sentence`` of every row that has one."""
        return [f"{r.name}: {r.problem}" for r in self.rows if r.problem]

    @property
    def split(self) -> str:
        """The split as the text of a ``data.split_file``."""
        return split.split_text((r.name, r.held_out) for r in self.rows if not r.problem)

    @property
    def decoded_bytes(self) -> int:
        """Approximate size of the decoded images on disk."""
        total = 0
        for row in (*self.train, *self.held_out):
            if row.height and row.width and row.bands:
                each = (4 if row.held_out else 2) * row.bands + (12 if row.rgb else 0)
                total += row.height * row.width * each
        return total

    def check(self) -> None:
        """Refuse images that training cannot start with.

        Raises
        ------
        InputError
            The first problem, how many others there are, and what to do.
        """
        serious = [r for r in self.rows if r.problem and not r.left_out]
        if serious:
            first, more = serious[0], len(serious) - 1
            others = f" ({more} more image{'s have' if more > 1 else ' has'} problems.)"
            raise InputError(f"{first.name}: {first.problem}{others if more else ''}")
        if self.faults:
            raise InputError(self.faults[0])
        usable = len(self.train) + len(self.held_out)
        if not usable:
            why = f": {self.problems[0]}" if self.problems else "."
            raise InputError(f"There is no image to train on{why}")
        if usable == 1:
            name = (self.train or self.held_out)[0].name
            raise InputError(
                f"There is one image only ({name}), so none can be held out to tell whether "
                "training helps: add a second one, or name a folder of others in "
                "data.validation_folder."
            )
        if not self.held_out:
            raise InputError(
                "No usable image is held out to tell whether training helps: name one in "
                "data.split_file, or a folder of others in data.validation_folder."
            )
        if not self.train:
            raise InputError(
                "All usable images are held out and none is left to train on: "
                "check data.split_file, data.hold_out and data.validation_folder."
            )
