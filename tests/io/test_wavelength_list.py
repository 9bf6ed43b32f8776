"""Wavelengths as people type, paste and store them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr.errors import FileError, InputError
from napari_hsr.io.wavelengths.resolve import from_band_names
from napari_hsr.io.wavelengths.wavelength_list import evenly, listed, parse, read_text, regular


@pytest.mark.parametrize(
    "text",
    [
        "400 410 420 430",
        "400, 410, 420, 430",
        "400;410;420;430",
        "400\n410\n420\n430\n",
        "[400., 410.0, 4.2e2, 430]",
        "# centres\n400, 410\n420, 430",
        "400nm, 410nm, 420nm, 430nm",
        "wavelength\n400\n410\n420\n430",
        "band,wavelength (nm)\n1,400\n2,410\n3,420\n4,430",
        "1\t400\n2\t410\n3\t420\n4\t430",
        "0 400\n1 410\n2 420\n3 430",
        "value;nm\n0.1;400\n0.2;410\n0.2;420\n0.1;430",
        "400,0.3\n410,0.2\n420,0.2\n430,0.1",
    ],
)
def test_lists_and_tables(text):
    assert parse(text) == [400, 410, 420, 430]
    assert list(listed(text, 4)) == [400, 410, 420, 430]


def test_micrometres_are_stated_not_guessed():
    assert list(listed("0.4 0.5 0.6", 3, micrometres=True)) == pytest.approx([400, 500, 600])
    with pytest.raises(InputError, match="choose µm"):
        listed("0.4 0.5 0.6", 3)


@pytest.mark.parametrize(
    ("text", "bands", "sentence"),
    [
        ("", 3, "No number"),
        ("nothing here", 3, "No number"),
        ("400 410 420", 4, "3 wavelengths are given, but the cube has 4 bands"),
        ("400", 4, "1 wavelength is given"),
        ("420 410 400", 3, "ascend strictly; band 1 is 420 nm and band 2 is 410 nm"),
        ("400 400 410", 3, "ascend strictly"),
        ("-400 400 410", 3, "positive"),
        ("400\n4l0\n420", 3, "'4l0' is not a number"),
        ("400 4l0 420", 3, "is not a number"),
    ],
)
def test_each_fault_has_its_sentence(text, bands, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        listed(text, bands)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_regular_grid_has_as_many_wavelengths_as_a_cube_has_bands():
    np.testing.assert_allclose(regular("400:420:10"), [400, 410, 420])
    with pytest.raises(InputError, match=r"3e\+11 wavelengths; up to 10,000 are taken"):
        regular("400:700:1e-9")
    for text in ("400:700:0", "1:2", "²:3:1", "0:inf:1", "a:b:c", "700:400:10"):
        with pytest.raises(InputError, match="A grid is first:last:step"):
            regular(text)


def test_evenly_spaced():
    assert list(evenly(400, 700, 4)) == [400, 500, 600, 700]
    assert list(evenly(550, 550, 1)) == [550]
    with pytest.raises(InputError, match=r"\(400 nm\) must lie above the first \(700 nm\)"):
        evenly(700, 400, 4)


def test_files(tmp_path):
    good = tmp_path / "a.csv"
    good.write_bytes("\ufeffnm\r\n400\r\n410\r\n".encode())
    assert parse(read_text(good)) == [400, 410]
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(FileError, match="binary data"):
        read_text(tmp_path / "b.bin")
    with pytest.raises(FileError, match="cannot be opened"):
        read_text(tmp_path / "none.txt")
    with pytest.raises(FileError, match="cannot be opened"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("names", "centres"),
    [
        (["B0 - 450 nm", "B1 - 500 nm"], ["450", "500"]),  # no channel from 0 to 450 nm
        (["Band 1 - 450 nm", "Band 2 - 500 nm"], ["450", "500"]),
        (["Band 8 - 10.6 um", "Band 9 - 11.3 um"], ["10.6", "11.3"]),
        (["Band 411-420 nm", "Band 421-430 nm"], ["415.5", "425.5"]),
        (["8-9 um", "9-10 um"], ["8.5", "9.5"]),
        (["Band 450.0", "Band 500.5"], ["450.0", "500.5"]),
        (["Band 1.0", "Band 2.0"], None),
    ],
)
def test_the_number_of_a_band_is_no_end_of_a_channel(names, centres):
    assert from_band_names(names)[0] == centres
