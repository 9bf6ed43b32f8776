"""Films, through PyAV (FFmpeg): any frame, without decoding all before it."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr import photograph as encodings
from napari_hsr.byte_cache import ByteCache
from napari_hsr.errors import FileError
from napari_hsr.io import helper_process, limits
from napari_hsr.io.library_errors import translated
from napari_hsr.io.stacks.film_damage import (
    ONLY_SAYS,
    STRICT,
    STRICT_OF,
    Sound,
    complaints,
    time_of,
)
from napari_hsr.io.stacks.pages import KEPT_BYTES, even_step
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.photograph_stack import PhotographStack, StackAxis
from napari_hsr.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAMAGED = "the film is damaged, or no film"
_NO_PICTURES = "it holds no pictures, only sound or text"
#: FFmpeg would also open playlists that lead to other files, and take names for addresses.
_ONLY_FILMS = {
    "protocol_whitelist": "file",
    "format_whitelist": "avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
}
#: Transfer curves of high dynamic range: PQ and HLG.
_HDR = {16: "PQ", 18: "HLG"}
#: FFmpeg's numbers of the two matrices from luma and chroma to RGB, and of "not stated".
_BT709, _BT601, _UNSPECIFIED = 1, 5, 2
#: Frames up to which going on costs less than looking for the last whole picture.
_NEAR = 8


class FilmFrames:
    """Frames of a film, decoded by FFmpeg in a process of its own.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path):
        _check_library(path)
        self.path = path
        #: What the film states: width, height, seconds of a unit of time, transfer curve, codec.
        self.stated, times = helper_process.call(helper_process.FILM, stated, path)
        #: Of the frames, ascending, in units of the stream's time base.
        self.times = [] if times is None else times.tolist()
        # a viewer's slice, a placeholder and a model ask for the same frame one after the other
        self._last: tuple[int, np.ndarray] | None = None
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return len(self.times)

    def read(self, number: int) -> Photograph:
        """One frame, turned upright."""
        with self._reading:
            if self._last is None or self._last[0] != number:
                _, read = helper_process.call(helper_process.FILM, decode, self.path, number)
                assert read is not None  # decode gives them, or refuses the file
                read.flags.writeable = False  # several look at it
                self._last = number, read
            values = self._last[1]
        return Photograph(values, name=f"{self.path.stem} {number + 1}", metadata={"bit_depth": 8})


def stated(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    """What a film states, and the times of its frames; called in a process of its own."""
    film = _opened_once(path)
    stream: Any = film.stream
    with translated(path, _DAMAGED):
        facts = {
            "width": int(stream.width),
            "height": int(stream.height),
            "unit": float(stream.time_base),
            "curve": int(stream.codec_context.color_trc or 0),
            "codec": stream.codec_context.name,
            "frames": int(stream.frames),  # 0 if it does not say
            "cut": film.ends_too_early(),
        }
    limits.check_room(
        path,
        3 * facts["width"] * facts["height"],
        f"a frame ({facts['width']} x {facts['height']} pixels)",
    )
    return facts, np.array(film.times, dtype=np.int64)


def decode(path: Path, number: int) -> tuple[None, np.ndarray]:
    """A frame of a film, counted from 0; called in a process of its own."""
    return None, _opened_once(path).read(number)


def _opened_once(path: Path) -> _Film:
    state = path.stat()
    return _opened(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=2)
def _opened(path: Path, _size: int, _time: int) -> _Film:
    """The films opened last, so that a run over their frames opens each once."""
    return _Film(path)


class _Decoded:
    """A picture as FFmpeg decoded it: to make RGB of it takes longer, so only what is asked for is."""

    def __init__(self, picture: Any):
        self.picture = picture
        self.nbytes = sum(plane.buffer_size for plane in picture.planes)


class _Film:
    """An open film; frames that were decoded on the way to another one are kept for a while."""

    def __init__(self, path: Path):
        import av

        self._path = path
        self._kept: ByteCache[_Decoded] = ByteCache(KEPT_BYTES)
        self._pictures: Iterator[tuple[int, Any, bool]] | None = None
        self._next = -1
        with translated(path, _DAMAGED):
            self._container = av.open(f"file:{path}", options=_ONLY_FILMS)
            found = self._container.streams.video
            self.stream: Any = found[0] if found else None
            if self.stream is not None:
                context = self.stream.codec_context
                context.options = STRICT_OF.get(context.name, STRICT)
        if self.stream is None:
            # the list of what a film holds stands at its end, as a rule
            cut = not any(one.type in ("audio", "subtitle") for one in self._container.streams)
            told = f"{_DAMAGED}: it ends too early" if cut else _NO_PICTURES
            raise FileError(path, told)
        with translated(path, _DAMAGED):
            self._frames = int(self.stream.frames)  # 0 if it does not say
            self._packets, self._last_is_cut = 0, False
            times: set[int | None] = set()
            wholes: dict[int, int] = {}
            for packet in self._container.demux(self.stream):
                if packet.size and not packet.is_discard:
                    times.add(time_of(packet))
                    if packet.is_keyframe and (time := time_of(packet)) is not None:
                        wholes[time] = time if packet.dts is None else int(packet.dts)
                if packet.size or packet.dts is not None:  # else it only empties the decoder
                    self._packets += 1
                    self._last_is_cut = packet.is_corrupt
        self.times = sorted(t for t in times if t is not None)
        if not self.times:
            raise FileError(path, "it holds no frame")
        #: Times of the whole pictures, ascending, and where the file is entered for each: by the order of decoding.
        self._wholes = sorted(wholes.items())
        #: AVI says when pictures are decoded, not when they are shown: they are counted as they come.
        self._counted = self._container.format.name == "avi" and bool(
            self.stream.codec_context.has_b_frames
        )

    def ends_too_early(self) -> bool:
        """Whether fewer frames are there than it states, or only a part of the last."""
        return self._last_is_cut or self._frames > self._packets

    def read(self, number: int) -> np.ndarray:
        """One frame, turned upright."""
        about = f"frame {number + 1} of {len(self.times)} cannot be decoded, or builds on one that cannot"
        found = self._kept.get(number) or self._decoded(number, about)
        with translated(self._path, about):
            return _as_rgb(found.picture)

    def _decoded(self, number: int, about: str) -> _Decoded:
        wanted = self.times[number]
        with translated(self._path, about):
            near = self._counted or number <= self._next + _NEAR
            if self._pictures is None or number < self._next or not near:
                self._pictures = self._entered(wanted)
            for time, picture, sound in self._pictures:
                at = bisect_left(self.times, time)
                self._next = at + 1
                if sound and time <= wanted:
                    self._kept.put(at, _Decoded(picture))
                if time >= wanted:
                    break
            else:
                self._pictures = None
        found = self._kept.get(number)
        if found is None:
            raise FileError(self._path, about)
        return found

    def _entered(self, wanted: int) -> Iterator[tuple[int, Any, bool]]:
        """Pictures, their times and whether they are sound, from a whole one on that is not shown after the wanted one."""
        # containers look for what is decoded by then, and the whole picture found may be shown later
        shown = bisect_right(self._wholes, wanted, key=itemgetter(0))
        at = 0 if self._counted else max(shown - 1, 0)
        place = self._wholes[at][1] if self._wholes else self.times[0]
        self._container.seek(place, stream=self.stream, backward=True)
        return self._by_count() if self._counted else self._from_here()

    def _by_count(self) -> Iterator[tuple[int, Any, bool]]:
        """All pictures in the order in which the decoder gives them, which is that of showing."""
        number = 0
        for time, picture, sound in self._from_here():
            if picture.key_frame:  # those before it that cannot be decoded have their numbers
                number = max(number, bisect_left(self.times, time))
            if number < len(self.times):
                yield self.times[number], picture, sound
            number += 1

    def _from_here(self) -> Iterator[tuple[int, Any, bool]]:
        """Pictures from where the file stands on; what cannot be decoded is passed over.

        What is built on such a picture is not sound, up to the next whole one.
        """
        import av

        broken = av.error.InvalidDataError
        sound = Sound(self._wholes, self._counted)
        for packet in self._container.demux(self.stream):
            try:
                pictures, complaint = self._decode(packet)
            except broken:
                sound.lost()
                continue
            if complaint:
                sound.lost()
            elif packet.size:
                sound.decoded(packet)
            for picture in pictures:
                time = time_of(picture)
                if time is not None:
                    yield time, picture, sound.shows(picture, time)

    def _decode(self, packet: Any) -> tuple[list[Any], bool]:
        """The pictures that come of a packet, and whether the decoder complains of it."""
        if self.stream.codec_context.name != ONLY_SAYS:
            return packet.decode(), False
        with complaints() as said:
            pictures = packet.decode()
        return pictures, bool(said)


def read(path: Path) -> PhotographStack:
    """A film as a stack over time.

    Raises
    ------
    FileError
        If it is damaged, has no frame, or PyAV is not installed.
    """
    frames = FilmFrames(path)
    first = next(_first(frames))
    seconds = frames.stated["unit"] * np.diff(frames.times)
    step, uneven = even_step(seconds)
    notices = [*uneven]
    if frames.stated["cut"]:
        lacking = frames.stated["frames"] > len(frames)
        how = f"of {frames.stated['frames']} that it states" if lacking else "the last not whole"
        told = f"The film is damaged or cut short: frames found: {len(frames)}, {how}."
        notices.append(Notice.warning(Code.MAYBE_DAMAGED, told))
    curve = _HDR.get(frames.stated["curve"])
    if curve:
        told = (
            f"The film is in high dynamic range ({curve}), which is none of the known encodings: "
            "convert it to standard range, or state what its values are."
        )
        notices.append(Notice.warning(Code.ENCODING_UNKNOWN, told))
    else:
        told = "The frames of the film were taken as sRGB: films state no more of their colours."
        notices.append(Notice.info(Code.ENCODING_ASSUMED, told))
    return PhotographStack(
        frames,
        (StackAxis("time", len(frames), step, 0.0, "second"),),
        first.height,
        first.width,
        np.uint8,
        None if curve else encodings.SRGB,
        path.stem,
        Provenance(input=path.name),
        tuple(notices),
        {"codec": frames.stated["codec"]},
    )


def _first(frames: FilmFrames) -> Iterator[Photograph]:
    """The frames that can be decoded, from the beginning; the fault of the last if there is none."""
    for number in range(len(frames)):
        try:
            yield frames.read(number)
        except FileError:
            if number == len(frames) - 1:
                raise


def _as_rgb(picture: Any) -> np.ndarray:
    """(height, width, 3) uint8, upright, by the matrix that the film states or its size implies."""
    stated = int(picture.colorspace)
    implied = _BT709 if picture.height >= 720 else _BT601
    source = implied if stated == _UNSPECIFIED else stated
    values = picture.reformat(format="rgb24", src_colorspace=source).to_ndarray()
    return np.ascontiguousarray(np.rot90(values, getattr(picture, "rotation", 0) // 90))


def _check_library(path: Path) -> None:
    try:
        import av  # noqa: F401 - its own process calls it
    except ImportError as error:
        raise FileError(
            path, 'this is a film; to read it, pip install "napari-hsr[film]"'
        ) from error
