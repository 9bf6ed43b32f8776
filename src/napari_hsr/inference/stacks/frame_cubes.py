"""The cubes of a stack of photographs: each computed when it is asked for, and kept within a bound.

A per-pixel model fills a frame at once, from few pixels of a large one; the chosen model follows.
:meth:`FrameCubes.look` computes nothing, so that no slider waits; the generators
:meth:`FrameCubes.events` do, in threads of whoever drives them, and :meth:`FrameCubes.cube` here.
"""

from __future__ import annotations

import math
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_hsr.byte_cache import ByteCache
from napari_hsr.cube import Cube
from napari_hsr.errors import Cancelled, HSRError
from napari_hsr.inference.estimates.memory_use import available
from napari_hsr.inference.reconstruction import reconstruct_events
from napari_hsr.inference.stacks.direction import coming, step_between
from napari_hsr.inference.stacks.first_look import FirstLook, Passed
from napari_hsr.inference.stacks.frame_arrays import CubesArray, Enlarged, State
from napari_hsr.inference.stacks.placeholder import PLACEHOLDER, quick_cube, quick_model
from napari_hsr.inference.subpixel_grid import on_grid
from napari_hsr.io.stacks.files import FilesRead
from napari_hsr.models.library import load_model
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.progress import Progress, result_of, stop_if

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from os import PathLike

    from napari_hsr.cube import Wavelengths
    from napari_hsr.models.model import Model
    from napari_hsr.photograph_stack import PhotographStack

#: Pixels that a placeholder is computed of, at most about.
PLACEHOLDER_PIXELS = 40_000
#: What a cache takes unless it is told: this share of the free memory, and no more than this.
CACHE_SHARE, CACHE_BYTES = 0.25, 2 * 2**30
#: Frames computed ahead of the one on show while frames go by one after the other.
AHEAD = 8


class FrameCubes:
    """The cubes of all frames of a stack.

    Parameters
    ----------
    stack : PhotographStack
    model : Model, str or path
        The chosen model.
    placeholder : Model, str or None
        What fills a frame first; None for nothing. Left out where it cannot take the encoding or
        has other bands.
    cache_bytes : int, optional
        Bound of what is kept; by default a quarter of the free memory, up to 2 GiB. Two frames are
        kept in any case.
    **options
        Of :func:`napari_hsr.reconstruct`, for the chosen model.

    Raises
    ------
    HSRError
        If the model cannot be loaded.

    Attributes
    ----------
    computed : dict of (int, str) to int
        How often each frame was computed, by its number and ``"done"`` or ``"placeholder"``.
    cache : ByteCache
        What is kept, and how much at most.
    files : FilesRead
        Which files it was made from.
    on_ask : callable or None
        Called, in any thread, when a frame is looked at that has to be computed.
    """

    def __init__(
        self,
        stack: PhotographStack,
        model: Model | str | PathLike[str],
        *,
        placeholder: Model | str | None = PLACEHOLDER,
        cache_bytes: int | None = None,
        **options: Any,
    ):
        self.stack, self.options = stack, options
        self.model = on_grid(load_model(model), options.pop("finer", 1))
        frame = Photograph(np.zeros((1, 1, 3), stack.dtype), stack.encoding)
        self._quick = quick_model(placeholder, frame, self.model.wavelengths)
        if self.model.bands is None:
            raise ValueError("a model for photographs states its bands")
        self.bands = self.model.bands
        self.frame_bytes = 4 * math.prod(self.shape[-3:])
        wanted = min(CACHE_SHARE * available(), CACHE_BYTES) if cache_bytes is None else cache_bytes
        self.cache: ByteCache[np.ndarray] = ByteCache(max(int(wanted), 2 * self.frame_bytes))
        self._ahead = max(0, min(AHEAD, self.cache.limit // self.frame_bytes // 2 - 1))
        self.computed: dict[tuple[int, str], int] = {}
        self.on_ask: Callable[[], object] | None = None
        self._facts: dict[int, Cube] = {}
        self.files = FilesRead()
        self._shown: int | None = None
        self._given: tuple[int, State] | None = None
        self._going: tuple[int, ...] = ()
        self._news = threading.Condition()
        self._first = FirstLook(self._news, self._shows_nothing)
        self._computing = {State.PLACEHOLDER: threading.Lock(), State.DONE: threading.Lock()}

    # --- what it is ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """(…, bands, height, width)."""
        scale, stack = self.model.scale, self.stack
        return (*stack.lead, self.bands, stack.height * scale, stack.width * scale)

    @property
    def wavelengths(self) -> Wavelengths | None:
        """Band centres, the same for all frames."""
        return self.model.wavelengths

    @property
    def data(self) -> CubesArray:
        """All frames as one array, which a viewer can slice."""
        return CubesArray(self)

    @property
    def shown(self) -> tuple[int, ...]:
        """Index of the frame looked at last, of the first one before that."""
        return self._index(self._shown or 0)

    @property
    def given(self) -> tuple[tuple[int, ...], State] | None:
        """What :meth:`look` returned last: index of a frame, and what that was."""
        return None if self._given is None else (self._index(self._given[0]), self._given[1])

    def __len__(self) -> int:
        return len(self.stack)

    def __getitem__(self, index: tuple[int, ...] | int) -> Cube:
        """The cube of a frame, by the chosen model, as :meth:`cube`."""
        return self.cube(index)

    def state(self, index: tuple[int, ...] | int) -> State:
        """What is there of a frame; computes nothing."""
        return self._state(self.stack.number(index))

    def _state(self, number: int) -> State:
        if (number, State.DONE) in self.cache:
            return State.DONE
        if number in self.stack.failures:
            return State.FAILED
        held = (number, State.PLACEHOLDER) in self.cache
        return State.PLACEHOLDER if held else State.NOTHING

    def _shows_nothing(self) -> bool:
        return self._shown is not None and self._state(self._shown) is State.NOTHING

    def _index(self, number: int) -> tuple[int, ...]:
        return tuple(int(n) for n in np.unravel_index(number, self.stack.lead))

    def grow(self, stack: PhotographStack) -> None:
        """Take a stack that begins with the same frames."""
        self.stack = stack

    def keep(self, index: tuple[int, ...] | int, cube: Cube) -> None:
        """Take the cube of a frame that was computed elsewhere, by the chosen model."""
        self.files.note(self.stack, number := self.stack.number(index))
        self._put(number, State.DONE, cube)

    def forget_changed(self) -> None:
        """Forget the cubes of frames whose files are others by now than were read."""
        for number in self.files:
            self._forget_if_changed(number)

    def _forget_if_changed(self, number: int) -> None:
        if not self.files.changed(self.stack, number):
            return
        with self._news:
            self.cache.drop((number, State.DONE))
            self.cache.drop((number, State.PLACEHOLDER))
            self._facts.pop(number, None)
            self.stack.failures.pop(number, None)

    # --- looking, which never computes -----------------------------------------------------------

    def look(self, index: tuple[int, ...] | int, patience: float = 0.0) -> Any:
        """The cube of a frame, its placeholder, or NaN; and let it be computed next.

        Parameters
        ----------
        index : tuple of int, or int
        patience : float
            How many seconds to wait for the first that comes, where there is nothing yet.
        """
        number = self.stack.number(index)
        self._forget_if_changed(number)
        with self._news:
            if self._shown not in (None, number):
                self._going = step_between(self.shown, self._index(number))
            if number != self._shown:
                self._first.came()
            self._shown = number
            state = self._state(number)
        if state is not State.DONE or self._next(State.DONE) is not None:
            if self.on_ask is not None:
                self.on_ask()
            if state is State.NOTHING and patience:
                with self._news:
                    self._news.wait_for(lambda: self._state(number) != State.NOTHING, patience)
        found, state = self._at_hand(number)
        self._given = number, state
        return found

    def at_hand(self, index: tuple[int, ...] | int) -> Any:
        """What is there of a frame, as :meth:`look`; nothing is asked for."""
        return self._at_hand(self.stack.number(index))[0]

    def _at_hand(self, number: int) -> tuple[Any, State]:
        done = self.cache.get((number, State.DONE))
        if done is not None:
            return done, State.DONE
        failed = number in self.stack.failures
        few = self.cache.get((number, State.PLACEHOLDER))
        if few is not None and not failed:
            return Enlarged(few, self.shape[-2:]), State.PLACEHOLDER
        nothing = np.broadcast_to(np.float32(np.nan), self.shape[-3:])
        return nothing, State.FAILED if failed else State.NOTHING

    def cube_at_hand(self, index: tuple[int, ...] | int) -> Cube:
        """What is there of a frame as a cube; a notice says if it is a placeholder or missing."""
        number = self.stack.number(index)
        data, state = self.at_hand(index), self._state(number)
        facts = self._facts.get(number)
        if state is State.DONE and facts is not None:
            return facts.replace(data=data, _value_range=facts.value_range)
        text = {
            State.FAILED: self.stack.failures.get(number, ""),
            State.PLACEHOLDER: f"{PLACEHOLDER} fills this frame until {self.model.name} is done.",
        }.get(state, "This frame is not computed yet: it is while its layer is shown.")
        code = Code.FRAME_FAILED if state is State.FAILED else Code.PLACEHOLDER
        return Cube(
            data,
            self.wavelengths,
            units=self.model.card.units,
            name=self.name_of(number),
            provenance=self.stack.provenance.with_step(text),
            notices=(Notice.warning(code, text),),
        )

    def name_of(self, number: int) -> str:
        """What the cube of a frame is called, which need not be computed for it."""
        digits = len(str(len(self)))
        return f"{self.stack.name} {number + 1:0{digits}d} {self.model.name}"

    # --- computing ---------------------------------------------------------------------------

    def cube(
        self,
        index: tuple[int, ...] | int,
        cancel: threading.Event | None = None,
        progress: Callable[[Progress], Any] | None = None,
    ) -> Cube:
        """The cube of a frame by the chosen model, computed here unless it is kept.

        Raises
        ------
        HSRError
            If the frame cannot be read, or not be reconstructed.
        Cancelled
            If ``cancel`` was set.
        """
        return result_of(self.cube_events(index, cancel), progress)

    def cube_events(
        self, index: tuple[int, ...] | int, cancel: threading.Event | None = None
    ) -> Iterator[Progress | Cube]:
        """The same as events: progress, then the cube."""
        return self._frame_events(self.stack.number(index), State.DONE, cancel)

    def events(
        self, kind: State = State.DONE, cancel: threading.Event | None = None
    ) -> Iterator[Progress]:
        """Compute what is looked at, and what will be next, until nothing is wanted.

        Parameters
        ----------
        kind : State
            ``State.PLACEHOLDER`` or ``State.DONE``: run one generator of each, in two threads.
        cancel : threading.Event, optional

        Yields
        ------
        Progress
            While frames are computed, and after each.

        Raises
        ------
        Cancelled
            If ``cancel`` was set.
        """
        with self._first.filling(kind):
            yield from self._wanted_events(kind, cancel)

    def _wanted_events(
        self, kind: State, cancel: threading.Event | None
    ) -> Generator[Progress, None, None]:
        while self.wants(kind):
            if kind is State.DONE:
                self._first.rest(lambda: bool(self._going), cancel)
            if (number := self._next(kind)) is None:
                return
            passed = Passed(self._first, partial(self._no_longer_wanted, number), cancel, kind)
            try:
                for event in self._frame_events(number, kind, passed):
                    if isinstance(event, Progress):
                        yield event
            except Cancelled:
                stop_if(cancel)  # else the user has gone on to another frame
            except HSRError as error:  # of this frame, which stays empty; the rest goes on
                self.stack.failures[number] = str(error)
            with self._news:
                self._news.notify_all()
            yield Progress(0, 0, f"Frame {number + 1} of {len(self)}")

    def wants(self, kind: State) -> bool:
        """Whether :meth:`events` of this kind would compute something."""
        return self._next(kind) is not None

    def _next(self, kind: State) -> int | None:
        """The frame to compute next: the one on show, then those that come after it."""
        with self._news:
            shown, going = self._shown, self._going
        if shown is None or (kind is State.PLACEHOLDER and self._quick is None):
            return None
        ahead = coming(self._index(shown), going, self.stack.lead, self._ahead)
        for number in (shown, *map(self.stack.number, ahead)):
            state = self._state(number)
            if state is State.NOTHING or (state is State.PLACEHOLDER and kind is State.DONE):
                return number
        return None

    def _no_longer_wanted(self, number: int) -> bool:
        """Whether the user has jumped away from a frame; of frames that go by, all are wanted."""
        with self._news:
            return number != self._shown and not self._going

    def _frame_events(
        self, number: int, kind: State, cancel: threading.Event | None
    ) -> Iterator[Progress | Cube]:
        """Compute one frame unless it is kept meanwhile; ends with its cube."""
        with self._computing[kind]:
            made = yield from self._made(number, kind, cancel)
        yield made  # once others may compute: whoever takes it may not ask for more

    def _made(
        self, number: int, kind: State, cancel: threading.Event | None
    ) -> Generator[Progress, None, Cube]:
        self._forget_if_changed(number)
        kept, facts = self.cache.get((number, State.DONE)), self._facts.get(number)
        if kept is not None and facts is not None:
            return facts.replace(data=kept, _value_range=facts.value_range)
        stop_if(cancel)
        self.files.note(self.stack, number)
        photograph = self.stack.photograph(self._index(number))
        if kind is State.PLACEHOLDER:
            stop_if(cancel)
            assert self._quick is not None  # as _next saw to
            device = self.options.get("device", "auto")
            cube = quick_cube(photograph, self._quick, PLACEHOLDER_PIXELS, device)
            self._put(number, kind, cube)
            return cube.replace(name=self.name_of(number))
        for event in reconstruct_events(photograph, self.model, **self.options, cancel=cancel):
            if not isinstance(event, Progress):
                self._put(number, kind, event.cube)
                return event.cube.replace(name=self.name_of(number))
            yield event
        raise AssertionError("long work ends with a result")

    def _put(self, number: int, kind: State, cube: Cube) -> None:
        values = np.asarray(cube.data)
        values.flags.writeable = False  # several look at it
        with self._news:
            self.computed[number, kind.value] = self.computed.get((number, kind.value), 0) + 1
            if kind is State.PLACEHOLDER and (number, State.DONE) in self.cache:
                return  # which was finished meanwhile
            self.cache.put((number, kind), values)
            if kind is State.DONE:
                self.cache.drop((number, State.PLACEHOLDER))
                nothing = np.broadcast_to(np.float32(0), values.shape)
                named = cube.replace(name=self.name_of(number))
                self._facts[number] = named.replace(data=nothing, _value_range=cube.value_range)
            self._news.notify_all()
