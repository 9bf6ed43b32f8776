"""Files and folders that the documentation names are there."""

import re
from pathlib import Path

import pytest

from napari_hsr import list_models

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "src" / "napari_hsr"
#: Documents, and the folders that their paths may begin in.
DOCUMENTS = {
    "CONTRIBUTING.md": (CHECKOUT,),
    "docs/architecture.md": (CHECKOUT, PACKAGE),
}
#: What a training leaves in its folder.
RUN_FOLDER = {"checkpoint/", "recipe.yaml"}
_SUFFIXES = r"py|md|ya?ml|toml|sh|txt|cff|npz|safetensors"
#: In backticks: `cli/models.py`, `training/`, `io/formats.py:read`, but not `application/json`.
_PATH = re.compile(rf"`([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:{_SUFFIXES})))(?::[\w.]+(?:\(\))?)?`")
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)[^)]*\)")


def named(document: str) -> set[str]:
    """Paths in backticks, with or without ``:function``."""
    return set(_PATH.findall((CHECKOUT / document).read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_exists(document):
    paths = named(document) - RUN_FOLDER
    assert paths
    # beside the full name of a neighbour, a file's own name is enough
    names = {path.name for path in PACKAGE.rglob("*") if path.is_file()}
    missing = [
        path
        for path in paths
        if path not in names and not any((root / path).exists() for root in DOCUMENTS[document])
    ]
    assert sorted(missing) == []


@pytest.mark.parametrize("document", [*DOCUMENTS, "README.md", "docs/guide.md", "CHANGELOG.md"])
def test_every_link_inside_the_project_leads_somewhere(document):
    file = CHECKOUT / document
    links = _LINK.findall(file.read_text(encoding="utf-8"))
    assert sorted(link for link in links if not (file.parent / link).exists()) == []


def test_paths_are_recognised():
    text = "`src/a.py`, `io/`, `io/b.py:read()`, `c.d:e`, `text/html`, `a b.py`, `pyproject.toml`"
    assert _PATH.findall(text) == ["src/a.py", "io/", "io/b.py", "pyproject.toml"]


def interval_figures() -> dict:
    """Figures of the intervals of the bundled models, source by source."""
    return {card.name: card.intervals.figures for card in list_models() if card.intervals}


def test_the_table_of_where_errors_are_is_that_of_the_cards():
    text = (CHECKOUT / "training" / "EXPERIMENTS.md").read_text(encoding="utf-8")
    part = text.split("## Where the errors are, source by source")[1].split("\nThe slopes are")[0]
    head, _, *rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("|")
    ]
    said = {
        (name, row[0]): cell for row in rows for name, cell in zip(head[1:], row[1:], strict=True)
    }
    cards = {
        (name, source): " / ".join(
            [f"{of['auroc']:.2f}", f"{of['auroc_relative']:.2f}"]
            + ([f"{100 * of['coverage']:.0f} %"] if "coverage" in of else [])
        )
        for name, sources in interval_figures().items()
        for source, of in sources.items()
    }
    assert said == cards


@pytest.mark.parametrize("document", ["docs/guide.md", "CHANGELOG.md"])
def test_areas_under_the_roc_over_all_sources_are_those_of_the_cards(document):
    text = " ".join((CHECKOUT / document).read_text(encoding="utf-8").split())
    over_all = [sources["all sources"] for sources in interval_figures().values()]
    for key, words in (("auroc", "in reflectance"), ("auroc_relative", "relative")):
        found = [of[key] for of in over_all]
        said = f"{min(found):.2f} to {max(found):.2f} {words}"
        assert said in text.split("ver all sources the area under the ROC")[1][:250]
