"""ENVI images as other programs and sensors write them."""

from __future__ import annotations

import numpy as np
import pytest
from spectral.io import envi

from napari_hsr.errors import FileError
from napari_hsr.io import can_read, lazy, read, write
from napari_hsr.notices import Code

NM = np.array([400.5, 450.25, 500, 550, 600.125, 650, 700])


@pytest.fixture
def scene():
    return np.random.default_rng(1).random((7, 9, 12)).astype(np.float32)


def header(path, shape, dtype="f4", interleave="bsq", extra="", order=0):
    code = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "c8": 6, "u2": 12, "u4": 13}[dtype]
    bands, lines, samples = shape
    path.write_text(
        f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\nheader offset = 0\n"
        f"file type = ENVI Standard\ndata type = {code}\ninterleave = {interleave}\n"
        f"byte order = {order}\n{extra}",
        encoding="utf-8",
    )


ORDERS = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}


def listed(values, name="wavelength"):
    return f"{name} = {{\n " + ",\n ".join(str(v) for v in values) + "}\n"


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip", "BIL"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_what_spectral_writes(tmp_path, interleave, dtype):
    values = (np.arange(7 * 9 * 12).reshape(7, 9, 12) % 120).astype(dtype)
    envi.save_image(
        str(tmp_path / "a.hdr"),
        np.moveaxis(values, 0, -1),
        dtype=dtype,
        interleave=interleave,
        metadata={"wavelength": NM.tolist(), "wavelength units": "Nanometers"},
    )
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(cube.data, values.astype(np.float32))
    np.testing.assert_array_equal(cube.wavelengths, NM)
    assert isinstance(cube.data, np.memmap) == (dtype == "f4")


@pytest.mark.parametrize("interleave", sorted(ORDERS))
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("offset", [0, 100])
def test_byte_order_and_offset(tmp_path, scene, interleave, order, offset):
    stored = scene.transpose(ORDERS[interleave]).astype("<f4" if order == 0 else ">f4")
    (tmp_path / "a.raw").write_bytes(b"\7" * offset + stored.tobytes())
    header(tmp_path / "a.hdr", scene.shape, "f4", interleave, order=order)
    text = (
        (tmp_path / "a.hdr").read_text().replace("header offset = 0", f"header offset = {offset}")
    )
    (tmp_path / "a.hdr").write_text(text)
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(cube.data, scene)


def test_a_header_offset_before_the_file_is_refused(tmp_path, scene):
    (tmp_path / "a.raw").write_bytes(scene.tobytes())
    header(tmp_path / "a.hdr", scene.shape)
    text = (tmp_path / "a.hdr").read_text().replace("header offset = 0", "header offset = -4")
    (tmp_path / "a.hdr").write_text(text)
    with pytest.raises(FileError, match="header offset -4 is negative"):
        read(tmp_path / "a.hdr")


@pytest.mark.parametrize(
    ("binary", "head"),
    [
        ("a.img", "a.hdr"), ("a.dat", "a.hdr"), ("a.raw", "a.HDR"), ("a.bil", "a.hdr"),
        ("a.bip", "a.hdr"), ("a.bsq", "a.hdr"), ("a", "a.hdr"), ("a.img", "a.img.hdr"),
        ("a.v1.2.dat", "a.v1.2.hdr"), ("a.IMG", "a.hdr"), ("a.hyspex", "a.hdr"),
    ],
)  # fmt: skip
def test_header_and_binary_find_each_other(tmp_path, scene, binary, head):
    (tmp_path / binary).write_bytes(scene.tobytes())
    header(tmp_path / head, scene.shape)
    (tmp_path / "a.png").write_bytes(b"a preview")
    for name in (binary, head):
        assert can_read(tmp_path / name)
        cube = read(tmp_path / name)
        np.testing.assert_array_equal(cube.data, scene)
        assert cube.provenance.input == name
    assert cube.name == head.removesuffix(".hdr").removesuffix(".HDR").removesuffix(".img")


def test_of_several_files_the_one_of_the_right_size_is_the_binary(tmp_path, scene):
    (tmp_path / "a.img").write_bytes(b"another image")
    (tmp_path / "a.rad").write_bytes(scene.tobytes())
    header(tmp_path / "a.hdr", scene.shape)
    np.testing.assert_array_equal(read(tmp_path / "a.hdr").data, scene)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("Nanometers", 1), ("nm", 1), ("Micrometers", 1e-3), ("um", 1e-3), ("µm", 1e-3),
        ("Angstroms", 10), ("Ångström", 10), ("Millimeters", 1e-6),
    ],
)  # fmt: skip
def test_units_of_wavelength(tmp_path, scene, unit, factor):
    (tmp_path / "a.img").write_bytes(scene.tobytes())
    extra = f"wavelength units = {unit}\n" + listed([repr(v * factor) for v in NM.tolist()])
    header(tmp_path / "a.hdr", scene.shape, extra=extra + listed(NM / 50 * factor, "fwhm"))
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_allclose(cube.wavelengths, NM, rtol=0, atol=1e-6)
    np.testing.assert_allclose(cube.metadata["fwhm"], NM / 50, rtol=0, atol=1e-6)
    assert cube.notices == ()


def test_wavenumbers_and_frequencies(tmp_path, scene):
    (tmp_path / "a.img").write_bytes(scene.tobytes())
    for unit, values in (("Wavenumber", 1e7 / NM), ("GHz", 299792458 / NM)):
        extra = f"wavelength units = {unit}\n" + listed([repr(v) for v in values.tolist()])
        header(tmp_path / "a.hdr", scene.shape, extra=extra)
        np.testing.assert_allclose(read(tmp_path / "a.hdr").wavelengths, NM, atol=1e-5)


@pytest.mark.parametrize(("factor", "named"), [(1, "nm"), (1e-3, "µm"), (10, "Ångström")])
def test_a_missing_unit_is_inferred_and_said(tmp_path, scene, factor, named):
    (tmp_path / "a.img").write_bytes(scene.tobytes())
    header(tmp_path / "a.hdr", scene.shape, extra=listed(NM * factor))
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_allclose(cube.wavelengths, NM, atol=1e-6)
    assert any(named in n for n in cube.notices)


def test_index_as_unit_gives_no_wavelengths(tmp_path, scene):
    (tmp_path / "a.img").write_bytes(scene.tobytes())
    header(
        tmp_path / "a.hdr", scene.shape, extra="wavelength units = Index\n" + listed(range(1, 8))
    )
    cube = read(tmp_path / "a.hdr")
    assert cube.wavelengths is None
    assert any("Index" in n and "Set wavelengths…" in n for n in cube.notices)


def test_descending_bands_are_turned_with_all_that_belongs_to_them(tmp_path, scene):
    (tmp_path / "a.img").write_bytes(scene.tobytes())
    extra = "wavelength units = nm\n" + listed(NM[::-1]) + listed([1, 1, 1, 1, 1, 0, 0], "bbl")
    header(tmp_path / "a.hdr", scene.shape, extra=extra + listed("abcdefg", "band names"))
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(cube.data, scene[::-1])
    np.testing.assert_array_equal(cube.wavelengths, NM)
    assert cube.metadata["bbl"] == [0, 0, 1, 1, 1, 1, 1]
    assert cube.metadata["band names"] == list("gfedcba")
    assert isinstance(cube.data, np.memmap)
    assert any("descend" in n for n in cube.notices)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([400, 450], "2 values for 7 bands"),
        ([400, 450, 500, "x", 550, 600, 650], "not numbers"),
        ([0, 450, 500, 520, 550, 600, 650], "positive"),
    ],
)
def test_unusable_wavelengths_are_kept_and_said(tmp_path, scene, values, word):
    (tmp_path / "a.img").write_bytes(scene.tobytes())
    header(tmp_path / "a.hdr", scene.shape, extra="wavelength units = nm\n" + listed(values))
    cube = read(tmp_path / "a.hdr")
    assert cube.wavelengths is None
    np.testing.assert_array_equal(cube.data, scene)
    assert [str(v) for v in cube.metadata["wavelengths_in_file"]] == [str(v) for v in values]
    assert any(word in n and "Set wavelengths…" in n for n in cube.notices)


def test_scale_factor_is_applied_and_said(tmp_path):
    stored = np.array([[[10000, -50], [5000, 0]]], np.int16)
    (tmp_path / "a.img").write_bytes(stored.tobytes())
    header(tmp_path / "a.hdr", (1, 2, 2), "i2", extra="reflectance scale factor = 10000\n")
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(cube.data, np.float32([[[1, -0.005], [0.5, 0]]]))
    assert cube.units == "reflectance"
    assert any("10000" in n for n in cube.notices)
    assert any("10000" in s for s in cube.provenance.steps)
    back = read(write(cube, tmp_path / "b.hdr"))  # not applied twice
    np.testing.assert_array_equal(back.data, cube.data)


def test_other_items_are_kept(tmp_path, scene):
    (tmp_path / "a.img").write_bytes(scene.tobytes())
    header(
        tmp_path / "a.hdr",
        scene.shape,
        extra="; a comment\nsensor type = Hyperion\ndata ignore value = -9999\n"
        "map info = {UTM, 1.0, 1.0, 255.0, 30, 30, North}\ndefault bands = {3, 2, 1}\n"
        "description = {two\n lines, with = and commas}\nMy Own Item = 5\n",
    )
    cube = read(tmp_path / "a.hdr")
    assert cube.metadata["sensor type"] == "Hyperion"
    assert cube.metadata["map info"][0] == "UTM"
    assert cube.metadata["default bands"] == [3, 2, 1]
    assert cube.metadata["my own item"] == "5"
    assert "two" in cube.metadata["description"]
    assert cube.metadata["data ignore value"] == -9999
    assert not any(n.code == Code.NO_DATA for n in cube.notices)  # no value is


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_headers_in_other_encodings_and_line_ends(tmp_path, scene, encoding):
    (tmp_path / "a.img").write_bytes(scene.tobytes())
    header(tmp_path / "a.hdr", scene.shape, extra="operator = Jürgen\nwavelength units = µm\n")
    text = (tmp_path / "a.hdr").read_text(encoding="utf-8") + listed(NM / 1000)
    (tmp_path / "a.hdr").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    cube = read(tmp_path / "a.hdr")
    assert cube.metadata["operator"] == "Jürgen"
    np.testing.assert_allclose(cube.wavelengths, NM, atol=1e-6)


@pytest.mark.parametrize("interleave", sorted(ORDERS))
def test_large_integers_stay_on_disk(tmp_path, monkeypatch, interleave):
    monkeypatch.setattr(lazy, "LAZY_ABOVE_BYTES", 100)
    stored = np.random.default_rng(4).integers(0, 4000, (7, 9, 12)).astype(np.uint16)
    (tmp_path / "a.img").write_bytes(stored.transpose(ORDERS[interleave]).tobytes())
    extra = "reflectance scale factor = 4000\nwavelength units = nm\n" + listed(NM[::-1])
    header(tmp_path / "a.hdr", stored.shape, "u2", interleave, extra)
    cube = read(tmp_path / "a.hdr")
    assert isinstance(cube.data, lazy.LazyArray)
    expected = stored[::-1].astype(np.float32) / np.float32(4000)
    np.testing.assert_array_equal(cube.data, expected)
    np.testing.assert_array_equal(cube.data[:, 3, 4], expected[:, 3, 4])


class TestWriting:
    def test_spectral_reads_what_we_write(self, tmp_path, make_cube):
        cube = make_cube()
        write(cube, tmp_path / "a.hdr")
        image = envi.open(str(tmp_path / "a.hdr"))
        np.testing.assert_array_equal(np.moveaxis(image.open_memmap(), -1, 0), cube.data)
        assert image.bands.centers == list(cube.wavelengths)
        assert image.bands.band_unit == "Nanometers"
        assert image.metadata["bbl"] == cube.metadata["bbl"]
        assert '"weights_sha256"' in image.metadata["napari-hsr"]
        image.fid.close()

    def test_onto_the_pair_it_is_mapped_from(self, tmp_path, make_cube, assert_same_cube):
        cube = make_cube()
        write(cube, tmp_path / "a.hdr")
        mapped = read(tmp_path / "a.hdr")
        turned = mapped.replace(data=mapped.data[:, ::-1], name="turned")
        write(turned, tmp_path / "a.hdr")
        np.testing.assert_array_equal(mapped.data, cube.data)  # the old map is whole
        assert_same_cube(
            read(tmp_path / "a.hdr"), cube.replace(data=cube.data[:, ::-1], name="turned")
        )
        assert {p.name for p in tmp_path.iterdir()} == {"a.hdr", "a.img"}

    def test_the_old_binary_is_replaced_whatever_its_suffix(
        self, tmp_path, scene, make_cube, assert_same_cube
    ):
        (tmp_path / "a.bil").write_bytes(scene.transpose(1, 0, 2).tobytes())
        header(tmp_path / "a.hdr", scene.shape, interleave="bil")
        cube = make_cube((2, 4, 3))
        write(cube, tmp_path / "a.hdr")
        assert_same_cube(read(tmp_path / "a.hdr"), cube)
        assert {p.name for p in tmp_path.iterdir()} == {"a.hdr", "a.bil"}

    @pytest.mark.parametrize("name", ["a.img", "a"])
    def test_a_strangers_file_is_not_taken_for_the_binary(self, tmp_path, make_cube, name):
        (tmp_path / name).write_bytes(b"precious")
        with pytest.raises(FileError, match="already lies beside it"):
            write(make_cube(), tmp_path / "a.hdr")
        assert (tmp_path / name).read_bytes() == b"precious"
        assert {p.name for p in tmp_path.iterdir()} == {name}

    @pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
    def test_a_fault_at_any_step_leaves_the_old_pair(
        self, tmp_path, monkeypatch, make_cube, assert_same_cube, fails_at
    ):
        import os

        old = make_cube()
        write(old, tmp_path / "a.hdr")
        calls, real = [], os.replace

        def replace(source, target):
            calls.append(target)
            if len(calls) == fails_at:
                raise OSError("the disk went away")
            real(source, target)

        monkeypatch.setattr(os, "replace", replace)
        with pytest.raises(FileError, match="the disk went away"):
            write(make_cube((2, 3, 4)), tmp_path / "a.hdr")
        monkeypatch.undo()
        assert len(calls) >= fails_at
        assert_same_cube(read(tmp_path / "a.hdr"), old)
        assert {p.name for p in tmp_path.iterdir()} == {"a.hdr", "a.img"}

    def test_a_crash_never_leaves_a_header_with_the_wrong_binary(
        self, tmp_path, monkeypatch, make_cube
    ):
        """At every step between two renames: no header, or the pair that belongs together."""
        import os

        write(make_cube((7, 5, 6), name="old"), tmp_path / "a.hdr")
        seen, real = [], os.replace

        def replace(source, target):
            real(source, target)
            state = "no header"
            if (tmp_path / "a.hdr").exists():
                state = read(tmp_path / "a.hdr").name
            seen.append(state)

        monkeypatch.setattr(os, "replace", replace)
        write(make_cube((5, 7, 6), name="new"), tmp_path / "a.hdr")
        assert seen == ["no header", "no header", "no header", "new"]


class TestBadFiles:
    def fault(self, path) -> str:
        with pytest.raises(FileError) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_header_without_its_binary(self, tmp_path):
        header(tmp_path / "a.hdr", (3, 4, 5))
        (tmp_path / "a.png").write_bytes(b"a preview")
        assert "no binary beside it" in self.fault(tmp_path / "a.hdr")

    def test_binary_without_its_header(self, tmp_path):
        (tmp_path / "a.bil").write_bytes(bytes(range(200)))
        assert not can_read(tmp_path / "a.bil")
        assert "needs its header" in self.fault(tmp_path / "a.bil")

    @pytest.mark.parametrize("change", [-1, 60, -200, 240])
    def test_wrong_size(self, tmp_path, change):
        header(tmp_path / "a.hdr", (3, 4, 5))
        (tmp_path / "a.img").write_bytes(bytes(240 + change))
        text = self.fault(tmp_path / "a.hdr")
        assert "240 bytes" in text
        assert str(240 + change) in text
        assert "3 bands x 4 lines x 5 samples" in text

    def test_empty_binary(self, tmp_path):
        header(tmp_path / "a.hdr", (3, 4, 5))
        (tmp_path / "a.img").write_bytes(b"")
        assert "has 0" in self.fault(tmp_path / "a.hdr")
        assert "empty" in self.fault(tmp_path / "a.img")

    @pytest.mark.parametrize("lacking", ["samples", "lines", "bands", "data type", "interleave"])
    def test_missing_items(self, tmp_path, lacking):
        header(tmp_path / "a.hdr", (3, 4, 5))
        text = (tmp_path / "a.hdr").read_text()
        kept = [line for line in text.splitlines() if not line.startswith(lacking)]
        (tmp_path / "a.hdr").write_text("\n".join(kept))
        (tmp_path / "a.img").write_bytes(bytes(240))
        assert f"lacks '{lacking}'" in self.fault(tmp_path / "a.hdr")

    def test_missing_byte_order_is_taken_and_said(self, tmp_path, scene):
        header(tmp_path / "a.hdr", scene.shape)
        text = (tmp_path / "a.hdr").read_text().replace("byte order = 0\n", "")
        (tmp_path / "a.hdr").write_text(text)
        (tmp_path / "a.img").write_bytes(scene.tobytes())
        cube = read(tmp_path / "a.hdr")
        np.testing.assert_array_equal(cube.data, scene)
        assert any("byte order" in n for n in cube.notices)

    @pytest.mark.parametrize(
        ("old", "new", "word"),
        [
            ("bands = 3", "bands = three", "three"),
            ("bands = 3", "bands = 0", "empty"),
            ("lines = 4", "lines = -4", "empty"),
            ("data type = 4", "data type = 6", "complex"),
            ("data type = 4", "data type = 77", "77"),
            ("interleave = bsq", "interleave = bsx", "bsx"),
            ("byte order = 0", "byte order = 3", "byte order"),
            ("ENVI Standard", "ENVI Spectral Library", "spectral library"),
            ("byte order = 0", "byte order = 0\nfile compression = 1", "compressed"),
            ("byte order = 0", "byte order = 0\nwavelength = {400,\n 500,", "damaged"),
            ("byte order = 0", "byte order = 0\nreflectance scale factor = 0", "scale factor"),
            ("byte order = 0", "byte order = 0\nmajor frame offsets = {1, 2}", "not supported"),
        ],
    )
    def test_headers_that_make_no_sense(self, tmp_path, old, new, word):
        header(tmp_path / "a.hdr", (3, 4, 5))
        text = (tmp_path / "a.hdr").read_text()
        assert old in text
        (tmp_path / "a.hdr").write_text(text.replace(old, new))
        (tmp_path / "a.img").write_bytes(bytes(240))
        assert word in self.fault(tmp_path / "a.hdr")

    def test_a_radiance_picture_is_no_header(self, tmp_path):
        (tmp_path / "a.hdr").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n")
        assert not can_read(tmp_path / "a.hdr")
        assert "Radiance" in self.fault(tmp_path / "a.hdr")
