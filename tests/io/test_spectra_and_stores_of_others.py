"""Spectral libraries and zarr stores that other libraries, or their documented layouts, write."""

from __future__ import annotations

import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import spectral
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_hsr import read, read_library

every = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
REFLECTANCE = st.floats(0, 1, width=32)


@st.composite
def spectra(draw, most=4):
    """Reflectance (spectra, bands) in float32, and ascending band centres in nm."""
    shape = draw(st.tuples(st.integers(1, most), st.integers(2, 9)))
    steps = draw(st.lists(st.integers(1, 99), min_size=shape[1], max_size=shape[1]))
    return draw(arrays.arrays("f4", shape, elements=REFLECTANCE)), 350.0 + np.cumsum(steps)


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def check(library, values, nm, close=1e-6):
    np.testing.assert_allclose(library.wavelengths_nm, nm, rtol=1e-6)
    np.testing.assert_allclose(library.values, values, rtol=close, atol=close)


@every
@given(made=spectra(), micrometres=st.booleans())
def test_spectral_writes_sli(place, made, micrometres):
    values, nm = made
    names = [f"mineral {i}" for i in range(len(values))]
    header = {
        "spectra names": names,
        "wavelength": (nm / 1000 if micrometres else nm).tolist(),
        "wavelength units": "Micrometers" if micrometres else "Nanometers",
    }
    library = spectral.envi.SpectralLibrary(values, header)
    library.save(str(place / "lib"))
    for named in ("lib.sli", "lib.hdr"):
        found = read_library(place / named)
        check(found, values, nm)
        assert list(found.names) == names


@every
@given(
    made=spectra(most=1),
    version=st.sampled_from([b"ASD", b"as2", b"as7"]),
    kind=st.sampled_from("fd"),
)
def test_asd(place, made, version, kind):
    """The layout of ASD's document: a head of 484 bytes, then the channels."""
    values, nm = made
    step = 3.0
    head = bytearray(484)
    head[:3] = version
    head[186] = 1  # reflectance
    struct.pack_into("<2f", head, 191, nm[0], step)
    head[199] = {"f": 0, "d": 2}[kind]
    struct.pack_into("<H", head, 204, values.shape[1])
    (place / "a.asd").write_bytes(bytes(head) + values[0].astype(f"<{kind}").tobytes())
    grid = nm[0] + step * np.arange(values.shape[1])
    check(read_library(place / "a.asd"), values, grid)


@every
@given(made=spectra(most=1))
def test_sed_and_sig(place, made):
    values, nm = made
    rows = [
        f"{x}\t1.0\t{y:.9e}\t{100 * y:.9e}"
        for x, y in zip(nm, values[0].astype(float), strict=True)
    ]
    (place / "a.sed").write_text(
        f"Comment:\nVersion: 2.3\nInstrument: PSR\nUnits: W/m^2/sr/nm\nChannels: {len(nm)}\nColumns [4]:\n"
        "Data:\nWvl\tRad. (Ref.)\tRad. (Target)\tReflect. %\n" + "\n".join(rows) + "\n"
    )
    check(read_library(place / "a.sed"), values, nm)
    (place / "a.sig").write_text(
        "/*** Spectra Vista SIG Data ***/\nname= a.sig\nunits= Radiance, Radiance\ndata= \n"
        + "\n".join(row.replace("\t", "  ") for row in rows)
        + "\n"
    )
    check(read_library(place / "a.sig"), values, nm)


@every
@given(made=spectra(most=1), percent=st.booleans(), descending=st.booleans())
def test_ecostress(place, made, percent, descending):
    values, nm = made
    rows = list(zip(nm / 1000, values[0].astype(float) * (100 if percent else 1), strict=True))
    rows = rows[::-1] if descending else rows
    unit = "Reflectance (percent)" if percent else "Reflectance (fraction)"
    (place / "a.txt").write_text(
        f"Name: Loam\nType: soil\nX Units: Wavelength (micrometers)\nY Units: {unit}\n"
        f"Number of X Values: {len(rows)}\n\n"
        + "\n".join(f"{x:.9f}\t{y:.9e}" for x, y in rows)
        + "\n"
    )
    check(read_library(place / "a.txt"), values, nm)


@every
@given(made=spectra(most=1), hole=st.booleans())
def test_usgs(place, made, hole):
    values, nm = made
    values = values.copy()
    values[0, 0] = np.nan if hole else values[0, 0]
    stored = np.where(np.isnan(values[0]), -1.23e34, values[0])
    folder = place / "splib"
    folder.mkdir(exist_ok=True)
    lines = "\n".join(f" {y:.9e}" for y in stored)
    (folder / "acmite.txt").write_text(f" splib07a Record=16: Acmite\n{lines}\n")
    grid = "\n".join(f" {x / 1000:.9f}" for x in nm)
    (place / "splib07a_Wavelengths.txt").write_text(f" splib07a Wavelengths microns\n{grid}\n")
    check(read_library(folder / "acmite.txt"), values, nm)


@every
@given(
    values=arrays.arrays(
        st.sampled_from(["u1", "<i2", ">u2", "<f4", ">f8"]),
        st.tuples(*[st.integers(2, 7)] * 3),
        elements=st.integers(0, 100),
    ),
    axes=st.permutations("byx"),
    version=st.sampled_from([2, 3]),
    ome=st.sampled_from([None, "0.4", "0.5"]),
    data=st.data(),
)
def test_zarr_writes_stores(place, values, axes, version, ome, data):
    """Plain stores with named axes as xarray writes them, and OME-Zarr with channels."""
    zarr = pytest.importorskip("zarr")
    if (version == 3 and ome == "0.4") or (version == 2 and ome == "0.5"):
        version = 5 - version  # 0.4 is of zarr 2, 0.5 of zarr 3
    nm = 400.0 + 10 * np.arange(len(values))
    stored = values.transpose(["byx".index(a) for a in axes])
    names = [{"b": "wavelength"}.get(a, a) for a in axes]
    chunks = tuple(data.draw(st.integers(1, n)) for n in stored.shape)
    path = place / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=version)
    more = {"dimension_names": names} if version == 3 else {}
    array = group.create_array(
        "0" if ome else "rad", shape=stored.shape, chunks=chunks, dtype=stored.dtype, **more
    )
    array[:] = stored
    if ome:
        letters = [{"b": "c"}.get(a, a) for a in axes]
        scales = {
            "version": ome,
            "axes": [{"name": a, "type": "channel" if a == "c" else "space"} for a in letters],
            "datasets": [
                {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0] * 3}]}
            ],
        }
        omero = {"channels": [{"label": f"{n:g} nm", "color": "FFFFFF"} for n in nm]}
        stated = {"multiscales": [scales], "omero": omero}
        group.attrs.update({"ome": {"version": ome, **stated}} if ome == "0.5" else stated)
    else:
        if version == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = names
        axis = group.create_array("wavelength", shape=nm.shape, dtype="f8")
        axis[:] = nm
        axis.attrs["units"] = "nm"
    cube = read(path)
    np.testing.assert_array_equal(np.asarray(cube.data), values.astype("f4"))
    np.testing.assert_allclose(cube.wavelengths.nm, nm)
    shutil.rmtree(path)
