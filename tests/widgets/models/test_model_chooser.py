"""The list of models, and the networks without weights, kept up to date."""

from __future__ import annotations

import re
from html import unescape

import pytest
import torch
from qtpy.QtCore import Qt

from napari_hsr.models import DEFAULT, import_checkpoint, list_models, user_models
from napari_hsr.models.architectures.restormer import Restormer
from napari_hsr.models.card import RECONSTRUCTION, SUPER_RESOLUTION
from napari_hsr.models.published_weights import ENTRIES
from napari_hsr.models.registry import ARCHITECTURES
from napari_hsr.training.recipe.yaml_io import read_recipe
from napari_hsr.widgets.common.choosers import EncodingChooser
from napari_hsr.widgets.common.models_changed import models_changed
from napari_hsr.widgets.models.card_view import CardView, as_html
from napari_hsr.widgets.models.import_checkpoint import ImportDialog
from napari_hsr.widgets.models.model_chooser import ModelChooser, MoreNetworks

SMALL = {"width": 8, "depths": (1, 1, 1, 1, 1), "hidden": (10, 21, 42, 85)}


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    torch.save(Restormer(**SMALL).state_dict(), tmp_path / "net.pth")
    return tmp_path / "net.pth"


@pytest.fixture
def chooser(qtbot):
    chooser = ModelChooser()
    qtbot.addWidget(chooser)
    return chooser


@pytest.fixture
def more(qtbot):
    more = MoreNetworks(RECONSTRUCTION)
    qtbot.addWidget(more)
    more.fill()
    return more


def test_models_at_hand_have_one_bold_line_each_and_what_tells_them_apart_in_their_tool_tips(
    chooser, qtbot
):
    assert chooser.name() == DEFAULT
    cards = _at_hand()
    texts = [chooser.itemText(row) for row in range(chooser.count())]
    assert texts == [card.title for card in cards]
    for row in range(chooser.count()):
        assert chooser.itemData(row, Qt.ItemDataRole.FontRole).bold()
    chooser.showPopup()
    tip = chooser.itemData(0, Qt.ItemDataRole.ToolTipRole)
    chooser.hidePopup()
    assert "weights" in tip
    assert "any photograph" in tip
    assert "31 bands" in tip
    assert cards[0].licence not in tip  # the card below the list has the rest
    with qtbot.waitSignal(chooser.changed, check_params_cb=lambda card: card.name == cards[1].name):
        chooser.set_name(cards[1].name)
    chooser.refresh()
    assert chooser.name() == cards[1].name
    with pytest.raises(ValueError, match="not in list"):
        chooser.set_name(ENTRIES[0].name)


def _at_hand():
    """Of the models that make cubes of photographs."""
    return [card for card in list_models() if card.task == RECONSTRUCTION]


def _reconstructing():
    return [entry for entry in ENTRIES if entry.task == RECONSTRUCTION]


def test_where_training_is_offered_it_is_possible():
    """Every network that the list says can be trained has a recipe's name."""
    for entry in _reconstructing():
        architecture = next(a for a in ARCHITECTURES if a.id == entry.architecture)
        assert architecture.published


@pytest.mark.parametrize("task", [RECONSTRUCTION, SUPER_RESOLUTION])
def test_each_network_without_weights_is_said_to_be_trained_by_a_recipe_that_there_is(qtbot, task):
    more = MoreNetworks(task)
    qtbot.addWidget(more)
    more.fill()
    assert more.menu().actions()
    for action in more.menu().actions():
        recipe = re.search(r"napari-hsr train (\S+)", plain(action.toolTip()))[1].split("<")[0]
        assert read_recipe(recipe).model.architecture == recipe.removesuffix("-paper")


def plain(tip: str) -> str:
    return unescape(tip).replace("\u200b", "")


@pytest.mark.parametrize("published", [True, False])
def test_who_clicks_one_is_told_how_it_is_trained(qtbot, published):
    entry = next(e for e in _reconstructing() if e.published is published)
    dialog = ImportDialog(entry=entry)
    qtbot.addWidget(dialog)
    command = f"napari-hsr train {entry.architecture}-paper --data FOLDER"
    assert (
        f"or train one on your own images, by the command line: {command}."
        in dialog.introduction.text()
    )


def test_networks_without_weights_are_behind_a_button(more, chooser):
    actions = more.menu().actions()
    assert [a.text() for a in actions] == [entry.title for entry in _reconstructing()]
    for action, entry in zip(actions, _reconstructing(), strict=True):
        tip = plain(action.toolTip())
        assert "Weights are not here: import a checkpoint… or train one" in tip
        assert entry.page in tip
    assert chooser.findText(actions[0].text()) == -1


def test_one_that_is_chosen_asks_for_its_weights(more, qtbot):
    with qtbot.waitSignal(more.wanted, check_params_cb=lambda entry: entry == ENTRIES[2]):
        more.menu().actions()[2].trigger()


def test_an_imported_model_is_in_every_list_at_once(chooser, qtbot, checkpoint):
    encodings = EncodingChooser()
    qtbot.addWidget(encodings)
    encodings.show_encoding("xyz-d65")
    before = chooser.count()
    import_checkpoint(checkpoint, "mine", input_encoding="camera:leica-m8")
    models_changed()
    assert chooser.count() == before + 1
    assert chooser.name() == DEFAULT
    chooser.set_name("mine")
    assert chooser.listing().own
    offered = [encodings.itemText(i) for i in range(encodings.count())]
    assert "linear response of the camera leica-m8" in offered
    assert encodings.encoding() == "xyz-d65"


def test_the_command_line_s_imports_are_found_when_the_list_opens(chooser, checkpoint):
    import_checkpoint(checkpoint, "mine")
    chooser.showPopup()
    chooser.hidePopup()
    chooser.set_name("mine")
    assert chooser.card().architecture == "restormer"


def test_a_model_that_is_gone_or_another_is_told(chooser, checkpoint):
    import_checkpoint(checkpoint, "mine")
    models_changed()
    chooser.set_name("mine")
    told = []
    chooser.changed.connect(told.append)
    models_changed()
    assert told == []
    user_models.edit("mine", licence="CC0")
    models_changed()
    assert told[-1].licence == "CC0"
    user_models.remove("mine")
    models_changed()
    assert told[-1].name == DEFAULT == chooser.name()
    assert len(told) == 2


def test_a_deleted_list_hears_nothing(qtbot):
    chooser = ModelChooser()
    chooser.deleteLater()
    with qtbot.waitSignal(chooser.destroyed):
        pass
    models_changed()  # would raise "wrapped C/C++ object has been deleted"


def test_the_card_view_shows_size_and_source(chooser, qtbot, checkpoint):
    import_checkpoint(checkpoint, "mine")
    models_changed()
    chooser.set_name("mine")
    view = CardView()
    qtbot.addWidget(view)
    view.show_listing(chooser.listing())
    plain = view.whole.text().replace("\u200b", "")
    assert "net.pth, SHA-256" in plain
    assert chooser.listing().size in plain
    assert "any photograph" in view.essentials.text()
    assert "<b>Name:</b> mine" in view.essentials.text()  # as the command line calls it
    view.show_listing(None)
    assert view.isHidden()


def test_what_a_model_was_trained_on_is_brief_until_it_is_unfolded(chooser, qtbot):
    said = chooser.listing().card.training_data
    view = CardView()
    qtbot.addWidget(view)
    view.show_listing(chooser.listing())
    brief, whole = (label.text().replace("\u200b", "") for label in (view.essentials, view.whole))
    assert len(said) > 150
    assert f"{said[:60]}" in unescape(brief)
    assert said not in unescape(brief)
    assert said in unescape(whole)


def test_long_words_may_break_and_nothing_is_taken_for_markup():
    text = as_html([("a<b", "x" * 30 + ' & <i> "' + "&" * 30)])
    assert "a&lt;b" in text
    assert "\u200b" in text
    assert "<i>" not in text
    assert "&amp;" * 12 + "\u200b" in text
