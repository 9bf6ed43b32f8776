"""The models that a panel has loaded, so that going back to one does not load it again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_hsr.models import ModelCard
    from napari_hsr.models.model import Model

#: How many are kept: the one in use, and the one before.
KEPT = 2


class LoadedModels:
    """The models last used, each as its card is now: another hash or other facts load it anew.

    Any thread may ask; one loads at a time.
    """

    def __init__(self) -> None:
        self._open = True
        self._lock = threading.RLock()
        self._models: list[tuple[ModelCard, Model]] = []

    def load(self, name: str) -> Model:
        """The model of that name; HSRError if it cannot be loaded."""
        from napari_hsr import models

        with self._lock:
            card = models.card_of(name)
            for known, model in self._models:
                if known == card:
                    self.put(model)
                    return model
            model = models.load_model(name)
            self.put(model)
            return model

    def put(self, model: Model) -> None:
        """Keep a model that is loaded already; the one that was not used for longest goes."""
        with self._lock:
            others = [(c, m) for c, m in self._models if c.name != model.card.name]
            self._models = [(model.card, model), *others][:KEPT]
            if not self._open:
                self._models = []

    def close(self) -> None:
        """Let all go, and keep none from now on."""
        self._open = False  # a thread that is loading sees it when it is done
        self._models = []

    def reopen(self) -> None:
        """Keep models again."""
        self._open = True
