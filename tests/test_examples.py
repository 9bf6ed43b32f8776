"""The notebooks of the documentation run, and its pages are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"


@pytest.mark.parametrize(
    "notebook", sorted((DOCS / "examples").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_a_notebook_runs(notebook, monkeypatch, tmp_path, capsys):
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []  # they are made when the notebook is run
            exec("".join(cell["source"]), namespace)
    assert capsys.readouterr().out


def test_the_site_lists_every_page():
    site = yaml.safe_load((CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = set()
    for entry in site["nav"]:
        for page in entry.values():  # or the pages of a section
            listed |= {page} if isinstance(page, str) else {p for e in page for p in e.values()}
    assert listed == {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
