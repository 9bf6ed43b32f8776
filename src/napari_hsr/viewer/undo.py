"""What this plugin did to a viewer and can take back: one small stack a viewer."""

from __future__ import annotations

import weakref
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari.utils.events import EmitterGroup

from napari_hsr.viewer.layer_data import unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.layers import Layer

#: Attributes of a layer, by name.
State = dict[str, Any]
#: What a step was, and what takes it back.
Step = tuple[str, "Callable[[], bool]"]
#: Steps that are remembered.
MOST = 20
_STACKS: weakref.WeakKeyDictionary[Any, Undo] = weakref.WeakKeyDictionary()


class Undo:
    """Steps to take back, the last first.

    Events
    ------
    changed
        There is another last step.
    """

    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=MOST)
        self.events = EmitterGroup(self, changed=None)

    def push(self, text: str, back: Callable[[], bool]) -> Step:
        """Remember a step, which can be forgotten again by what is returned.

        Parameters
        ----------
        text : str
            What it was: ``"clear pins"``.
        back : callable
            Takes it back, and says whether there was anything to take back any more. It must hold
            layers by weak references alone.
        """
        step = text, back
        self._steps.append(step)
        self.events.changed()
        return step

    def forget(self, step: Step) -> None:
        """What came since would be lost with it."""
        if step in self._steps:
            self._steps.remove(step)
            self.events.changed()

    def forget_last(self) -> None:
        """What was done last is nothing that the user takes back."""
        self._steps.pop()
        self.events.changed()

    def last(self) -> str:
        """What the last step was; empty if there is none."""
        return self._steps[-1][0] if self._steps else ""

    @contextmanager
    def as_one(self, text: str) -> Iterator[None]:
        """What is pushed inside is one step, which is taken back where its first part can be."""
        before, self._steps = self._steps, deque()
        try:
            yield
        finally:
            parts, self._steps = [back for _, back in self._steps], before

        def back() -> bool:
            done = parts[0]()
            for part in parts[1:] if done else ():
                part()
            return done

        if parts:
            self.push(text, back)

    def undo(self) -> str:
        """Take the last step back that still can be, and say what it was; empty if there was none."""
        done = ""
        while self._steps and not done:
            text, back = self._steps.pop()
            done = text if back() else ""
        self.events.changed()
        return done


def undo_of(viewer: Any) -> Undo:
    """The stack of a viewer."""
    viewer = unwrapped(viewer)
    if viewer not in _STACKS:
        _STACKS[viewer] = Undo()
    return _STACKS[viewer]


def push_added(viewer: Any, layer: Layer) -> None:
    """Remember that a layer was added, until the user paints on it."""
    of, added = weakref.ref(unwrapped(viewer)), weakref.ref(unwrapped(layer))

    def back() -> bool:
        own, one = of(), added()
        if own is None or one is None or one not in own.layers:
            return False
        own.layers.remove(one)
        return True

    step = undo_of(viewer).push(f"add {layer.name}", back)

    def painted(_event: Any) -> None:
        own = of()
        if own is not None:
            undo_of(own).forget(step)

    from napari.layers import Labels

    if isinstance(layer, Labels):
        layer.events.paint.connect(painted)


@contextmanager
def changing(
    viewer: Any,
    layer: Layer,
    text: str,
    attributes: tuple[str, ...],
    join: Callable[[State, State], State] = lambda before, _now: before,
) -> Iterator[None]:
    """Remember these attributes of a layer as they were before what is done inside, if it works.

    What they are given when it is taken back is ``join(before, now)``, by default what they were.
    """
    of, changed = weakref.ref(unwrapped(viewer)), weakref.ref(unwrapped(layer))
    before = {name: _copied(getattr(layer, name)) for name in attributes}

    def back() -> bool:
        own, one = of(), changed()
        if own is None or one is None or one not in own.layers:
            return False
        now = {name: _copied(getattr(one, name)) for name in before}
        for name, value in join(before, now).items():
            setattr(one, name, value)
        return True

    yield
    undo_of(viewer).push(text, back)


def _copied(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value
