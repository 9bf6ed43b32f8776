"""Which images are held out: whole images, never patches; by a file, or drawn with the seed."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_hsr.errors import FileError, InputError, did_you_mean
from napari_hsr.io import limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.text_files import write_text
from napari_hsr.notices import Code, Notice
from napari_hsr.training.data import pairing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_hsr.training.data.image_source import Scene
    from napari_hsr.training.recipe.schema import DataSettings

#: Makes this draw independent of others with the same seed.
_STREAM = 0x5B117
_LINE = re.compile(r"(train|held[-_ ]?out|val(?:id(?:ation)?)?)[\s,:]+(.+)", re.IGNORECASE)
_LISTS = ("train_list.txt", "valid_list.txt")
_NOT_LISTED = Notice.warning(
    Code.NOT_IN_SPLIT_FILE, "It is unticked, or the split file does not name it."
)


def assign(scenes: list[Scene], data: DataSettings, seed: int) -> list[Scene]:
    """The scenes with ``held_out`` set everywhere.

    A split file has priority, then the folders and lists of the data set; otherwise
    ``data.hold_out`` of the images are drawn with the seed. Photographs of the same cube stay
    together. A single image is not held out: :meth:`Findings.check` then refuses.

    Raises
    ------
    FileError
        If the split file cannot be read.
    InputError
        If it names an unknown image, or ``hold_out`` is neither a fraction nor a whole number.
    """
    if data.split_file is not None:
        return _by_file(scenes, Path(os.path.expanduser(data.split_file)))
    usable = [s for s in scenes if not s.problem]
    if any(s.held_out for s in usable):
        return [dataclasses.replace(s, held_out=bool(s.held_out)) for s in scenes]
    groups: dict[object, list[str]] = {}
    for scene in sorted(usable, key=lambda s: s.name):
        groups.setdefault(_same_scene(scene), []).append(scene.name)
    number = count(data.hold_out, len(groups))
    order = np.random.default_rng([_STREAM, seed]).permutation(len(groups))
    keys = list(groups)
    held_out = {name for at in order[:number] for name in groups[keys[at]]}
    return [dataclasses.replace(s, held_out=s.name in held_out) for s in scenes]


def count(hold_out: float, images: int) -> int:
    """How many of ``images`` are held out: at least one, and at least one is left to train on.

    ``hold_out`` is a fraction below 1, otherwise a number of images.

    Raises
    ------
    InputError
        If it is neither, or as many as there are images.
    """
    if images < 2:
        return 0
    if hold_out >= 1:
        if hold_out != int(hold_out):
            raise InputError(
                f"data.hold_out is {hold_out:g}: a share below 1 or a whole number was expected."
            )
        if hold_out >= images:
            raise InputError(
                f"data.hold_out is {hold_out:g}, but there are {images} images and at least one "
                "must be left to train on."
            )
        return int(hold_out)
    return min(max(1, round(hold_out * images)), images - 1)


def _same_scene(scene: Scene) -> object:
    return scene.cube.resolve() if isinstance(scene.cube, Path) else scene.name


def read(path: Path) -> dict[str, bool]:
    """Names and whether they are held out, from ``train NAME`` and ``held-out NAME`` lines.

    Raises
    ------
    FileError
        If the file cannot be read, or a line is neither.
    """
    named: dict[str, bool] = {}
    for number, line in enumerate(_lines(path), 1):
        hit = _LINE.fullmatch(line)
        if hit is None:
            raise FileError(
                path, f"line {number} is {line!r}; 'train NAME' or 'held-out NAME' was expected"
            )
        name, held_out = hit[2].strip(), hit[1].lower() != "train"
        if named.setdefault(name, held_out) != held_out:
            raise FileError(path, f"{name} is both in training and held out")
    return named


def split_text(named: Iterable[tuple[str, bool]]) -> str:
    """The text that :func:`read` reads: one line per image, training images first."""
    ordered = sorted(named, key=lambda entry: (entry[1], entry[0]))
    return "".join(f"{'held-out' if out else 'train'} {name}\n" for name, out in ordered)


def write(named: Iterable[tuple[str, bool]], path: Path) -> None:
    """Write :func:`split_text` to a file, whole or not at all."""
    write_text(path, split_text(named))


def _lines(path: Path) -> list[str]:
    with translated(path, "the split file cannot be read"):
        text = limits.content(path).decode("utf-8-sig")
    lines = (line.split("#", 1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _by_file(scenes: list[Scene], path: Path) -> list[Scene]:
    named, others = _named(path)
    by_name = {s.name: s.name for s in scenes}
    for scene in scenes:  # users may write the file's name, with or without its suffix
        for source in (scene.cube, scene.rgb):
            if isinstance(source, Path):
                for written in (source.name, source.stem, pairing.key_of(source.stem)):
                    by_name.setdefault(written, scene.name)
    held_out: dict[str, bool] = {}
    for name, out in named.items():
        found = by_name.get(name) or by_name.get(pairing.key_of(Path(name).stem))
        if found is None:
            hint = did_you_mean(name, by_name)
            raise FileError(path, f"it names {name}, which is not among the images{hint}")
        held_out[found] = out
    result = []
    for scene in scenes:
        listed = held_out.get(scene.name, others)
        if listed is None and not scene.problem:
            scene = dataclasses.replace(scene, problem=_NOT_LISTED)
        result.append(dataclasses.replace(scene, held_out=bool(listed)))
    return result


def _named(path: Path) -> tuple[dict[str, bool], bool | None]:
    """What a split file says, and whether all other images are held out (None: left out).

    A plain list names the held-out images, or the training images if the file's name begins with
    ``train``; of the two lists of an NTIRE challenge both are read.
    """
    if path.is_dir():
        path = path / _LISTS[0]
    lines = _lines(path)
    if not lines:
        raise FileError(path, "the split file names no image")
    if all(_LINE.fullmatch(line) for line in lines):
        return read(path), None
    if any(_LINE.fullmatch(line) for line in lines):
        read(path)  # says which line is wrong
    if path.name in _LISTS and all((path.parent / name).is_file() for name in _LISTS):
        train, held_out = (_lines(path.parent / name) for name in _LISTS)
        return dict.fromkeys(train, False) | dict.fromkeys(held_out, True), None
    out = not path.name.lower().startswith("train")
    return dict.fromkeys(lines, out), not out
