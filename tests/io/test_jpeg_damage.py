"""JPEGs that are damaged between head and end are told where anything tells; WebP is a photograph."""

from __future__ import annotations

import io
from struct import pack

import numpy as np
import pytest
from PIL import Image

from napari_hsr import read
from napari_hsr.errors import FileError
from napari_hsr.notices import Code, has


def picture():
    """Smooth colours with edges, as photographs have."""
    rows, columns = np.mgrid[:240, :320] / 320
    channels = [rows + 0.2 * (columns > 0.5), columns, 0.5 + 0.4 * np.sin(9 * rows) * columns]
    return Image.fromarray((np.stack(channels, axis=-1).clip(0, 1) * 255).astype(np.uint8))


def exif_with(copy: bytes, order: str) -> bytes:
    """EXIF with one item, and a second directory that points to a small copy (CIPA DC-008, 4.5.5)."""
    mark = b"II" if order == "<" else b"MM"
    head = mark + pack(f"{order}HI", 42, 8) + pack(f"{order}H", 1)
    head += pack(f"{order}HHI4s", 0x010F, 2, 4, b"Cam\0") + pack(f"{order}I", 26)
    items = [(0x0201, 4, 1, 26 + 2 + 24 + 4), (0x0202, 4, 1, len(copy))]
    directory = pack(f"{order}H", 2) + b"".join(pack(f"{order}HHII", *item) for item in items)
    return b"Exif\0\0" + head + directory + bytes(4) + copy


def jpeg(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


@pytest.fixture
def notices(tmp_path):
    def of(content, name="photo.jpg"):
        (tmp_path / name).write_bytes(content)
        return read(tmp_path / name).notices

    return of


@pytest.mark.parametrize("progressive", [False, True])
def test_codes_that_do_not_fit_are_told(notices, progressive):
    whole = jpeg(picture(), progressive=progressive)
    assert not has(notices(whole), Code.MAYBE_DAMAGED)
    middle = len(whole) // 2
    # a marker where there is none ends the codes there: pixels are missing
    damaged = whole[:middle] + b"\xff\xd9" + whole[middle + 2 :]
    (told,) = (n for n in notices(damaged) if n.code is Code.MAYBE_DAMAGED)
    assert "may be damaged" in told


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bars", [False, True])
def test_a_picture_unlike_its_small_copy_is_told(notices, order, bars):
    small = picture().resize((160, 120))
    if bars:  # as for pictures of 3:2 in copies of 4:3
        wide = Image.new("RGB", (160, 120))
        wide.paste(picture().crop((0, 0, 320, 212)).resize((160, 106)), (0, 7))
        small = wide
    whole = picture().crop((0, 0, 320, 212)) if bars else picture()
    exif = exif_with(jpeg(small), order)
    assert not has(notices(jpeg(whole, exif=exif)), Code.MAYBE_DAMAGED)
    shifted = np.asarray(whole).copy()
    shifted[100:] = shifted[100:] // 2 + 128  # brightness jumps, as behind a changed bit
    assert has(notices(jpeg(Image.fromarray(shifted), exif=exif)), Code.MAYBE_DAMAGED)
    darker = Image.fromarray(
        np.asarray(whole) // 2 + 20
    )  # brightness and contrast alone are no sign
    assert not has(notices(jpeg(darker, exif=exif)), Code.MAYBE_DAMAGED)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_copy_that_says_nothing_is_left_alone(notices):
    small = jpeg(picture().resize((160, 120)))
    cut_out = picture().crop((0, 0, 100, 240))
    for exif in (
        exif_with(b"", "<"),
        exif_with(small[:300], "<"),
        exif_with(small, "<")[:60],
        exif_with(small, "<")[:20],
        b"Exif\0\0II",
    ):
        assert not has(notices(jpeg(picture(), exif=exif)), Code.MAYBE_DAMAGED)
    assert not has(notices(jpeg(cut_out, exif=exif_with(small, "<"))), Code.MAYBE_DAMAGED)


def test_webp_is_a_photograph(tmp_path):
    image = picture()
    image.save(tmp_path / "a.webp", lossless=True)
    found = read(tmp_path / "a.webp")
    assert (found.encoding, found.data.dtype) == ("srgb", np.uint8)
    np.testing.assert_array_equal(found.data, np.asarray(image))
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    image.save(tmp_path / "turned.webp", lossless=True, exif=exif)
    np.testing.assert_array_equal(
        read(tmp_path / "turned.webp").data, np.rot90(np.asarray(image), -1)
    )
    image.save(tmp_path / "b.jpg", "WEBP", lossless=True)  # under the name of another kind
    np.testing.assert_array_equal(read(tmp_path / "b.jpg").data, np.asarray(image))


def test_webp_that_is_no_photograph_is_refused(tmp_path):
    frames = [picture(), picture().rotate(90)]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(FileError, match="moving picture in WebP"):
        read(tmp_path / "moving.webp")
    content = (tmp_path / "moving.webp").read_bytes()
    (tmp_path / "cut.webp").write_bytes(content[: len(content) // 3])
    with pytest.raises(FileError, match=r"WebP file is damaged|moving"):
        read(tmp_path / "cut.webp")
    (tmp_path / "sound.webp").write_bytes(b"RIFF\x24\0\0\0WAVEfmt " + bytes(20))
    with pytest.raises(FileError, match="film or sound in RIFF"):
        read(tmp_path / "sound.webp")


@pytest.mark.parametrize("padding", [b"\xff\xff", b"\xff\0"])
def test_padding_that_pillow_would_go_through_byte_by_byte_is_refused(notices, padding):
    whole = jpeg(picture())
    assert not has(notices(whole[:2] + b"\xff" * 999 + whole[2:]), Code.MAYBE_DAMAGED)
    with pytest.raises(FileError, match="bytes of padding between its parts; up to 1,000,000"):
        notices(whole[:2] + padding * 500_001 + whole[2:])


def test_what_follows_the_last_scan_is_no_padding(notices):
    notices(jpeg(picture()) + b"\xff" * 2_000_000)
