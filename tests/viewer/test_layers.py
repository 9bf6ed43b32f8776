"""Cubes, photographs and maps as layers, and back again."""

from __future__ import annotations

import json
import ntpath
import os
import posixpath

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, _layer_actions
from qtpy.QtCore import Qt

from napari_hsr import read, write
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.errors import FileError, InputError
from napari_hsr.io.lazy import LazyArray
from napari_hsr.notices import Code, Notice
from napari_hsr.photograph import Photograph
from napari_hsr.provenance import Provenance
from napari_hsr.viewer import axis, layer_data, layers

IRREGULAR = (400.0, 410.0, 450.0, 600.0, 900.0)


def make_cube(bands=31, nm=None, **options) -> Cube:
    data = np.random.default_rng(0).random((bands, 12, 10), dtype=np.float32)
    wavelengths = Wavelengths(np.linspace(400, 700, bands)) if nm is None else nm
    return Cube(data, wavelengths or None, name="scene", **options)


@pytest.fixture
def viewer():
    return ViewerModel()


def test_a_regular_cube_lies_on_the_nanometre_axis(viewer):
    layer = layers.add_cube(viewer, make_cube())
    assert tuple(viewer.dims.range[0]) == (400.0, 700.0, 10.0)
    assert [str(unit) for unit in layer.units] == ["nanometer", "pixel", "pixel"]
    assert layer.axis_labels == ("λ (nm)", "y", "x")


@pytest.mark.parametrize("nm", [(), Wavelengths(IRREGULAR)], ids=["unknown", "irregular"])
def test_other_cubes_go_by_band(viewer, nm):
    layer = layers.add_cube(viewer, make_cube(5, nm))
    assert tuple(viewer.dims.range[0]) == (0.0, 4.0, 1.0)
    assert layer.axis_labels[0] == "band"
    assert {str(unit) for unit in layer.units} == {"pixel"}
    found = layer_data.layer_wavelengths(layer)
    assert (None if found is None else tuple(found)) == (tuple(nm) or None)


def test_a_cube_comes_back_from_its_layer(viewer):
    cube = make_cube(
        units="reflectance",
        provenance=Provenance(input="a.png", model="m", weights_sha256="ab", steps=("one",)),
        metadata={"bbl": [1] * 31, "card": {"name": "m"}},
        notices=("Something was assumed.",),
    )
    layer = layers.add_cube(viewer, cube)
    back = layer_data.layer_cube(layer)
    assert back.data is layer.data
    assert back.wavelengths == cube.wavelengths
    assert (back.units, back.provenance, back.notices) == (
        cube.units,
        cube.provenance,
        cube.notices,
    )
    assert back.metadata == cube.metadata
    assert layer_data.layer_state(layer)["card"] == {"name": "m"}
    json.dumps(layer.metadata["hsr"])
    assert layer.metadata["wavelengths"] == list(cube.wavelengths)


@pytest.mark.parametrize(
    "name", ['<img src="file:///etc/passwd">', "<!x>", "&lt;b>", "a<b & c\x1b[2J"]
)
def test_a_name_in_a_file_is_no_markup_in_the_list_of_layers(viewer, name):
    layer = layers.add_cube(viewer, Cube(np.zeros((3, 2, 2), np.float32), name=name))
    photograph = layers.add_photograph(viewer, Photograph(np.zeros((2, 2, 3)), "srgb", name=name))
    for shown in (layer.name, photograph.name):
        assert not Qt.mightBeRichText(shown)
        assert shown.replace("\u200b", "").startswith(name[:4])
        assert "\x1b" not in shown
    assert layer_data.layer_cube(layer).name == name


@pytest.mark.parametrize(
    "name", ["../../report", "/etc/passwd", "C:\\report", "a/../../report", "..", "."]
)
def test_a_name_in_a_file_leads_out_of_no_folder_that_layers_are_saved_in(viewer, name):
    layer = layers.add_cube(viewer, Cube(np.zeros((3, 2, 2), np.float32), name=name))
    made = layers.add_map(viewer, np.zeros((2, 2)), name=f"sum · {name}", like=layer)
    for shown in (layer.name, made.name):
        assert posixpath.normpath(posixpath.join("/f/tmp", shown)).startswith("/f/tmp/")
        assert ntpath.normpath(ntpath.join("D:\\f", shown)).startswith("D:\\f\\")
    assert layer_data.layer_cube(layer).name == name
    assert layer_data.layer_name(layer.name) == layer.name


def test_an_ordinary_name_stays_as_it_is(viewer):
    for name in ("b500, b600", "leaf: 3 of 4", "scan.entry"):
        assert layer_data.layer_name(name) == name


def test_no_layer_has_a_slash_in_its_name(viewer):
    """napari's *Save All Layers* takes what stands before it for a folder, which is not there."""
    layer = layers.add_cube(viewer, Cube(np.zeros((3, 2, 2), np.float32), name="scan.entry/data"))
    made = layers.add_map(viewer, np.zeros((2, 2)), name="b500/b600", title="b500/b600")
    assert [layer.name, made.name] == ["scan.entry∕data", "b500∕b600"]
    assert layer_data.layer_cube(layer).name == "scan.entry/data"
    assert layer_data.state_of(made.metadata)["title"] == "b500/b600"


def test_the_current_array_counts(viewer):
    layer = layers.add_cube(viewer, make_cube())
    layer.data = np.full((31, 3, 4), 7.0, dtype=np.float32)
    assert layer_data.layer_cube(layer).shape == (31, 3, 4)
    layer.data = np.full((8, 3, 4), 7.0, dtype=np.float32)
    assert layer_data.layer_cube(layer).wavelengths is None


@pytest.mark.parametrize("width", [3, 4])
def test_a_narrow_cube_is_no_rgb(viewer, width):
    cube = Cube(np.zeros((31, 12, width), np.float32), Wavelengths.default())
    assert not layers.add_cube(viewer, cube).rgb


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (np.zeros((4, 6, 5)), (0.0, 1.0)),
        (np.full((4, 6, 5), 3.0), (0.0, 3.0)),
        (np.full((4, 6, 5), -2.0), (-2.0, 0.0)),
        (np.full((4, 6, 5), np.nan), (0.0, 1.0)),
        (np.linspace(0.2, 0.9, 120).reshape(4, 6, 5), (0.0, 0.9)),
        (np.linspace(-1, 1, 120).reshape(4, 6, 5), (-1.0, 1.0)),
    ],
)
def test_contrast_limits_never_meet(data, expected):
    low, high = layers.cube_layer(Cube(data))[1]["contrast_limits"]
    assert low < high
    assert (low, high) == pytest.approx(expected, abs=0.01)


def test_a_few_hot_pixels_do_not_darken_the_rest():
    data = np.random.default_rng(1).random((31, 64, 64), dtype=np.float32)
    data[5, 0, 0] = 1e4
    low, high = layers.cube_layer(Cube(data))[1]["contrast_limits"]
    assert low == 0
    assert high == pytest.approx(1.0, abs=0.01)


def test_the_cube_is_scanned_once():
    class Counting(np.ndarray):
        planes = 0

        def __getitem__(self, at):
            Counting.planes += self.shape == (31, 12, 10) and isinstance(at, int)
            return super().__getitem__(at)

    cube = make_cube()
    cube.data = cube.data.view(Counting)
    layers.cube_layer(cube)
    layers.cube_layer(cube)
    assert Counting.planes == 31


def test_a_cube_over_a_finer_photograph(viewer):
    layer = layers.add_cube(viewer, make_cube(), scale=(4, 4), translate=(1.5, 1.5))
    assert tuple(layer.scale) == (10, 4, 4)
    assert tuple(layer.translate) == (400, 1.5, 1.5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_photograph_comes_back_without_alpha(viewer, dtype):
    data = (np.random.default_rng(0).random((6, 5, 4)) * 200).astype(dtype)
    layer = viewer.add_image(data, rgb=True)
    photo = layer_data.layer_photograph(layer)
    np.testing.assert_array_equal(photo.data, data[..., :3])
    assert photo.encoding == ("srgb" if dtype != np.float32 else None)
    assert layer_data.is_photograph(layer)
    assert not layer_data.is_cube(layer)


def test_an_encoding_is_kept_and_can_be_stated(viewer):
    photo = Photograph(np.zeros((6, 5, 3), np.float32), encoding="linear-srgb", name="p")
    layer = layers.add_photograph(viewer, photo)
    assert layer_data.layer_photograph(layer).encoding == "linear-srgb"
    told = []
    layer.events.metadata.connect(lambda event: told.append(event.type))
    layers.set_encoding(layer, "camera:nikon-d700")
    assert layer_data.layer_photograph(layer).encoding == "camera:nikon-d700"
    assert told == ["metadata"]
    plain = viewer.add_image(np.zeros((6, 5, 3)), rgb=True)
    layers.set_encoding(plain, "xyz-d65")
    assert layer_data.layer_photograph(plain).encoding == "xyz-d65"


def test_a_foreign_stack_is_a_cube_by_band(viewer):
    layer = viewer.add_image(np.arange(60, dtype=np.uint16).reshape(5, 4, 3), rgb=False)
    cube = layer_data.layer_cube(layer)
    assert cube.wavelengths is None
    assert cube.data.dtype == np.float32


@pytest.mark.parametrize(
    ("units", "known"),
    [
        (("nm", "pixel", "pixel"), True),
        (("nm", "nm", "nm"), False),  # a stack in space
        (("um", "um", "um"), False),
        (("pixel",) * 3, False),
    ],
)
def test_a_foreign_axis_in_nanometres_gives_wavelengths(viewer, units, known):
    layer = viewer.add_image(
        np.zeros((5, 4, 3)), rgb=False, scale=(10, 1, 1), translate=(500, 0, 0), units=units
    )
    wavelengths = layer_data.layer_cube(layer).wavelengths
    assert (wavelengths is not None) == known
    if known:
        assert list(wavelengths) == [500, 510, 520, 530, 540]


def test_a_foreign_array_on_disk_is_not_loaded(tmp_path):
    stored = np.lib.format.open_memmap(
        tmp_path / "a.npy", mode="w+", dtype=np.uint16, shape=(5, 40, 30)
    )
    layer = Image(stored, contrast_limits=(0, 1))
    cube = layer_data.layer_cube(layer)
    assert not cube.in_memory
    assert cube.data[2].dtype == np.float32


class Slide:
    """Colours of another program, as those of dask, zarr and whole slides: they are read in parts, or not."""

    shape, dtype, ndim, size = (60, 50, 4), np.dtype(np.uint8), 3, 12000
    stored = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)

    def __init__(self):
        self.read, self.damaged = 0, False

    def __getitem__(self, at):
        if self.damaged:
            raise OSError(5, "Input/output error")
        self.read += self.stored[at].size
        return self.stored[at]


def test_a_photograph_of_another_program_is_read_where_it_is_looked_at(viewer):
    slide = Slide()
    layer = viewer.add_image([slide, slide.stored[::2, ::2]], rgb=True, contrast_limits=(0, 255))
    slide.read = 0
    photo = layer_data.layer_photograph(layer)
    layers.set_encoding(layer, "linear-srgb")
    assert (slide.read, photo.data.shape, photo.data.dtype) == (0, (60, 50, 3), np.uint8)
    np.testing.assert_array_equal(photo.data[10:20, 5], slide.stored[10:20, 5, :3])
    assert slide.read == 10 * 4
    np.testing.assert_array_equal(photo.data, slide.stored[..., :3])
    slide.damaged = True
    assert layer_data.layer_photograph(layer).encoding == "linear-srgb"
    with pytest.raises(FileError, match="a part of it cannot be read"):
        photo.data[:5]


def test_browsing_a_large_cube_on_disk_reads_only_what_is_shown(viewer, monkeypatch):
    monkeypatch.setattr("napari_hsr.cube.EXACT_RANGE_BYTES", 0)  # as if it were large

    class Disk:
        shape, dtype = (40, 60, 50), np.dtype(np.float32)
        read = 0

        def __getitem__(self, at):
            part = np.zeros(self.shape, np.float32)[at]
            Disk.read += part.size
            return part

    cube = Cube(LazyArray(Disk()), Wavelengths(np.arange(400, 600, 5)))
    layers.add_cube(viewer, cube)
    assert Disk.read < 10 * 60 * 50  # a sample for the limits, and the band shown
    Disk.read = 0
    for nm in (420, 430, 440):
        axis.go_to(viewer, nm)
    assert Disk.read == 3 * 60 * 50


def test_others_are_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"^'marks' is not a cube: .*\.$"):
        layer_data.layer_cube(Labels(np.zeros((3, 4, 5), int), name="marks"))
    with pytest.raises(InputError, match=r"^'flat' is not a cube"):
        layer_data.layer_cube(Image(np.zeros((4, 5)), name="flat"))
    with pytest.raises(InputError, match=r"^'flat' is not a photograph"):
        layer_data.layer_photograph(Image(np.zeros((4, 5)), name="flat"))


def test_setting_wavelengths_moves_the_layer(viewer):
    layer = layers.add_cube(
        viewer,
        make_cube(5, (), notices=(Notice.warning(Code.WAVELENGTHS_MISSING, "None were found."),)),
    )
    layer.scale = (1, 2, 2)
    layers.set_wavelengths(layer, [500, 520, 540, 560, 580])
    assert tuple(layer.scale) == (20, 2, 2)
    assert tuple(viewer.dims.range[0]) == (500, 580, 20)
    cube = layer_data.layer_cube(layer)
    assert not cube.wavelengths.assumed
    assert cube.notices == ()
    layers.set_wavelengths(layer, IRREGULAR)
    assert tuple(viewer.dims.range[0]) == (0, 4, 1)
    assert tuple(layer_data.layer_cube(layer).wavelengths) == IRREGULAR
    with pytest.raises(InputError, match="5 bands, but 2 wavelengths"):
        layers.set_wavelengths(layer, [400, 500])
    with pytest.raises(InputError, match="ascend"):
        layers.set_wavelengths(layer, [5, 4, 3, 2, 1])


def test_setting_wavelengths_of_a_foreign_layer(viewer):
    layer = viewer.add_image(np.zeros((5, 4, 3)), rgb=False, name="theirs", metadata={"own": 1})
    layers.set_wavelengths(layer, [500, 520, 540, 560, 580])
    assert list(layer_data.layer_cube(layer).wavelengths) == [500, 520, 540, 560, 580]
    assert layer.metadata["own"] == 1


def test_pixel_at_knows_edges_and_transforms(viewer):
    cube = layers.add_cube(viewer, make_cube(), scale=(4, 4), translate=(1.5, 1.5))
    photo = viewer.add_image(np.zeros((48, 40, 3), np.uint8), rgb=True)
    assert layer_data.pixel_at(cube, (550, 1.5, 1.5)) == (0, 0)
    assert layer_data.pixel_at(cube, (550, 1.5 + 11.4 * 4, 1.5)) == (11, 0)
    assert layer_data.pixel_at(cube, (550, 1.5 + 11.6 * 4, 1.5)) is None
    assert layer_data.pixel_at(cube, (999, -0.6, 1.5)) is None
    assert layer_data.pixel_at(cube, (999, 1.5, 1.5)) == (0, 0)
    assert layer_data.pixel_at(photo, (550, 20.4, 39.4)) == (20, 39)
    assert layer_data.pixel_at(photo, (550, 20.4, 39.6)) is None


def test_a_map_lies_over_its_cube(viewer):
    cube = layers.add_cube(viewer, make_cube(), scale=(4, 4), translate=(1.5, 1.5))
    cube.rotate = (0, 0, 30)
    data = np.random.default_rng(0).random((12, 10))
    data[0, 0] = np.nan
    layer = layers.add_map(viewer, data, "SAM", unit="°", like=cube)
    assert layer.name == "SAM (°)"
    assert layer.colorbar.visible
    assert layer.contrast_limits[0] == 0
    for corner in ((0, 0), (11, 0), (5, 7)):
        there = cube.data_to_world((0, *corner))[-2:]
        np.testing.assert_allclose(layer.data_to_world(corner), there, atol=1e-9)
    with pytest.raises(InputError, match="two axes"):
        layers.map_layer(np.zeros((2, 3, 4)), "no")


def test_a_map_of_one_value_has_limits():
    low, high = layers.map_layer(np.zeros((3, 4)), "zero")[1]["contrast_limits"]
    assert low < high
    assert layers.map_layer(np.full((3, 4), np.nan), "none")[1]["contrast_limits"] == (0, 1)


def test_lists_of_layers(viewer):
    cube = layers.add_cube(viewer, make_cube())
    photo = viewer.add_image(np.zeros((6, 5, 3), np.uint8), rgb=True)
    viewer.add_labels(np.zeros((6, 5), int))
    layers.add_map(viewer, np.zeros((6, 5)), "map")
    assert layer_data.cube_layers(viewer) == [cube]
    assert layer_data.photograph_layers(viewer) == [photo]


def test_the_first_cube_is_shown_at_its_middle_band():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 5, 3), np.uint8), rgb=True)
    first = layers.add_cube(viewer, Cube(np.zeros((31, 4, 5)), Wavelengths(range(400, 701, 10))))
    assert axis.current_nm(viewer, first) == 550
    axis.go_to(viewer, 620)
    layers.add_cube(viewer, Cube(np.zeros((31, 4, 5)), Wavelengths(range(400, 701, 10))))
    assert axis.current_nm(viewer, first) == 620
    unknown = layers.add_cube(viewer, Cube(np.zeros((12, 4, 5))))  # not at any place yet reached
    assert axis.current_band(viewer, unknown) == 6
    layers.add_cube(
        viewer, Cube(np.zeros((12, 4, 5)), Wavelengths(range(900, 1020, 10))), visible=False
    )
    assert axis.current_band(viewer, unknown) == 6


@pytest.mark.parametrize("steps", [(60.0,) * 5, (50.0, 70.0, 80.0, 90.0, 110.0)])
def test_bands_that_napari_merged_have_the_wavelengths_of_no_cube(steps):
    nm = 400 + np.cumsum((0.0, *steps))
    viewer = ViewerModel()
    values = np.random.default_rng(0).random((6, 4, 5), np.float32)
    for name, shift in (("A", 0), ("B", 300)):
        cube = layers.add_cube(viewer, Cube(values, Wavelengths(nm + shift), name=name))
        viewer.layers.selection.active = cube
        _layer_actions._split_stack(viewer.layers)
    viewer.layers.selection = {viewer.layers[at] for at in (0, 1, 2, 9, 10, 11)}
    _layer_actions._merge_stack(viewer.layers)
    merged = viewer.layers[-1]
    assert layer_data.is_cube(merged)
    assert layer_data.layer_wavelengths(merged) is None
    assert layer_data.layer_cube(merged).wavelengths is None
    data, keywords, _ = merged.as_layer_data_tuple()
    assert layer_data.cube_from_parts(data, keywords).wavelengths is None
    layers.set_wavelengths(merged, nm + 10)  # the user says what they are
    assert layer_data.layer_cube(merged).wavelengths.matches(Wavelengths(nm + 10))


def test_the_band_that_napari_keeps_is_none_of_the_map(tmp_path):
    """It is read at every move of the mouse: where its file had become shorter, napari ended with it."""
    write(
        Cube(np.random.default_rng(0).random((5, 6, 7), np.float32), range(400, 405)),
        tmp_path / "a.hdr",
    )
    viewer = ViewerModel()
    layer = layers.add_cube(viewer, read(tmp_path / "a.hdr"))
    assert isinstance(layer.data, np.memmap)
    os.truncate(tmp_path / "a.img", 10)
    for part in (layer._slice.image.raw, layer._slice.image.view, layer._slice.thumbnail.raw):
        assert not np.may_share_memory(np.asarray(part), np.asarray(layer.data))
    assert np.isfinite(layer.get_value((0, 2, 3)))
