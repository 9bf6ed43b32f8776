"""The README's table of formats, row by row: files of other libraries are read, ours are opened by others."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

from napari_hsr import read, read_library, read_stack, write
from napari_hsr.cube import Cube
from napari_hsr.photograph import Photograph
from napari_hsr.spectral_library import SpectralLibrary

README = Path(__file__).parents[2] / "README.md"
CUBE = np.random.default_rng(11).random((5, 6, 7)).astype(np.float32)
LAST = np.ascontiguousarray(CUBE.transpose(1, 2, 0))
NM = [450.0, 500.0, 550.0, 600.0, 650.0]
WHOLE = np.round(CUBE * 10000).astype(np.int16)
PICTURE = np.random.default_rng(12).integers(0, 256, (24, 32, 3), np.uint8)
#: Cells of the table, by how its rows begin; a case is registered under one of them.
ROWS: dict[str, list] = {}


def case(row, *tokens):
    """A function that proves a part of a row: the tokens are what the row calls it."""

    def register(function):
        ROWS.setdefault(row, []).append((function, tokens))
        return function

    return register


def is_cube(path, values=CUBE, nm=NM, tolerance=1e-6, **choice):
    cube = read(path, **choice)
    np.testing.assert_allclose(np.asarray(cube.data[:]), values, atol=tolerance)
    if nm is not None:
        np.testing.assert_allclose(cube.wavelengths.nm, nm, atol=1e-3)
    return cube


def header(extra="", interleave="bsq", code=4):
    listed = ", ".join(map(str, NM))
    return (
        f"ENVI\nsamples = 7\nlines = 6\nbands = 5\nheader offset = 0\ndata type = {code}\ninterleave = {interleave}\n"
        f"byte order = 0\nwavelength units = nm\nwavelength = {{{listed}}}\n{extra}"
    )


@case("MATLAB", ".mat")
def matlab_read(folder):
    scipy.io.savemat(folder / "a.mat", {"rad": LAST, "bands": NM})
    is_cube(folder / "a.mat")
    scipy.io.savemat(folder / "b.mat", {"scene": {"cube": LAST, "wavelength": NM}})
    is_cube(folder / "b.mat")
    planes = np.empty((1, 5), object)
    planes[0] = list(CUBE)
    scipy.io.savemat(folder / "c.mat", {"bands_of": planes})
    is_cube(folder / "c.mat", nm=None)
    many = np.array([(LAST,), (LAST[::-1],)], [("cube", object)])
    scipy.io.savemat(folder / "d.mat", {"scenes": many})
    is_cube(folder / "d.mat", CUBE[:, ::-1], None, variable="scenes/2/cube")
    with h5py.File(folder / "e.mat", "w", userblock_size=512) as file:  # as NTIRE has it
        file["cube"], file["bands"] = CUBE.transpose(0, 2, 1), np.array(NM)[:, None]
        file["norm_factor"] = [[4095.0]]
    is_cube(folder / "e.mat")


@case("MATLAB", 'matlab="5"', "convert --matlab 5")
def matlab_written(folder):
    write(Cube(CUBE, NM), folder / "five.mat", matlab="5")
    stored = scipy.io.loadmat(folder / "five.mat")
    np.testing.assert_array_equal(stored["cube"], LAST)
    np.testing.assert_allclose(stored["bands"].ravel(), NM)
    write(Cube(CUBE, NM), folder / "seven.mat")
    with h5py.File(folder / "seven.mat") as file:
        np.testing.assert_array_equal(file["cube"][()], CUBE.transpose(0, 2, 1))


@case("ENVI", ".hdr", ".grd")
def envi_read(folder):
    from spectral.io import envi

    for interleave in ("bsq", "bil", "bip"):
        facts = {"wavelength": list(map(str, NM)), "wavelength units": "nm"}
        path = str(folder / f"{interleave}.hdr")
        envi.save_image(path, LAST, interleave=interleave, metadata=facts)
        cube = is_cube(path)
        assert isinstance(cube.data, np.memmap)
    (folder / "z.hdr").write_text(header("file compression = 1\n"))
    (folder / "z.img").write_bytes(gzip.compress(CUBE.tobytes()))
    is_cube(folder / "z.hdr")
    esri = "BYTEORDER I\nLAYOUT BIL\nNROWS 6\nNCOLS 7\nNBANDS 5\nNBITS 16\nPIXELTYPE SIGNEDINT\n"
    (folder / "e.hdr").write_text(esri)
    (folder / "e.bil").write_bytes(WHOLE.transpose(1, 0, 2).astype("<i2").tobytes())
    is_cube(folder / "e.bil", WHOLE, None)
    names = ":".join(f"X{nm:g}" for nm in NM)
    (folder / "r.grd").write_text(
        "[general]\ncreator=R package 'raster'\n[georeference]\nnrows=6\nncols=7\n[data]\ndatatype=FLT4S\n"
        f"byteorder=little\nnbands=5\nbandorder=BIL\n[description]\nlayername={names}\n"
    )
    (folder / "r.gri").write_bytes(CUBE.transpose(1, 0, 2).tobytes())
    is_cube(folder / "r.grd")


@case("ENVI")
def envi_written(folder):
    from spectral.io import envi

    write(Cube(CUBE, NM), folder / "a.hdr", interleave="bil")
    image = envi.open(str(folder / "a.hdr"))
    np.testing.assert_array_equal(np.asarray(image.load()), LAST)
    np.testing.assert_allclose(image.bands.centers, NM)


@case("EnMAP and DESIS")
def products(folder):
    entry = "<bandID number='{i}'><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand><FWHMOfBand>6</FWHMOfBand><GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
    entries = "".join(entry.format(i=i, nm=nm) for i, nm in enumerate(NM, 1))
    scaled = WHOLE / 10000
    tifffile.imwrite(
        folder / "ENMAP-SPECTRAL_IMAGE.TIF", WHOLE, photometric="minisblack", metadata=None
    )
    (folder / "ENMAP-METADATA.XML").write_text(
        f"<level_X><specific><bandCharacterisation>{entries}</bandCharacterisation></specific></level_X>"
    )
    is_cube(folder / "ENMAP-SPECTRAL_IMAGE.TIF", scaled)
    entry = "<band><bandNumber>{i}</bandNumber><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand><wavelengthWidthOfBand>3</wavelengthWidthOfBand><gainOfBand>0.0001</gainOfBand><offsetOfBand>0</offsetOfBand></band>"
    entries = "".join(entry.format(i=i, nm=nm) for i, nm in enumerate(NM, 1))
    tifffile.imwrite(
        folder / "DESIS-SPECTRAL_IMAGE.TIF", WHOLE, photometric="minisblack", metadata=None
    )
    (folder / "DESIS-METADATA.XML").write_text(f"<hsi_doc><bands>{entries}</bands></hsi_doc>")
    is_cube(folder / "DESIS-SPECTRAL_IMAGE.TIF", scaled)
    with h5py.File(folder / "PRS_L2D.he5", "w") as file:  # lines, bands, samples; bands descend
        stored = np.round(CUBE[::-1] * 65535).astype("u2").transpose(1, 0, 2)
        file["HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"] = stored
        for key, value in (("List_Cw_Vnir", NM[::-1]), ("List_Fwhm_Vnir", [9.0] * 5)):
            file.attrs[key] = np.array(value, "f4")
        file.attrs["List_Cw_Vnir_Flags"] = np.ones(5, "u1")
        file.attrs["L2ScaleVnirMin"], file.attrs["L2ScaleVnirMax"] = 0.0, 1.0
    is_cube(folder / "PRS_L2D.he5", tolerance=1e-5)
    with h5py.File(folder / "EMIT_L2A.nc", "w") as file:
        file["reflectance"] = LAST
        file["reflectance"].attrs["_FillValue"] = np.float32([-9999])
        file["sensor_band_parameters/wavelengths"] = np.array(NM, "f4")
    is_cube(folder / "EMIT_L2A.nc")
    with h5py.File(folder / "PACE_OCI.nc", "w") as file:
        for name, part in (("blue", slice(0, 2)), ("red", slice(2, 4)), ("SWIR", slice(4, 5))):
            file[f"observation_data/rhot_{name}"] = CUBE[part]
            file[f"sensor_band_parameters/{name}_wavelength"] = np.array(NM[part], "f4")
    is_cube(folder / "PACE_OCI.nc")
    with h5py.File(folder / "NEON.h5", "w") as file:
        file["SITE/Reflectance/Reflectance_Data"] = WHOLE.transpose(1, 2, 0)
        file["SITE/Reflectance/Reflectance_Data"].attrs["Scale_Factor"] = 10000.0
        file["SITE/Reflectance/Metadata/Spectral_Data/Wavelength"] = NM
    is_cube(folder / "NEON.h5", scaled)


@case("TIFF cubes")
def tiff(folder):
    described = json.dumps({"wavelengths": NM})
    more = {"photometric": "minisblack", "metadata": None, "description": described}
    tifffile.imwrite(folder / "pages.tif", CUBE, **more)
    tifffile.imwrite(folder / "planar.tif", CUBE, planarconfig="separate", **more)
    tifffile.imwrite(
        folder / "packed.tif", CUBE, compression="zlib", predictor=True, tile=(16, 16), **more
    )
    for name in ("pages", "planar", "packed"):
        is_cube(folder / f"{name}.tif")
    write(Cube(CUBE, NM), folder / "ours.tif")
    np.testing.assert_array_equal(tifffile.imread(folder / "ours.tif"), CUBE)


def hyperspy(group, put):
    """The layout of HyperSpy's files: axes with offset and scale, navigation before signal."""
    group.create_group("Experiments/scan/metadata/General")
    scan = group["Experiments/scan"]
    put(scan)
    for i, (name, size, scale, offset, units) in enumerate(
        (("y", 6, 1.0, 0.0, "mm"), ("x", 7, 1.0, 0.0, "mm"), ("Wavelength", 5, 50.0, 450.0, "nm"))
    ):
        axis = scan.create_group(f"axis-{i}")
        axis.attrs.update(
            {"name": name, "size": size, "scale": scale, "offset": offset, "units": units}
        )


@case("HDF5, HyperSpy", ".hspy", ".zspy")
def hyperspy_files(folder):
    with h5py.File(folder / "a.hspy", "w") as file:
        hyperspy(file, lambda scan: scan.create_dataset("data", data=LAST))
    is_cube(folder / "a.hspy")
    zarr = pytest.importorskip("zarr")
    store = zarr.open_group(str(folder / "a.zspy"), mode="w", zarr_format=2)
    hyperspy(store, lambda scan: scan.create_array("data", data=LAST))
    is_cube(folder / "a.zspy")


@case("HDF5, HyperSpy", ".npy", ".npz", "band_450", "Rrs_412", "scan.npy:[3]")
def arrays(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file["scan"], file["wavelength"] = LAST, NM
    is_cube(folder / "a.h5")
    with h5py.File(folder / "a.nc", "w") as file:
        file["Rrs"], file["wavelength"], file["y"], file["x"] = CUBE, NM, np.arange(6), np.arange(7)
        file["wavelength"].attrs["units"] = "nm"
        for i, name in enumerate(("wavelength", "y", "x")):
            file[name].make_scale(name)
            file["Rrs"].dims[i].attach_scale(file[name])
    is_cube(folder / "a.nc")
    with scipy.io.netcdf_file(folder / "classic.nc", "w") as file:
        for name, size in (("y", 6), ("x", 7), ("wavelength", 5)):
            file.createDimension(name, size)
        file.createVariable("wavelength", "f4", ("wavelength",))[:] = NM
        file.createVariable("radiance", "f4", ("y", "x", "wavelength"))[:] = LAST
    is_cube(folder / "classic.nc")
    np.save(folder / "a.npy", CUBE)
    is_cube(folder / "a.npy", nm=None)
    np.savez(folder / "a.npz", cube=CUBE, wavelengths=NM)
    is_cube(folder / "a.npz")
    pixels = np.zeros((6, 7), [("spectrum", "f4", (5,)), ("quality", "u1")])
    pixels["spectrum"] = LAST
    np.save(folder / "structures.npy", pixels)
    is_cube(folder / "structures.npy", nm=None)
    with h5py.File(folder / "compound.h5", "w") as file:
        file["pixels"], file["wavelength"] = pixels, NM
    is_cube(folder / "compound.h5")
    for stem in ("band", "Rrs"):
        with h5py.File(folder / f"{stem}.h5", "w") as file:
            for nm, plane in zip(NM, CUBE, strict=True):
                file[f"{stem}_{nm:g}"] = plane
        is_cube(folder / f"{stem}.h5")
    np.save(folder / "scan.npy", np.stack([CUBE * 0, CUBE * 0, CUBE]))
    is_cube(f"{folder / 'scan.npy'}:[3]", nm=None)


@case("HDF5, HyperSpy")
def arrays_written(folder):
    write(Cube(CUBE, NM), folder / "a.h5")
    with h5py.File(folder / "a.h5") as file:
        np.testing.assert_array_equal(file["cube"][()], CUBE)
        np.testing.assert_array_equal(file["wavelengths"][()], NM)
    write(Cube(CUBE, NM), folder / "a.npz")
    with np.load(folder / "a.npz") as stored:
        np.testing.assert_array_equal(stored["cube"], CUBE)


@case("zarr, OME-Zarr", "napari-hsr[zarr]", "predict")
def stores(folder):
    zarr = pytest.importorskip("zarr")
    plain = zarr.open_array(str(folder / "plain.zarr"), mode="w", shape=CUBE.shape, dtype="f4")
    plain[:] = CUBE
    is_cube(folder / "plain.zarr", nm=None)
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space"} for n in "yx")]
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}]
    channels = {"channels": [{"label": f"{nm:g} nm", "color": "FFFFFF"} for nm in NM]}
    for version, number in (("0.4", 2), ("0.5", 3)):
        store = zarr.open_group(str(folder / f"{version}.zarr"), mode="w", zarr_format=number)
        store.create_array("0", data=CUBE, chunks=(1, 6, 7))
        facts = {"multiscales": [{"axes": axes, "datasets": levels}], "omero": channels}
        if number == 2:
            facts["multiscales"][0]["version"] = version
            store.attrs.update(facts)
        else:
            store.attrs["ome"] = {"version": version, **facts}
        is_cube(folder / f"{version}.zarr")
    write(Cube(CUBE, NM), folder / "ours.zarr")
    ours = zarr.open_group(str(folder / "ours.zarr"), mode="r")
    (described,) = ours.attrs["multiscales"]
    assert described["version"] == "0.4"
    np.testing.assert_array_equal(ours[described["datasets"][0]["path"]][:], CUBE)
    # what predict writes in shards is opened by zarr in tests/inference


@case("CAVE scene folders", "leaf_450nm.png", "450.tif", "folder:IMG_0001")
def folders(folder):
    scene = folder / "leaf_ms" / "leaf_ms"
    scene.mkdir(parents=True)
    planes = np.random.default_rng(1).integers(0, 65536, (31, 6, 7), np.uint16)
    for i, plane in enumerate(planes, 1):
        Image.fromarray(plane).save(scene / f"leaf_ms_{i:02d}.png")
    is_cube(folder / "leaf_ms", planes / 65535, range(400, 701, 10))
    for name, save in (
        ("leaf_{:g}nm.png", lambda p, v: Image.fromarray(v).save(p)),
        ("{:g}.tif", tifffile.imwrite),
    ):
        apart = folder / name[:4].strip("{:")
        apart.mkdir()
        for nm, plane in zip(NM, planes, strict=False):
            save(apart / name.format(nm), plane)
        is_cube(apart, planes[:5])
    flight = folder / "flight"
    flight.mkdir()
    for number in (1, 2):
        for i, nm in enumerate(NM, 1):
            xmp = f"<rdf:RDF><Camera:CentralWavelength>{nm:g}</Camera:CentralWavelength></rdf:RDF>".encode()
            tags = [(700, 1, len(xmp), xmp, True)]
            name = f"IMG_{number:04d}_{i}.tif"
            tifffile.imwrite(flight / name, planes[i - number], extratags=tags, metadata=None)
    is_cube(f"{flight}:IMG_0001", planes[:5])


SPECTRA = np.round(np.random.default_rng(2).random((2, 31)), 4)
GRID = np.arange(400.0, 701.0, 10.0)


def is_library(path, values=SPECTRA):
    library = read_library(path)
    np.testing.assert_allclose(library.values, values, atol=2e-4)
    np.testing.assert_allclose(library.wavelengths_nm, GRID, atol=1e-3)


def rows(separator, *columns):
    return (
        "\n".join(separator.join(f"{v:g}" for v in row) for row in zip(*columns, strict=True))
        + "\n"
    )


@case("spectral libraries", ".sli", ".asd", ".sed", ".sig", "read_library", ".mat", ".h5", ".npz")
def libraries(folder):
    from spectral.io import envi

    envi.SpectralLibrary(
        SPECTRA.astype("f4"),
        {"wavelength": GRID.tolist(), "wavelength units": "nm", "spectra names": ["a", "b"]},
    ).save(str(folder / "a"))
    is_library(folder / "a.sli")
    head = bytearray(484)
    head[:3], head[186], head[199] = b"ASD", 1, 2
    head[191:199] = np.array([400, 10], "<f4").tobytes()
    head[204:206] = (31).to_bytes(2, "little")
    (folder / "a.asd").write_bytes(bytes(head) + SPECTRA[0].astype("<f8").tobytes())
    one = np.ones(31)
    (folder / "a.sed").write_text(
        "Comment:\nUnits: W/m^2/sr/nm\nChannels: 31\nColumns [4]:\nData:\nWvl\tRad. (Ref.)\tRad. (Target)\tReflect. %\n"
        + rows("\t", GRID, one, SPECTRA[0], 100 * SPECTRA[0])
    )
    (folder / "a.sig").write_text(
        "/*** Spectra Vista SIG Data ***/\nname= a\nunits= Radiance, Radiance\ndata= \n"
        + rows("  ", GRID, one, SPECTRA[0], 100 * SPECTRA[0])
    )
    (folder / "a.jdx").write_text(
        "##TITLE=a\n##JCAMP-DX=4.24\n##DATA TYPE=UV/VIS SPECTRUM\n##XUNITS=NANOMETERS\n##YUNITS=REFLECTANCE\n"
        "##FIRSTX=400\n##LASTX=700\n##NPOINTS=31\n##XFACTOR=1\n##YFACTOR=1\n##XYPOINTS=(XY..XY)\n"
        + rows(", ", GRID, SPECTRA[0]) + "##END=\n"
    )  # fmt: skip
    (folder / "ecostress.txt").write_text(
        "Name: a\nX Units: Wavelength (micrometers)\nY Units: Reflectance (percent)\nNumber of X Values: 31\n\n"
        + rows("\t", GRID / 1000, 100 * SPECTRA[0])
    )
    (folder / "a_Wavelengths.txt").write_text(
        " splib07a Wavelengths microns\n" + rows("", GRID / 1000)
    )
    (folder / "usgs.txt").write_text(" splib07a Record=1: a\n" + rows("", SPECTRA[0]))
    for name in ("a.asd", "a.sed", "a.sig", "a.jdx", "ecostress.txt", "usgs.txt"):
        is_library(folder / name, SPECTRA[:1])
    fields = " ".join(f"SPECTRAL_NM{nm:g}" for nm in GRID)
    lines = "\n".join(f"{i} " + " ".join(map(str, row)) for i, row in enumerate(SPECTRA))
    (folder / "cgats.txt").write_text(
        f"CGATS.17\nBEGIN_DATA_FORMAT\nSAMPLE_ID {fields}\nEND_DATA_FORMAT\nBEGIN_DATA\n{lines}\nEND_DATA\n"
    )
    (folder / "a.csv").write_text("wavelength (nm),a,b\n" + rows(",", GRID, *SPECTRA))
    scipy.io.savemat(folder / "a.mat", {"wavelengths": GRID, "spectra": SPECTRA})
    with h5py.File(folder / "a.h5", "w") as file:
        file["wavelengths"], file["spectra"] = GRID, SPECTRA
    np.savez(folder / "a.npz", wavelengths=GRID, spectra=SPECTRA)
    for name in ("cgats.txt", "a.csv", "a.mat", "a.h5", "a.npz"):
        is_library(folder / name)


@case("spectral libraries", ".sli")
def libraries_written(folder):
    from spectral.io import envi

    library = SpectralLibrary(("a", "b"), GRID, SPECTRA)
    for suffix in ("csv", "sli", "json"):
        write(library, folder / f"b.{suffix}")
        is_library(folder / f"b.{suffix}")
    ours = envi.open(str(folder / "b.hdr"))
    np.testing.assert_allclose(ours.spectra, SPECTRA, atol=1e-6)
    table = np.loadtxt(folder / "b.csv", delimiter=",", skiprows=1)
    assert {31, 3} == set(table.shape)


@case("stacks of photographs", ".mp4 .avi .mov", "napari-hsr[film]", ".gif", "read_stack")
def stacks(folder):
    run = folder / "run"
    run.mkdir()
    frames = np.stack([np.full((24, 32, 3), 40 * i, np.uint8) for i in range(4)])
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(run / f"frame{i}.png")
    tifffile.imwrite(folder / "pages.tif", frames, photometric="rgb")
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(folder / "a.gif", save_all=True, append_images=others)
    for path in (run, run / "*.png", folder / "pages.tif", folder / "a.gif"):
        stack = read_stack(path)
        assert len(stack.frames) == 4
        np.testing.assert_array_equal(stack.frames.read(3).data, frames[3])
    av = pytest.importorskip("av")
    for suffix in ("mp4", "avi", "mov"):
        with av.open(str(folder / f"film.{suffix}"), "w") as out:
            stream = out.add_stream("mpeg4", rate=25, options={"qscale": "1"})
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
            for frame in frames:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            out.mux(stream.encode())
        found = read_stack(folder / f"film.{suffix}").frames.read(2).data
        assert np.abs(found.astype(int) - 80).max() <= 6  # YUV of 8 bits and back, and quantised


@case("photographs", "napari-hsr[heif]")
def photographs(folder):
    from PIL import ImageCms

    picture = Image.fromarray(PICTURE)
    for name, more in (("a.png", {}), ("a.bmp", {}), ("a.tif", {}), ("a.webp", {"lossless": True})):
        picture.save(folder / name, **more)
        np.testing.assert_array_equal(read(folder / name).data, PICTURE)
    flat = Image.new("RGB", (32, 24), (90, 120, 60))
    flat.save(folder / "a.jpg", quality=95)
    assert (
        np.abs(read(folder / "a.jpg").data.astype(int) - (90, 120, 60)).max() <= 2
    )  # rounded in YCbCr
    sixteen = PICTURE.astype(np.uint16) * 257
    tifffile.imwrite(folder / "deep.tif", sixteen, photometric="rgb")
    np.testing.assert_array_equal(read(folder / "deep.tif").data, sixteen)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(folder / "srgb.png", icc_profile=profile)
    assert read(folder / "srgb.png").encoding == "srgb"
    for suffix in ("png", "tif"):
        write(Photograph(sixteen, "srgb"), folder / f"ours.{suffix}")
        np.testing.assert_array_equal(read(folder / f"ours.{suffix}").data, sixteen)
    np.testing.assert_array_equal(tifffile.imread(folder / "ours.tif"), sixteen)
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(flat).save(folder / "a.heic", quality=95)
    assert (
        np.abs(read(folder / "a.heic").data.astype(int) - (90, 120, 60)).max() <= 4
    )  # YCbCr, quantised


def table():
    """The rows of the table: first cell, and all that stands in quotes of code in any of its cells."""
    text = README.read_text(encoding="utf-8").split("## What it reads and writes")[1]
    text = text.split("\n\n")[1]
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [(line.split("|")[1].strip(), set(re.findall(r"`([^`]+)`", line))) for line in lines]


@pytest.mark.parametrize(
    ("function", "row"),
    [pytest.param(f, row, id=f.__name__) for row, cases in ROWS.items() for f, _ in cases],
)
def test_a_row_is_true(tmp_path, function, row):
    assert [cell for cell, _ in table() if cell.startswith(row)], row
    function(tmp_path)


def test_every_row_is_proved():
    for cell, tokens in table():
        cases = [case for row, cases in ROWS.items() if cell.startswith(row) for case in cases]
        assert cases, cell
        assert tokens <= {token for _, named in cases for token in named}, cell
