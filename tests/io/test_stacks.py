"""Stacks of photographs: folders, patterns, films, animations, TIFFs of several pages."""

import struct
import sys
import threading
import warnings
import zlib
from fractions import Fraction

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_hsr
from napari_hsr import read
from napari_hsr.byte_cache import ByteCache
from napari_hsr.errors import Cancelled, FileError, GreyImageError, InputError
from napari_hsr.io import helper_process
from napari_hsr.io.stacks import can_read_stack, files, films, read_stack
from napari_hsr.notices import Code, has
from napari_hsr.photograph_stack import PhotographStack, StackAxis, stack_of_array

HEIGHT, WIDTH, COUNT = 20, 32, 12


def picture(number):
    """A frame that differs from all others, in smooth colours that a codec keeps."""
    found = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    found[..., 0], found[..., 1], found[..., 2] = 15 * number, 90, 200 - 10 * number
    return found


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "run"
    where.mkdir()
    for number in range(COUNT):
        Image.fromarray(picture(number)).save(where / f"frame{number}.png")
    return where


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film with a whole picture only every sixth frame, at 25 frames a second."""
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("film") / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25, options={"g": "6", "qscale": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def which(stack, number):
    """The frame that what stands there is most like."""
    found = stack.data[number].astype(float)
    return int(np.argmin([np.abs(found - picture(n)).sum() for n in range(COUNT)]))


def test_a_folder_is_read_frame_by_frame_in_the_order_of_its_numbers(folder):
    stack = read_stack(folder, axis="time", step=60, unit="second")
    assert stack.data.shape == (COUNT, HEIGHT, WIDTH, 3)
    assert (stack.encoding, stack.name) == ("srgb", "run")
    assert stack.axes == (StackAxis("time", COUNT, 60, 0.0, "second"),)
    assert np.array_equal(stack.data[10], picture(10))  # not frame2's place
    assert np.array_equal(stack.data[-1, 2:4, 5], picture(11)[2:4, 5])
    whole = np.asarray(stack.data)
    assert np.array_equal(whole, np.stack([picture(n) for n in range(COUNT)]))
    assert np.array_equal(stack.data[2:6:2], whole[2:6:2])
    assert stack.data[5:5].shape == (0, HEIGHT, WIDTH, 3)


def test_a_pattern_and_a_list_stand_for_their_files(folder):
    assert len(read_stack(str(folder / "frame1*.png"))) == 3
    chosen = [folder / "frame7.png", folder / "frame2.png"]
    assert np.array_equal(read_stack(chosen).data[1], picture(2))
    assert can_read_stack(folder)
    assert can_read_stack(list(map(str, chosen)))
    with pytest.raises(FileError, match="matches no file"):
        read_stack(str(folder / "*.jpg"))


def test_a_damaged_frame_is_left_empty_and_the_rest_goes_on(folder):
    (folder / "frame0.png").write_bytes(b"\x89PNG\r\n\x1a\ncut")
    (folder / "frame4.png").write_bytes(b"no picture")
    stack = read_stack(folder)
    assert np.asarray(stack.data)[:, 0, 0, 1].tolist() == [0, 90, 90, 90, 0, *[90] * 7]
    assert set(stack.failures) == {0, 4}
    assert "frame4.png" in stack.failures[4]
    with pytest.raises(FileError, match=r"frame4\.png"):
        stack.photograph(4)


def test_frames_of_another_size_than_most_are_left_empty(folder):
    for number, size in ((0, (9, 7)), (5, (9, 7)), (7, (HEIGHT, WIDTH))):  # the last is turned
        Image.new("RGB", size, "white").save(folder / f"frame{number}.png")
    stack = read_stack(folder)
    assert stack.data.shape == (COUNT, HEIGHT, WIDTH, 3)
    assert set(stack.failures) == {0, 5}
    told = [notice for notice in stack.notices if notice.code == Code.FRAME_FAILED]
    assert [notice.severity for notice in told] == ["warning"]
    assert "2 of 12" in told[0].text
    assert "frame0.png" in told[0].text
    values = np.asarray(stack.data)[:, 0, 0, 1]
    assert np.flatnonzero(values == 0).tolist() == [0, 5, 7]
    assert "7 x 9" in stack.failures[5]
    assert "frame7.png" in stack.failures[7] or "32 x 20" in stack.failures[7]


def test_frames_of_as_many_sizes_are_refused_with_both_names(folder):
    for number in range(0, COUNT, 2):
        Image.new("RGB", (9 + number, 7)).save(folder / f"frame{number}.png")
    with pytest.raises(FileError, match=r"frame0\.png.*7 x 9 pixels.*frame1\.png 20 x 32"):
        read_stack(folder)


def test_a_frame_that_became_another_size_is_left_empty(folder):
    stack = read_stack(folder)
    Image.new("RGB", (9, 7)).save(folder / "frame5.png")
    assert not stack.data[5].any()
    assert "7 x 9" in stack.failures[5]


def test_a_frame_in_another_encoding_is_left_empty(folder):
    tifffile.imwrite(folder / "z.tif", np.ones((HEIGHT, WIDTH, 3), np.float32), photometric="rgb")
    stack = read_stack(folder)
    assert not stack.data[COUNT].any()
    assert "encoding" in stack.failures[COUNT]


def test_a_folder_without_photographs_and_one_of_grey_pictures(tmp_path):
    with pytest.raises(FileError, match="no photograph"):
        read_stack(tmp_path)
    assert not can_read_stack(tmp_path)
    for number in range(2):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")
    with pytest.raises(GreyImageError):
        read_stack(tmp_path)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_of_a_tiff(tmp_path, compression):
    path, pages = tmp_path / "pages.tif", np.stack([picture(n) for n in range(4)])
    tifffile.imwrite(path, pages, photometric="rgb", compression=compression)
    stack = read_stack(path)
    assert can_read_stack(path)
    assert np.array_equal(np.asarray(stack.data), pages)
    tifffile.imwrite(path, pages[0], photometric="rgb")
    assert not can_read_stack(path)
    with pytest.raises(FileError, match="stack of RGB pages"):
        read_stack(path)


def test_axes_of_imagej(tmp_path):
    path, pages = tmp_path / "stack.tif", np.stack([picture(n) for n in range(6)])
    tifffile.imwrite(
        path,
        pages.reshape(2, 3, *pages.shape[1:]),
        imagej=True,
        metadata={"axes": "TZYXS", "finterval": 2.5, "spacing": 0.5, "unit": "um"},
    )
    stack = read_stack(path)
    assert [axis.label for axis in stack.axes] == ["time (s)", "z (µm)"]
    assert stack.axes[0].at(1) == 2.5
    assert np.array_equal(stack.data[1, 2], pages[5])
    with pytest.raises(IndexError):
        stack.photograph((1, 3))


def test_pictures_of_a_gif(tmp_path):
    path = tmp_path / "a.gif"
    first, *others = [Image.fromarray(picture(n)) for n in range(5)]
    first.save(path, save_all=True, append_images=others, duration=40)
    stack = read_stack(path)
    assert [which(stack, number) for number in (4, 1, 0, 3)] == [4, 1, 0, 3]
    assert stack.axes == (StackAxis("time", 5, 0.04, 0.0, "second"),)


def test_any_frame_of_a_film(film):
    stack = read_stack(film)
    assert can_read_stack(film)
    assert len(stack) == COUNT
    assert stack.data.shape[1:] == (HEIGHT, WIDTH, 3)
    assert stack.axes[0].step == pytest.approx(0.04)
    assert stack.encoding == "srgb"
    assert has(stack.notices, Code.ENCODING_ASSUMED)
    order = [11, 2, 3, 0, 7]
    assert [which(stack, number) for number in order] == order


def test_only_the_frames_asked_for_become_rgb(film, monkeypatch):
    opened, made, as_rgb = films._Film(film), [], films._as_rgb
    monkeypatch.setattr(films, "_as_rgb", lambda picture: made.append(1) or as_rgb(picture))
    last = opened.read(5)
    assert np.array_equal(last, read_stack(film).data[5])
    assert 4 in opened._kept  # decoded on the way
    assert len(made) == 1
    between = opened.read(4)
    assert len(made) == 2
    assert opened._next == 6  # nothing was decoded anew
    assert np.array_equal(between, read_stack(film).data[4])


def test_a_frame_that_several_ask_for_is_decoded_once(film, monkeypatch):
    stack, calls, call = read_stack(film), [], films.helper_process.call
    monkeypatch.setattr(films.helper_process, "call", lambda *a: calls.append(a) or call(*a))
    once, again = (stack.photograph(number).data for number in (4, 4))
    assert once is again
    assert not once.flags.writeable
    assert len(calls) == 1
    assert not np.array_equal(stack.photograph(5).data, once)
    assert len(calls) == 2


def test_a_film_cut_short_gives_what_is_there(film, tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "cut.avi"
    with av.open(str(film)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.size == 0:
                continue
            if number == 6:  # a whole picture that later ones build on
                broken = av.Packet(b"\0" * packet.size)
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                packet = broken
            packet.stream = stream
            out.mux(packet)
    stack = read_stack(path)
    assert which(stack, 2) == 2
    with pytest.raises(FileError, match=f"frame 7 of {COUNT} cannot be decoded, or builds"):
        stack.photograph(6)
    assert not stack.data[6].any()
    assert 6 in stack.failures
    assert which(stack, 3) == 3  # the rest goes on


def damaged_film(path, codec, at, options=None):
    """Of 20 frames, a whole one each five; that at a place is damaged. The frames before it was."""
    av = pytest.importorskip("av")
    whole = path.with_name(f"whole{path.suffix}")
    frames = [np.roll(picture(3), 8 * n, axis=1) for n in range(20)]
    with av.open(str(whole), "w") as out:
        stream = out.add_stream(codec, rate=10, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = 5
        for values in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24")))
        out.mux(stream.encode())
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(source.streams.video[0]) if packet.size]
        shown = sorted(p.dts if p.pts is None else p.pts for p in packets)
        for packet in packets:
            if (packet.dts if packet.pts is None else packet.pts) == shown[at]:
                content = bytes(packet)
                half = len(content) // 2
                lost = content[:half] + bytes(8) + content[half + 8 :]  # a sum of check is wrong
                broken = av.Packet(lost if codec == "ffv1" else bytes(len(content)))
                broken.pts, broken.dts = packet.pts, packet.dts
                broken.time_base, broken.is_keyframe = packet.time_base, packet.is_keyframe
                packet = broken
            packet.stream = stream
            out.mux(packet)
    return read_stack(whole).data


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("x.avi", "mpeg4", {}),
        ("x.mp4", "libx264", {"bf": "0"}),
        ("x.mp4", "libx264", {}),
        ("x.avi", "ffv1", {"slicecrc": "1", "level": "3"}),
    ],
)
def test_frames_that_build_on_a_damaged_one_are_not_given_as_pictures(
    tmp_path, name, codec, options
):
    """Up to the next whole picture they were smeared, without a word."""
    path = tmp_path / name
    good = damaged_film(path, codec, 10, options)
    stack, refused = read_stack(path), []
    for number in (19, 0, *range(1, 19)):
        found = stack.data[number]
        if number in stack.failures:
            refused.append(number)
        else:
            assert np.array_equal(found, np.asarray(good[number])), number
    assert 10 in refused
    assert set(refused) <= set(range(6, 15))
    if codec != "ffv1":  # each of its frames is a whole one
        assert {11, 12, 13, 14} <= set(refused)


def test_what_is_no_film(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "x.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 200)
    with pytest.raises(FileError, match=r"x\.mp4"):
        read_stack(path)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    with pytest.raises(FileError, match="no pictures"):
        read_stack(path)
    path.write_bytes(b"")
    with pytest.raises(FileError, match="empty"):
        read_stack(path)


def test_a_film_without_pyav_says_what_to_install(film, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(FileError, match=r"napari-hsr\[film\]"):
        read_stack(film)


def test_a_folder_that_grows(folder):
    stack = read_stack(folder)
    frames = stack.frames
    assert frames.look() == 0
    Image.fromarray(picture(1)).save(folder / "frame99.png")
    (folder / "frame98.png").write_bytes(b"")  # just begun
    assert frames.look() == 0  # it may still be being written
    assert frames.look() == 1
    longer = files.grown(stack)
    assert (len(stack.axes[0:1]), longer.lead) == (1, (COUNT + 1,))
    assert np.array_equal(longer.data[COUNT], picture(1))


def test_watching_ends_when_it_is_cancelled(folder):
    frames, cancel = read_stack(folder).frames, threading.Event()
    events = files.watch_events(frames, cancel, seconds=0)
    Image.fromarray(picture(1)).save(folder / "later.png")
    assert next(events).done == COUNT + 1
    cancel.set()
    with pytest.raises(Cancelled):
        next(events)


def test_an_array_as_a_stack():
    values = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 5, 4)).astype(np.uint8)
    stack = stack_of_array(values, name="grid")
    assert stack.lead == (2, 3)
    assert np.array_equal(np.asarray(stack.data), values[..., :3])
    assert stack.number((-1, 0)) == 3
    with pytest.raises(InputError):
        stack_of_array(values[0, 0])
    with pytest.raises(InputError, match="no frame"):
        stack_of_array(values[:0])
    with pytest.raises(InputError):
        PhotographStack(stack.frames, (StackAxis("frame", 5),), 4, 5)


def test_a_cache_stays_within_its_bytes():
    cache, block = ByteCache(250), np.zeros(100, np.uint8)
    for key in range(3):
        cache.put(key, block)
        cache.get(0)
    assert [key in cache for key in range(3)] == [True, False, True]  # 1 was used least recently
    assert (cache.bytes, cache.peak, len(cache)) == (200, 200, 2)
    cache.put(2, np.zeros(50, np.uint8))
    assert cache.bytes == 150
    cache.put("large", np.zeros(400, np.uint8))  # alone
    assert (len(cache), cache.bytes) == (1, 400)
    cache.drop("large")
    cache.drop("large")
    assert cache.bytes == 0


def test_one_frame_of_a_film_is_a_photograph(film):
    photograph = napari_hsr.read(f"{film}:3")
    assert np.array_equal(photograph.data, read_stack(film).data[2])
    assert (photograph.name, photograph.provenance.input) == ("clip 3", "clip.mp4:3")
    with pytest.raises(FileError, match=f"frames are 1 to {COUNT}, not 13"):
        napari_hsr.read(f"{film}:13")


def test_a_film_that_is_a_list_of_other_files_is_none(film, tmp_path):
    other = tmp_path / "other.mp4"
    other.write_bytes(film.read_bytes())
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nother.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(FileError, match="damaged, or no film"):
        read_stack(path)
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(FileError, match="damaged, or no film"):
        read_stack(path)


def test_a_film_that_was_cut_off_is_told_in_words(film, tmp_path):
    """With a list of what it holds at its end, or without one, as damaged bytes have none."""
    path = tmp_path / "cut.mp4"
    path.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.raises(FileError, match="damaged, or no film: it ends too early"):
        read_stack(path)
    path.write_bytes(film.read_bytes()[:24] + bytes(range(256)) * 8)
    with pytest.raises(FileError, match="damaged, or no film") as found:
        read_stack(path)
    assert "Unknown error" not in str(found.value)


def test_an_avi_that_ends_too_early_says_how_many_frames_are_missing(tmp_path):
    """Its list of frames stands at its end, and FFmpeg goes without one in silence."""
    av = pytest.importorskip("av")
    path, frames = tmp_path / "whole.avi", 6
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        noise = np.random.default_rng(0)
        for _ in range(frames):
            values = noise.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(values)))
        out.mux(stream.encode(None))
    assert Code.MAYBE_DAMAGED not in {notice.code for notice in read_stack(path).notices}
    for share, found in ((0.5, "of 6 that it states"), (0.99, "the last not whole")):
        cut = tmp_path / f"{share}.avi"
        cut.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        (notice,) = (n for n in read_stack(cut).notices if n.code is Code.MAYBE_DAMAGED)
        assert found in notice.text


@pytest.mark.parametrize("damage", ["cut", "hole"])
def test_a_gif_that_does_not_end_as_it_should_is_told(tmp_path, damage):
    noise, path = np.random.default_rng(0), tmp_path / "film.gif"
    pictures = [
        Image.fromarray(noise.integers(0, 255, (40, 50, 3), dtype=np.uint8)) for _ in range(4)
    ]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    assert read_stack(path).notices == ()
    content, half = bytearray(path.read_bytes()), path.stat().st_size // 2
    if damage == "cut":
        del content[half:]
    else:
        content[half : half + 400] = bytes(400)
    path.write_bytes(content)
    stack = read_stack(path)
    assert len(stack) < len(pictures)
    assert [notice.code for notice in stack.notices] == [Code.MAYBE_DAMAGED]


@pytest.mark.skipif(sys.platform == "win32", reason="colons in names")
def test_the_name_of_a_film_is_no_address(film, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a|b.mp4", "data:x.mp4"):
        (tmp_path / name).write_bytes(film.read_bytes())
        assert len(read_stack(name).frames) > 1


def test_a_tiff_whose_pages_lead_to_themselves(tmp_path):
    path = tmp_path / "a.tif"
    tags = b"".join(struct.pack("<HHII", tag, 3, 1, 8) for tag in (256, 257, 258))
    path.write_bytes(b"II*\0\x08\0\0\0" + struct.pack("<H", 3) + tags + struct.pack("<I", 8))
    assert not can_read_stack(path)
    with pytest.raises(FileError, match="TIFF"):
        read_stack(path)


def test_a_frame_whose_head_claims_a_gigapixel_is_left_empty(folder):
    head = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head
    content = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", zlib.crc32(chunk[4:]))
    sorted(folder.iterdir())[-1].write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stack = read_stack(folder)
    assert len(stack.frames) > 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_film_that_ends_its_library_fails_in_that_frame_alone(film, monkeypatch):
    real = helper_process.subprocess.Popen
    what = (
        "import os; from napari_hsr.io.stacks import films; real = films._as_rgb; "
        "films._as_rgb = lambda p: os.abort() if p.pts and p.time > 0.3 else real(p)"
    )
    monkeypatch.setattr(
        helper_process.subprocess, "Popen", lambda a, **o: real([*a[:-1], f"{what}; {a[-1]}"], **o)
    )
    monkeypatch.setattr(helper_process, "_HELPERS", helpers := {})
    stack = read_stack(film)
    with pytest.raises(FileError, match=r"FFmpeg ended \(SIGABRT\)"):
        stack.photograph(COUNT - 1)
    assert stack.photograph(1).data.shape == (HEIGHT, WIDTH, 3)
    for helper in helpers.values():
        helper.close()


def _film_of_levels(path, levels, *, codec="libx264", times=None, **options):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8))
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _levels(stack, order):
    return {number: float(stack.data[number].mean()) for number in order}


def test_an_avi_with_frames_between_others_gives_them_in_the_order_of_showing(tmp_path):
    """AVI says when frames are decoded: those that lie between two others stood in each other's place."""
    path, levels = tmp_path / "film.avi", [(37 * n) % 200 + 20 for n in range(24)]
    _film_of_levels(path, levels, crf="1", bf="3", g="8")
    order = [13, 2, 23, 17, 0, *range(24)]
    for number, level in _levels(read_stack(path), order).items():
        assert level == pytest.approx(levels[number], abs=4)


def test_a_frame_before_a_whole_picture_that_is_decoded_before_it_is_shown(tmp_path):
    """The file is entered at the whole picture before it, however far apart decoding and showing are."""
    path, levels = tmp_path / "film.mp4", [(37 * n) % 200 + 20 for n in range(24)]
    times = [n if n < 12 else 5 * n for n in range(24)]
    _film_of_levels(path, levels, times=times, crf="1", bf="2")
    for number in range(24):
        found = _levels(read_stack(path), [number])[number]
        films._opened.cache_clear()
        assert found == pytest.approx(levels[number], abs=4)


def test_times_of_a_gif_are_those_of_all_its_pictures(tmp_path):
    path = tmp_path / "a.gif"
    first, *others = [Image.fromarray(picture(n)) for n in range(4)]
    first.save(path, save_all=True, append_images=others, duration=[50, 100, 1050, 50])
    stack = read_stack(path)
    assert stack.axes[0].step == pytest.approx(0.4)
    assert has(stack.notices, Code.FRAMES_UNEVEN)


@pytest.mark.parametrize("kind", ["turned", "swapped", "twelve bits"])
def test_pages_of_a_tiff_are_what_single_pictures_are(tmp_path, kind):
    pages = np.stack([picture(n) for n in range(3)])
    about = {"extratags": [(274, "H", 1, 6, True)]} if kind == "turned" else {}
    if kind != "turned":
        pages = pages.astype(np.uint16) * 16
    for path, values in ((tmp_path / "all.tif", pages), (tmp_path / "one.tif", pages[1])):
        order = ">" if kind == "swapped" else "<"
        tifffile.imwrite(path, values, photometric="rgb", byteorder=order, **about)
    scale = 4095 if kind == "twelve bits" else None
    stack = read_stack(tmp_path / "all.tif", full_scale=scale)
    one = read(tmp_path / "one.tif", full_scale=scale)
    assert np.array_equal(stack.photograph(1).data, one.data)
    assert stack.data.shape[1:] == one.data.shape
    assert [n.code for n in stack.notices] == [n.code for n in one.notices]


def test_a_full_scale_of_frames_of_8_bits_is_refused(tmp_path):
    path = tmp_path / "a.gif"
    Image.fromarray(picture(0)).save(path)
    with pytest.raises(InputError, match="8 bits"):
        read_stack(path, full_scale=4095)


def test_what_a_file_states_of_its_frames_is_not_passed_over(tmp_path):
    """A spacing that was stated was passed over without a word."""
    pages = np.random.default_rng(0).integers(0, 255, (3, 8, 9, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="rgb")
    stack = read_stack(tmp_path / "pages.tif", axis="time", step=5, unit="second")
    assert stack.axes == (StackAxis("time", 3, 5.0, 0.0, "second"),)
    with pytest.raises(InputError, match="other than 0"):
        read_stack(tmp_path / "pages.tif", axis="time", step=0, unit="second")
    first, *others = map(Image.fromarray, pages)
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=200)
    with pytest.raises(InputError, match=r"along time, 0\.2 second apart, as its file states"):
        read_stack(tmp_path / "a.gif", axis="time", step=5, unit="second")
