"""Scales that are damaged, in one band or as a whole: what is not applied is said."""

from __future__ import annotations

import base64
import json
import struct

import h5py
import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from napari_hsr import write
from napari_hsr.cube import Cube, Wavelengths
from napari_hsr.io import read
from napari_hsr.notices import Code

STORED = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5) + 2000


def item(name, band, text):
    return f'<Item name="{name}" sample="{band}" role="{name.lower()}">{text}</Item>'


def gdal(path, scales, offsets=("0", "0", "0"), lists="", cut=None, nodata=None):
    items = [item("SCALE", i, text) for i, text in enumerate(scales) if text is not None]
    items += [item("OFFSET", i, text) for i, text in enumerate(offsets) if text is not None]
    text = f"<GDALMetadata>{''.join(items)}{lists}</GDALMetadata>"[:cut]
    tags = [(42112, "s", 0, text, True)]
    tags += [(42113, "s", 0, nodata, True)] if nodata else []
    tifffile.imwrite(
        path,
        STORED,
        photometric="minisblack",
        planarconfig="separate",
        metadata=None,
        extratags=tags,
    )
    return read(path)


def told(cube, code=Code.GAIN_NOT_APPLIED):
    return [str(n) for n in cube.notices if n.code is code]


@pytest.mark.parametrize("damaged", ["0.00O1", "nan", "inf", ""])
@pytest.mark.parametrize("of", ["SCALE", "OFFSET"])
def test_one_band_whose_scale_is_no_number(tmp_path, damaged, of):
    scales, offsets = ["0.0001"] * 3, ["1"] * 3
    (scales if of == "SCALE" else offsets)[1] = damaged
    cube = gdal(tmp_path / "a.tif", scales, offsets)
    np.testing.assert_array_equal(cube.data, STORED)
    assert of in told(cube)[0]
    assert not told(cube, Code.SCALE_APPLIED)


def test_items_whose_xml_is_cut(tmp_path):
    cube = gdal(tmp_path / "a.tif", ["0.0001"] * 3, cut=-20)
    np.testing.assert_array_equal(cube.data, STORED)
    assert "cannot be read" in told(cube)[0]


def test_items_of_our_own_file_whose_xml_is_cut(tmp_path):
    path = tmp_path / "a.tif"
    data = np.linspace(0, 1, STORED.size, dtype=np.float32).reshape(STORED.shape)
    write(Cube(data, Wavelengths([400, 500, 600])), path, dtype="uint16", factor=10000)
    assert not told(read(path))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"</GDALMetadata>", b"</GDALMetadatb>"))
    assert "cannot be read" in told(read(path))[0]


def test_an_item_of_our_own_file_whose_band_is_damaged(tmp_path):
    path = tmp_path / "a.tif"
    data = np.linspace(0, 1, STORED.size, dtype=np.float32).reshape(STORED.shape)
    write(Cube(data, Wavelengths([400, 500, 600])), path, dtype="uint16", factor=10000)
    content = path.read_bytes()
    assert content.count(b'sample="1" role="scale"') == 1
    path.write_bytes(content.replace(b'sample="1" role="scale"', b'samqle="1" role="scale"'))
    cube = read(path)
    assert cube.data[1].max() > 1000 * cube.data[0].max()
    assert "some bands alone" in told(cube)[0]


def test_bands_of_which_some_state_a_scale(tmp_path):
    cube = gdal(tmp_path / "a.tif", ["0.0001", None, "0.0001"], [None] * 3)
    np.testing.assert_array_equal(cube.data[1], STORED[1])
    assert "some bands alone" in told(cube)[0]


def test_a_band_of_which_no_values_come(tmp_path):
    cube = gdal(tmp_path / "a.tif", ["0.0001", "0", "0.0001"])
    assert "1 of 3 bands" in told(cube)[0]
    np.testing.assert_allclose(cube.data[2], STORED[2] * 0.0001, rtol=1e-6)


def test_widths_of_which_one_is_no_number(tmp_path):
    widths = "".join(f'<Item name="fwhm" sample="{i}">{t}</Item>' for i, t in enumerate("5O5"))
    cube = gdal(tmp_path / "a.tif", [None] * 3, [None] * 3, lists=widths)
    assert told(cube, Code.LIST_UNUSABLE)


def test_the_number_for_missing_values_in_a_note_beside_it(tmp_path):
    path = tmp_path / "a.tif"
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>2OO0</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    assert told(gdal(path, [None] * 3, [None] * 3), Code.NO_DATA)


def hdf5(path, **attributes):
    with h5py.File(path, "w") as file:
        file["cube"] = STORED
        file["wavelengths"] = [400.0, 500.0, 600.0]
        file["cube"].attrs.update(attributes)
    return read(path)


@pytest.mark.parametrize("name", ["Scale_Factor", "reflectance_scale_factor"])
@pytest.mark.parametrize("damaged", ["1O000", np.nan, np.inf, 0.0, -10000.0, [1e4, 1e4, 1.0]])
def test_a_number_to_divide_by_that_is_none(tmp_path, name, damaged):
    cube = hdf5(tmp_path / "a.h5", **{name: damaged})
    np.testing.assert_array_equal(cube.data, STORED)
    assert name in told(cube)[0]


def test_a_number_to_divide_by_that_is_below_one(tmp_path):
    cube = hdf5(tmp_path / "a.h5", Scale_Factor=1e-4)
    np.testing.assert_allclose(cube.data, STORED * 1e-4, rtol=1e-6)
    assert "below 1" in told(cube, Code.SCALE_APPLIED)[0]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SCALE_FACTOR", Code.GAIN_NOT_APPLIED),
        ("_FillValue", Code.NO_DATA),
        ("valid_min", Code.NO_DATA),
    ],
)
def test_texts_in_the_place_of_numbers(tmp_path, name, code):
    cube = hdf5(tmp_path / "a.h5", **{name: "-99O9"})
    assert "'-99O9'" in told(cube, code)[0]
    assert not told(hdf5(tmp_path / "b.h5", **{name: "none"}), code)


def test_a_fill_value_of_xarray(tmp_path):
    encoded = base64.b64encode(struct.pack("<d", 2000.0)).decode()
    assert np.isnan(hdf5(tmp_path / "a.h5", _FillValue=encoded).data[0, 0, 0])


@pytest.mark.parametrize("name", ["scale_factor", "Scale_Factor", "add_offset"])
@pytest.mark.parametrize("damaged", ["1O", [], [1.0, 2.0]])
def test_one_of_several_arrays_whose_scale_is_no_number(tmp_path, name, damaged):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for i in range(3):
            file[f"band_{400 + 100 * i}"] = STORED[i]
            file[f"band_{400 + 100 * i}"].attrs[name] = damaged if i == 1 else 10.0
    cube = read(path)
    assert np.isnan(cube.data[1]).all()
    assert np.isfinite(cube.data[[0, 2]]).all()
    assert "1 of 3 bands" in told(cube)[0]


BESIDE = {
    "reflectance scale factor": ("1O000", Code.GAIN_NOT_APPLIED),
    "data ignore value": ("-99O9", Code.NO_DATA),
    "fwhm": (["5", "5", "5O"], Code.LIST_UNUSABLE),
    "bbl": (["1", "1", "O"], Code.LIST_UNUSABLE),
}


@pytest.mark.parametrize("kind", ["hdr", "json"])
@pytest.mark.parametrize("name", sorted(BESIDE))
def test_a_text_beside_the_image(tmp_path, kind, name):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STORED, photometric="minisblack", metadata=None)
    value, code = BESIDE[name]
    if kind == "json":
        facts = {"wavelengths": [400, 500, 600], name: value}
        path.with_suffix(".json").write_text(json.dumps(facts))
    else:
        written = value if isinstance(value, str) else f"{{{', '.join(value)}}}"
        path.with_suffix(".hdr").write_text(
            "ENVI\nsamples = 5\nlines = 4\nbands = 3\ndata type = 12\ninterleave = bsq\nbyte order = 0\n"
            f"wavelength = {{400, 500, 600}}\n{name} = {written}\n"
        )
    assert told(read(path), code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("sca1e_factor", Code.GAIN_NOT_APPLIED),
        ("scale_facto", Code.GAIN_NOT_APPLIED),
        ("add_0ffset", Code.GAIN_NOT_APPLIED),
        ("_Fil1Value", Code.NO_DATA),
        ("missing_va1ue", Code.NO_DATA),
    ],
)
def test_an_attribute_whose_name_is_damaged(tmp_path, name, code):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("cube", data=STORED)
        data.attrs[name] = 2003.0
    cube = read(tmp_path / "a.h5")
    np.testing.assert_array_equal(cube.data, STORED)
    assert name in told(cube, code)[0]


@pytest.mark.parametrize(
    "name", ["flag_values", "value", "offset_of_clock", "factory", "data_value"]
)
def test_an_attribute_of_another_meaning(tmp_path, name):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("cube", data=STORED).attrs[name] = 2003.0
    cube = read(tmp_path / "a.h5")
    assert not told(cube)
    assert not told(cube, Code.NO_DATA)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("data gian values", Code.GAIN_NOT_APPLIED),
        ("data 0ffset values", Code.GAIN_NOT_APPLIED),
        ("data ign0re value", Code.NO_DATA),
    ],
)
def test_an_item_of_a_header_whose_name_is_damaged(tmp_path, name, code):
    (tmp_path / "a.hdr").write_text(
        "ENVI\nsamples = 5\nlines = 4\nbands = 3\nheader offset = 0\ndata type = 12\n"
        f"interleave = bsq\nbyte order = 0\n{name} = {{7, 7, 7}}\n"
    )
    (tmp_path / "a.img").write_bytes(STORED.tobytes())
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(cube.data, STORED)
    assert name in told(cube, code)[0]


NOTE = {
    "wavelengths": [500, 510, 520],
    "scale_factor": 0.0001,
    "no_data": 65535,
    "units": "reflectance",
}
SPOILT = {
    "cut": lambda text: text[:-10],
    "one wavelength less": lambda text: text.replace("500, ", ""),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_note_beside_an_array_that_cannot_be_used_is_named(tmp_path, how):
    np.save(tmp_path / "s.npy", STORED)
    note = tmp_path / "s.json"
    note.write_text(json.dumps(NOTE))
    assert not told(read(tmp_path / "s.npy"))
    note.write_text(SPOILT[how](note.read_text()))
    cube = read(tmp_path / "s.npy")
    assert cube.wavelengths is None
    np.testing.assert_array_equal(cube.data, STORED)
    assert told(cube)[0].startswith("s.json beside the file is about wavelengths")


def test_a_header_beside_an_image_that_is_cut_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "t.tif", STORED, photometric="minisblack", metadata=None)
    header = (
        "ENVI\nsamples = 5\nlines = 4\nbands = 3\ndata type = 12\ninterleave = bsq\n"
        "reflectance scale factor = 10000\nwavelength = {500, 510, 520}\n"
    )
    (tmp_path / "t.hdr").write_text(header)
    assert not told(read(tmp_path / "t.tif"))
    (tmp_path / "t.hdr").write_text(header[:-8])
    assert told(read(tmp_path / "t.tif"))[0].startswith("t.hdr beside the file")


def test_texts_beside_that_are_of_something_else_are_not_named(tmp_path):
    np.save(tmp_path / "s.npy", STORED)
    (tmp_path / "s.json").write_text('{"exposure": 3}')
    assert not told(read(tmp_path / "s.npy"))


AROUND = {
    "npz": lambda path, facts: np.savez(path, cube=STORED, **facts),
    "mat": lambda path, facts: savemat(path, {"cube": STORED.transpose(1, 2, 0), **facts}),
    "attributes of the file": lambda path, facts: _h5(path, facts, False),
    "variables of the file": lambda path, facts: _h5(path, facts, True),
    "json": lambda path, facts: _beside(path, facts),
}
ENDING = {"npz": ".npz", "mat": ".mat", "json": ".npy"}


def _h5(path, facts, beside):
    with h5py.File(path, "w") as file:
        file["cube"] = STORED
        for name, value in facts.items():
            if beside:
                file[name] = value
            else:
                file.attrs[name] = value


def _beside(path, facts):
    np.save(path, STORED)
    note = {"wavelengths": [500, 510, 520], **facts}
    path.with_suffix(".json").write_text(json.dumps(note, default=lambda array: array.tolist()))


@pytest.mark.parametrize("place", AROUND)
@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("sca1e_factor", 1e-4, Code.GAIN_NOT_APPLIED),
        ("scale_facor", 1e-4, Code.GAIN_NOT_APPLIED),
        ("Scale_Facter", 1e-4, Code.GAIN_NOT_APPLIED),
        ("reflectance_sca1e_factor", 10000.0, Code.GAIN_NOT_APPLIED),
        ("add_0ffset", 5.0, Code.GAIN_NOT_APPLIED),
        ("FillVa1ue", 65535, Code.NO_DATA),
        ("no_dta", 65535, Code.NO_DATA),
        ("scale_factor", np.full(7, 1e-4), Code.GAIN_NOT_APPLIED),
        ("scale_factor", "1O000", Code.GAIN_NOT_APPLIED),
        ("no_data", "6S535", Code.NO_DATA),
    ],
)
def test_what_stands_around_an_array_is_told_where_it_is_damaged(
    tmp_path, place, name, value, code
):
    path = tmp_path / f"a{ENDING.get(place, '.h5')}"
    AROUND[place](path, {name: value})
    cube = read(path)
    np.testing.assert_array_equal(cube.data, STORED)
    assert told(cube, code)


@pytest.mark.parametrize("place", AROUND)
def test_what_stands_around_an_array_and_is_whole_is_applied(tmp_path, place):
    path = tmp_path / f"a{ENDING.get(place, '.h5')}"
    AROUND[place](path, {"scale_factor": 1e-4})
    cube = read(path)
    np.testing.assert_allclose(cube.data, STORED * 1e-4, rtol=1e-6)
    assert not told(cube)


@pytest.mark.parametrize(
    ("limits", "hidden"), [([0.0, 1.0], False), ([0.0, 30000.0], True), ([0.0, 1.5], False)]
)
def test_limits_in_floats_beside_packed_integers_are_of_the_values(tmp_path, limits, hidden):
    stored = STORED.copy()
    stored[0, 0, 0] = 31000
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["cube"] = stored
        file["cube"].attrs.update(scale_factor=1e-4, valid_range=np.array(limits))
    cube = read(tmp_path / "a.nc")
    assert np.isnan(cube.data).sum() == hidden
    assert bool(told(cube, Code.NO_DATA))


@pytest.mark.parametrize("name", ["no data value", "nodata", "_FillValue", "missing value"])
def test_other_names_of_missing_values_in_a_header_are_told(tmp_path, name):
    header(tmp_path, f"{name} = 65535")
    assert name.lower() in told(read(tmp_path / "a.hdr"), Code.NO_DATA)[0].lower()


def test_a_scale_factor_in_one_word_is_told(tmp_path):
    header(tmp_path, "ScaleFactor = 10000")
    assert told(read(tmp_path / "a.hdr"))


def header(folder, line):
    (folder / "a.hdr").write_text(
        "ENVI\nsamples = 5\nlines = 4\nbands = 3\nheader offset = 0\ndata type = 12\n"
        f"interleave = bsq\nbyte order = 0\n{line}\n"
    )
    (folder / "a.img").write_bytes(STORED.tobytes())


@pytest.mark.parametrize(
    ("units", "factor", "said"),
    [
        ("reflectance", 9000, True),
        ("reflectance", 1.2, False),
        ("radiance", 9000, False),
        (None, 9000, False),
    ],
)
def test_what_is_called_reflectance_and_is_far_beyond_it_is_told(tmp_path, units, factor, said):
    """As where the scale of a file of ours is lost: its numbers had been shown as reflectance."""
    values = np.random.default_rng(0).random((3, 8, 9)).astype(np.float32) * factor
    cube = read(write(Cube(values, Wavelengths([400, 500, 600]), units), tmp_path / "a.h5"))
    assert ("a factor may be lost" in " ".join(cube.notices)) == said
    assert np.array_equal(cube.data, values)
