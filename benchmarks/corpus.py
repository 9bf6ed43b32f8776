"""Good files of every format, small, made by our own writers and by those of others; changed files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import random
    from pathlib import Path

_INFO, _LIBRARY = ("info",), ("library",)
#: Numbers that readers trip over.
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 2**64 - 1)


def make(folder: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """Write the files; each with the command that opens it."""
    import h5py
    import PIL.Image
    import scipy.io
    import tifffile

    from napari_hsr import Cube, Photograph, Wavelengths, write
    from napari_hsr.spectral_library import SpectralLibrary

    values = np.random.default_rng(0).random((7, 9, 8), dtype=np.float32)
    nm = np.linspace(400, 700, 7)
    cube = Cube(values, Wavelengths(nm), units="reflectance", name="corpus")
    rgb = np.random.default_rng(1).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    photograph = Photograph(rgb, "srgb")
    for name in ("a.h5", "a.mat", "a.tif", "a.npz", "a.hdr"):
        write(cube, folder / name)
    write(cube, folder / "five.mat", matlab="5")
    write(cube, folder / "int.hdr", dtype="uint16", interleave="bip")
    write(cube, folder / "int.tif", dtype="int16")
    write(photograph, folder / "p.png")
    write(photograph, folder / "p.tif")
    np.save(folder / "a.npy", values)
    for suffix in ("jpg", "bmp"):
        PIL.Image.fromarray(rgb).save(folder / f"p.{suffix}")
    PIL.Image.fromarray(rgb).quantize(16).save(folder / "palette.png")
    tifffile.imwrite(folder / "ome.ome.tif", values, metadata={"axes": "CYX"}, compression="zlib")
    tifffile.imwrite(
        folder / "big.tif", values, bigtiff=True, photometric="minisblack", tile=(16, 16)
    )
    for packed in ("lzw", "zstd", "jpegxl", "jpeg2000", "webp"):
        tifffile.imwrite(folder / f"{packed}.tif", rgb, photometric="rgb", compression=packed)
    with h5py.File(folder / "nc.nc", "w") as file:
        made = file.create_dataset(
            "cube", data=values, compression="gzip", shuffle=True, chunks=(7, 5, 4)
        )
        made.attrs["_FillValue"] = np.float32(-1)
        file["wavelengths"] = nm
        made.dims[0].attach_scale(file["wavelengths"])
    scipy.io.savemat(
        folder / "s.mat", {"ms": values, "info": {"nm": nm, "c": ["a", "b"]}}, do_compression=True
    )
    with scipy.io.netcdf_file(folder / "three.nc", "w") as file:
        for name, size in zip("byx", values.shape, strict=True):
            file.createDimension(name, size)
        file.createVariable("cube", "f4", ("b", "y", "x"))[:] = values
    spectra = np.random.default_rng(2).random((3, 7))
    library = SpectralLibrary(("a", "b", "c"), nm, spectra, "reflectance", "lib")
    libraries = ("l.csv", "l.sli", "l.json")
    for name in libraries:
        write(library, folder / name)
    written = [p for p in sorted(folder.iterdir()) if p.is_file()]
    return [(p, _LIBRARY if p.name.startswith("l.") else _INFO) for p in written]


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A copy with some bytes changed, put in, taken out or doubled, or its end cut off."""
    data = bytearray(content)
    for _change in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        # heads and tails matter more than pixels
        most = len(data) if rng.random() < 0.5 else min(len(data), 2048)
        at = (
            rng.randrange(most)
            if rng.random() < 0.8
            else max(0, len(data) - 1 - rng.randrange(most))
        )
        how = rng.random()
        if how < 0.3:
            data[at] ^= 1 << rng.randrange(8)
        elif how < 0.5:
            data[at] = rng.randrange(256)
        elif how < 0.8:
            size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
            edge = (rng.choice(_EDGES) % 256**size).to_bytes(size, order)
            data[at : at + size] = edge
        elif how < 0.86:
            del data[at : at + rng.choice((1, 2, 4, 16, 256))]
        elif how < 0.92:
            data[at:at] = data[at : at + rng.choice((1, 4, 64))] or b"\0"
        elif how < 0.96:
            data[at : at + 8] = rng.randbytes(8)
        else:
            del data[at:]
    return bytes(data)
