"""Facts that other programs state in places, units and types of their own have effect, or are said to have none."""

from __future__ import annotations

import json
import zlib
from struct import pack

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from scipy.io import netcdf_file, savemat

from napari_hsr import read, read_library, write
from napari_hsr.errors import FileError
from napari_hsr.notices import Code, has

NM = np.array([450.0, 500.0, 550.0, 600.0, 700.0])
#: (5, 6, 7), each value its place, from 1.
CUBE = np.arange(1, 5 * 6 * 7 + 1, dtype=np.uint16).reshape(5, 6, 7)
YXB = np.moveaxis(CUBE, 0, -1).copy()


def envi(folder, extra, values=CUBE):
    codes = {"uint8": 1, "int16": 2, "float32": 4, "uint16": 12, "int64": 14}
    (folder / "a.img").write_bytes(values.tobytes())
    bands, lines, samples = values.shape
    (folder / "a.hdr").write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\ninterleave = bsq\n"
        f"data type = {codes[values.dtype.name]}\nbyte order = 0\n{extra}\n"
    )
    return read(folder / "a.hdr")


class TestEnvi:
    @pytest.mark.parametrize(
        "extra",
        [
            "wavelength = [450.0, 500.0, 550.0,\n600.0, 700.0]",
            "wavelength = [ 450. 500. 550.\n 600. 700. ]",
            'wavelength units = "Micrometers"\nwavelength = {"0.45", "0.5", "0.55", "0.6", "0.7"}',
            "wavelength units = Nanometers ;\nwavelength = {450, 500, 550, 600, 700}",
            "wavelength units = Micrometers (um)\nwavelength = {.45, .5, .55, .6, .7}",
            "wavelength units = meters\nwavelength = {450, 500, 550, 600, 700}",
        ],
    )
    def test_lists_and_units_as_programs_write_them(self, tmp_path, extra):
        assert envi(tmp_path, extra).wavelengths.nm.tolist() == NM.tolist()

    @pytest.mark.parametrize(
        ("unit", "constant"), [("GHz", 299792458.0), ("THz", 299792.458), ("cm⁻¹", 1e7)]
    )
    def test_widths_in_frequencies_and_wavenumbers(self, tmp_path, unit, constant):
        values = constant / NM
        widths = 0.02 * values  # a fiftieth: so it is of the wavelength too
        listed = ["{" + ", ".join(f"{v:.9g}" for v in each) + "}" for each in (values, widths)]
        cube = envi(
            tmp_path, f"wavelength units = {unit}\nwavelength = {listed[0]}\nfwhm = {listed[1]}"
        )
        np.testing.assert_allclose(cube.wavelengths.nm, NM, rtol=1e-6)
        np.testing.assert_allclose(cube.metadata["fwhm"], 0.02 * NM, rtol=1e-5)

    @pytest.mark.parametrize(
        ("unit", "factor", "width"), [("Micrometers", 1e-3, "10"), ("Nanometers", 1, "0.01")]
    )
    def test_widths_in_another_unit_than_the_centres(self, tmp_path, unit, factor, width):
        centres = ", ".join(f"{nm * factor:g}" for nm in NM)
        widths = ", ".join([width] * 5)
        cube = envi(
            tmp_path,
            f"wavelength units = {unit}\nwavelength = {{{centres}}}\nfwhm = {{{widths}}}",
        )
        assert cube.metadata["fwhm"] == [10.0] * 5
        assert has(cube.notices, Code.WAVELENGTH_UNIT_GUESSED)

    def test_offsets_alone_and_one_gain_for_all(self, tmp_path):
        cube = envi(tmp_path, "data offset values = {-1, -1, -1, -1, -1}")
        np.testing.assert_array_equal(cube.data, CUBE - 1.0)
        cube = envi(tmp_path, "data gain values = {0.5}")
        np.testing.assert_array_equal(cube.data, CUBE * 0.5)
        assert has(cube.notices, Code.SCALE_APPLIED)

    def test_both_kinds_of_gains(self, tmp_path):
        cube = envi(tmp_path, "data gain values = {0.5}\ndata reflectance gain values = {0.25}")
        np.testing.assert_array_equal(cube.data, CUBE * 0.5)
        assert has(cube.notices, Code.GAIN_NOT_APPLIED)

    @pytest.mark.parametrize(
        ("extra", "values", "code"),
        [
            ("bbl = {1, 0, 1}", CUBE, Code.LIST_UNUSABLE),
            ("data ignore value = -9999", CUBE, Code.NO_DATA),
            ("autodarkstartline = 4", CUBE, Code.DARK_FRAMES),
            ("", CUBE.astype(np.int64) + 2**40, Code.VALUES_ROUNDED),
        ],
    )
    def test_what_has_no_effect_is_said(self, tmp_path, extra, values, code):
        cube = envi(tmp_path, extra, values)
        assert has(cube.notices, code)
        assert not np.isnan(cube.data).any()


def test_a_header_beside_a_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", CUBE, photometric="minisblack", metadata=None)
    (tmp_path / "a.hdr").write_text(
        "ENVI\nsamples = 7\nlines = 6\nbands = 5\ninterleave = bsq\ndata type = 12\n"
        "file type = TIFF\nwavelength units = um\nwavelength = {.45, .5, .55, .6, .7}\n"
    )
    cube = read(tmp_path / "a.tif")
    assert cube.wavelengths.nm.tolist() == NM.tolist()
    assert has(cube.notices, Code.OTHER_FILES_READ)


class TestNamedArrays:
    def test_the_list_in_the_folder_of_the_cube(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["a/cube"], file["a/wavelength"] = CUBE, NM
            file["b/wavelength"] = NM + 1000
        assert read(tmp_path / "a.h5").wavelengths.nm.tolist() == NM.tolist()

    def test_the_list_that_fits(self, tmp_path):
        savemat(tmp_path / "a.mat", {"cube": YXB, "wavelengths": np.arange(32.0), "wl": NM})
        assert read(tmp_path / "a.mat").wavelengths.nm.tolist() == NM.tolist()

    def test_a_structure_beside_the_cube(self, tmp_path):
        info = {"wavelength": NM / 1000, "units": "um", "preview": np.ones((3, 4, 5))}
        savemat(tmp_path / "a.mat", {"scan": YXB, "info": info})
        cube = read(tmp_path / "a.mat")
        assert cube.wavelengths.nm.tolist() == NM.tolist()
        assert cube.units is None
        np.testing.assert_array_equal(cube.data, CUBE)

    def test_numbers_for_missing_values_and_scales(self, tmp_path):
        facts = {"cube": YXB, "wl": NM, "nodata": 1, "scale": 0.1}
        savemat(tmp_path / "a.mat", facts)
        np.savez(tmp_path / "a.npz", **facts)
        with h5py.File(tmp_path / "a.h5", "w") as file:
            for name, value in facts.items():
                file[name] = value
        for name in ("a.mat", "a.npz", "a.h5"):
            cube = read(tmp_path / name)
            assert np.isnan(cube.data[0, 0, 0])
            assert np.isnan(cube.data).sum() == 1
            assert has(cube.notices, Code.NO_DATA, Code.GAIN_NOT_APPLIED)

    def test_pickled_objects_are_named(self, tmp_path):
        np.savez(tmp_path / "a.npz", cube=YXB, meta=np.array({"wl": 1}, dtype=object))
        assert has(read(tmp_path / "a.npz").notices, Code.OTHER_ARRAYS_LEFT_OUT)

    @pytest.mark.parametrize("how", ["range", "ends"])
    def test_the_valid_range_of_cf(self, tmp_path, how):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            stored = file.create_dataset("cube", data=CUBE.astype(np.int16))
            file["wavelengths"] = NM
            ends = {"valid_min": 2, "valid_max": 200}
            stored.attrs.update({"valid_range": [2, 200]} if how == "range" else ends)
            stored.attrs["scale_factor"] = 0.5
        cube = read(tmp_path / "a.h5")
        np.testing.assert_array_equal(
            cube.data, np.where((CUBE < 2) | (CUBE > 200), np.nan, CUBE * 0.5)
        )
        assert has(cube.notices, Code.NO_DATA)

    def test_the_default_fill_of_netcdf(self, tmp_path):
        values = CUBE.astype(np.float32)
        values[0, 0, 0] = 9.96921e36
        with netcdf_file(tmp_path / "a.nc", "w") as file:
            for name, size in zip(("frequency", "y", "x"), CUBE.shape, strict=True):
                file.createDimension(name, size)
            file.createVariable("cube", "f4", ("frequency", "y", "x"))[:] = values
            axis = file.createVariable("frequency", "f8", ("frequency",))
            axis[:], axis.units = 299792.458 / NM, "THz"
        cube = read(tmp_path / "a.nc")
        assert np.isnan(cube.data[0, 0, 0])
        assert np.isnan(cube.data).sum() == 1
        np.testing.assert_allclose(cube.wavelengths.nm, NM, rtol=1e-6)

    def test_a_unit_that_cannot_be_is_said(self, tmp_path):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["cube"], file["wavelengths"] = CUBE, NM
            file["wavelengths"].attrs["units"] = "micrometers"
        cube = read(tmp_path / "a.h5")
        assert cube.wavelengths.nm.tolist() == NM.tolist()
        assert has(cube.notices, Code.WAVELENGTH_UNIT_GUESSED)


class TestZarr:
    def test_the_fill_value_of_xarray(self, tmp_path):
        group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
        array = group.create_array("cube", shape=CUBE.shape, dtype="int16", fill_value=1)
        array[...] = CUBE
        array.attrs["_ARRAY_DIMENSIONS"] = ["band", "y", "x"]
        cube = read(tmp_path / "a.zarr")
        assert np.isnan(cube.data[0, 0, 0])
        assert np.isnan(cube.data).sum() == 1

    @pytest.mark.parametrize("where", ["channels", "axis", "attributes"])
    def test_wavelengths_of_ome(self, tmp_path, where):
        axes = [{"name": "c", "type": "channel"}, {"name": "y"}, {"name": "x"}]
        data = {"path": "0"}
        attributes = {}
        if where == "channels":
            channels = [{"label": "c", "emission_wavelength": nm} for nm in NM]
            attributes["omero"] = {"channels": channels}
        elif where == "axis":
            axes[0] = {"name": "wavelength", "type": "channel", "unit": "nanometer"}
            data["coordinateTransformations"] = [
                {"type": "scale", "scale": [50, 1, 1]},
                {"type": "translation", "translation": [450, 0, 0]},
            ]
        else:
            attributes["wavelengths"] = NM.tolist()
        scale = {"version": "0.4", "axes": axes, "datasets": [data]}
        group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
        group.create_array("0", data=CUBE)
        group.attrs.update({"multiscales": [scale], **attributes})
        expected = 450 + 50 * np.arange(5) if where == "axis" else NM
        assert read(tmp_path / "a.zarr").wavelengths.nm.tolist() == expected.tolist()

    def test_attributes_of_a_lone_array(self, tmp_path):
        array = zarr.create_array(tmp_path / "a.zarr", data=YXB)
        array.attrs["wavelength"] = NM.tolist()
        cube = read(tmp_path / "a.zarr")
        assert cube.wavelengths.nm.tolist() == NM.tolist()
        np.testing.assert_array_equal(cube.data, CUBE)


def tiff(path, values=CUBE, **options):
    tifffile.imwrite(path, values, **{"photometric": "minisblack", "metadata": None, **options})
    return read(path)


class TestTiff:
    @pytest.mark.parametrize("big", [False, True])
    def test_alpha_is_no_band(self, tmp_path, monkeypatch, big):
        values = YXB.copy()
        values[..., 4] = 65535
        values[2, 3, 4] = 0
        if big:
            monkeypatch.setattr("napari_hsr.io.lazy.LAZY_ABOVE_BYTES", 64)
        cube = tiff(tmp_path / "a.tif", values, planarconfig="contig", extrasamples=[0, 0, 0, 2])
        expected = CUBE[:4].astype(np.float32)
        expected[:, 2, 3] = np.nan
        np.testing.assert_array_equal(np.asarray(cube.data), expected)
        np.testing.assert_array_equal(cube.data[1, 2:4], expected[1, 2:4])
        assert has(cube.notices, Code.ALPHA_LEFT_OUT)

    def test_scales_of_some_bands(self, tmp_path):
        items = (
            '<Item name="SCALE" sample="0" role="scale">0.5</Item>'
            '<Item name="OFFSET" sample="1" role="offset">5</Item>'
        )
        tags = [(42112, "s", 0, f"<GDALMetadata>{items}</GDALMetadata>", True)]
        expected = CUBE.astype(np.float32)
        expected[0] *= 0.5
        expected[1] += 5
        np.testing.assert_array_equal(tiff(tmp_path / "a.tif", extratags=tags).data, expected)

    def test_the_calibration_of_imagej(self, tmp_path):
        described = "ImageJ=1.53k\nimages=5\nslices=5\ncf=0\nc0=-32768.0\nc1=1.0\n"
        signed = (CUBE.astype(np.int32) - 100 + 32768).astype(np.uint16)
        cube = tiff(tmp_path / "a.tif", signed, description=described)
        np.testing.assert_array_equal(cube.data, CUBE.astype(np.float32) - 100)
        cube = tiff(tmp_path / "b.tif", description=described.replace("cf=0", "cf=4"))
        np.testing.assert_array_equal(cube.data, CUBE)
        assert has(cube.notices, Code.GAIN_NOT_APPLIED)

    def test_centres_in_xmp(self, tmp_path):
        for number, listed in enumerate(
            (
                "<Camera:CentralWavelength>450, 500, 550, 600, 700</Camera:CentralWavelength>",
                "<Camera:CentralWavelength><rdf:Seq>"
                + "".join(f"<rdf:li>{nm:g}</rdf:li>" for nm in NM)
                + "</rdf:Seq></Camera:CentralWavelength><Camera:Gain>1</Camera:Gain>",
            )
        ):
            xmp = f"<x:xmpmeta>{listed}</x:xmpmeta>".encode()
            cube = tiff(tmp_path / f"{number}.tif", extratags=[(700, "B", len(xmp), xmp, True)])
            assert cube.wavelengths.nm.tolist() == NM.tolist()

    def test_channels_of_micro_manager(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for plane, nm in zip(CUBE, NM, strict=True):
                tag = (51123, "s", 0, json.dumps({"Channel": f"{nm:g}nm", "Width": 7}), False)
                file.write(plane, contiguous=False, metadata=None, extratags=[tag])
        assert read(tmp_path / "a.tif").wavelengths.nm.tolist() == NM.tolist()

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"extratags": [(274, "H", 1, 6, True)]}, Code.AXES_CHANGED),
            ({"photometric": "miniswhite"}, Code.VALUES_SCALE_GUESSED),
            ({"imagej": True, "photometric": None, "metadata": {"axes": "TYX"}}, Code.AXES_CHANGED),
        ],
    )
    def test_what_a_cube_does_not_follow_is_said(self, tmp_path, options, code):
        cube = tiff(tmp_path / "a.tif", **options)
        np.testing.assert_array_equal(cube.data, CUBE)
        assert has(cube.notices, code)

    def test_colours_multiplied_by_alpha(self, tmp_path):
        values = np.zeros((4, 5, 4), np.uint8)
        values[...] = (100, 50, 25, 128)
        values[0, 0] = 0
        photograph = tiff(
            tmp_path / "a.tif", values, photometric="rgb", extrasamples=["assocalpha"]
        )
        np.testing.assert_array_equal(
            photograph.data[1, 1], np.rint(np.array([100, 50, 25]) / 128 * 255)
        )
        np.testing.assert_array_equal(photograph.data[0, 0], 0)
        assert has(photograph.notices, Code.COLOURS_CONVERTED)

    def test_missing_pixels_and_bits_of_a_photograph(self, tmp_path):
        values = np.full((4, 5, 3), 3000, np.uint16)
        photograph = tiff(
            tmp_path / "a.tif", values, photometric="rgb", extratags=[(42113, "s", 0, "0", True)]
        )
        assert has(photograph.notices, Code.NO_DATA, Code.FULL_SCALE_DOUBTFUL)


def png(path, *chunks):
    def chunk(kind, data):
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes([200, 100, 50]) * 4
    head = pack(">IIBBBBB", 4, 3, 8, 2, 0, 0, 0)
    every = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(row * 3)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in every))
    return read(path)


def stated(*numbers):
    return pack(f">{len(numbers)}I", *(round(n * 100000) for n in numbers))


def curve(values):
    """sRGB (IEC 61966-2-1), from linear light."""
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)


#: Linear Adobe RGB (1998) and Display P3 to linear sRGB, all under D65; from their specifications.
ADOBE = [[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]]
P3 = [[1.22494, -0.22494, 0], [-0.04206, 1.04206, 0], [-0.01964, -0.07864, 1.09827]]
STORED = np.array([200, 100, 50]) / 255


class TestColours:
    def test_png_of_adobe_primaries(self, tmp_path):
        corners = stated(0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
        photograph = png(tmp_path / "a.png", (b"gAMA", stated(1 / 2.2)), (b"cHRM", corners))
        expected = curve(np.array(ADOBE) @ STORED**2.2) * 255
        np.testing.assert_allclose(photograph.data[0, 0], expected, atol=1)
        assert has(photograph.notices, Code.COLOURS_CONVERTED)

    def test_png_of_code_points(self, tmp_path):
        photograph = png(tmp_path / "a.png", (b"cICP", bytes([12, 13, 0, 1])))
        linear = np.where(STORED <= 0.04045, STORED / 12.92, ((STORED + 0.055) / 1.055) ** 2.4)
        np.testing.assert_allclose(
            photograph.data[0, 0], curve(np.array(P3) @ linear) * 255, atol=1
        )
        for stated in ([9, 16, 0, 1], [1, 13, 0, 0]):  # the second is of video's narrow range
            assert png(tmp_path / "b.png", (b"cICP", bytes(stated))).encoding is None

    def test_png_of_another_gamma(self, tmp_path):
        photograph = png(tmp_path / "a.png", (b"gAMA", stated(1 / 1.8)))
        np.testing.assert_allclose(photograph.data[0, 0], curve(STORED**1.8) * 255, atol=1)

    @pytest.mark.parametrize(
        ("index", "code"), [("R03", "COLOURS_CONVERTED"), ("", "ENCODING_ASSUMED")]
    )
    def test_cameras_state_adobe_rgb_in_exif(self, tmp_path, index, code):
        folder = pack("<HHHIHHI", 1, 0xA001, 3, 1, 65535, 0, 0)
        if index:
            folder = pack("<HHHIHHHHIII", 2, 0xA001, 3, 1, 65535, 0, 0xA005, 4, 1, 56, 0)
            folder += pack("<HHHI4sI", 1, 1, 2, 4, b"R03\0", 0)
        exif = b"Exif\0\0II*\0" + pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0) + folder
        picture = Image.fromarray(np.full((8, 8, 3), [200, 100, 50], np.uint8))
        picture.save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
        photograph = read(tmp_path / "a.jpg")
        assert has(photograph.notices, Code[code])
        expected = curve(np.array(ADOBE) @ STORED ** (563 / 256)) * 255 if index else STORED * 255
        np.testing.assert_allclose(photograph.data[4, 4], expected, atol=2)

    @pytest.mark.parametrize(("frame", "bits"), [(0xC9, 12), (0xF7, 16)])
    def test_kinds_of_jpeg_that_are_not_read(self, tmp_path, frame, bits):
        head = b"\xff\xd8\xff\xdb" + pack(">HB", 3, 0) + bytes([0xFF, frame])
        (tmp_path / "a.jpg").write_bytes(head + pack(">HBHHB", 17, bits, 8, 8, 3) + bytes(40))
        with pytest.raises(FileError, match=f"{bits} bits"):
            read(tmp_path / "a.jpg")

    @pytest.mark.parametrize("head", [b"\xff\x0a", b"P6\n8 8\n255\n"])
    def test_other_pictures_are_called_by_name(self, tmp_path, head):
        (tmp_path / "a.xyz").write_bytes(head + bytes(20))
        with pytest.raises(FileError, match=r"image.*convert it to PNG or TIFF"):
            read(tmp_path / "a.xyz")


def test_prisma_of_level_1(tmp_path):
    with h5py.File(tmp_path / "a.he5", "w") as file:
        for name, key in (("VNIR", "Vnir"), ("SWIR", "Swir")):
            file[f"HDFEOS/SWATHS/PRS_L1_HCO/Data Fields/{name}_Cube"] = np.full(
                (3, 2, 4), 250, "u2"
            )
            file.attrs[f"List_Cw_{key}"] = [500.0, 510.0] if name == "VNIR" else [1000.0, 1010.0]
            file.attrs[f"ScaleFactor_{key}"], file.attrs[f"Offset_{key}"] = 100.0, 0.5
    cube = read(tmp_path / "a.he5")
    np.testing.assert_allclose(cube.data, 2.0)
    assert cube.units == "W m-2 sr-1 um-1"
    assert has(cube.notices, Code.SCALE_APPLIED)


@pytest.mark.parametrize(("detector", "expected"), [("VNIR", [500, 600]), ("SWIR", [2000, 2010])])
def test_one_detector_of_enmap_at_level_1b(tmp_path, detector, expected):
    entries = "".join(
        f"<bandID><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand></bandID>"
        for nm in (500, 600, 2000, 2010)
    )
    (tmp_path / "X-METADATA.XML").write_text(f"<a>{entries}</a>")
    cube = tiff(tmp_path / f"X-SPECTRAL_IMAGE_{detector}.TIF", np.ones((2, 6, 7), np.float32))
    assert cube.wavelengths.nm.tolist() == expected


class TestOtherNames:
    @pytest.mark.parametrize(
        "facts",
        [
            {"wavelengthList": NM},
            {"bandCenters": NM},
            {"wavelengths": np.stack([NM, np.full(5, 10.0)], axis=1)},
            {"lambda_axis_um": NM / 1000},
        ],
    )
    def test_lists_that_can_be_nothing_else(self, tmp_path, facts):
        savemat(tmp_path / "a.mat", {"image": YXB, "exposure": np.arange(5.0), **facts})
        cube = read(tmp_path / "a.mat")
        assert cube.wavelengths.nm.tolist() == NM.tolist()
        assert any(next(iter(facts)) in notice for notice in cube.notices)

    def test_an_uncertainty_is_no_second_cube(self, tmp_path):
        np.savez(tmp_path / "a.npz", Rrs=YXB, Rrs_unc=YXB, wavelength=NM)
        cube = read(tmp_path / "a.npz")
        assert has(cube.notices, Code.OTHER_ARRAYS_LEFT_OUT)
        np.testing.assert_array_equal(cube.data, CUBE)

    def test_a_dimension_of_netcdf_is_no_list(self, tmp_path):
        with h5py.File(tmp_path / "a.nc", "w") as file:
            file["data/Rrs"], file["bands/wavelength"] = YXB, NM
            file["wavelength"] = np.zeros(5)
            text = "This is a netCDF dimension but not a netCDF variable.         5"
            file["wavelength"].attrs["NAME"] = text
        assert read(tmp_path / "a.nc").wavelengths.nm.tolist() == NM.tolist()

    def test_a_table_beside_the_header_of_an_image(self, tmp_path):
        envi(tmp_path, "wavelength = {450, 500, 550, 600, 700}")
        (tmp_path / "a.csv").write_text("wavelength,soil\n450,0.1\n500,0.2\n550,0.3\n")
        assert read_library(tmp_path / "a.csv").names == ("soil",)

    def test_a_suffix_that_contradicts_its_header(self, tmp_path):
        envi(tmp_path, "")
        (tmp_path / "a.img").rename(tmp_path / "a.bip")
        cube = read(tmp_path / "a.bip")
        np.testing.assert_array_equal(cube.data, CUBE)
        assert any("a.bip" in notice for notice in cube.notices)


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
EXIF = pack("<HHIHHHIHHI", 0x4949, 42, 8, 1, 274, 3, 1, 6, 0, 0)
PROFILE = b"\nexif\n%8d\n" % len(EXIF) + EXIF.hex().encode()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)),
        (b"tEXt", b"Raw profile type exif\0" + PROFILE),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(PROFILE)),
    ],
)
def test_orientation_of_a_png_in_texts(tmp_path, kind, data):
    assert png(tmp_path / "a.png", (kind, data)).data.shape == (4, 3, 3)


@pytest.mark.parametrize("suffix", [".hdr", ".tif", ".h5", ".zarr", ".npz", ".mat"])
def test_a_value_that_equals_the_scaled_marker_is_kept_on_saving(tmp_path, suffix):
    """Reflectance of an agency: 0 is no data, and 1000 means 0."""
    values = CUBE.astype(np.int16) + 995
    values[0, 0, 1] = 0
    offsets = ", ".join(["-0.1"] * 5)
    cube = envi(
        tmp_path,
        f"data gain values = {{1e-4}}\ndata offset values = {{{offsets}}}\ndata ignore value = 0",
        values,
    )
    assert cube.data[0, 0, 4] == pytest.approx(0, abs=1e-7)
    cube.data[0, 0, 4] = 0
    back = read(write(cube, tmp_path / f"b{suffix}"))
    np.testing.assert_array_equal(back.data, cube.data)
    assert np.isnan(back.data).sum() == 1


class TestSpectra:
    """Libraries: (450, 500, 550) nm, values 0.1, 0.2, 0.3 but for what is missing."""

    def table(self, folder, text, encoding="utf-8"):
        (folder / "a.csv").write_bytes(text.encode(encoding))
        return read_library(folder / "a.csv")

    def test_numbers_for_what_was_not_measured(self, tmp_path):
        found = self.table(
            tmp_path, "wavelength,soil,leaf\n450,0.1,-999\n500,-9999,0.2\n550,0.3,0.3\n"
        )
        np.testing.assert_array_equal(found.values, [[0.1, np.nan, 0.3], [np.nan, 0.2, 0.3]])
        assert has(found.notices, Code.NO_DATA)

    def test_a_table_in_utf_16(self, tmp_path):
        found = self.table(tmp_path, "wavelength\tBlüte\n450\t0.1\n500\t0.2\n550\t0.3\n", "utf-16")
        assert found.names == ("Blüte",)
        np.testing.assert_array_equal(found.values, [[0.1, 0.2, 0.3]])

    def test_an_envi_library(self, tmp_path):
        (tmp_path / "a.sli").write_bytes(np.array([0.3, 0.2, 0.1], "f4").tobytes())
        (tmp_path / "a.hdr").write_text(
            "ENVI\nsamples = 3\nlines = 1\nbands = 1\ninterleave = bsq\ndata type = 4\nbyte order = 0\n"
            "file type = ENVI Spectral Library\nwavelengths = [18181.8182, 20000, 22222.2222]\n"
            "wavelength units = cm-1\nfwhm = {100, 200, 300}\ndata gain values = {0.5}\n"
        )
        found = read_library(tmp_path / "a.sli")
        nm = np.array([450.0, 500, 550])
        np.testing.assert_allclose(found.wavelengths.nm, nm, rtol=1e-6)
        np.testing.assert_allclose(found.values, [[0.1, 0.2, 0.3]])
        widths = np.array([300, 200, 100]) * nm**2 / 1e7
        np.testing.assert_allclose(found.metadata["fwhm"], widths, rtol=1e-4)
        assert has(found.notices, Code.GAIN_NOT_APPLIED)
