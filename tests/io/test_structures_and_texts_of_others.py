"""Rasters of R, structures of HDF5 and NumPy, and CGATS texts, written here by their documented layouts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_hsr import read, read_library
from napari_hsr.io.tiff import geotiff

every = settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
#: R's names of types, with NumPy's.
OF_R = {
    "INT1U": "u1", "INT2S": "i2", "INT2U": "u2", "INT4S": "i4", "FLT4S": "f4", "FLT8S": "f8",
}  # fmt: skip
ORDERS = {"BIL": (1, 0, 2), "BSQ": (0, 1, 2), "BIP": (1, 2, 0)}


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@st.composite
def cubes(draw, types=("u1", "i2", "u2", "f4", "f8"), marker=None, least=2):
    """(bands, height, width), each size up to 6, a value in a hundred the marker; ascending centres in nm."""
    shape = draw(st.tuples(*[st.integers(least, 6)] * 3))
    kind = np.dtype(draw(st.sampled_from(types)))
    elements = st.integers(0, 200)
    if marker is not None and kind.kind != "u":
        elements |= st.just(marker)
    values = draw(arrays.arrays(kind, shape, elements=elements))
    steps = draw(st.lists(st.integers(1, 40), min_size=shape[0], max_size=shape[0]))
    return values, [350.0 + float(n) for n in np.cumsum(steps)]


@every
@given(
    made=cubes(tuple(OF_R.values()), marker=-99),
    order=st.sampled_from(sorted(ORDERS)),
    big=st.booleans(),
    named=st.sampled_from(["layers", "z", None]),
    corner=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
)
def test_rasters_of_r(place, made, order, big, named, corner):
    values, nm = made
    bands, height, width = values.shape
    west, south = corner
    lines = [
        "[general]", "creator=R package 'raster'", "[georeference]", f"nrows={height}", f"ncols={width}",
        f"xmin={west}", f"ymin={south}", f"xmax={west + 2 * width}", f"ymax={south + 3 * height}",
        "projection=+proj=utm +zone=33 +datum=WGS84 +units=m +no_defs", "[data]",
        f"datatype={next(r for r, kind in OF_R.items() if values.dtype == kind)}",
        f"byteorder={'big' if big else 'little'}", f"nbands={bands}", f"bandorder={order}", "nodatavalue=-99",
    ]  # fmt: skip
    texts = [f"{centre:g}" for centre in nm]
    if named == "z":
        lines.append(":".join(["zvalues=wavelength", *texts]))
    lines.append(
        "layername=" + ":".join(f"X{t}" if named == "layers" else f"b.{t}x" for t in texts)
    )
    (place / "scene.grd").write_text("\n".join(lines))
    stored = values.transpose(ORDERS[order]).astype(values.dtype.newbyteorder(">" if big else "<"))
    (place / "scene.gri").write_bytes(stored.tobytes())
    for suffix in (".grd", ".gri"):
        cube = read(place / f"scene{suffix}")
        expected = np.where(values == -99, np.nan, values.astype("f4"))
        np.testing.assert_array_equal(cube.data[:], expected)
        assert (None if cube.wavelengths is None else list(cube.wavelengths)) == (
            nm if named else None
        )
        grid = cube.metadata[geotiff.KEY]
        assert grid["tiepoints"][3:5] == [west, south + 3 * height]
        assert grid["pixel_scale"][:2] == [2, 3]


@every
@given(
    made=cubes(marker=-99, least=3),  # two arrays of a number each may be anything
    layout=st.sampled_from(["spectrum", "bands", "rows"]),
    hdf5=st.booleans(),
    big=st.booleans(),
    data=st.data(),
)
def test_structures(place, made, layout, hdf5, big, data):
    values, nm = made
    bands, height, width = values.shape
    kind = values.dtype.newbyteorder(">" if big else "<")
    spectra = np.moveaxis(values, 0, 2)
    if layout == "spectrum":
        stored = np.zeros((height, width), [("quality", "u1"), ("spectrum", kind, (bands,))])
        stored["spectrum"] = spectra
    else:
        names = [f"band_{centre:g}" for centre in nm]
        shape = (height, width) if layout == "bands" else (height * width,)
        of_place = [] if layout == "bands" else [("y", "i4"), ("x", "i4")]
        stored = np.zeros(shape, [*of_place, *((name, kind) for name in names)])
        for name, plane in zip(names, values, strict=True):
            stored[name] = plane if layout == "bands" else plane.ravel()
        if layout == "rows":
            stored["y"], stored["x"] = np.divmod(np.arange(height * width), width)
            stored = stored[data.draw(st.permutations(range(height * width)))]
    marked = hdf5 and data.draw(st.booleans())
    if hdf5:
        path = place / "scene.h5"
        with h5py.File(path, "w") as file:
            file["pixels"] = stored
            if marked:
                file["pixels"].attrs["_FillValue"] = -99
            if layout == "spectrum":
                file["wavelength"] = nm
    else:
        path = place / "scene.npy"
        np.save(path, stored)
    cube = read(path)
    expected = values.astype("f4")
    np.testing.assert_array_equal(
        cube.data[:], np.where(expected == -99, np.nan, expected) if marked else expected
    )
    listed = None if cube.wavelengths is None else list(cube.wavelengths)
    assert listed == (nm if hdf5 or layout != "spectrum" else None)


@every
@given(
    made=cubes(("f4",)),
    field=st.sampled_from(
        [
            "SPECTRAL_NM{}",
            "nm{}",
            "SPEC_{}",
            "R_{}",
            "SPECTRAL_DEC{}",
            "SPECTRAL_PCT{}",
            "SPECTRAL_NM_{}",
        ]
    ),
    norm=st.sampled_from([None, 100]),
    before=st.integers(0, 3),
    line_end=st.sampled_from(["\n", "\r\n"]),
    separator=st.sampled_from(["\t", " "]),
)
def test_cgats(place, made, field, norm, before, line_end, separator):
    values, nm = made
    spectra = values.reshape(values.shape[0], -1).T / 256
    nm = [*nm, nm[-1] + 10][: max(3, len(nm))]  # a spectrum has three values or more
    spectra = np.column_stack([spectra, spectra[:, -1]])[:, : len(nm)]
    percent = "PCT" in field
    factor = 100 if percent or norm else 1
    names = [f"sample {i}" for i in range(len(spectra))]
    colours = ["LAB_L", "LAB_A", "LAB_B"][:before]
    lines = ["CGATS.17", 'ORIGINATOR "a test"', f"NUMBER_OF_FIELDS {len(nm) + 1 + before}"]
    lines += [f"SPECTRAL_NORM {norm}"] if norm else []
    heads = ["SAMPLE_NAME", *colours, *(field.format(f"{centre:g}") for centre in nm)]
    lines += [
        "BEGIN_DATA_FORMAT",
        separator.join(heads),
        "END_DATA_FORMAT",
        f"NUMBER_OF_SETS {len(names)}",
        "BEGIN_DATA",
    ]
    for name, spectrum in zip(names, spectra, strict=True):
        numbers = ["50"] * before + [f"{value * factor:.8g}" for value in spectrum]
        lines.append(separator.join([f'"{name}"', *numbers]))
    (place / "a.txt").write_bytes(line_end.join([*lines, "END_DATA", ""]).encode())
    found = read_library(place / "a.txt")
    np.testing.assert_allclose(found.wavelengths_nm, nm)
    np.testing.assert_allclose(found.values, spectra, rtol=1e-6, atol=1e-9)
    assert list(found.names) == names
