"""What a closed panel leaves to Python's garbage collector is collected at once."""

from __future__ import annotations

import gc

from qtpy.QtCore import QTimer

#: Time after which napari has let go of a panel that was closed, in ms.
GONE_MS = 500

_due = False


def collect_soon() -> None:
    """Collect garbage on the main thread in a while, once for all panels that are closed until then.

    Widgets and their slots refer to each other, so that reference counts alone do not free them.
    The collector comes by itself, but late: tens of panels, some MB each, would be waiting by then,
    and it may come on another thread, where widgets must not be destroyed.
    """
    global _due
    if not _due:
        _due = True
        QTimer.singleShot(GONE_MS, _collect)


def _collect() -> None:
    global _due
    _due = False
    gc.collect()
