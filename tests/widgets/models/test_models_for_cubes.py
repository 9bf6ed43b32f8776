"""A network that makes the pixels of cubes finer: imported anywhere, offered for cubes alone."""

from __future__ import annotations

from html import unescape

import pytest
import torch

from napari_hsr.models import DEFAULT, card_of
from napari_hsr.models.architectures.coarsr import CoarSR
from napari_hsr.models.card import CUBE, DETAIL_ESTIMATED, ILL_POSED, SUPER_RESOLUTION
from napari_hsr.models.checkpoint_import import import_checkpoint
from napari_hsr.widgets.common.choosers import EncodingChooser
from napari_hsr.widgets.models.card_view import CardView
from napari_hsr.widgets.models.import_checkpoint import ImportDialog
from napari_hsr.widgets.models.model_chooser import ModelChooser
from napari_hsr.widgets.models.model_section import ModelSection


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    torch.save({"epoch": 3, "model": CoarSR(4, 4, 1).state_dict()}, tmp_path / "coarse.pth")
    return tmp_path / "coarse.pth"


def names(chooser) -> list[str]:
    return [listing.name for listing in chooser._listings if listing.card is not None]


def test_the_dialog_asks_for_no_encoding_and_no_wavelengths(qtbot, checkpoint):
    dialog = ImportDialog()
    qtbot.addWidget(dialog)
    dialog.read(checkpoint)
    qtbot.waitUntil(lambda: not dialog.busy)
    form = dialog.form
    assert not form._form.isRowVisible(form.wavelengths)
    assert not form._form.isRowVisible(form.encoding)
    assert form._form.isRowVisible(form.licence)
    stated = form.answers().stated(form._checkpoint)
    assert not {"wavelengths", "input_encoding"} & stated.keys()
    assert form.answers().assumed(form._checkpoint) == []


def test_imported_for_photographs_it_is_not_offered_and_that_is_said(qtbot, checkpoint):
    section = ModelSection()
    qtbot.addWidget(section)
    model = import_checkpoint(checkpoint, "finer")
    with qtbot.waitSignal(section.imported):
        section._on_imported(model)
    assert "finer" not in names(section.chooser)
    assert section.chooser.name() == DEFAULT
    assert "use it in the Super-resolve panel" in section.message.text()


def test_a_list_for_cubes_offers_it_alone(qtbot, checkpoint):
    section = ModelSection(task=SUPER_RESOLUTION)
    qtbot.addWidget(section)
    before = names(section.chooser)
    section._on_imported(import_checkpoint(checkpoint, "finer"))
    assert names(section.chooser) == [*before, "finer"]
    assert section.chooser.name() == "finer"
    said = unescape(section.card.caution.text())
    assert DETAIL_ESTIMATED in said
    assert ILL_POSED not in said


def test_cubes_are_no_encoding_of_photographs(qtbot, checkpoint):
    import_checkpoint(checkpoint, "finer")
    assert card_of("finer").input_encoding == CUBE
    chooser = EncodingChooser()
    qtbot.addWidget(chooser)
    assert CUBE not in chooser.offered()
    assert "finer" not in names(_added(qtbot, ModelChooser()))
    _added(qtbot, CardView()).show_listing(None)


def _added(qtbot, widget):
    qtbot.addWidget(widget)
    return widget
