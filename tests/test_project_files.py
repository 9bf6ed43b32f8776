"""Versions and commands that stand in several of the project's files are the same in all."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

import napari_hsr

CHECKOUT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = dict(
    line.split("==")
    for line in (CHECKOUT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if re.fullmatch(r"[\w.-]+==\S+", line)
)


def workflow():
    text = (CHECKOUT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def test_hooks_have_the_pinned_versions():
    hooks = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    wanted = [
        package
        for repo in hooks["repos"]
        for hook in repo["hooks"]
        for package in hook.get("additional_dependencies", ())
    ]
    assert wanted
    for package in wanted:
        name, _, version = package.partition("==")
        assert PINNED[name] == version


def test_what_is_needed_to_develop_is_pinned():
    extras = PROJECT["project"]["optional-dependencies"]
    needed = [*PROJECT["project"]["dependencies"], *extras["dev"], *extras["train"]]
    names = {re.match(r"[\w.-]+", requirement).group() for requirement in needed}
    pinned = {name.lower().replace("_", "-") for name in PINNED}
    assert {name.lower().replace("_", "-") for name in names} - pinned == {"napari-hsr"}


def test_every_python_that_the_package_supports_is_tested_on_every_system():
    matrix = workflow()["jobs"]["tests"]["strategy"]["matrix"]
    supported = [
        classifier.rpartition(" ")[2]
        for classifier in PROJECT["project"]["classifiers"]
        if re.fullmatch(r".* :: 3\.\d+", classifier)
    ]
    assert matrix["python"] == supported
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("target", ["lint", "test"])
def test_windows_runs_what_make_runs(target):
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    rule = re.search(rf"^{target}: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE).group(1)
    steps = workflow()["jobs"]["tests"]["steps"]
    assert f"make {target}" in [step.get("run") for step in steps]
    windows = "\n".join(step["run"] for step in steps if "Windows" in step.get("name", ""))
    commands = [line.strip().replace("$(VENV)/bin/", "").split() for line in rule.splitlines()]
    for words in commands:
        plain = [word for word in words if word != "$(ARGS)"]
        if plain[0] != "python":
            plain = ["python", "-m", *plain]
        assert " ".join(plain) in windows


def test_the_changelog_knows_this_version():
    text = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    released = [Version(heading.split(" - ")[0]) for heading in headings[1:]]
    version = Version(napari_hsr.__version__)
    assert headings[0] == "Unreleased"
    assert version > released[0] if version.is_devrelease else version == released[0]
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert Version(citation["version"]) == released[0]
