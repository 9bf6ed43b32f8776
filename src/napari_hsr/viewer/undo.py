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
#: What a step was, what takes it back, and whether that can be done: its layer is there.
Step = tuple[str, "Callable[[], object]", "Callable[[], bool]"]
#: Steps that are remembered.
MOST = 20
_STACKS: weakref.WeakKeyDictionary[Any, Undo] = weakref.WeakKeyDictionary()


class Undo:
    """Steps to take back, the last first.

    Events
    ------
    changed
        There may be another last step.
    """

    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=MOST)
        self.events = EmitterGroup(self, changed=None)

    def push(
        self, text: str, back: Callable[[], object], there: Callable[[], bool] = lambda: True
    ) -> Step:
        """Remember a step, which can be forgotten again by what is returned.

        Parameters
        ----------
        text : str
            What it was: ``"clear pins"``.
        back : callable
            Takes it back.
        there : callable
            Whether it can be: its layer is there. Both must hold layers by weak references alone.
        """
        step = text, back, there
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
        """What :meth:`undo` would take back, the last step that can be; empty if there is none."""
        return next((text for text, _, there in reversed(self._steps) if there()), "")

    def _on_layers(self, _event: Any = None) -> None:
        """The last step may be one no longer that can be undone: it is another then, and told."""
        self.events.changed()

    @contextmanager
    def as_one(self, text: str) -> Iterator[None]:
        """What is pushed inside is one step, which is taken back where its first part can be."""
        before, self._steps = self._steps, deque()
        try:
            yield
        finally:
            parts, self._steps = [*self._steps], before

        def back() -> None:
            for _, part, there in parts:
                if there():
                    part()

        if parts:
            self.push(text, back, parts[0][2])

    def undo(self) -> str:
        """Take :meth:`last` back, and say what it was; empty if there was none."""
        while self._steps:
            text, back, there = self._steps.pop()
            if there():
                back()
                self.events.changed()
                return text
        self.events.changed()
        return ""


def undo_of(viewer: Any) -> Undo:
    """The stack of a viewer."""
    viewer = unwrapped(viewer)
    if viewer not in _STACKS:
        stack = _STACKS[viewer] = Undo()
        for event in (viewer.layers.events.removed, viewer.layers.events.inserted):
            event.connect(stack._on_layers)
    return _STACKS[viewer]


def push_added(viewer: Any, layer: Layer) -> None:
    """Remember that a layer was added, until the user paints on it."""
    of, found = weakref.ref(unwrapped(viewer)), _finding(viewer, layer)

    def back() -> None:
        own = of()
        if own is not None:
            own.layers.remove(found())

    step = undo_of(viewer).push(f"add {layer.name}", back, lambda: found() is not None)

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
    It cannot be taken back once the layer has values of another shape, which they would not fit.
    """
    found = _finding(viewer, layer)
    shape = None if "data" in attributes else _shape(layer)
    before = {name: _copied(getattr(layer, name)) for name in attributes}

    def back() -> None:
        one = found()
        now = {name: _copied(getattr(one, name)) for name in before}
        for name, value in join(before, now).items():
            setattr(one, name, value)

    def there() -> bool:
        one = found()
        return one is not None and (shape is None or _shape(one) == shape)

    yield
    stack = undo_of(viewer)
    stack.push(text, back, there)
    if shape is not None:
        layer.events.data.connect(stack._on_layers)


def _shape(layer: Layer) -> tuple[int, ...] | None:
    """Of an image; other layers hold lists of things, of any number."""
    return getattr(layer.data, "shape", None) if hasattr(layer, "rgb") else None


def _finding(viewer: Any, layer: Layer) -> Callable[[], Any]:
    """What gives the layer as long as it is in the viewer, None afterwards; neither is kept alive."""
    of, known = weakref.ref(unwrapped(viewer)), weakref.ref(unwrapped(layer))

    def found() -> Any:
        own, one = of(), known()
        return one if own is not None and one is not None and one in own.layers else None

    return found


def _copied(value: Any) -> Any:
    return value.copy() if hasattr(value, "copy") else value
