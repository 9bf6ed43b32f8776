"""What was found where a training looked for its images: rows of a table, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_hsr.errors import InputError
from napari_hsr.training.data import split

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from napari_hsr.cube import Wavelengths
    from napari_hsr.training.data.discovery import Scene
    from napari_hsr.training.events import Notice


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
        None where the file could not be read.
    cube_range, rgb_range : (float, float) or None
        Least and highest finite value; of the photograph, of its full scale 1.
    rgb_encoding : str or None
    problem : str
        Why it cannot be used, in one sentence; empty if it can.
    left_out : bool
        It has a problem, but the training may start without it.
    warnings : tuple of str
        What is doubtful, a sentence each.
    wavelengths : Wavelengths or None
        After resampling.
    thumbnail : ndarray, shape (h, w, 3), uint8, or None
        At most 64 pixels a side.
    scene : Scene
    files : tuple of Path
    stamps : tuple
        Their sizes and times when they were looked through.
    coarse : (int, int) or None
        Where pixels are to become finer: height and width of the coarse image that is made of it.
    left_over : (int, int)
        Rows and columns that do not divide by the scale: left out where the image is measured.
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
    problem: str = ""
    left_out: bool = False
    warnings: tuple[str, ...] = ()
    wavelengths: Wavelengths | None = None
    resampled: str = ""
    thumbnail: np.ndarray | None = None
    scene: Scene | None = None
    files: tuple[Path, ...] = ()
    stamps: tuple[tuple[int, int], ...] = ()
    coarse: tuple[int, int] | None = None
    left_over: tuple[int, int] = (0, 0)


@dataclass(frozen=True, eq=False)
class Findings:
    """All rows, and what concerns them together.

    Attributes
    ----------
    rows : tuple of Row
    wavelengths : Wavelengths or None
        The grid of the usable cubes; None if there are none.
    notices : tuple of Notice
        What the user must read; they have been reported.
    faults : tuple of str
        Why training cannot start that no single row is to blame for.
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
        """Usable images to measure on."""
        return [r for r in self.rows if not r.problem and r.held_out]

    @property
    def problems(self) -> list[str]:
        """``name: sentence`` of every row that has one."""
        return [f"{r.name}: {r.problem}" for r in self.rows if r.problem]

    @property
    def split(self) -> str:
        """The split as text that ``data.split_file`` takes."""
        return split.words((r.name, r.held_out) for r in self.rows if not r.problem)

    @property
    def decoded_bytes(self) -> int:
        """About what the decoded images take on disk."""
        total = 0
        for row in (*self.train, *self.held_out):
            each = (4 if row.held_out else 2) * row.bands + (12 if row.rgb else 0)
            total += row.height * row.width * each
        return total

    def check(self) -> None:
        """Refuse what training cannot start with.

        Raises
        ------
        InputError
            In one sentence: the first problem, how many there are, and what to do.
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
            first = next((f": {p}" for p in self.problems), ".")
            raise InputError(f"There is no image to train on{first}")
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
