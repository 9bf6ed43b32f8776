"""Files and folders that the documentation names are there."""

import re
from pathlib import Path

import pytest

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
