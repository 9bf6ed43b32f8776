"""napari's own way of saving: which writer it begins with, and what becomes of layers of other people."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from npe2 import PluginManager

from napari_hsr import Cube, read
from napari_hsr.errors import InputError
from napari_hsr.inference.stacks.frame_cubes import FrameCubes
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph_stack import StackAxis, stack_of_array
from napari_hsr.viewer import contributions, frames, preferred_writer
from napari_hsr.viewer.layers import add_cube, add_map
from napari_hsr.viewer.pins import new_pins
from napari_hsr.viewer.rendering import add_false_colour
from napari_hsr.viewer.trust_maps import LazyMap

CUBE = Cube(
    np.random.default_rng(0).random((4, 5, 6), np.float32), np.array([450.0, 500, 560, 600])
)
STACK = np.random.default_rng(1).integers(0, 255, (7, 5, 6), np.uint8)


@pytest.fixture
def manager():
    manager = PluginManager.instance()
    manager.discover()
    manager._contrib.reindex(manager.get_manifest("napari-hsr"))  # as where napari was found first
    return manager


def _first(manager):
    return next(iter(manager.iter_compatible_writers(["image"]))).plugin_name


def test_ours_is_first_once_there_is_a_cube(manager):
    viewer = ViewerModel()
    viewer.add_image(STACK)
    assert _first(manager) == "napari"
    kept = {w.command for w in manager.iter_compatible_writers(["image"])}
    add_cube(viewer, CUBE)
    assert _first(manager) == "napari-hsr"
    assert {w.command for w in manager.iter_compatible_writers(["image"])} == kept
    assert "napari" in {mf.name for mf in manager.iter_manifests(disabled=False)}


@pytest.mark.parametrize("name", ["scan", "scan.tif", "scan.mat", "scan.hdr", "scan.npz"])
def test_a_cube_that_napari_saves_keeps_its_wavelengths(manager, tmp_path, name):
    viewer = ViewerModel()
    add_cube(viewer, CUBE)
    (written,) = viewer.layers.save(str(tmp_path / name))
    back = read(written)
    np.testing.assert_array_equal(back.data[:], CUBE.data)
    assert back.wavelengths == CUBE.wavelengths


def test_layers_of_others_are_saved_as_napari_saves_them(manager, tmp_path):
    viewer = ViewerModel()
    add_cube(viewer, CUBE, name="scan")
    viewer.add_image(STACK, name="stack")
    viewer.add_image(STACK[0], name="map")
    viewer.add_image(np.dstack(STACK[:4]), rgb=True, name="colours")
    written = viewer.layers.save(str(tmp_path / "all"))
    assert {path.rpartition("/")[2] for path in written} == {
        "scan.tif",
        "stack.tif",
        "map.tif",
        "colours.tif",
    }
    assert read(tmp_path / "all" / "scan.tif").wavelengths == CUBE.wavelengths
    for layer in ("stack", "map", "colours"):
        stored = tifffile.imread(tmp_path / "all" / f"{layer}.tif")
        assert stored.dtype == np.uint8
        np.testing.assert_array_equal(stored, viewer.layers[layer].data)
    viewer.layers.selection = {viewer.layers["map"]}
    viewer.layers.save(str(tmp_path / "map.png"), selected=True)
    assert (tmp_path / "map.png").stat().st_size > 0
    viewer.layers.selection = {viewer.layers["stack"]}
    (as_cube,) = viewer.layers.save(str(tmp_path / "stack.mat"), selected=True)
    np.testing.assert_array_equal(read(as_cube).data[:], STACK)


def test_all_that_we_add_is_saved_with_all_layers(manager, tmp_path):
    """One layer that is refused, or whose name leads into a folder, ends it for all."""
    viewer = ViewerModel()
    cube = add_cube(viewer, CUBE, name="leaf/scan")
    add_false_colour(viewer, cube)
    add_map(viewer, LazyMap((5, 6), lambda: np.full((5, 6), 0.5, np.float32)), "b600/b500")
    new_pins(viewer, cube)
    written = viewer.layers.save(str(tmp_path / "all"))
    assert sorted(path.rpartition("/")[2] for path in written) == [
        "b600∕b500.tif",
        "leaf∕scan · false colour 560 ∕ 500 ∕ 450 nm.tif",
        "leaf∕scan.tif",
        "pinned spectra.csv",
    ]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "all" / "b600∕b500.tif"), 0.5)


def test_a_layer_that_cannot_be_saved_keeps_no_other_from_it(manager, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    viewer = ViewerModel()
    values = np.random.default_rng(3).integers(20, 230, (2, 6, 8, 3)).astype(np.uint8)
    stack = stack_of_array(values, name="film", axes=(StackAxis("frame", 2),))
    source = frames.add_stack(viewer, stack)
    cubes = FrameCubes(stack, "rootpoly-srgb")
    layer = frames.add_frames(viewer, cubes, source, cubes[0], "cubes")
    waits = (Notice.warning(Code.PLACEHOLDER, "A quick model fills it."),)
    add_cube(viewer, CUBE.replace(notices=waits), name="preview")
    add_cube(viewer, CUBE, name="scan")
    written = viewer.layers.save(str(tmp_path / "all"))
    assert [path.rpartition("/")[2] for path in written] == ["scan.tif"]
    assert read(written[0]).wavelengths == CUBE.wavelengths
    assert [text.partition(" was not saved: ")[0] for text in said] == ["film", "cubes", "preview"]
    assert "Save cubes…" in said[1]
    assert "Wait until it is done" in said[2]
    for one, words in ((layer, "Save cubes…"), (viewer.layers["preview"], "Wait until it is done")):
        with pytest.raises(InputError, match=words):
            contributions.write_image(tmp_path / "one.h5", *one.as_layer_data_tuple()[:2])
    assert [one.name for one in tmp_path.iterdir()] == ["all"]


def test_a_stack_whose_first_axis_is_in_nm_is_a_cube(tmp_path):
    meta = {"name": "scan", "scale": (50.0, 1, 1), "translate": (450.0, 0, 0), "units": ("nm", "pixel", "pixel"),
            "metadata": {}}  # fmt: skip
    assert not preferred_writer.is_for_others(tmp_path / "a.tif", CUBE.data, meta)
    assert preferred_writer.is_for_others(tmp_path / "a.tif", CUBE.data, {"name": "stack"})


def test_a_type_that_is_added_does_not_lead_to_another_file(manager, tmp_path):
    """napari's dialog hands over a name without a type, and has not asked about one with it."""
    (tmp_path / "scan.tif").write_text("kept")
    with pytest.raises(InputError, match="is there already"):
        preferred_writer.write_by_others(tmp_path / "scan", STACK, {"name": "stack"})
    assert (tmp_path / "scan.tif").read_text() == "kept"
    (written,) = preferred_writer.write_by_others(tmp_path / "other", STACK, {"name": "stack"})
    np.testing.assert_array_equal(tifffile.imread(written), STACK)
