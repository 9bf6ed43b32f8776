"""The page on a panel: every panel of the manifest has one, at hand and on the site."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from qtpy.QtCore import QUrl
from qtpy.QtWidgets import QVBoxLayout

from napari_hsr.widgets.common.help_window import PAGES, HelpButton, HelpWindow, page_of
from napari_hsr.widgets.common.panel import Panel

DOCS = Path(__file__).parents[3] / "docs"


def panels() -> list[str]:
    found = yaml.safe_load((files("napari_hsr") / "napari.yaml").read_text(encoding="utf-8"))
    classes = {c["id"]: c["python_name"] for c in found["contributions"]["commands"]}
    return [classes[w["command"]].partition(":")[2] for w in found["contributions"]["widgets"]]


def pages() -> list[str]:
    return [page_of(type(name, (), {})()) for name in panels()]


@pytest.mark.parametrize("page", sorted({*pages(), *(page.stem for page in PAGES.glob("*.md"))}))
def test_every_panel_has_a_page_and_it_is_on_the_site(page):
    assert (PAGES / f"{page}.md").is_file()
    assert f'--8<-- "{page}.md"' in (DOCS / "panels" / f"{page}.md").read_text(encoding="utf-8")
    assert f"panels/{page}.md" in (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")


def test_the_button_opens_the_page_and_links_are_followed(qtbot):
    class SuperResolveWidget(Panel):
        def __init__(self):
            super().__init__()
            QVBoxLayout(self).addWidget(self.help_button())

    panel = SuperResolveWidget()
    qtbot.addWidget(panel)
    (button,) = panel.findChildren(HelpButton)
    button.click()
    (window,) = panel.findChildren(HelpWindow)
    assert window.isVisible()
    assert "Cube of coarse pixels" in window.browser.toPlainText()
    window.browser.anchorClicked.emit(QUrl("reconstruct.md"))
    assert "Makes a cube of 31 bands" in window.browser.toPlainText()
    window.browser.anchorClicked.emit(QUrl("../../secret.md"))  # of no page
    assert window.windowTitle() == "Reconstruct"
