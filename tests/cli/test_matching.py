"""`napari-hsr match` and `napari-hsr classify`."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_hsr.cli import main
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io import read, write
from napari_hsr.provenance import Provenance
from napari_hsr.spectral_library import SpectralLibrary

NM = np.arange(400.0, 701.0, 10.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A measured scene, the same as if reconstructed, and a library with two of its pixels."""
    folder = tmp_path_factory.mktemp("matching")
    values = np.random.default_rng(0).random((31, 6, 8), dtype=np.float32) + 0.1
    info = ["UTM", 1, 1, 5e5, 4e6, 2.0, 2.0, 33, "North", "WGS-84", "units=Meters"]
    scene = Cube(values, Wavelengths(NM), "reflectance", "scene", metadata={"map info": info})
    write(scene, folder / "measured.npz")
    made = Provenance(input="photo.png", model="mstpp-photo")
    write(scene.replace(provenance=made), folder / "made.npz")
    rows = np.stack([values[:, 1, 2], values[:, 4, 5] * 0.5])
    write(SpectralLibrary(("leaf", "soil"), NM, rows), folder / "things.csv")
    return folder


def told(capsys, *arguments):
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_match_names_the_best_and_warns_of_reconstructions_alone(files, capsys):
    options = ("--at", "4,5", "--library", files / "things.csv")
    measured = told(capsys, "match", files / "measured.npz", *options)["matches"][0]
    assert measured["best"][0]["name"] == "soil"
    assert measured["best"][0]["angle"] == pytest.approx(0, abs=1e-2)
    assert measured["indistinguishable"] is None
    assert measured["notices"] == []
    made = told(capsys, "match", files / "made.npz", *options)["matches"][0]
    assert made["best"] != []
    assert made["indistinguishable"] == []
    assert len(made["notices"]) == 2


def test_match_prints_a_table_and_says_once_what_holds_of_all(files, capsys):
    given = [str(files / "made.npz"), "--at", "4,5", "1,2", "--by", "sid"]
    assert main(["match", *given, "--library", str(files / "things.csv")]) == 0
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert [line[2:4] for line in lines[1:]] == [
        ["soil", "0.000"],
        lines[2][2:4],
        ["leaf", "0.000"],
        lines[4][2:4],
    ]
    assert err.count("three values a pixel") == 1


def test_classify_writes_labels_with_their_names_and_place(files, tmp_path, capsys):
    out = tmp_path / "labels.tif"
    found = told(
        capsys, "classify", files / "measured.npz", "--library", files / "things.csv", "-o", out
    )
    rows = {row["name"]: row for row in found["classes"]}
    assert list(rows) == ["leaf", "soil", "unclassified"]
    assert rows["leaf"]["area"] == 4 * rows["leaf"]["pixels"]
    with tifffile.TiffFile(out) as file:
        labels = file.asarray()
        assert json.loads(file.pages[0].description)["classes"][0]["name"] == "leaf"
        assert file.pages[0].tags[33550].value[:2] == (2.0, 2.0)
    assert (labels[1, 2], labels[4, 5]) == (1, 2)
    given = [
        "classify",
        str(files / "measured.npz"),
        "--at",
        "1,2",
        "--no-threshold",
        "-o",
        str(out),
    ]
    assert main([*given, "--overwrite"]) == 0
    assert "unclassified" in capsys.readouterr().out
    assert (tifffile.imread(out) == 1).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Name the classes"),
        (("--library", "things.csv", "--at", "1,2"), "Name the classes"),
        (("--library", "things.csv", "--entries", "moss"), "no spectrum called 'moss'"),
    ],
)
def test_faults_are_one_sentence(files, tmp_path, capsys, options, sentence, monkeypatch):
    monkeypatch.chdir(files)
    assert main(["classify", "measured.npz", *options, "-o", str(tmp_path / "a.tif")]) == 1
    assert sentence in capsys.readouterr().err


def test_files_still_say_that_they_were_reconstructed(files):
    assert read(files / "made.npz").provenance.model == "mstpp-photo"
