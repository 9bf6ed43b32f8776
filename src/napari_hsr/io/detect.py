"""Telling formats apart: by their first bytes, by their suffix, by the files beside them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from napari_hsr.errors import FileError
from napari_hsr.io import atomic, limits
from napari_hsr.io.envi import esri_header, r_header
from napari_hsr.io.library_errors import not_there

if TYPE_CHECKING:
    from pathlib import Path

#: Suffixes (lower case) that :func:`napari_hsr.read` understands; an ENVI binary may have none.
READ_SUFFIXES = (
    ".mat", ".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nc", ".nc4", ".hspy", ".hdr", ".img", ".dat", ".raw", ".bil", ".bip",
    ".bsq", ".bin", ".hyspex", ".cube", ".pix", ".rfl", ".rdn", ".rad", ".ref", ".envi", ".sli", ".grd", ".gri", ".tif", ".tiff", ".npy", ".npz", ".png",
    ".jpg", ".jpeg", ".webp", ".bmp", ".heic", ".heif", ".zarr", ".zspy",
    ".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2",
)  # fmt: skip
#: Suffixes that an ENVI binary commonly has; such a file counts only with its header.
ENVI_BINARY_SUFFIXES = (
    "", ".img", ".dat", ".raw", ".bil", ".bip", ".bsq", ".bin", ".hyspex", ".cube", ".pix",
    ".rfl", ".rdn", ".rad", ".ref", ".envi", ".sli", ".gri",
)  # fmt: skip
#: Of these, raw files of cameras.
CAMERA_SUFFIXES = (".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2")
#: Files that are looked for where a folder of photographs is named.
PHOTOGRAPH_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif",
    *CAMERA_SUFFIXES,
)  # fmt: skip
#: Films, and files that are stacks of photographs by their suffix.
FILM_SUFFIXES = (".mp4", ".avi", ".mov")
STACK_SUFFIXES = (".gif", *FILM_SUFFIXES)
#: What is offered to napari: every suffix, and names without one. These end in eight characters
#: that are no dot, or are shorter; "*" would have napari ask for a reader of every file.
PATTERNS = (
    *(f"*{suffix}" for suffix in (*READ_SUFFIXES, *STACK_SUFFIXES)),
    *("[!.]" * length for length in range(1, 8)),
    "*" + "[!.]" * 8,
)

_EXPECTED = {
    ".mat": "a MATLAB file",
    ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file",
    ".he5": "an HDF5 file",
    ".hspy": "an HDF5 file",
    ".nc": "a NetCDF file",
    ".grd": "a header of R's raster",
    ".hdr": 'an ENVI header (its first line reads "ENVI")',
    ".tif": "a TIFF file",
    ".tiff": "a TIFF file",
    ".npy": "a NumPy array",
    ".npz": "a NumPy archive",
    ".png": "a PNG image",
    ".jpg": "a JPEG image",
    ".jpeg": "a JPEG image",
    ".webp": "a WebP image",
    ".bmp": "a BMP image",
    ".heic": "a HEIC image",
    ".heif": "a HEIC image",
    ".zarr": "a folder of a zarr store",
    ".zspy": "a folder of a zarr store",
    **dict.fromkeys(CAMERA_SUFFIXES, "a camera's raw file"),
}
#: The first bytes of TIFFs.
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HDF5 = b"\x89HDF\r\n\x1a\n"


def head_of(path: Path, size: int = 2600) -> bytes:
    """The first bytes of a file; a fault of the file system becomes a FileError, and so does a pipe."""
    limits.check_regular(path)
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise FileError(path, f"cannot be opened ({error.strerror or error})") from error


def format_of(path: Path) -> str:
    """The format's key: ``mat5 mat73 hdf5 envi tiff npy npz photo raw zarr cave bands captures``.

    Raises
    ------
    FileError
        If there is no such file, it is empty, or its content is of no known format.
    """
    if path.suffix.lower() in (".hdr", ".zarr"):
        atomic.finish(path)
    if path.is_dir():
        if is_zarr(path):
            return "zarr"
        if _of_sentinel(path):
            raise FileError(
                path,
                "this is a Sentinel-2 product, whose bands are JPEG 2000 of three resolutions and are not read; put bands of "
                "one resolution into a GeoTIFF first, as with gdalbuildvrt -separate and gdal_translate",
            )
        return _is_cube(path) or "cave"  # which then says what was expected
    if not path.exists():
        raise not_there(path)
    head = head_of(path)
    if not head:
        raise FileError(path, "the file is empty")
    suffix = path.suffix.lower()
    if is_envi_header(head):
        return "envi"
    if suffix in ENVI_BINARY_SUFFIXES and header_beside(path):
        return "envi"
    found = _by_magic(head, suffix)
    if found:
        return found
    if header_of_other_name(path, head):
        return "envi"
    raise FileError(path, _why_unknown(head, suffix))


def _by_magic(head: bytes, suffix: str) -> str | None:
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        return "photo"
    if suffix in CAMERA_SUFFIXES and head.startswith((b"II", b"MM")):
        return "raw"
    if head.startswith(b"FUJIFILMCCD-RAW") or head[4:11] == b"ftypcrx":
        return "raw"
    if head.startswith(TIFF):
        return "tiff"
    if any(head[at : at + 8] == _HDF5 for at in (0, 512, 1024, 2048)):
        return "mat73" if suffix == ".mat" or head.startswith(b"MATLAB 7.3") else "hdf5"
    if head.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05")):
        return "netcdf3"
    if head.startswith(b"MATLAB 5.0"):
        return "mat5"
    if is_heif(head) or is_webp(head):
        return "photo"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "npz"
    if head.startswith(b"BM") and suffix == ".bmp":
        return "photo"
    if suffix == ".mat" and not is_text(head):
        return "mat5"  # MATLAB 4 has no magic; scipy tells it from rubbish
    return None


#: Brands of the HEIF family whose pictures the library decodes.
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif")


def is_heif(head: bytes) -> bool:
    """True for the head of a HEIC, HEIF or AVIF file."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF


def is_webp(head: bytes) -> bool:
    """True for the head of a WebP picture."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


_OF_SPECTRA = (".asd", ".sed", ".sig", ".jdx", ".dx", ".jcm")
#: Formats of images on the ground, told by their first bytes, that GDAL converts.
_OF_GDAL = {
    b"\x0e\x03\x13\x01": "an HDF4 file",
    b"PCIDSK": "a PCIDSK file",
    b"EHFA_HEADER_TAG": "an ERDAS Imagine file",
    b"NITF": "an NITF file",
    b"<VRTDataset": "a virtual raster of GDAL",
    b"DatasetHeader Begin": "a header of ER Mapper",
    b"Object = IsisCube": "a cube of ISIS",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
}
#: Other formats that are told by name, by their first bytes.
_FOREIGN = {
    b"SIMPLE  =": "a FITS file",
    b"key\tvalue": "a header of Ripple",
    b"\x1f\x8b": "a file compressed by gzip",
    b"%PDF": "a PDF document",
}
#: The same for pictures.
_PICTURES = {
    b"\0\0\0\x0cJXL ": "a JPEG XL image",
    b"\xff\x0a": "a JPEG XL image",
    b"RIFF": "a film or sound in RIFF",
    b"P6\n": "a PPM image",
    b"P3\n": "a PPM image",
    b"P5\n": "a PGM image",
    b"P2\n": "a PGM image",
    b"8BPS": "a Photoshop document",
}


def _why_unknown(head: bytes, suffix: str) -> str:
    if head.startswith(b"#?"):
        return "this is a Radiance HDR picture, not the header of an ENVI image"
    if suffix in _OF_SPECTRA:
        return (
            "this is a file of spectra, not an image: read_library and `napari-hsr library` read it"
        )
    of_gdal = _called(head, _OF_GDAL)
    if of_gdal:
        return (
            f"this is {of_gdal}, which is not read; GDAL converts it: "
            "gdal_translate -of GTiff FILE FILE.tif, or rio convert FILE FILE.tif"
        )
    if head.startswith(b"\x76\x2f\x31\x01"):
        return "this is an OpenEXR image, which is not read; convert it to PNG or TIFF, one of many channels to HDF5 or NumPy"
    foreign = _called(head, _FOREIGN)
    if foreign:
        return f"this is {foreign}, which is not read; convert it to GeoTIFF, ENVI or HDF5"
    if head.startswith(b"GIF8"):
        return "this is a GIF, a stack of frames; one is named behind a colon, as in film.gif:1"
    picture = _called(head, _PICTURES)
    if picture:
        return f"this is {picture}, which is not read; convert it to PNG or TIFF"
    what = "a text file" if is_text(head) else "binary data of another kind"
    if suffix in _EXPECTED:
        return f"{_EXPECTED[suffix]} was expected, but this is {what}"
    if suffix in ENVI_BINARY_SUFFIXES and not is_text(head):
        return "an ENVI binary needs its header beside it, a file of the same name ending in .hdr"
    return f"this is {what}; readable are {', '.join(READ_SUFFIXES)} and folders of CAVE scenes"


def _called(head: bytes, names: dict[bytes, str]) -> str | None:
    """What files that begin so are called; None if nothing there does."""
    return next((named for magic, named in names.items() if head.lstrip().startswith(magic)), None)


def _of_sentinel(folder: Path) -> bool:
    """True for a folder of Sentinel-2: a SAFE, or bands in JPEG 2000."""
    safe = folder.suffix.upper() == ".SAFE" or any(folder.glob("MTD_MSIL*.xml"))
    return safe or any(re.search(r"B\d[\dA]", file.stem) for file in folder.glob("*.jp2"))


def is_zarr(folder: Path) -> bool:
    """True for a folder that is a zarr store, of version 2 or 3."""
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def _is_cube(folder: Path) -> str | None:
    """``cave`` for a scene, ``bands`` for a picture a band, ``captures`` for a camera's sets; None for others."""
    from napari_hsr.io.folders import band_files, camera_files, cave

    if cave.looks_like_scene(folder):
        return "cave"
    if band_files.looks_like_bands(folder):
        return "bands"
    return "captures" if camera_files.looks_like_captures(folder) else None


def is_text(head: bytes) -> bool:
    """True if the bytes read as text: no control characters but white space."""
    return not any(byte < 9 or 13 < byte < 32 or byte == 127 for byte in head)


def is_envi_header(head: bytes) -> bool:
    """True if an ENVI header opens the bytes, by its first line, or one of ESRI or R's raster."""
    if (esri_header.is_one(head) or r_header.is_one(head)) and is_text(head):
        return True
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, as some editors save it
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode("utf-8")
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:5]
    return first[:4].upper() == b"ENVI" and not first[4:].strip() and is_text(head[:200])


def header_beside(binary: Path) -> Path | None:
    """The ENVI header of a binary: ``scene.hdr`` or ``scene.img.hdr`` beside ``scene.img``."""
    return named_header(binary) or named_header(binary.with_suffix(""), binary)


def header_of_other_name(path: Path, head: bytes) -> Path | None:
    """The header of a binary of whatever name: ``scene_v1.2.hdr``, or ``scene.hdr`` beside ``scene.rfl``."""
    suffix = path.suffix.lower()
    of_another = suffix in READ_SUFFIXES and suffix not in ENVI_BINARY_SUFFIXES  # which is damaged
    return named_header(path) or (None if is_text(head) or of_another else header_beside(path))


def named_header(name: Path, binary: Path | None = None) -> Path | None:
    """The ENVI header called ``name`` with ``.hdr`` after it, unless it is the binary itself."""
    atomic.finish(name.with_name(f"{name.name}.hdr"))
    for suffix in (".hdr", ".HDR", ".grd"):
        header = name.with_name(name.name + suffix)
        if header != binary and os.path.isfile(header) and is_envi_header(head_of(header)):
            return header
    return None


def can_read(path: Path) -> bool:
    """True if the content or the suffix is one of ours; see :func:`napari_hsr.io.can_read`."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return is_zarr(path) or _is_cube(path) is not None
    if not path.exists():
        return suffix in READ_SUFFIXES
    try:
        head = head_of(path)
        if suffix in ENVI_BINARY_SUFFIXES:
            return header_beside(path) is not None or _by_magic(head, suffix) is not None
    except FileError:
        return suffix in READ_SUFFIXES  # read() then says what is wrong
    if suffix == ".hdr":
        return not head.startswith(b"#?")
    return suffix in READ_SUFFIXES or bool(
        _by_magic(head, suffix) or header_of_other_name(path, head)
    )
