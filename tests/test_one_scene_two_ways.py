"""One CAVE scene through the viewer and through the command line: the same figures, digit for digit."""

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_hsr import Cube, Wavelengths
from napari_hsr.cli import main
from napari_hsr.inference import reconstruct_events
from napari_hsr.io.folders import cave as cave_folders
from napari_hsr.metrics.compare import compare_events
from napari_hsr.viewer import layer_data, layers
from napari_hsr.viewer.contributions import get_reader

SCENE = "val/feathers"
#: A part of it is enough, and takes a twentieth of the time.
PART = np.s_[:, 190:300, 180:300]


@pytest.fixture(scope="module")
def scene(cave, tmp_path_factory):
    """The scene as its original folder: 31 16-bit PNGs, with the files that lie among them."""
    cube, nm = cave(SCENE)
    folder = tmp_path_factory.mktemp("cave") / "feathers_ms"
    cave_folders.write_scene(Cube(cube[PART], Wavelengths(nm)), folder)
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 not a picture")
    return folder


def open_layer(viewer, path):
    """What napari does with a path: ask the plugin's reader, and add what it gives."""
    reader = get_reader(str(path))
    assert reader is not None
    (data, keywords, kind) = reader(str(path))[0]
    return viewer.add_layer(Layer.create(data, keywords, kind))


def test_scene_read_back(scene, cave):
    layer = open_layer(ViewerModel(), scene)
    cube = layer_data.layer_cube(layer)
    assert cube.shape == (31, 110, 120)
    np.testing.assert_array_equal(np.asarray(cube.wavelengths), np.arange(400, 701, 10))
    assert not cube.wavelengths.assumed
    # 16-bit PNGs: to half a step of 1/65535
    np.testing.assert_allclose(cube.data, cave(SCENE)[0][PART], rtol=0, atol=0.5001 / 65535)


@pytest.fixture(scope="module")
def predicted(scene, tmp_path_factory):
    """The scene's photograph, and the cube of it that the command line makes."""
    folder = tmp_path_factory.mktemp("predicted")
    photograph, prediction = folder / "feathers.png", folder / "feathers.mat"
    assert main(["render", str(scene), "-o", str(photograph)]) == 0
    assert main(["predict", str(photograph), "-o", str(prediction)]) == 0
    return photograph, prediction


@pytest.fixture(scope="module")
def shown(scene, predicted):
    """The viewer's cube of the same photograph, and the scene, as layers hold them."""
    viewer = ViewerModel()
    truth = open_layer(viewer, scene)
    *_, result = reconstruct_events(layer_data.layer_photograph(open_layer(viewer, predicted[0])))
    cube = layers.add_cube(viewer, result.cube)
    return layer_data.layer_cube(cube), layer_data.layer_cube(truth)


@pytest.mark.parametrize("protocol", ["default", "cave-val"])
def test_viewer_and_command_line_agree_to_the_last_digit(scene, predicted, shown, capsys, protocol):
    capsys.readouterr()
    command = ["evaluate", str(predicted[1]), str(scene), "--protocol", protocol, "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    *_, comparison = compare_events(*shown, protocol=protocol, maps=())
    found = json.loads(json.dumps(comparison.evaluation.to_dict()))
    assert found["values"] == told["values"]
    assert found["per_band"] == told["per_band"]
    assert found["excluded"] == told["excluded"]
    # and the figures are those of a reconstruction, not of a cube held against itself
    assert 20 < told["values"]["psnr"] < 50
    assert 1 < told["values"]["sam"] < 40
