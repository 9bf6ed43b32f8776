"""Facts beside a file, markers that a text rounds, and units of their own: as GDAL, ESRI and xarray write them."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import tifffile

import napari_hsr
from napari_hsr import read, read_library, write
from napari_hsr.errors import FileError
from napari_hsr.io import file_sets
from napari_hsr.io.label_images import write_labels
from napari_hsr.io.tiff import geotiff
from napari_hsr.notices import Code, has

NM = [450.0, 500.0, 550.0]
VALUES = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5) + 7
HEADER = (
    "ENVI\nsamples = 5\nlines = 4\nbands = 3\nheader offset = 0\nfile type = ENVI Standard\n"
    "data type = {}\ninterleave = bsq\nbyte order = 0\n{}\n"
)


def envi(folder, values, code, extra=""):
    (folder / "scene.hdr").write_text(HEADER.format(code, extra))
    (folder / "scene.img").write_bytes(values.tobytes())
    return folder / "scene.hdr"


@pytest.mark.parametrize("stated", ["-3.402823e+38", "-3.4e38", "-3.40282346638529e+38"])
@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_a_huge_marker_that_the_text_rounds(tmp_path, stated, dtype):
    values = VALUES.astype(dtype)
    values[1, 2, 3] = np.finfo(np.float32).min
    values[0, 0, 0] = -1e30  # of no such size
    cube = read(
        envi(tmp_path, values, {"<f4": 4, "<f8": 5}[dtype], f"data ignore value = {stated}")
    )
    assert np.argwhere(np.isnan(cube.data[:])).tolist() == [[1, 2, 3]]


def test_a_marker_beyond_the_type_is_its_end_or_infinite(tmp_path):
    values = VALUES.astype("<f4")
    values[1, 2, 3], values[2, 3, 4] = -np.inf, np.finfo(np.float32).min
    values[0, 0, 0] = -1e38
    path = envi(tmp_path, values, 4, "data ignore value = -1.7976931348623157e+308")
    assert np.argwhere(np.isnan(read(path).data[:])).tolist() == [[1, 2, 3], [2, 3, 4]]


def test_a_usual_marker_beside_a_stated_one_is_told(tmp_path):
    values = VALUES.astype(np.int16)
    values[0, 0, 0], values[1, 2, 3] = 0, -9999
    cube = read(envi(tmp_path, values, 2, "data ignore value = 0"))
    assert np.argwhere(np.isnan(cube.data[:])).tolist() == [[0, 0, 0]]
    assert sum("-9999" in notice for notice in cube.notices) == 1


def pam(path, bands=3, whole=""):
    items = "".join(
        f'<PAMRasterBand band="{i + 1}"><NoDataValue>7</NoDataValue><Scale>0.5</Scale><Offset>{i}</Offset>'
        "</PAMRasterBand>"
        for i in range(bands)
    )
    path.write_text(f"<PAMDataset>{whole}{items}</PAMDataset>")


@pytest.mark.parametrize("suffix", [".hdr", ".tif"])
def test_what_gdal_states_beside_a_file(tmp_path, suffix):
    if suffix == ".hdr":
        path = envi(tmp_path, VALUES, 12, "wavelength units = nm\nwavelength = {450, 500, 550}")
        pam(tmp_path / "scene.img.aux.xml")
    else:
        path = tmp_path / "scene.tif"
        tifffile.imwrite(path, VALUES, photometric="minisblack", metadata={"wavelengths": NM})
        pam(tmp_path / "scene.tif.aux.xml")
    expected = VALUES * 0.5 + np.arange(3)[:, None, None]
    expected[0, 0, 0] = np.nan
    cube = read(path)
    np.testing.assert_allclose(cube.data[:], expected)
    assert cube.wavelengths.nm.tolist() == NM
    assert has(cube.notices, Code.SCALE_APPLIED)
    assert has(cube.notices, Code.NO_DATA)


def test_a_header_counts_more_than_the_file_beside_it(tmp_path):
    path = envi(tmp_path, VALUES, 12, "data ignore value = 8\nreflectance scale factor = 10")
    pam(tmp_path / "scene.img.aux.xml")
    data = read(path).data[:]
    assert np.isnan(data[0, 0, 1])
    assert data[0, 0, 0] == np.float32(0.7)


UTM = 'PROJCS["x",GEOGCS["y"],AUTHORITY["EPSG","32633"]]'
GRID = {"pixel_scale": [30.0, 20.0, 0.0], "tiepoints": [0.0, 0.0, 0.0, 1000.0, 2000.0, 0.0]}
WORLD = "30\n0\n0\n-20\n1015\n1990\n"
ESRI = (
    "NROWS 4\nNCOLS 5\nNBANDS 3\nNBITS 16\nLAYOUT BSQ\nBYTEORDER I\n"
    "ULXMAP 1015\nULYMAP 1990\nXDIM 30\nYDIM 20\n"
)


@pytest.mark.parametrize("kind", ["tfw", "TFW", "wld", "pam", "envi", "esri"])
def test_the_place_on_the_ground_beside_a_file(tmp_path, kind):
    path = tmp_path / "scene.tif"
    if kind == "esri":
        path = envi(tmp_path, VALUES, 12)
        path.write_text(ESRI)
    elif kind == "envi":
        path = envi(tmp_path, VALUES, 12)
        (tmp_path / "scene.igw").write_text(WORLD)
    else:
        tifffile.imwrite(path, VALUES, photometric="minisblack")
    if kind == "pam":
        whole = f"<SRS>{UTM}</SRS><GeoTransform>1000, 30, 0, 2000, 0, -20</GeoTransform>"
        (tmp_path / "scene.tif.aux.xml").write_text(f"<PAMDataset>{whole}</PAMDataset>")
    else:
        (tmp_path / "scene.prj").write_text(UTM)
        if len(kind) == 3:
            (tmp_path / f"scene.{kind}").write_text(WORLD)
    cube = read(path)
    stated = cube.metadata[geotiff.KEY]
    assert {key: stated[key] for key in GRID} == GRID
    written = write(cube, tmp_path / "out.hdr").read_text()
    assert "map info = {UTM, 1.0, 1.0, 1000.0, 2000.0, 30.0, 20.0, 33, North, WGS-84" in written


def test_no_grid_beside_a_file_is_none(tmp_path):
    path = tmp_path / "scene.tif"
    tifffile.imwrite(path, VALUES, photometric="minisblack")
    (tmp_path / "scene.prj").write_text(UTM)
    (tmp_path / "scene.tfw").write_text("30\n0\nno world file\n")
    assert geotiff.KEY not in read(path).metadata


SCALE = "".join(
    f'<Item name="{n}" sample="0" role="x">{v}</Item>' for n, v in (("SCALE", 0.5), ("OFFSET", 2))
)
GDAL = f'<GDALMetadata>{SCALE}<Item name="CENTRAL_WAVELENGTH_UM" sample="0" domain="IMAGERY">0.68</Item></GDALMetadata>'


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_one_band_of_gdal_is_a_cube_with_its_facts(tmp_path, dtype):
    plane = VALUES[0].astype(dtype)
    tifffile.imwrite(
        tmp_path / "red.tif", plane, metadata=None, extratags=[(42112, "s", 0, GDAL, True)]
    )
    cube = read(tmp_path / "red.tif")
    np.testing.assert_array_equal(cube.data[:], plane[np.newaxis] * 0.5 + 2)
    assert cube.wavelengths.nm.tolist() == [680.0]


def test_a_grey_page_on_the_ground_is_a_band(tmp_path):
    tags = [(33550, "d", 3, (30.0, 30.0, 0.0), True), (33922, "d", 6, (0.0,) * 6, True)]
    tifffile.imwrite(tmp_path / "grey.tif", VALUES[0], metadata=None, extratags=tags)
    assert read(tmp_path / "grey.tif").shape == (1, 4, 5)


@pytest.mark.parametrize("shape", [(3, 4, 1), (3, 1, 1), (3, 1, 5)])
def test_integers_of_one_column_with_wavelengths_are_no_picture(tmp_path, shape):
    values = VALUES[: shape[0], : shape[1], : shape[2]]
    facts = {"axes": "CYX", "wavelengths": NM}
    tifffile.imwrite(tmp_path / "c.tif", values, photometric="minisblack", metadata=facts)
    cube = read(tmp_path / "c.tif")
    np.testing.assert_array_equal(cube.data[:], values)
    assert cube.wavelengths.nm.tolist() == NM


@pytest.mark.parametrize("first", [True, False])
def test_a_cube_beside_a_picture_in_colours_of_any_size(tmp_path, first):
    picture = np.zeros((40, 50, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "c.tif") as file:
        for is_picture in (first, not first):
            if is_picture:
                file.write(picture, photometric="rgb")
            else:
                file.write(VALUES, photometric="minisblack", metadata={"wavelengths": NM})
    cube = read(tmp_path / "c.tif")
    np.testing.assert_array_equal(cube.data[:], VALUES)
    assert cube.wavelengths.nm.tolist() == NM
    assert has(cube.notices, Code.OTHER_IMAGES_LEFT_OUT)


@pytest.mark.parametrize(
    ("centres", "unit", "width_unit", "widths"),
    [
        (NM, "nm", "um", [0.004, 0.005, 0.006]),
        ([0.45, 0.5, 0.55], "um", "nm", [4.0, 5.0, 6.0]),
        (NM, "nm", None, [4.0, 5.0, 6.0]),
        ([0.45, 0.5, 0.55], "um", None, [0.004, 0.005, 0.006]),
        ([0.45, 0.5, 0.55], "um", "nm", [0.004, 0.005, 0.006]),  # copied from another file
    ],
)
def test_widths_with_a_unit_of_their_own(tmp_path, centres, unit, width_unit, widths):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["cube"], file["wavelength"], file["fwhm"] = VALUES, centres, widths
        file["wavelength"].attrs["units"] = unit
        if width_unit:
            file["fwhm"].attrs["units"] = width_unit
    cube = read(tmp_path / "c.h5")
    np.testing.assert_allclose(cube.metadata["fwhm"], [4, 5, 6])


@pytest.mark.parametrize(
    ("name", "listed"), [("bad_bands", [0, 1, 0]), ("good_wavelengths", [1, 0, 1])]
)
def test_lists_of_good_and_bad_bands(tmp_path, name, listed):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["cube"], file["wavelength"], file[name] = VALUES, NM, np.array(listed, np.uint8)
    assert read(tmp_path / "c.h5").good_bands.tolist() == [True, False, True]


def test_json_in_the_notes_of_imagej(tmp_path):
    notes = {"axes": "ZYX", "Info": json.dumps({"wavelengths": NM})}
    tifffile.imwrite(tmp_path / "c.tif", VALUES, imagej=True, metadata=notes)
    assert read(tmp_path / "c.tif").wavelengths.nm.tolist() == NM


@pytest.mark.parametrize(
    "extra",
    [
        "wavelength = {440-460, 490-510, 540-560}\nwavelength units = nm",
        "wavelength = {0.44-0.46, 0.49-0.51, 0.54-0.56}\nwavelength units = Micrometers",
        "band names = {Resize (Band 1:a.dat) (450.0000):b.dat, Resize (Band 2:a.dat) (500.0000):b.dat, "
        "Resize (Band 3:a.dat) (550.0000):b.dat}",
    ],
)
def test_wavelengths_by_their_ends_and_behind_the_names_of_tools(tmp_path, extra):
    assert read(envi(tmp_path, VALUES, 12, extra)).wavelengths.nm.tolist() == NM


@pytest.mark.parametrize(
    "names",
    ["A (1.0) (450.0), A (2.0) (500.0), A (3.0) (550.0)", "T (12:30), T (12:40), T (12:50)"],
)
def test_numbers_in_brackets_that_are_no_wavelengths(tmp_path, names):
    assert read(envi(tmp_path, VALUES, 12, f"band names = {{{names}}}")).wavelengths is None


@pytest.mark.parametrize("listed", ["true, false, true", "Good, Bad, Good", "1.0, 0.0, 1.0"])
def test_bands_of_use_in_words(tmp_path, listed):
    assert read(envi(tmp_path, VALUES, 12, f"bbl = {{{listed}}}")).good_bands.tolist() == [
        True,
        False,
        True,
    ]


def test_bands_of_use_that_cannot_be_understood_are_told(tmp_path):
    cube = read(envi(tmp_path, VALUES, 12, "bbl = {a, b, c}"))
    assert cube.good_bands.all()
    assert has(cube.notices, Code.LIST_UNUSABLE)


@pytest.mark.parametrize("stated", ['"8"', "8 ; water", "'8.0'"])
def test_a_marker_in_quotes_or_before_a_remark(tmp_path, stated):
    cube = read(envi(tmp_path, VALUES, 12, f"data ignore value = {stated}"))
    assert np.argwhere(np.isnan(cube.data[:])).tolist() == [[0, 0, 1]]


def hyperspy(path, name, unit):
    """A map as HyperSpy writes it: rows, columns, and the axis of the signal."""
    with h5py.File(path, "w") as file:
        group = file.create_group("Experiments/map")
        group["data"] = VALUES.transpose(1, 2, 0)
        axes = [("y", "um", True), ("x", "um", True), (name, unit, False)]
        for number, (called, units, navigate) in enumerate(axes):
            axis = group.create_group(f"axis-{number}")
            axis.attrs.update(
                name=called, units=units, navigate=navigate, scale=50.0, offset=450.0, size=9
            )


@pytest.mark.parametrize(
    ("name", "unit", "nm"),
    [
        ("Raman shift", "cm-1", None),
        ("Energy loss", "eV", None),
        ("Wavelength", "nm", NM),
        ("", "nm", NM),
    ],
)
def test_the_axis_of_a_signal_holds_the_bands_whatever_it_is_called(tmp_path, name, unit, nm):
    hyperspy(tmp_path / "map.hspy", name, unit)
    cube = read(tmp_path / "map.hspy")
    np.testing.assert_array_equal(cube.data[:], VALUES)
    assert (None if cube.wavelengths is None else list(cube.wavelengths)) == nm


@pytest.mark.parametrize("beside", [np.array(NM), np.array(NM[::-1])])
def test_a_list_without_a_name_beside_an_array_of_numpy(tmp_path, beside):
    np.savez(tmp_path / "c.npz", VALUES.transpose(1, 2, 0), beside)
    cube = read(tmp_path / "c.npz")
    assert cube.wavelengths.nm.tolist() == NM
    assert has(cube.notices, Code.OTHER)
    np.testing.assert_array_equal(cube.data[0], VALUES[0 if beside[0] < beside[1] else 2])


ROWS = "".join(f"{nm:g},{nm / 1000},{nm / 2000},9\n" for nm in NM)


@pytest.mark.parametrize(
    "heads", ["leaf_mean,soil,leaf_std", "leaf,soil,leaf sd", "mean_leaf,soil,sd_leaf"]
)
def test_the_deviation_of_a_spectrum_is_none(tmp_path, heads):
    (tmp_path / "a.csv").write_text(f"wavelength,{heads}\n{ROWS}")
    assert read_library(tmp_path / "a.csv").names == tuple(heads.split(",")[:2])


@pytest.mark.parametrize("heads", ["a,b,field_std", "a,b,n"])
def test_a_name_that_only_looks_like_a_deviation(tmp_path, heads):
    (tmp_path / "a.csv").write_text(f"wavelength,{heads}\n{ROWS}")
    expected = heads.split(",") if "field" in heads else ["a", "b"]
    assert list(read_library(tmp_path / "a.csv").names) == expected


def test_a_log_below_a_table_is_left_out_and_a_broken_line_is_not(tmp_path):
    table = "Baseline,,leaf,,\nWavelength (nm),%R,Wavelength (nm),%R,\n" + "".join(
        f"{nm},100,{nm},{nm / 10},\n" for nm in NM[::-1]
    )
    (tmp_path / "a.csv").write_text(
        f"{table}\nBaseline 100%T\nCollection Time: 1/1/2024\nScan rate 600\n"
    )
    library = read_library(tmp_path / "a.csv")
    np.testing.assert_allclose(library.values[-1], [0.45, 0.5, 0.55])
    (tmp_path / "b.csv").write_text(f"{table}\nbroken\n400,100,400,40,\n")
    with pytest.raises(FileError, match="line 7 is damaged"):
        read_library(tmp_path / "b.csv")


@pytest.mark.parametrize(
    "names", [("White", "Dark"), ("white_reference", "dark_reference"), ("WhiteRef", "flat_field")]
)
def test_references_beside_a_scan_are_not_taken_for_it(tmp_path, names):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["capture/Raw"] = VALUES
        for name in names:
            file[name] = VALUES[:, :1]
    cube = read(tmp_path / "c.h5")
    np.testing.assert_array_equal(cube.data[:], VALUES)
    assert has(cube.notices, Code.OTHER_ARRAYS_LEFT_OUT)
    assert read(tmp_path / "c.h5", variable=names[0]).shape == (3, 1, 5)


@pytest.mark.parametrize("changed", ["data type = 12 ; unsigned", "data type = {12}"])
def test_numbers_of_a_header_in_braces_or_before_a_remark(tmp_path, changed):
    path = envi(tmp_path, VALUES, 12)
    path.write_text(path.read_text().replace("data type = 12", changed))
    np.testing.assert_array_equal(read(path).data[:], VALUES)


def test_one_scale_factor_for_every_band(tmp_path):
    path = envi(tmp_path, VALUES, 12, "reflectance scale factor = {100, 100, 100}")
    np.testing.assert_allclose(read(path).data[:], VALUES / 100)
    path = envi(tmp_path, VALUES, 12, "reflectance scale factor = {100, 200, 100}")
    with pytest.raises(FileError, match="a positive number was expected"):
        read(path)


@pytest.mark.parametrize("name", ["new.tif", "new.hdr"])
@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("<GeoTransform> 1e6, 1, 0, 2e6, 0, -1</GeoTransform>", "a place"),
        ('<PAMRasterBand band="1"><Scale>0.1</Scale></PAMRasterBand>', "a scale"),
        ('<PAMRasterBand band="1"><Offset>5</Offset></PAMRasterBand>', "an offset"),
        ('<PAMRasterBand band="1"><NoDataValue>7</NoDataValue></PAMRasterBand>', "no data"),
    ],
)
def test_nothing_is_written_beside_a_note_that_would_be_applied(tmp_path, name, note, said):
    cube = napari_hsr.Cube(VALUES.astype(np.float32), NM, name="new")
    out = tmp_path / name
    beside = out.with_name("new.tif.aux.xml" if name == "new.tif" else "new.img.aux.xml")
    beside.write_text(f"<PAMDataset>{note}</PAMDataset>")
    with pytest.raises(FileError, match=rf"{beside.name} of an older image .* {said}"):
        write(cube, out)
    with pytest.raises(FileError, match=r"aux\.xml"):  # before it is computed, too
        file_sets.replaces(out, ())
    assert [file.name for file in tmp_path.iterdir()] == [beside.name]


@pytest.mark.parametrize("name", ["new.tif", "new.hdr"])
def test_a_note_of_statistics_does_no_harm(tmp_path, name):
    cube = napari_hsr.Cube(VALUES.astype(np.float32), NM, name="new")
    for image in ("new.tif", "new.img"):
        (tmp_path / f"{image}.aux.xml").write_text(
            '<PAMDataset><PAMRasterBand band="1"><Metadata><MDI key="STATISTICS_MEAN">3</MDI>'
            "</Metadata></PAMRasterBand></PAMDataset>"
        )
    write(cube, tmp_path / name)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / name).data), cube.data)


def test_labels_are_not_written_beside_a_note_of_an_older_image(tmp_path):
    (tmp_path / "new.tif.aux.xml").write_text(
        "<PAMDataset><GeoTransform> 1e6, 1, 0, 2e6, 0, -1</GeoTransform></PAMDataset>"
    )
    with pytest.raises(FileError, match=r"of an older image .* a place"):
        write_labels(np.ones((3, 4), np.uint8), tmp_path / "new.tif")
    assert [file.name for file in tmp_path.iterdir()] == ["new.tif.aux.xml"]
