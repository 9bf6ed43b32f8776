"""The box that lets a run replace files that are there: ticked for one run, and kept nowhere."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox

from napari_hsr.widgets.common.control_settings import for_one_run

_TEXT = "Replace files that are there"
#: Said where a file kept its name.
MAY_REPLACE = f"“{_TEXT}” lets the next run replace what is there."


def replace_box() -> QCheckBox:
    """Unticked, and never set by a session: it may cost a file that nobody thought of."""
    box = QCheckBox(_TEXT)
    box.setToolTip("Files under the names of results, whoever made them, in the next run alone")
    for_one_run(box)
    return box
