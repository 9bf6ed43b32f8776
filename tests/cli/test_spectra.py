"""`napari-hsr spectra`: spectra of pixels and regions as tables."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from napari_hsr.cli import main, spectra
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io import write
from napari_hsr.io.label_images import read_labels, write_labels
from napari_hsr.spectra import PROCESSINGS


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    values = np.random.default_rng(0).random((31, 6, 8), dtype=np.float32) + 0.1
    write(Cube(values, Wavelengths.default(), "reflectance", "scene"), folder / "scene.npz")
    image = np.zeros((6, 8), np.uint8)
    image[1:3, 2:5], image[4, 4:6] = 3, 7
    write_labels(image, folder / "regions.tif", {"3": "leaf"})
    return folder, values, image


def test_pixels_and_regions_are_printed_and_written(scene, tmp_path, capsys):
    folder, values, image = scene
    out = tmp_path / "out.csv"
    given = [
        str(folder / "scene.npz"),
        "--at",
        "0,1",
        "5,7",
        "--regions",
        str(folder / "regions.tif"),
    ]
    assert main(["spectra", *given, "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["spectra"]] == ["(0, 1)", "(5, 7)", "label 3", "label 7"]
    np.testing.assert_allclose(told["spectra"][0]["mean"], values[:, 0, 1], rtol=1e-6)
    median = np.median(values[:, image == 3].astype(float), axis=1)
    np.testing.assert_allclose(told["spectra"][2]["quantiles"]["q50"], median)
    assert len(list(csv.DictReader(out.read_text().splitlines()))) == 4 * 31

    assert main(["spectra", *given, "--process", "ratio", "--against", "label 3", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)["spectra"]
    np.testing.assert_allclose(made[2]["mean"], 1)
    assert made[0]["units"] == "relative"
    assert main(["spectra", *given, "-o", str(out), "--wide", "--overwrite"]) == 0
    assert out.read_text().startswith("wavelength_nm,")
    assert capsys.readouterr().out.splitlines()[0].split()[:2] == ["spectrum", "n"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Name pixels by --at"),
        (("--at", "9,9"), "outside"),
        (
            ("--at", "0,0", "--process", "ratio", "--against", "soil"),
            "No spectrum is called 'soil'",
        ),
        (("--regions", "none.tif"), "there is no such file"),
    ],
)
def test_faults_are_one_sentence(scene, capsys, options, sentence):
    assert main(["spectra", str(scene[0] / "scene.npz"), *options]) == 1
    assert sentence in capsys.readouterr().err


def test_the_command_offers_what_python_does():
    assert tuple(PROCESSINGS) == spectra._PROCESSINGS


def test_label_images_come_back_and_others_are_refused(scene, tmp_path):
    from napari_hsr.errors import FileError

    _, values, image = scene
    for name in ("a.tif", "a.npy"):
        np.testing.assert_array_equal(read_labels(write_labels(image, tmp_path / name)), image)
    np.save(tmp_path / "real.npy", values)
    with pytest.raises(FileError, match=r"integers \(height, width\) were expected"):
        read_labels(tmp_path / "real.npy")
    with pytest.raises(FileError, match="are written as"):
        write_labels(image, tmp_path / "a.jpg")


def test_bands_marked_as_bad_are_told_of(tmp_path, capsys):
    values = np.random.default_rng(0).random((31, 6, 8), dtype=np.float32) + 0.1
    marks = {"bbl": [0, 0] + [1] * 29}
    write(Cube(values, Wavelengths.default(), name="scene", metadata=marks), tmp_path / "a.hdr")
    assert main(["spectra", str(tmp_path / "a.hdr"), "--at", "0,1", "--process", "max"]) == 0
    said = capsys.readouterr().err
    assert "2 of 31 bands are marked as bad" in said
    assert "counted in what is computed" in said
