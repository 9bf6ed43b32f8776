"""TIFFs as GDAL, ImageJ, OME and others write them: wavelengths, masks, and GDAL's file beside."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from napari_hsr import Cube, read, write
from napari_hsr.io import lazy
from napari_hsr.notices import Code, has
from napari_hsr.units import one_line

from .refusals import refused

NM = [450.0, 500.0, 550.0, 600.0]
NAMES = [f"{nm:g} nm" for nm in NM]
VALUES = np.arange(4 * 5 * 3, dtype=np.uint16).reshape(4, 5, 3) + 100


def gdal(path, items, values=VALUES):
    tags = [(42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)]
    tifffile.imwrite(path, values, photometric="minisblack", extratags=tags, metadata=None)


def pages(path, describe=None, name=None):
    with tifffile.TiffWriter(path) as file:
        for plane, nm in zip(VALUES, NM, strict=True):
            tags = [] if name is None else [(285, "s", 0, name(nm), True)]
            text = None if describe is None else describe(nm)
            file.write(
                plane, photometric="minisblack", metadata=None, description=text,
                extratags=tags, contiguous=False,
            )  # fmt: skip


def imagej(path, **metadata):
    tifffile.imwrite(path, VALUES, imagej=True, metadata={"axes": "CYX", **metadata})


WRITERS = {
    "labels of slices": lambda p: imagej(p, Labels=[f"{n}\nscan.raw" for n in NAMES]),
    "notes of ImageJ": lambda p: imagej(p, Info="wavelengths = 450,500,550,600"),
    "names of channels": lambda p: tifffile.imwrite(
        p, VALUES, ome=True, photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": NAMES}}
    ),
    "descriptions of pages": lambda p: pages(p, "{:g} nm".format),
    "JSON of pages": lambda p: pages(p, lambda nm: json.dumps({"exposure": 3, "wavelength": nm})),
    "XML of pages": lambda p: pages(p, "<A><Name>x</Name><Wavelength>{:g}</Wavelength></A>".format),
    "names of pages": lambda p: pages(p, name="{:g} nm".format),
    "a description": lambda p: tifffile.imwrite(
        p, VALUES, photometric="minisblack", metadata=None,
        description="Wavelengths (nm): 450, 500, 550, 600",
    ),
    "a header": lambda p: tifffile.imwrite(
        p, VALUES, photometric="minisblack", metadata=None,
        description="wavelength units = um\nwavelength = {0.45, 0.5, 0.55, 0.6}",
    ),
    "names by tag": lambda p: gdal(
        p, "".join(f'<Item name="BandName" sample="{i}">B{i} {n}</Item>' for i, n in enumerate(NAMES))
    ),
    "a list by tag": lambda p: gdal(p, '<Item name="wavelength">{450, 500, 550, 600}</Item>'),
    "numbered tags": lambda p: gdal(
        p, "".join(f'<Item name="Band_{i + 1}">{n}</Item>' for i, n in enumerate(NAMES))
    ),
}  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS)
def test_wavelengths_wherever_they_stand(tmp_path, writer):
    path = tmp_path / ("a.ome.tif" if "channels" in writer else "a.tif")
    WRITERS[writer](path)
    cube = read(path)
    assert cube.wavelengths.nm.tolist() == NM
    np.testing.assert_array_equal(cube.data, VALUES)


def test_numbers_of_exposures_are_no_wavelengths(tmp_path):
    pages(tmp_path / "a.tif", '{{"exposure": {:g}}}'.format)
    assert read(tmp_path / "a.tif").wavelengths is None


def test_the_file_that_gdal_writes_beside(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", VALUES, photometric="minisblack", metadata=None)
    bands = "".join(
        f'<PAMRasterBand band="{i + 1}"><Description>{name}</Description><Scale>0.5</Scale>'
        f"<NoDataValue>100</NoDataValue></PAMRasterBand>"
        for i, name in enumerate(NAMES)
    )
    (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")
    cube = read(tmp_path / "a.tif")
    assert cube.wavelengths.nm.tolist() == NM
    assert np.isnan(cube.data[0, 0, 0])
    assert cube.data[1, 0, 0] == VALUES[1, 0, 0] / 2
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset>")  # broken: read without
    assert read(tmp_path / "a.tif").wavelengths is None


@pytest.mark.parametrize("axis", [0, 2], ids=["planes", "samples"])
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_mask_of_the_file(tmp_path, monkeypatch, axis, on_disk):
    mask = np.full((5, 3), 255, np.uint8)
    mask[0, :2] = 0
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        if axis == 0:
            file.write(VALUES, photometric="minisblack", planarconfig="separate", metadata=None)
        else:
            contiguous = np.ascontiguousarray(VALUES.transpose(1, 2, 0))
            file.write(contiguous, photometric="minisblack", planarconfig="contig", metadata=None)
        file.write(mask > 0, photometric="mask", subfiletype=4, metadata=None)
    if on_disk:
        monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 0)
    cube = read(tmp_path / "a.tif")
    assert isinstance(cube.data, lazy.LazyArray) == on_disk
    expected = VALUES.astype(np.float32)
    expected[:, 0, :2] = np.nan
    np.testing.assert_array_equal(cube.data[:], expected)
    np.testing.assert_array_equal(cube.data[2], expected[2])
    np.testing.assert_array_equal(cube.data[1:3, :, 0], expected[1:3, :, 0])
    np.testing.assert_array_equal(cube.data[:, 0, 0], expected[:, 0, 0])
    assert has(cube.notices, Code.NO_DATA)
    assert not has(cube.notices, Code.OTHER_IMAGES_LEFT_OUT)


def test_the_mask_that_gdal_keeps_beside(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", VALUES, photometric="minisblack", metadata=None)
    mask = np.full((5, 3), 255, np.uint8)
    mask[0, :2] = 0
    (tmp_path / "a.tif.msk").write_bytes(b"no mask")  # of another program: left alone
    np.testing.assert_array_equal(read(tmp_path / "a.tif").data, VALUES)
    (tmp_path / "a.tif.msk").unlink()
    tifffile.imwrite(tmp_path / "mask.tif", mask, compression="deflate")
    (tmp_path / "mask.tif").rename(tmp_path / "a.tif.msk")
    cube = read(tmp_path / "a.tif")
    expected = VALUES.astype(np.float32)
    expected[:, 0, :2] = np.nan
    np.testing.assert_array_equal(cube.data, expected)
    assert any("a.tif.msk" in notice for notice in cube.notices)


def test_bands_beside_a_larger_picture_in_one_file(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for plane in VALUES:
            file.write(plane, metadata=None)
        file.write(np.zeros((50, 30), VALUES.dtype), metadata=None)
    cube = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(cube.data, VALUES)
    assert has(cube.notices, Code.OTHER_IMAGES_LEFT_OUT)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"camera": {"sensor": {"wavelengths": NM, "unit": "nm"}}}),
        json.dumps({"camera": {"Wavelength (nm)": NM}}),
        json.dumps({"bands": [{"name": "x", "center_wavelength_um": nm / 1000} for nm in NM]}),
        "<scan>" + "".join(f"<band><Wavelength unit='nm'>{nm}</Wavelength></band>" for nm in NM)
        + "</scan>",
    ],
)  # fmt: skip
def test_wavelengths_deep_in_a_description(tmp_path, text):
    tifffile.imwrite(
        tmp_path / "a.tif", VALUES, photometric="minisblack", description=text, metadata=None
    )
    assert read(tmp_path / "a.tif").wavelengths.nm.tolist() == NM


@pytest.mark.parametrize("file", ["tif", "hdr"])
def test_bands_of_which_only_some_are_named_by_a_wavelength(tmp_path, file):
    names = [*(f"{nm:g} nm" for nm in NM[:-1]), "mask"]
    if file == "tif":
        items = "".join(
            f'<Item name="DESCRIPTION" sample="{i}" role="description">{name}</Item>'
            for i, name in enumerate(names)
        )
        tags = [(42112, 2, 0, f"<GDALMetadata>{items}</GDALMetadata>", True)]
        more = {"photometric": "minisblack", "planarconfig": "separate", "metadata": None}
        tifffile.imwrite(tmp_path / "a.tif", VALUES, extratags=tags, **more)
    else:
        bands, lines, samples = VALUES.shape
        (tmp_path / "a.img").write_bytes(VALUES.astype("<f4").tobytes())
        (tmp_path / "a.hdr").write_text(
            f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\ndata type = 4\ninterleave = bsq\n"
            f"byte order = 0\nband names = {{{', '.join(names)}}}\n"
        )
    cube = read(tmp_path / f"a.{file}")
    assert cube.wavelengths is None
    assert any(f"{len(NM) - 1} of {len(NM)} bands are named" in n for n in cube.notices)


def test_labels_that_come_again_for_each_time(tmp_path):
    both = np.stack([VALUES, VALUES[::-1]]).astype(np.uint16)
    labels = [f"{nm:g} nm" for nm in NM] * 2
    tifffile.imwrite(
        tmp_path / "a.tif", both[:, None], imagej=True, metadata={"axes": "TZCYX", "Labels": labels}
    )
    cube = read(f"{tmp_path / 'a.tif'}:[2]")
    np.testing.assert_array_equal(cube.data, VALUES[::-1])
    assert cube.wavelengths.nm.tolist() == NM


def test_a_text_of_the_same_name_counts_if_it_is_a_list_alone(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", VALUES, photometric="minisblack", metadata=None)
    (tmp_path / "a.txt").write_text("\n".join(map(str, NM)))
    assert read(tmp_path / "a.tif").wavelengths.nm.tolist() == NM
    (tmp_path / "a.txt").write_text("exposure 20\n1\n2\n3\n4\n")
    assert read(tmp_path / "a.tif").wavelengths is None


@pytest.mark.parametrize(
    ("stated", "scale", "code"),
    [
        ("0.0001", 1e-4, Code.SCALE_APPLIED),
        ("10000", 1, Code.GAIN_NOT_APPLIED),  # to multiply or to divide by
    ],
)
def test_a_factor_of_the_whole_image(tmp_path, stated, scale, code):
    gdal(tmp_path / "a.tif", f'<Item name="scale_factor">{stated}</Item>')
    cube = read(tmp_path / "a.tif")
    np.testing.assert_allclose(cube.data, VALUES * scale, rtol=1e-6)
    assert has(cube.notices, code)


def of_each_page(path, tags, values=VALUES):
    """A page a band, each with tags of its own."""
    with tifffile.TiffWriter(path) as file:
        for i, plane in enumerate(values):
            file.write(
                plane, photometric="minisblack", metadata=None, extratags=tags(i), contiguous=False
            )


def test_what_each_page_says_of_its_numbers(tmp_path):
    def scaled(i):
        items = f'<Item name="SCALE" sample="0" role="scale">{(i + 1) / 10}</Item>'
        text = f"<GDALMetadata>{items}</GDALMetadata>"
        return [(42112, "s", 0, text, True), (42113, "s", 0, str(VALUES[i, 0, 0]), True)]

    of_each_page(tmp_path / "a.tif", scaled)
    cube = read(tmp_path / "a.tif")
    expected = VALUES * (np.arange(1, 5)[:, None, None] / 10)
    expected[:, 0, 0] = np.nan
    np.testing.assert_allclose(cube.data, expected, rtol=1e-6)
    assert has(cube.notices, Code.SCALE_APPLIED)
    assert has(cube.notices, Code.NO_DATA)


def test_what_the_first_page_says_of_all_bands_is_not_what_its_copies_say_of_their_own(tmp_path):
    items = "".join(f'<Item name="SCALE" sample="{i}">{i + 1}</Item>' for i in range(4))
    of_each_page(
        tmp_path / "a.tif",
        lambda i: [(42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)],
    )
    expected = VALUES * np.arange(1, 5)[:, None, None]
    np.testing.assert_array_equal(read(tmp_path / "a.tif").data, expected)


def test_a_page_that_is_turned_is_told(tmp_path):
    of_each_page(tmp_path / "a.tif", lambda i: [(274, "H", 1, 3 if i == 2 else 1, True)])
    assert has(read(tmp_path / "a.tif").notices, Code.AXES_CHANGED)


def test_a_number_for_missing_values_that_is_none_is_told(tmp_path):
    tags = [(42113, "s", 0, "-9999 -1", True)]
    tifffile.imwrite(
        tmp_path / "a.tif", VALUES, photometric="minisblack", extratags=tags, metadata=None
    )
    cube = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(cube.data, VALUES)
    assert has(cube.notices, Code.NO_DATA)


@pytest.mark.parametrize("inside", [True, False])
def test_a_mask_of_a_single_band(tmp_path, inside):
    plane, mask = VALUES[0].astype(np.float32), VALUES[0] % 2 == 0
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(plane, photometric="minisblack", metadata=None)
        if inside:
            file.write(mask, photometric=4, subfiletype=4, metadata=None)
    if not inside:
        beside = mask.astype(np.uint8) * 255
        tifffile.imwrite(tmp_path / "a.tif.msk", beside, photometric="minisblack", metadata=None)
    cube = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(cube.data[0], np.where(mask, plane, np.nan))
    assert has(cube.notices, Code.NO_DATA)


@pytest.mark.parametrize(("kind", "multiplied"), [(1, True), (2, False)])
def test_bands_that_are_multiplied_by_alpha_are_told(tmp_path, kind, multiplied):
    values = np.moveaxis(VALUES, 0, -1)
    tifffile.imwrite(
        tmp_path / "a.tif", values, photometric="minisblack", planarconfig="contig",
        extrasamples=(0, 0, kind), metadata=None,
    )  # fmt: skip
    cube = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(cube.data, VALUES[:3])
    told = next(n for n in cube.notices if n.code is Code.ALPHA_LEFT_OUT)
    assert ("multiplied" in told) is multiplied


@pytest.mark.parametrize(
    "text",
    [
        "<PAMDataset><PAMRasterBand band='1'><NoDataValue>7</NoDataValue>",
        "<PAMDataset><PAMRasterBand band='9'><NoDataValue>7</NoDataValue></PAMRasterBand></PAMDataset>",
    ],
    ids=["broken", "of more bands"],
)
@pytest.mark.parametrize("suffix", [".tif", ".img"])
def test_gdals_file_beside_that_cannot_be_that_of_the_image_is_told(tmp_path, text, suffix):
    tifffile.imwrite(tmp_path / "a.tif", VALUES, photometric="minisblack", metadata=None)
    (tmp_path / "a.img").write_bytes(VALUES.tobytes())
    (tmp_path / "a.hdr").write_text(
        "ENVI\nsamples = 3\nlines = 5\nbands = 4\ndata type = 12\ninterleave = bsq\nbyte order = 0\n"
    )
    (tmp_path / f"a{suffix}.aux.xml").write_text(text)
    cube = read(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(cube.data, VALUES)
    assert any(n.code is Code.OTHER and "aux.xml" in n for n in cube.notices)


def units(of_bands):
    return "".join(
        f'<Item name="UNITTYPE" sample="{i}" role="unittype">{u}</Item>'
        for i, u in enumerate(of_bands)
    )


def test_the_unit_that_gdal_states(tmp_path):
    gdal(tmp_path / "a.tif", units(["W/m2"] * 4))
    assert read(tmp_path / "a.tif").units == "W/m2"
    gdal(tmp_path / "b.tif", units(["W/m2", "K", "K", "K"]))
    found = read(tmp_path / "b.tif")
    assert found.units is None
    assert any("W/m2, K" in told for told in found.notices)
    write(read(tmp_path / "a.tif"), tmp_path / "c.tif")
    with tifffile.TiffFile(tmp_path / "c.tif") as file:
        assert file.pages.first.tags[42112].value.count("W/m2") == 4


@pytest.mark.parametrize("unit", ["µW/cm²", "a & <b>", "a\x00b\nc"])
def test_units_of_any_letters_are_written_for_gdal(tmp_path, unit):
    found = read(write(Cube(np.ones((4, 3, 2), np.float32), units=unit), tmp_path / "a.tif"))
    assert found.units == unit
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        items = ElementTree.fromstring(file.pages.first.tags[42112].value)
    assert {item.text for item in items} == {one_line(unit)}


def test_integers_of_24_bits_are_called_that(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((3, 5, 18), np.uint8), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        for page in file.pages:
            page.tags[258].overwrite(24)
            page.tags[256].overwrite(6)
    assert "24 bits" in refused(path)
