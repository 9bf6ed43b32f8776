"""How a training goes about it: the strategies, in front of all other settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.widgets.common.choosers import NarrowComboBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtWidgets import QWidget

STRATEGIES = {
    "auto": "automatic: what wins is kept",
    "adapter": "adapter: a map of the output",
    "head": "head: first and last layers",
    "full": "full: all weights",
}
_IN_TURN = {
    "adapter": "the adapter (seconds on any computer)",
    "head": "the first and last layers",
    "full": "all weights",
}


class StrategyChooser(NarrowComboBox):
    """The strategies that a recipe takes."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._offered = list(STRATEGIES)
        self.offer(self._offered)

    def offer(self, strategies: Sequence[str]) -> None:
        """List these, without a signal; the chosen one stays if it is among them."""
        chosen, self._offered = self.strategy() if self.count() else "auto", list(strategies)
        row = self._offered.index(chosen) if chosen in self._offered else 0
        self.set_choices([STRATEGIES[name] for name in self._offered], row)
        stages = [words for name, words in _IN_TURN.items() if name in self._offered]
        self.setToolTip(
            f"Automatic tries {', then '.join(stages)},\nas long as there is time. If nothing is "
            "better on the held-out images, no model is made."
        )

    def strategy(self) -> str:
        """The chosen one, as a recipe names it."""
        return self._offered[max(0, self.currentIndex())]

    def set_strategy(self, strategy: str) -> None:
        """Choose one of those that are offered."""
        self.setCurrentIndex(self._offered.index(strategy))
