"""The list of models: two lines each, greyed where there are no weights, kept up to date."""

from __future__ import annotations

from html import unescape

import pytest
import torch
from qtpy.QtCore import QPoint, Qt

from napari_hsr.models import DEFAULT, import_checkpoint, list_models, user_models
from napari_hsr.models.architectures.restormer import Restormer
from napari_hsr.models.card import RECONSTRUCTION, SUPER_RESOLUTION
from napari_hsr.models.published_weights import ENTRIES
from napari_hsr.models.registry import ARCHITECTURES
from napari_hsr.training.recipe.yaml_io import read_recipe
from napari_hsr.widgets.common.choosers import EncodingChooser
from napari_hsr.widgets.models.card_view import CardView, as_html
from napari_hsr.widgets.models.import_checkpoint import ImportDialog
from napari_hsr.widgets.models.model_chooser import ModelChooser
from napari_hsr.widgets.models.models_changed import models_changed

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


def rows(chooser) -> list[list[str]]:
    return [chooser.itemText(i).split("\n") for i in range(chooser.count())]


def enabled(chooser, row: int) -> bool:
    return bool(chooser.model().item(row).flags() & Qt.ItemFlag.ItemIsEnabled)


def test_each_model_says_what_it_is_for_its_size_and_its_wavelengths(chooser, qtbot):
    assert chooser.name() == DEFAULT
    cards = _at_hand()
    assert [row[0] for row in rows(chooser)[: len(cards)]] == [card.title for card in cards]
    assert rows(chooser)[0][1].startswith("any photograph · 31 bands, 400–700 nm · ")
    assert "weights" in rows(chooser)[0][1]
    camera = [card.name for card in cards].index("rootpoly-nikon-d700")
    assert rows(chooser)[camera][1].startswith("raw values of the camera nikon-d700 · ")
    tip = chooser.itemData(0, Qt.ItemDataRole.ToolTipRole)
    for heading in ("For", "Size", "Weights", "Trained on", "Licence"):
        assert f"<b>{heading}:</b>" in tip
    with qtbot.waitSignal(chooser.changed, check_params_cb=lambda card: card.name == cards[1].name):
        chooser.set_name(cards[1].name)
    chooser.refresh()
    assert chooser.name() == cards[1].name


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
    models = ModelChooser(task=task)
    qtbot.addWidget(models)
    greyed = [row[1] for row in rows(models) if "No weights here" in row[1]]
    assert greyed
    for line in greyed:
        recipe = line.rpartition("napari-hsr train ")[2]
        assert read_recipe(recipe).model.architecture == recipe.removesuffix("-paper")


@pytest.mark.parametrize("published", [True, False])
def test_who_clicks_one_is_told_how_it_is_trained(qtbot, published):
    entry = next(e for e in _reconstructing() if e.published is published)
    dialog = ImportDialog(entry=entry)
    qtbot.addWidget(dialog)
    command = f"napari-hsr train {entry.architecture}-paper --data FOLDER"
    assert f"or train one on your own images: {command}." in dialog.introduction.text()


def test_networks_without_weights_are_listed_but_cannot_be_chosen(chooser):
    models = len(_at_hand())
    others = sum(entry.task == RECONSTRUCTION for entry in ENTRIES)
    assert chooser.count() == models + others
    assert [enabled(chooser, i) for i in range(chooser.count())] == (
        [True] * models + [False] * others
    )
    for row, entry in zip(rows(chooser)[models:], _reconstructing(), strict=True):
        title, what_to_do, facts, page = row
        assert title == entry.title
        command = f"napari-hsr train {entry.architecture}-paper"
        assert what_to_do == f"No weights here: import a checkpoint… or train one: {command}"
        assert facts.endswith("31 bands, 400–700 nm")
        assert entry.page.removeprefix("https://") in page
        assert page.startswith("none published") == (not entry.published)
    assert "published at" in chooser.itemData(models, Qt.ItemDataRole.ToolTipRole)
    with pytest.raises(ValueError, match="not in list"):
        chooser.set_name(ENTRIES[0].name)


def test_keys_pass_over_them(chooser, qtbot):
    chooser.show()
    for _ in range(len(_at_hand()) + 2):
        qtbot.keyClick(chooser, Qt.Key.Key_Down)
    assert chooser.card() == _at_hand()[-1]


def click(chooser, qtbot, row: int) -> None:
    view = chooser.view()
    at = chooser.model().index(row, 0)
    view.scrollTo(at)
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(at).center())


def test_a_click_on_one_asks_for_its_weights(chooser, qtbot):
    chooser.show()
    chooser.showPopup()
    models = len(_at_hand())
    with qtbot.waitSignal(chooser.wanted, check_params_cb=lambda entry: entry == ENTRIES[2]):
        click(chooser, qtbot, models + 2)
    assert chooser.name() == DEFAULT
    assert not chooser.view().isVisible()


def test_a_release_that_began_elsewhere_asks_for_nothing(chooser, qtbot):
    chooser.show()
    chooser.showPopup()
    asked = []
    chooser.wanted.connect(asked.append)
    view = chooser.view()
    at = view.visualRect(chooser.model().index(len(list_models()), 0)).center()
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(at))
    assert asked == []
    chooser.hidePopup()


def test_an_imported_model_is_in_every_list_at_once(chooser, qtbot, checkpoint):
    encodings = EncodingChooser()
    qtbot.addWidget(encodings)
    encodings.show_encoding("xyz-d65")
    before = chooser.count()
    import_checkpoint(checkpoint, "mine", input_encoding="camera:leica-m8")
    models_changed()
    assert chooser.count() == before  # one more at hand, one network less without weights
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
