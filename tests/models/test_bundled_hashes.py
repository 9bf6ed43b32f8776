"""The package's models are held against its list of hashes: a bit that is another one is refused."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from napari_hsr import load_model
from napari_hsr.errors import FileError
from napari_hsr.models import bundled_models, user_models

NAME = "rootpoly-srgb"


def test_the_list_names_each_model_and_its_hash():
    """``python training/hashes.py`` writes it again."""
    files = bundled_models.FOLDER.glob("*.safetensors")
    wanted = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    lines = (bundled_models.FOLDER / bundled_models.HASHES).read_text().splitlines()
    assert {name: digest for digest, name in (line.split("  ") for line in lines)} == wanted
    assert len(lines) == len(wanted) > 5


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The file of one model in an installation of its own."""
    for name in (f"{NAME}.safetensors", bundled_models.HASHES):
        shutil.copyfile(bundled_models.FOLDER / name, tmp_path / name)
    monkeypatch.setattr(bundled_models, "FOLDER", tmp_path)
    bundled_models.bundled.cache_clear()
    yield tmp_path / f"{NAME}.safetensors"
    bundled_models.bundled.cache_clear()


@pytest.mark.parametrize("at", [-40, 200])
def test_one_bit_of_weights_or_card_is_refused(installed, tmp_path, at):
    assert load_model(NAME).name == NAME
    content = bytearray(installed.read_bytes())
    content[at] ^= 1
    installed.write_bytes(content)
    for load in (lambda: load_model(NAME), lambda: load_model(installed)):
        with pytest.raises(FileError, match="not as it was packaged"):
            load()
    with pytest.raises(FileError, match="not as it was packaged"):
        user_models.export(NAME, tmp_path / "out.safetensors")


def test_a_model_that_is_not_listed_is_refused(installed):
    listed = installed.parent / bundled_models.HASHES
    listed.write_text(listed.read_text().replace(NAME, "other"))
    with pytest.raises(FileError, match="not as it was packaged"):
        load_model(NAME)
    listed.unlink()
    with pytest.raises(FileError, match="list of the package's models"):
        load_model(NAME)


def test_files_elsewhere_are_not_held_against_the_list(tmp_path):
    copy = shutil.copyfile(
        bundled_models.FOLDER / f"{NAME}.safetensors", tmp_path / "x.safetensors"
    )
    assert load_model(copy).card.name == NAME
