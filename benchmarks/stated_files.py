"""Good files that state much of themselves, beside those of ``corpus``; and how each is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import corpus
import numpy as np
import stated_of_others

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ENVI = """ENVI
description = {{ Reflectance of a field }}
samples = 8
lines = 9
bands = 7
header offset = 0
file type = ENVI Standard
data type = {code}
interleave = {interleave}
byte order = 0
data ignore value = -9999
{scale}
map info = {{UTM, 1, 1, 512340.0, 5312340.0, 30.0, 30.0, 32, North, WGS-84, units=Meters}}
wavelength units = {unit}
wavelength = {{{wavelength}}}
fwhm = {{{fwhm}}}
bbl = {{1, 1, 0, 1, 1, 1, 1}}
band names = {{a, b, c, d, e, f, g}}
"""
_NM = np.linspace(400, 700, 7)


@dataclass(frozen=True)
class Stated:
    """A good file: its parts, how it is read, and the parts that are changed, if not all are."""

    name: str
    files: tuple[Path, ...]
    read: Callable[[], Any]
    changed: tuple[Path, ...] = ()


def every(folder: Path) -> list[Stated]:
    """Write all, those of the corpus included, that are read as images, libraries or cameras."""
    from napari_hsr import read, read_library
    from napari_hsr.cameras import profiles
    from napari_hsr.cameras.sensitivities import read_cameras

    found: list[Stated] = []
    seen: set[str] = set()
    for good in corpus.make(folder):
        path = good.files[0]
        if good.name in seen or path.suffix == ".yaml":
            continue
        seen.add(good.name)
        if good.image is not None:
            found.append(Stated(good.image.name, good.files, lambda p=good.image: read(p)))
        elif good.command[0] == "library":
            found.append(Stated(good.name, good.files, lambda p=path: read_library(p)))
        elif good.name == "camera.csv":
            found.append(Stated(good.name, good.files, lambda p=path: read_cameras(p)))
        elif good.name in ("measured.csv", "chart.csv"):
            found.append(Stated(good.name, good.files, lambda p=path: read_library(p)))
    place = folder / "stated"
    place.mkdir()
    for name, files, changed in [
        *_envi(place),
        *_containers(place),
        *_zarr(place),
        *_photographs(place),
    ]:
        found.append(Stated(name, files, lambda p=place / name: read(p), changed))
    for name, files, changed, named in stated_of_others.images(place / "others", _values(), _NM):
        found.append(Stated(name, files, lambda p=named: read(p), changed))
    for path in (*_libraries(place), *stated_of_others.libraries(place / "spectra")):
        found.append(Stated(path.name, (path,), lambda p=path: read_library(p)))
    for path in stated_of_others.cameras(place / "cameras"):
        found.append(Stated(f"camera {path.name}", (path,), lambda p=path: read_cameras(p)))
    for path in stated_of_others.settings(place / "settings"):
        found.append(Stated(path.name, (path,), lambda p=path: profiles.read_profile(p)))
    return found


def _values() -> np.ndarray:
    values = np.random.default_rng(9).integers(500, 6000, (7, 9, 8)).astype(np.int16)
    values[:, 0, 0] = -9999
    return values


def _envi(place: Path) -> list[Any]:
    found = []
    for name, interleave, scale, unit, grid in (
        ("refl", "bsq", "reflectance scale factor = 10000.0", "Nanometers", _NM),
        (
            "gain",
            "bil",
            "data gain values = {%s}\ndata offset values = {%s}",
            "Micrometers",
            _NM / 1e3,
        ),
    ):
        gains = ", ".join(f"{0.01 + n / 1000:.3f}" for n in range(7))
        if "%s" in scale:
            scale %= (gains, ", ".join(["1.5"] * 7))
        step = float(grid[1] - grid[0])
        text = _ENVI.format(
            code=2, interleave=interleave, scale=scale, unit=unit,
            wavelength=", ".join(f"{n:.6g}" for n in grid),
            fwhm=", ".join(f"{step / 5 + n / 1e6:.4g}" for n in range(7)),
        )  # fmt: skip
        header, binary = place / f"{name}.hdr", place / f"{name}.img"
        header.write_text(text, encoding="ascii")
        axes = {"bsq": (0, 1, 2), "bil": (1, 0, 2)}[interleave]
        binary.write_bytes(np.ascontiguousarray(_values().transpose(axes)).astype("<i2").tobytes())
        found.append((header.name, (header, binary), (header,)))
    return found


def _containers(place: Path) -> list[Any]:
    import h5py
    import scipy.io

    values, nm = _values(), _NM
    with h5py.File(place / "cf.nc", "w") as file:
        cube = file.create_dataset("reflectance", data=values, fillvalue=np.int16(-9999))
        cube.attrs.update(
            {"scale_factor": 1e-4, "add_offset": 0.1, "_FillValue": np.int16(-9999), "units": "1"}
        )
        for name, numbers, unit in (
            ("wavelength", nm, "nm"), ("y", np.arange(9.0), "m"), ("x", np.arange(8.0), "m"),
        ):  # fmt: skip
            file[name] = numbers
            file[name].make_scale(name)
            file[name].attrs["units"] = unit
        for axis, name in enumerate(("wavelength", "y", "x")):
            cube.dims[axis].attach_scale(file[name])
    with h5py.File(place / "plain.h5", "w") as file:
        cube = file.create_dataset("cube", data=values, fletcher32=False)
        cube.attrs.update({"wavelengths": nm, "units": "reflectance", "scale_factor": 1e-4})
    array = np.moveaxis(values, 0, -1)
    scipy.io.savemat(
        place / "plain.mat", {"cube": array, "wavelengths": nm, "norm_factor": 10000.0}
    )
    np.savez(place / "plain.npz", cube=array, wavelengths=nm)
    names = ("cf.nc", "plain.h5", "plain.mat", "plain.npz")
    return [(name, (place / name,), ()) for name in names]


def _zarr(place: Path) -> list[Any]:
    import zarr

    found = []
    for name, version, extra in (
        ("two.zarr", 2, {"compressors": None}),
        ("three.zarr", 3, {"compressors": None}),
        ("sharded.zarr", 3, {"shards": (7, 10, 8)}),
    ):
        group = zarr.open_group(str(place / name), mode="w", zarr_format=version)
        array = group.create_array(
            "cube", shape=(7, 9, 8), chunks=(7, 5, 4), dtype="i2", fill_value=-9999, **extra
        )
        array[:] = _values()
        array.attrs.update(
            {
                "wavelengths": _NM.tolist(),
                "wavelength_units": "nm",
                "units": "reflectance",
                "scale_factor": 1e-4,
            }
        )
        parts = tuple(sorted(path for path in (place / name).rglob("*") if path.is_file()))
        texts = tuple(path for path in parts if path.name.startswith((".z", "zarr")))
        found.append((name, parts, texts * 2 + parts))
    return found


def _photographs(place: Path) -> list[Any]:
    import PIL.Image

    rgb = np.random.default_rng(1).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    PIL.Image.fromarray(rgb).quantize(16).save(place / "palette.bmp")
    PIL.Image.fromarray(rgb).save(place / "big.bmp")
    PIL.Image.fromarray(rgb).save(place / "lossless.webp", lossless=True)
    return [(name, (place / name,), ()) for name in ("palette.bmp", "big.bmp", "lossless.webp")]


def _libraries(place: Path) -> list[Path]:
    rows = np.random.default_rng(3).uniform(0.1, 0.8, (40, 2))
    nm = 400 + 5 * np.arange(40)
    numbers = [f"{n} {a:.4f} {b:.4f}\n" for n, (a, b) in zip(nm, rows, strict=True)]
    texts = {
        "semicolon.csv": "wavelength;leaf;soil\n" + "".join(t.replace(" ", ";").replace(".", ",") for t in numbers),
        "tabs.txt": "Wavelength (nm)\tleaf\tsoil\n" + "".join(t.replace(" ", "\t") for t in numbers),
        "wide.csv": "name," + ",".join(f"{n}" for n in nm) + "\n" + "".join(
            f"s{i}," + ",".join(f"{v:.4f}" for v in rows[:, i]) + "\n" for i in range(2)
        ),
        "eco.txt": (
            "Name: Leaf\nType: vegetation\nX Units: Wavelength (micrometers)\nY Units: Reflectance (percent)\n"
            "First X Value: 0.4\nLast X Value: 0.595\nNumber of X Values: 40\n\n"
            + "".join(f"{n / 1e3:.4f}\t{100 * a:.3f}\n" for n, (a, _) in zip(nm, rows, strict=True))
        ),
        "j.jdx": (
            "##TITLE=leaf\n##JCAMP-DX=4.24\n##DATA TYPE=INFRARED SPECTRUM\n##XUNITS=NANOMETERS\n##YUNITS=REFLECTANCE\n"
            "##XFACTOR=1\n##YFACTOR=0.0001\n##FIRSTX=400\n##LASTX=595\n##NPOINTS=40\n##DELTAX=5\n##XYDATA=(X++(Y..Y))\n"
            + "".join(
                f"{nm[i]} " + " ".join(f"{10000 * v:.0f}" for v in rows[i : i + 8, 0]) + "\n" for i in range(0, 40, 8)
            )
            + "##END=\n"
        ),
        "c.cgats": (
            "CGATS.17\nNUMBER_OF_FIELDS 6\nBEGIN_DATA_FORMAT\nSAMPLE_ID SPECTRAL_NM400 SPECTRAL_NM450 SPECTRAL_NM500 SPECTRAL_NM550 "
            "SPECTRAL_NM600\nEND_DATA_FORMAT\nNUMBER_OF_SETS 3\nBEGIN_DATA\n"
            + "".join(f"A{i} " + " ".join(f"{v:.4f}" for v in rows[i * 5 : i * 5 + 5, 0]) + "\n" for i in range(3))
            + "END_DATA\n"
        ),
    }  # fmt: skip
    for name, text in texts.items():
        (place / name).write_text(text, encoding="ascii")
    return [place / name for name in texts]
