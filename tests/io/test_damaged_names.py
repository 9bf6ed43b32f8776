"""Names and units that are one letter from what is read: what hung on them had been lost without a word."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from napari_hsr import read, read_library, write
from napari_hsr.cube import Cube
from napari_hsr.errors import FileError
from napari_hsr.io.decoding import nearly
from napari_hsr.notices import Code, has

CUBE = np.random.default_rng(3).random((7, 5, 6)).astype(np.float32)
NM = np.linspace(400, 700, 7)
HEADER = (
    "ENVI\nsamples = 6\nlines = 5\nbands = 7\nheader offset = 0\ndata type = 4\ninterleave = bsq\nbyte order = 0\n"
    "data units = radiance\nmap info = {UTM, 1, 1, 512340.0, 5312340.0, 30.0, 30.0, 32, North, WGS-84}\n"
    "wavelength units = nm\nwavelength = {400, 450, 500, 550, 600, 650, 700}\n"
    "fwhm = {10, 10, 10, 10, 10, 10, 11}\nbbl = {1, 1, 0, 1, 1, 1, 1}\nsome notes = {1, 2}\nfwhm of lamp = 3\n"
)


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("un1ts", "units", "units"),
        ("nits", "units", "units"),
        ("unnits", "units", "units"),
        ("Scale_Facto", "scalefactor", "scalefactor"),
        ("scale_factor", "scalefactor", ""),  # it is that
        ("limits", "units", ""),
        ("", "bbl", ""),
        ("scaelfactor", "scalefactor", "scalefactor"),
    ],
)
def test_a_name_nearly_known(name, known, meant):
    assert nearly(name, (known,)) == meant


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bbl =", "bb1 =", "“bbl”"),
        ("bbl =", "bbl bbl =", "“bbl”"),
        ("bbl =", "=", "without a name"),
        ("fwhm = {10", "fwhm = 10", "fwhm is no list"),
        ("\nfwhm =", "\nfwhn =", "“fwhm”"),
        ("map info", "map lnfo", "map lnfo may be a damaged map info"),
        ("data units", "data un1ts", "“dataunits”"),
        ("= radiance", "= radlance", "may be a damaged “radiance”"),
        ("data units = radiance", "reflectance scaIe factor = 10000", "reflectance scaie factor"),
    ],
)
def test_an_item_of_an_envi_header(tmp_path, old, new, said):
    (tmp_path / "a.img").write_bytes(CUBE.tobytes())
    path = tmp_path / "a.hdr"
    path.write_text(HEADER)
    assert not has(read(path).notices, Code.MAYBE_DAMAGED, Code.LIST_UNUSABLE)
    assert old in HEADER
    path.write_text(HEADER.replace(old, new))
    assert said in " ".join(read(path).notices)


def test_a_header_that_ends_in_half_an_item(tmp_path):
    (tmp_path / "a.img").write_bytes(CUBE.tobytes())
    path = tmp_path / "a.hdr"
    for end, said in (("", False), ("fwh", True), ("; seen\n", False), ("notes = {a,\nb}", False)):
        path.write_text(HEADER + end)
        assert ("ends in “fwh”" in " ".join(read(path).notices)) == said
        assert has(read(path).notices, Code.MAYBE_DAMAGED) == said


def test_a_window_of_neon(tmp_path):
    path = tmp_path / "a.h5"
    for name, said in (("Band_Window_1_Nanometers", False), ("Band_Wind0w_1_Nanometers", True)):
        with h5py.File(path, "w") as file:
            group = file.create_group("SITE/Reflectance")
            group["Reflectance_Data"] = np.moveaxis((CUBE * 1e4).astype("i2"), 0, -1)
            group["Reflectance_Data"].attrs["Scale_Factor"] = 10000.0
            group["Metadata/Spectral_Data/Wavelength"] = NM
            group.attrs[name] = np.array([540, 560.0])
        cube = read(path)
        assert ("bbl" in cube.metadata) != said
        assert ("may be a damaged window" in " ".join(cube.notices)) == said


def of_hdf5(path, **attributes):
    with h5py.File(path, "w") as file:
        file["cube"], file["wavelengths"] = CUBE, NM
        file["cube"].attrs.update(attributes)
    return read(path)


def test_units_of_hdf5(tmp_path):
    assert not has(of_hdf5(tmp_path / "a.h5", units="reflectance").notices, Code.MAYBE_DAMAGED)
    assert not has(of_hdf5(tmp_path / "a.h5", unit="sr-1").notices, Code.MAYBE_DAMAGED)
    assert of_hdf5(tmp_path / "d.h5", Units="reflectance").units == "reflectance"
    assert "'unyts' may be" in " ".join(of_hdf5(tmp_path / "b.h5", unyts="reflectance").notices)
    for damaged in ("refIectance", "reflectajce", "reflectane"):
        cube = of_hdf5(tmp_path / f"{damaged}.h5", units=damaged)
        assert cube.units == damaged
        assert "may be a damaged “reflectance”" in " ".join(cube.notices)
    assert not has(of_hdf5(tmp_path / "c.h5", units="count").notices, Code.MAYBE_DAMAGED)


def test_variables_of_matlab(tmp_path):
    path = tmp_path / "a.mat"
    stored = {"cube": np.moveaxis(CUBE, 0, -1), "wavelengths": NM, "fwhm": np.full(7, 9.5)}
    scipy.io.savemat(path, stored | {"norm_factor": 4095.0})
    assert not has(read(path).notices, Code.MAYBE_DAMAGED)
    scipy.io.savemat(path, stored | {"NormFactor": 4095.0})
    assert read(path).metadata["norm_factor"] == 4095.0
    scipy.io.savemat(path, stored | {"normXfactor": 4095.0})
    assert "“normxfactor” may be a damaged" in " ".join(read(path).notices)
    del stored["fwhm"]
    scipy.io.savemat(path, stored | {"fvhm": np.full(7, 9.5)})
    assert "“fvhm” may be a damaged “fwhm”" in " ".join(read(path).notices)


JCAMP = (
    "##TITLE=leaf\n##JCAMP-DX=4.24\n##DATA TYPE=INFRARED SPECTRUM\n##ORIGIN=a lamp\n##XUNITS=NANOMETERS\n"
    "##YUNITS=REFLECTANCE\n##XFACTOR=1\n##YFACTOR=0.0001\n##FIRSTX=400\n##LASTX=595\n##FIRSTY=0.1\n##MAXY=0.2\n"
    "##NPOINTS=40\n##XYDATA=(X++(Y..Y))\n"
    + "".join(
        f"{400 + 40 * i} " + " ".join(str(1000 + 25 * (8 * i + j)) for j in range(8)) + "\n"
        for i in range(5)
    )
    + "##END=\n"
)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("##YUNITS", "##YUN1TS", "label “YUN1TS”"),
        ("##YUNITS", "#YUNITS", "label “#YUNITS=REFLECTANCE”"),
        ("YUNITS=", "YUNITS", "label “##YUNITSREFLECTANCE”"),
        ("REFLECTANCE", "RELECTANCE", "damaged “reflectance”"),
        ("##YFACTOR", "##YFACT0R", "label “YFACT0R”"),
        (" 1050 ", " b050 ", "written out beside packed ones"),
        ("1175\n440 ", "1175 ", "may be one"),
    ],
)
def test_labels_and_numbers_of_jcamp(tmp_path, old, new, said):
    path = tmp_path / "a.jdx"
    path.write_text(JCAMP)
    assert not has(read_library(path).notices, Code.MAYBE_DAMAGED)
    assert old in JCAMP
    path.write_text(JCAMP.replace(old, new))
    assert said in " ".join(read_library(path).notices)


def test_what_is_written_here_is_not_damaged(tmp_path):
    for name in ("a.hdr", "a.h5", "a.mat", "a.tif"):
        cube = Cube(CUBE, NM, units="reflectance", metadata={"fwhm": [9.0] * 7})
        assert not has(read(write(cube, tmp_path / name)).notices, Code.MAYBE_DAMAGED)


def test_a_unit_in_our_own_record(tmp_path):
    path = write(Cube(CUBE, NM, units="reflectance"), tmp_path / "a.hdr")
    path.write_text(path.read_text().replace('"units": "reflectance"', '"units": "refIectance"'))
    assert "may be a damaged “reflectance”" in " ".join(read(path).notices)


def test_names_that_matlab_does_not_give_are_told(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(
        path, {"cube": np.moveaxis(CUBE, 0, -1), "wavelengths": NM, "norm_factor": 4.0}
    )
    assert not has(read(path).notices, Code.MAYBE_DAMAGED)
    path.write_bytes(path.read_bytes().replace(b"norm_factor", b"norm_fact/r"))
    assert "“norm_fact/r” is no name" in " ".join(read(path).notices)


def test_an_archive_that_lists_fewer_arrays_than_it_has_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, spectra=np.ones((3, 7)), names=np.array(["a", "b", "c"]), wavelengths=NM)
    assert read_library(path).names == ("a", "b", "c")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 33] = 0x40  # a comment that takes the next entries in
    path.write_bytes(content)
    with pytest.raises(FileError, match="says that it has 3 arrays, and lists 1"):
        read_library(path)


@pytest.mark.parametrize("suffix", [".h5", ".mat", ".npz"])
def test_our_record_that_is_none_any_more_is_told(tmp_path, suffix):
    path = write(Cube(CUBE, NM, units="reflectance"), tmp_path / f"a{suffix}")
    if suffix == ".npz":
        with np.load(path) as found:
            np.savez(path, **{n: v if v.shape else np.array("\0\0") for n, v in found.items()})
    else:
        with h5py.File(path, "r+") as file:
            kept = file["napari_hsr"]
            del file["napari_hsr"]
            file["napari_hsr"] = "\1\1" if suffix == ".h5" else np.zeros_like(kept)
    assert has(read(path).notices, Code.RECORD_UNUSABLE)
