"""Where a result is kept: in memory, or on disk in a zarr store, and by which tiles it gets there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import __version__
from napari_hsr.errors import InputError
from napari_hsr.inference.tiles.on_disk import OnDisk
from napari_hsr.inference.tiles.outputs import InMemory
from napari_hsr.inference.tiles.tiling import overlaps, plan
from napari_hsr.io.lazy import LazyArray, too_big
from napari_hsr.io.masked import Masked
from napari_hsr.io.zarr.in_parts import ZarrInParts
from napari_hsr.io.zarr.unfinished_store import begun
from napari_hsr.notices import Code, Notice
from napari_hsr.resample.resize import new_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

    from napari_hsr.cube import Cube
    from napari_hsr.inference.run_plan import RunPlan
    from napari_hsr.inference.tiles.outputs import Output
    from napari_hsr.models.model import Model
    from napari_hsr.resample import Kind

#: Shards are of whole multiples of this, in input pixels, so that they can be halved for the pyramid.
STEP = 64
#: A side of tiles, in pixels, that a store may name at least.
_LEAST = 16
#: Side of the shards where windows are blended, in output pixels.
BLENDED_SHARD = 1024
#: Of an input that is larger, or on disk, blocks are looked at in place of all values.
HASHED_BYTES = 2**30
#: Number of these blocks along each side, and their side in pixels.
_BLOCKS, _BLOCK = 8, 32


class Memory:
    """A whole cube in memory as the place of a result.

    Parameters
    ----------
    shape : (int, int, int)
    instead : str
        What to do where it is too large, for the sentence.
    """

    notices: tuple[Notice, ...] = ()

    def __init__(self, shape: tuple[int, int, int], instead: str):
        self.data = new_output(shape, instead)
        #: The plan of the tiles that go there, once they do.
        self.run: RunPlan | None = None
        self._output: InMemory | None = None

    def aligned(self, run: RunPlan) -> RunPlan:
        """The plan as it is."""
        return run

    def output(self, run: RunPlan) -> Output:
        """Where the tiles of this plan go."""
        self.run, self._output = run, InMemory(self.data, run.model.scale)
        return self._output

    def finished_part(self) -> tuple[float, Any]:
        """How much is finished of a run that was stopped, 0 to 1, and that with NaN for the rest.

        In a large cube the rest is not written: that would take seconds, and all the memory that the
        run did not come to use.
        """
        if self._output is None or not self._output.begun:
            return 0.0, self.data
        covered = self._output.covered()
        share, rest = float(covered.mean()), ~covered
        if too_big(self.data.shape):
            return share, LazyArray(Masked(self.data, rest, bands=0), path="the result")
        for band in self.data:
            np.copyto(band, np.nan, where=rest)
        return share, self.data

    def keep(self, cube: Cube) -> Cube:
        """The cube as it is."""
        return cube

    def close(self) -> None:
        """Nothing is held."""


class Disk:
    """A zarr store as the place of a result.

    Parameters
    ----------
    path : Path
    like : Cube
        What the result will be; its values are not looked at.
    made_by : mapping
        What determines the result: see :func:`fingerprint`.
    tile : int or str
        As the user asked for it: an automatic one is that of the run that began the store.
    overwrite : bool
        Begin anew, whatever was begun.
    """

    def __init__(
        self, path: Path, like: Cube, made_by: Mapping[str, Any], tile: int | str, overwrite: bool
    ):
        self._path, self._like, self._made_by = path, like, made_by
        self._overwrite = overwrite
        before = None if overwrite or tile != "auto" else begun(path)
        sides = (before or {}).get("sides")
        self._sides = sides if isinstance(sides, list) and len(sides) == 2 else ()
        self._store: ZarrInParts | None = None
        self.notices: tuple[Notice, ...] = ()

    def aligned(self, run: RunPlan) -> RunPlan:
        """The plan with tiles that are shards, or with the windows of the run before."""
        whole = run.height, run.width
        sides = _sides(run)
        if self._sides and all(_is_side(*of) for of in zip(self._sides, whole, strict=True)):
            sides = self._sides[0], self._sides[1]
        tiles = plan(*whole, run.model, sides)
        return replace(run, tiles=tiles)

    def output(self, run: RunPlan) -> Output:
        """Where the tiles of this plan go, which :meth:`aligned` has made.

        Raises
        ------
        FileError
            If the store cannot be begun, or another run began it.
        """
        sides = _sides(run)
        shard = _shard(run, sides)
        facts = {**self._made_by, "sides": list(sides)}
        self._store = ZarrInParts(self._path, self._like, shard, facts, overwrite=self._overwrite)
        output = OnDisk(self._store, run)
        if output.earlier:
            text = (
                f"{output.earlier} of {len(run.tiles)} tiles had been finished by an earlier run, and "
                "were not computed again."
            )
            self.notices = (Notice.info(Code.RESUMED, text),)
        return output

    @property
    def data(self) -> Any:
        """The cube as it lies in the store, to be read in parts."""
        assert self._store is not None  # asked for after the run
        return self._store.view()

    def finished_part(self) -> tuple[float, Any]:
        """Nothing has to be handed over: the unfinished store keeps what is finished."""
        return 0.0, None

    def keep(self, cube: Cube) -> Cube:
        """Give the store its name, and the cube that reads it."""
        assert self._store is not None
        return self._store.finish(cube)

    def close(self) -> None:
        """Let another process go on with the store."""
        if self._store is not None:
            self._store.release()


def zarr_path(output: str | PathLike[str]) -> Path:
    """Where a result on disk goes.

    Raises
    ------
    InputError
        If it is no name of a zarr store.
    """
    path = Path(output).expanduser()
    if path.suffix.lower() != ".zarr":
        raise InputError(
            f"{path} cannot be written tile by tile: a zarr store can, whose name ends with .zarr."
        )
    return path


def fingerprint(model: Model | Kind, data: Any, **settings: Any) -> dict[str, Any]:
    """What determines the bytes of a result, for the store's comparison; its keys are for people.

    Parameters
    ----------
    model : Model or Kind
    data : array
        The photograph's, or the coarse cube's.
    **settings
        Whatever else does.
    """
    return {
        "model": model.name,
        "weights": getattr(model, "weights_sha256", ""),
        "card": getattr(model, "card_sha256", ""),
        "input": identity(data),
        "settings": settings,
        "version": __version__,
    }


def identity(data: Any) -> dict[str, Any]:
    """What an array is known by: its shape and type, and a hash.

    An array in memory is hashed whole. Of a larger one, or one on disk, 64 blocks of 32 x 32 pixels
    are, and what the array knows of its file: size and time of the last change.
    """
    digest = hashlib.sha256()
    if isinstance(data, np.ndarray) and data.nbytes <= HASHED_BYTES:
        digest.update(np.ascontiguousarray(data).data)
    else:
        for block in _blocks(data):
            digest.update(np.ascontiguousarray(data[block]).data)
    found: dict[str, Any] = {"shape": list(data.shape), "dtype": str(data.dtype)}
    found["sha256"] = digest.hexdigest()
    file = getattr(data, "file", None)
    return found | ({"file": file} if file is not None else {})


def _blocks(data: Any) -> Iterator[tuple[Any, ...]]:
    """Places of the blocks: of a photograph (height, width, 3), or a cube (bands, height, width)."""
    photograph = data.shape[-1] == 3
    height, width = data.shape[:2] if photograph else data.shape[1:]
    for i in range(_BLOCKS):
        for j in range(_BLOCKS):
            top, left = i * height // _BLOCKS, j * width // _BLOCKS
            at = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            yield at if photograph else (slice(None), *at)


def _is_side(side: Any, whole: int) -> bool:
    """Whether a run could have chosen tiles of that side, whatever its store says."""
    return isinstance(side, int) and min(_LEAST, whole) <= side < 2 * max(whole, STEP)


def _sides(run: RunPlan) -> tuple[int, int]:
    """Height and width of the tiles of a plan, in multiples of :data:`STEP` where they are many."""
    tile = run.tiles[0]
    rows, columns = tile.rows.write, tile.columns.write
    sides = rows.stop - rows.start, columns.stop - columns.start
    if overlaps(run.model):
        return sides
    height, width = (
        -(-side // STEP) * STEP if side >= whole else side // STEP * STEP if side > STEP else side
        for side, whole in zip(sides, (run.height, run.width), strict=True)
    )
    return height, width


def _shard(run: RunPlan, sides: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the shards, in output pixels."""
    if not overlaps(run.model):
        return sides[0] * run.model.scale, sides[1] * run.model.scale
    height, width = (min(BLENDED_SHARD, -(-n // STEP) * STEP) for n in run.output_shape[1:])
    return height, width
