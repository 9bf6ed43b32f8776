"""Good files of every format, small, made by our own writers and by those of others; changed files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import random
    from pathlib import Path

#: Numbers that readers trip over.
_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 2**64 - 1)
#: Formats with sums of check over all values: what is changed is never read as other values.
SUMMED = ("a.npz", "p.png", "s.mat")


@dataclass(frozen=True)
class Good:
    """A good file: what of it is changed, the command that opens it, and what `read` opens.

    Parameters
    ----------
    files : tuple of Path
        One of them is changed.
    command : tuple of str
    image : Path, optional
        Read for its values too.
    """

    files: tuple[Path, ...]
    command: tuple[str, ...]
    image: Path | None = None

    @property
    def name(self) -> str:
        return self.files[0].name


def make(folder: Path) -> list[Good]:
    """Write the files; each with the command that opens it."""
    (folder / "beside").mkdir()
    good = [Good((path,), ("info", str(path)), path) for path in _images(folder)]
    store = folder / "a.zarr"
    parts = tuple(sorted(path for path in store.rglob("*") if path.is_file()))
    good += [Good(parts, ("info", str(store)), store)] * 3  # more of them, for it is many files
    good += _films(folder) + _libraries(folder) + _of_commands(folder) + _models(folder)
    return good


def _cube(name: str = "corpus") -> Any:
    from napari_hsr import Cube, Wavelengths

    values = np.random.default_rng(0).random((7, 9, 8), dtype=np.float32)
    return Cube(values, Wavelengths(np.linspace(400, 700, 7)), units="reflectance", name=name)


def _images(folder: Path) -> list[Path]:
    import h5py
    import PIL.Image
    import scipy.io
    import tifffile

    from napari_hsr import Photograph, write

    cube = _cube()
    values, nm = cube.data, cube.wavelengths.nm
    rgb = np.random.default_rng(1).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    photograph = Photograph(rgb, "srgb")
    for name in ("a.h5", "a.mat", "a.tif", "a.npz", "a.hdr", "a.zarr"):
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
    (folder / "e.bil").write_bytes(np.ascontiguousarray(values.transpose(1, 0, 2)).tobytes())
    esri = "nrows 9\nncols 8\nnbands 7\nnbits 32\npixeltype float\nlayout bil\nbyteorder I\n"
    (folder / "e.hdr").write_text(esri, encoding="ascii")
    _dng(folder / "r.dng")
    try:
        import pillow_heif
    except ImportError:
        pass
    else:
        larger = np.kron(rgb, np.ones((6, 7, 1), np.uint8))
        pillow_heif.from_pillow(PIL.Image.fromarray(larger)).save(folder / "p.heic")
    return [path for path in sorted(folder.iterdir()) if path.is_file()]


def _dng(path: Path) -> None:
    import tifffile

    tags = [
        (271, "s", 0, "NIKON CORPORATION", True),
        (272, "s", 0, "NIKON D700", True),
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, bytes([0, 1, 1, 2]), True),
        (50706, "B", 4, bytes([1, 4, 0, 0]), True),
        (50708, "s", 0, "NIKON D700", True),
        (50714, "I", 1, 512, True),
        (50717, "I", 1, 16383, True),
        (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        (50728, "2I", 3, (1, 2, 1, 1, 3, 5), True),
        (50778, "H", 1, 21, True),
    ]
    mosaic = np.random.default_rng(3).integers(600, 16000, (48, 64)).astype(np.uint16)
    tifffile.imwrite(path, mosaic, photometric=32803, metadata=None, software=False, extratags=tags)


def _films(folder: Path) -> list[Good]:
    import PIL.Image

    rng = np.random.default_rng(4)
    pictures = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(4)]
    images = [PIL.Image.fromarray(picture) for picture in pictures]
    images[0].save(folder / "g.gif", save_all=True, append_images=images[1:], duration=40)
    names = ["g.gif"]
    try:
        import av
    except ImportError:
        av = None
    for name in ("f.mp4", "f.avi", "f.mov") if av else ():
        with av.open(str(folder / name), "w") as out:
            stream = out.add_stream("mpeg4", rate=25, options={"g": "2"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for picture in pictures:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            out.mux(stream.encode())
        names.append(name)
    return [Good((folder / name,), ("info", f"{folder / name}:3")) for name in names]


def _libraries(folder: Path) -> list[Good]:
    from napari_hsr import write
    from napari_hsr.spectral_library import SpectralLibrary

    spectra = np.random.default_rng(2).random((3, 7))
    nm = np.linspace(400, 700, 7)
    library = SpectralLibrary(("a", "b", "c"), nm, spectra, "reflectance", "lib")
    names = ["lc.csv", "l.sli", "lj.json"]
    for name in names:
        write(library, folder / name)
    rows = "".join(f"{400 + i} {0.5 + i / 100:.3f}\n" for i in range(30))
    (folder / "lg.sig").write_text(f"/*** Spectra Vista SIG Data ***/\nname= a\ndata=\n{rows}")
    (folder / "lt.txt").write_text(rows)
    head = "Comment:\nVersion: 2.3\nColumns [2]:\nData:\nWvl\tRefl%\n"
    (folder / "ld.sed").write_text(head + rows.replace(" ", "\t"))
    np.savez(folder / "ln.npz", wavelengths=nm, spectra=spectra, names=np.array(["a", "b", "c"]))
    found = [*names, "l.hdr", "lg.sig", "lt.txt", "ld.sed", "ln.npz"]
    paths = [folder / name for name in found]
    return [Good((path,), ("library", str(path))) for path in paths if path.exists()]


def _of_commands(folder: Path) -> list[Good]:
    """Files that single commands take: labels, tables, spectra of places, references."""
    import tifffile

    from napari_hsr import write

    place = folder / "beside"
    cube, out = place / "cube.npz", str(place / "out.npz")
    write(_cube("beside"), cube)
    labels = np.zeros((9, 8), np.uint8)
    labels[2:5, 2:6] = 1
    tifffile.imwrite(place / "labels.tif", labels)
    np.save(place / "labels.npy", labels)
    nm = range(400, 701, 10)
    camera = "wavelength,R,G,B\n" + "".join(f"{n},0.{n % 7},0.5,0.{n % 3}\n" for n in nm)
    (place / "camera.csv").write_text(camera)
    lines = "".join(f"{n},0.5,0.2\n" for n in nm)
    (place / "measured.csv").write_text(f"wavelength,a,b\n{lines}")
    seen = np.random.default_rng(5).uniform(0.1, 0.9, (8, 3))
    seen[6:] = [[0.2] * 3, [0.5] * 3]  # two of them are grey
    patches = "".join(f"p{i},{r:.3f},{g:.3f},{b:.3f}\n" for i, (r, g, b) in enumerate(seen))
    (place / "colours.csv").write_text(f"name,R,G,B\n{patches}")
    heads = ",".join(f"p{i}" for i in range(8))
    of_band = [seen[:, 2 - min((n - 400) // 100, 2)] for n in nm]
    rows = "".join(f"{n},{','.join(map(str, v))}\n" for n, v in zip(nm, of_band, strict=True))
    (place / "chart.csv").write_text(f"wavelength,{heads}\n{rows}")
    write(_cube("white"), place / "white.hdr")
    dark = _cube("dark")
    dark.data *= 0.1
    write(dark, place / "dark.npz")
    at, measured = ("--at", "a=1,1", "b=4,4"), str(place / "measured.csv")
    again = ("-o", out, "--overwrite")
    commands: dict[str, tuple[str, ...]] = {
        "labels.tif": ("spectra", str(cube), "--regions", str(place / "labels.tif")),
        "labels.npy": ("spectra", str(cube), "--regions", str(place / "labels.npy")),
        "camera.csv": ("match", str(cube), "--library", measured, "--at", "1,1", "--camera", str(place / "camera.csv")),
        "measured.csv": ("anchors", str(cube), measured, *at, *again),
        "colours.csv": ("chart", str(place / "colours.csv"), str(place / "chart.csv")),
        "chart.csv": ("chart", str(place / "colours.csv"), str(place / "chart.csv")),
        "white.hdr": ("calibrate", str(cube), "--white", str(place / "white.hdr"), *again),
        "dark.npz": ("calibrate", str(cube), "--white", str(place / "white.hdr"), "--dark", str(place / "dark.npz"), *again),
        "cube.npz": ("index", str(cube), "b650/b500", *again),
    }  # fmt: skip
    return [Good((place / name,), command) for name, command in commands.items()]


def _models(folder: Path) -> list[Good]:
    """Weights, cards and recipes."""
    import torch

    from napari_hsr.models.bundled_models import bundled

    tensors = {
        "head.0.weight": torch.ones(8, 3, 3, 3), "head.0.bias": torch.ones(8),
        "body.0.body.0.weight": torch.ones(8, 8, 3, 3), "tail.0.weight": torch.ones(31, 8, 3, 3),
    }  # fmt: skip
    torch.save(tensors, folder / "w.pth")
    torch.save(tensors, folder / "old.pth", _use_new_zipfile_serialization=False)
    _, ours = bundled()["rootpoly-srgb"]
    shutil.copy(ours, folder / "w.safetensors")
    paths = [folder / "w.pth", folder / "old.pth", folder / "w.safetensors"]
    found = [Good((path,), ("models", "show", str(path))) for path in paths]
    recipe = folder / "r.yaml"
    recipe.write_text(
        "model: {architecture: edsr}\ndata: {folder: gone}\ncamera: {cameras: [cie-1931]}\n"
        "schedule: {steps: 5}\nbatch: {size: 2, patch: 8}\nloss: [{kind: l1, weight: 1.0}]\n"
    )
    return [*found, Good((recipe,), ("train", str(recipe), "--dry-run"))]


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
