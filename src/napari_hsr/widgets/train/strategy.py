"""The training strategies to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_hsr.widgets.common.choosers import NarrowComboBox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtWidgets import QWidget

STRATEGIES = {
    "auto": "automatic: keep the best",
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
        self.offer_strategies(STRATEGIES)

    def offer_strategies(self, strategies: Iterable[str]) -> None:
        """List these, without a signal; the chosen one stays if it is among them."""
        offered = {name: STRATEGIES[name] for name in strategies}
        self.offer(offered, self.value() if self.value() in offered else next(iter(offered)))
        stages = [words for name, words in _IN_TURN.items() if name in offered]
        self.setToolTip(
            f"Automatic tries {', then '.join(stages)},\nas long as there is time. If nothing is "
            "better on the held-out images, no model is made."
        )
