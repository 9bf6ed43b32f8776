"""Good files as instruments, missions and other programs lay them out, for ``stated_files``."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

#: Name, files, those that are changed (all, where empty), and what is named to read them.
Row = tuple[str, tuple["Path", ...], tuple["Path", ...], "Path"]


def images(place: Path, values: np.ndarray, nm: np.ndarray) -> list[Row]:
    """Cubes; of all files beside them one is changed."""
    place.mkdir()
    rows: list[Row] = []
    for made in (_missions, _hdf5_of_others, _rasters, _folders, _stores, _numpy, _beside):
        rows += made(place, values, nm)
    return rows


def _missions(place: Path, values: np.ndarray, nm: np.ndarray) -> list[Row]:
    import h5py
    import tifffile

    rows: list[Row] = []
    entry = (
        "<bandID number='{i}'><wavelengthCenterOfBand>{nm:g}</wavelengthCenterOfBand><FWHMOfBand>6.5</FWHMOfBand>"
        "<GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>\n"
    )
    entries = "".join(entry.format(i=i, nm=n) for i, n in enumerate(nm, 1))
    image, xml = place / "ENMAP-SPECTRAL_IMAGE.TIF", place / "ENMAP-METADATA.XML"
    tifffile.imwrite(image, values, photometric="minisblack", metadata=None)
    xml.write_text(
        "<level_X>\n<specific>\n<backgroundValue>-9999</backgroundValue>\n<bandCharacterisation>\n"
        f"{entries}</bandCharacterisation>\n</specific>\n</level_X>\n"
    )
    rows.append((image.name, (xml, image), (xml,), image))
    path = place / "PRS_L2D.he5"
    with h5py.File(path, "w") as file:
        stored = (values[::-1].clip(0) * 10).astype("u2").transpose(1, 0, 2)
        file["HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"] = np.ascontiguousarray(stored)
        file.attrs["List_Cw_Vnir"] = nm[::-1].astype("f4")
        file.attrs["List_Fwhm_Vnir"] = np.full(nm.size, 9.5, "f4")
        file.attrs["List_Cw_Vnir_Flags"] = np.ones(nm.size, "u1")
        file.attrs["L2ScaleVnirMin"], file.attrs["L2ScaleVnirMax"] = 0.0, 0.75
    rows.append((path.name, (path,), (), path))
    path = place / "NEON.h5"
    with h5py.File(path, "w") as file:
        cube = file.create_dataset(
            "SITE/Reflectance/Reflectance_Data", data=np.moveaxis(values, 0, -1)
        )
        cube.attrs.update({"Scale_Factor": 10000.0, "Data_Ignore_Value": -9999.0})
        about = file["SITE/Reflectance"]
        about["Metadata/Spectral_Data/Wavelength"] = nm.astype("f4")
        about["Metadata/Spectral_Data/FWHM"] = np.full(nm.size, 5.8, "f4")
        about.attrs["Band_Window_1_Nanometers"] = np.array([540, 560], "f4")
        about["Metadata/Coordinate_System/Map_Info"] = (
            "UTM, 1.000, 1.000, 326000.00, 4103000.0, 1.0, 1.0, 11, North, WGS-84, units=Meters, 0"
        )
    rows.append((path.name, (path,), (), path))
    path = place / "EMIT.nc"
    with h5py.File(path, "w") as file:
        file["reflectance"] = np.moveaxis(values, 0, -1).astype("f4") / 1e4
        file["reflectance"].attrs["_FillValue"] = np.float32([-9999])
        file["sensor_band_parameters/wavelengths"] = nm.astype("f4")
        file["sensor_band_parameters/fwhm"] = np.full(nm.size, 8.5, "f4")
    rows.append((path.name, (path,), (), path))
    return rows


def _hdf5_of_others(place: Path, values: np.ndarray, nm: np.ndarray) -> list[Row]:
    import h5py

    path, summed = place / "a.hspy", place / "fletcher.h5"
    with h5py.File(path, "w") as file:
        scan = file.create_group("Experiments/scan")
        scan.create_group("metadata/General")
        scan["data"] = np.moveaxis(values, 0, -1)
        for i, (name, size, scale, offset, unit) in enumerate(
            (("y", 9, 1.5, 0.5, "mm"), ("x", 8, 1.5, 0.5, "mm"), ("Wavelength", 7, 50.0, 400.0, "nm"))
        ):  # fmt: skip
            scan.create_group(f"axis-{i}").attrs.update(
                {"name": name, "size": size, "scale": scale, "offset": offset, "units": unit}
            )
    with h5py.File(summed, "w") as file:
        file.create_dataset("cube", data=values, chunks=(7, 5, 4), fletcher32=True)
        file["wavelengths"] = nm
    return [(one.name, (one,), (), one) for one in (path, summed)]


def _rasters(place: Path, values: np.ndarray, nm: np.ndarray) -> list[Row]:
    import tifffile

    header, binary = place / "r.grd", place / "r.gri"
    header.write_text(
        "[general]\ncreator=R package 'raster'\n[georeference]\nnrows=9\nncols=8\nxmin=1000\nymin=2000\nxmax=1016\n"
        "ymax=2027\nprojection=+proj=utm +zone=33 +datum=WGS84 +units=m +no_defs\n[data]\ndatatype=INT2S\n"
        "byteorder=little\nnbands=7\nbandorder=BIL\nnodatavalue=-9999\n[description]\n"
        f"layername={':'.join(f'X{n:g}' for n in nm)}\n"
    )
    binary.write_bytes(np.ascontiguousarray(values.transpose(1, 0, 2)).astype("<i2").tobytes())
    rows: list[Row] = [(header.name, (header, binary), (header,), header)]
    items = "".join(
        f'<Item name="wavelength" sample="{i}">{n:g}</Item>\n<Item name="scale" sample="{i}" role="scale">0.0001</Item>\n'
        for i, n in enumerate(nm)
    )
    tags = [
        (33550, "d", 3, (30.0, 30.0, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 512340.0, 5312340.0, 0.0), True),
        (34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32632), True),
        (42112, "s", 0, f"<GDALMetadata>\n{items}</GDALMetadata>\n", True),
        (42113, "s", 0, "-9999", True),
    ]
    for name, packed in (("gdal.tif", None), ("deflate.tif", "zlib"), ("packbits.tif", "packbits")):
        path = place / name
        tifffile.imwrite(
            path, values, photometric="minisblack", metadata=None, extratags=tags, compression=packed
        )  # fmt: skip
        rows.append((name, (path,), (), path))
    path = place / "jpeg.tif"
    rgb = np.kron(
        np.random.default_rng(2).integers(0, 255, (4, 4, 3)), np.ones((8, 8, 1), np.uint8)
    )
    tifffile.imwrite(path, rgb.astype(np.uint8), photometric="rgb", compression="jpeg")
    return [*rows, (path.name, (path,), (), path)]


def _folders(place: Path, values: np.ndarray, nm: np.ndarray) -> list[Row]:
    import PIL.Image
    import tifffile

    flight, apart = place / "flight", place / "leaf"
    flight.mkdir()
    apart.mkdir()
    planes = values.clip(0).astype(np.uint16) * 10
    for i, (n, plane) in enumerate(zip(nm[:5], planes, strict=False), 1):
        xmp = (
            f"<x:xmpmeta><rdf:RDF><Camera:CentralWavelength>{n:g}</Camera:CentralWavelength>"
            "<Camera:WavelengthFWHM>20</Camera:WavelengthFWHM></rdf:RDF></x:xmpmeta>"
        ).encode()
        tags = [(700, 1, len(xmp), xmp, True)]
        tifffile.imwrite(flight / f"IMG_0001_{i}.tif", plane, extratags=tags, metadata=None)
    for n, plane in zip(nm, planes, strict=True):
        PIL.Image.fromarray(plane).save(apart / f"leaf_{n:g}nm.png")
    return [(one.name, tuple(sorted(one.iterdir())), (), one) for one in (flight, apart)]


def _stores(place: Path, values: np.ndarray, nm: np.ndarray) -> list[Row]:
    import zarr

    rows: list[Row] = []
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space"} for n in "yx")]
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 2]}]}]
    channels = {"channels": [{"label": f"{n:g} nm", "color": "FFFFFF"} for n in nm]}
    for version, number in (("0.4", 2), ("0.5", 3)):
        path = place / f"ome{number}.zarr"
        store = zarr.open_group(str(path), mode="w", zarr_format=number)
        store.create_array("0", data=values, chunks=(7, 9, 8))
        found: dict[str, Any] = {
            "multiscales": [{"axes": axes, "datasets": levels}],
            "omero": channels,
        }
        if number == 2:
            found["multiscales"][0]["version"] = version
            store.attrs.update(found)
        else:
            store.attrs["ome"] = {"version": version, **found}
        files = tuple(sorted(one for one in path.rglob("*") if one.is_file()))
        texts = tuple(one for one in files if one.name.startswith((".z", "zarr")))
        rows.append((path.name, files, texts * 2 + files, path))
    return rows


def _numpy(place: Path, values: np.ndarray, nm: np.ndarray) -> list[Row]:
    import scipy.io

    pixels = np.zeros((9, 8), [("spectrum", "i2", (7,)), ("quality", "u1")])
    pixels["spectrum"] = np.moveaxis(values, 0, -1)
    np.save(place / "structures.npy", pixels)
    table = values.transpose(0, 2, 1).reshape(7, -1).astype(float) / 1e4
    scipy.io.savemat(
        place / "pixels.mat", {"Y": table, "nRow": 9.0, "nCol": 8.0, "wavelengths": nm}
    )

    return [
        (name, (place / name,), (), place / name) for name in ("structures.npy", "pixels.mat")
    ]  # fmt: skip


def _beside(place: Path, values: np.ndarray, nm: np.ndarray) -> list[Row]:
    """An array and a picture whose wavelengths, factors or places stand in files beside them."""
    import PIL.Image

    array, facts = place / "scan.npy", place / "scan.json"
    np.save(array, values)
    facts.write_text(
        json.dumps(
            {"wavelengths": nm.tolist(), "units": "reflectance", "scale_factor": 1e-4}, indent=1
        )
    )
    listed, texts = place / "listed.npy", place / "listed_wavelengths.txt"
    np.save(listed, values)
    texts.write_text("".join(f"{n:g}\n" for n in nm))
    picture, world = place / "ortho.png", place / "ortho.pgw"
    rgb = np.random.default_rng(8).integers(0, 255, (9, 8, 3), dtype=np.uint8)
    PIL.Image.fromarray(rgb).save(picture)
    world.write_text("2.0\n0.0\n0.0\n-2.0\n500001.0\n4999999.0\n")
    return [
        (array.name, (facts, array), (facts,), array),
        (listed.name, (texts, listed), (texts,), listed),
        (picture.name, (world, picture), (world,), picture),
    ]


def libraries(place: Path) -> list[Path]:
    """Files of spectra."""
    import h5py
    import scipy.io

    place.mkdir()
    rng = np.random.default_rng(12)
    nm, spectra = 400.0 + 5 * np.arange(31), np.round(rng.uniform(0.1, 0.8, (2, 31)), 4)

    def rows(separator: str, *columns: Any) -> str:
        return "".join(
            separator.join(f"{v:g}" for v in row) + "\n" for row in zip(*columns, strict=True)
        )

    head = bytearray(484)
    head[:3], head[186], head[199] = b"as7", 1, 2
    struct.pack_into("<ff", head, 191, 400.0, 5.0)
    struct.pack_into("<H", head, 204, 31)
    note = struct.pack("<hddH", -1, 1.0, 2.0, 7) + b"panel 3"
    (place / "field.asd").write_bytes(
        bytes(head)
        + (1000 * spectra[0]).astype("<f8").tobytes()
        + note
        + np.full(31, 1000.0).tobytes()
    )
    one = np.round(rng.uniform(0.5, 0.9, 31), 3)
    (place / "field.sed").write_text(
        "Comment: a leaf\nVersion: 2.3\nUnits: W/m^2/sr/nm\nChannels: 31\nColumns [4]:\nData:\n"
        "Wvl\tRad. (Ref.)\tRad. (Target)\tReflect. %\n"
        + rows("\t", nm, one, np.round(one * spectra[0], 4), np.round(100 * spectra[0], 2))
    )
    (place / "field.sig").write_text(
        "/*** Spectra Vista SIG Data ***/\nname= a\nunits= Radiance, Radiance\ndata= \n"
        + rows("  ", nm, one, np.round(one * spectra[0], 4), np.round(100 * spectra[0], 2))
    )
    (place / "pairs.jdx").write_text(
        "##TITLE=a\n##JCAMP-DX=4.24\n##DATA TYPE=UV/VIS SPECTRUM\n##XUNITS=NANOMETERS\n##YUNITS=REFLECTANCE\n"
        "##FIRSTX=400\n##LASTX=550\n##NPOINTS=31\n##XFACTOR=1\n##YFACTOR=1\n##XYPOINTS=(XY..XY)\n"
        + rows(", ", nm, spectra[0])
        + "##END=\n"
    )
    (place / "library_Wavelengths.txt").write_text(
        " splib07a Wavelengths microns\n" + rows("", nm / 1e3)
    )
    (place / "usgs.txt").write_text(" splib07a Record=1: a\n" + rows("", spectra[0]))
    scipy.io.savemat(place / "spectra.mat", {"wavelengths": nm, "spectra": spectra})
    with h5py.File(place / "spectra.h5", "w") as file:
        file["wavelengths"], file["spectra"] = nm, spectra
    names = ("field.asd", "field.sed", "field.sig", "pairs.jdx", "usgs.txt", "spectra.mat", "spectra.h5")  # fmt: skip
    return [place / name for name in names]


def cameras(place: Path) -> list[Path]:
    """Tables of sensitivities."""
    place.mkdir()
    nm = np.arange(400, 701, 10)
    curves = np.exp(-(((nm[:, None] - np.array([600, 540, 450])) / 40.0) ** 2))
    tables = {"semicolon.csv": (";", ","), "tabs.txt": ("\t", ".")}
    for name, (separator, point) in tables.items():
        lines = [separator.join(("nm", "red", "green", "blue"))]
        lines += [
            separator.join([str(n), *(f"{v:.4f}".replace(".", point) for v in row)])
            for n, row in zip(nm, curves, strict=True)
        ]
        (place / name).write_text("\n".join(lines) + "\n")
    return [place / name for name in tables]


def settings(place: Path) -> list[Path]:
    """Files of ours that hold numbers: a camera profile, a session, a recipe."""
    from napari_hsr.cameras import profiles

    place.mkdir()
    profile = profiles.CameraProfile(
        "bench", "linear-srgb", (1.1, 1.0, 1.3), ((0.9, 0.1, 0.0), (0.05, 0.9, 0.05), (0.0, 0.1, 0.9)),
        "ColorChecker 24", "D65", 1.25,
    )  # fmt: skip
    profiles.save(profile, place / "profile.json")
    return [place / "profile.json"]
