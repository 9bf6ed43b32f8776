"""JCAMP-DX: ordinates written out or packed, points, several spectra; damage is told."""

from __future__ import annotations

import numpy as np
import pytest

from napari_hsr import read_library
from napari_hsr.errors import FileError
from napari_hsr.io.libraries import is_library
from napari_hsr.notices import Code, has

N = 101
X = np.linspace(400, 900, N)
Y = np.round(1000 * (0.5 + 0.4 * np.sin(X / 60))).astype(int)
Y[5:9], Y[50] = Y[4], -3
#: The pseudo-digits of the standard: values, differences, repetitions.
VALUE = ("@ABCDEFGHI", " abcdefghi")
DIFFERENCE = ("%JKLMNOPQR", " jklmnopqr")
REPEATED = " STUVWXYZs"


def marked(number, digits):
    text = str(abs(number))
    return digits[int(number < 0)][int(text[0])] + text[1:]


def table(kind):
    lines = []
    for i in range(0, N, 10):
        row = Y[i : i + 10]
        written = {
            "written out": lambda row: " " + " ".join(map(str, row)),
            "exponents": lambda row: " " + " ".join(f"{v:.4E}" for v in row),
            "signs": lambda row: "".join(f"{v:+d}" for v in row),
            "squeezed": lambda row: "".join(marked(v, VALUE) for v in row),
        }
        if kind in written:
            lines.append(f"{X[i]:g}{written[kind](row)}")
            continue
        start = max(i - 1, 0)  # the last value of the line before, as a check
        row = Y[start : i + 10]
        steps, text, j = np.diff(row), f"{X[start]:g}{marked(row[0], VALUE)}", 0
        while j < len(steps):
            run = 1
            while kind == "repeated" and j + run < len(steps) and steps[j + run] == steps[j]:
                run += 1
            text += marked(steps[j], DIFFERENCE)
            text += REPEATED[int(str(run)[0])] + str(run)[1:] if run > 1 else ""
            j += run
        lines.append(text)
    if kind in ("differences", "repeated"):
        lines.append(f"{X[-1]:g}{marked(Y[-1], VALUE)}")
    return "##XYDATA=(X++(Y..Y))\n" + "\n".join(lines)


def text(body, title="leaf", y_units="REFLECTANCE", factor=0.001, first=Y[0] / 1000, **items):
    stated = {"JCAMP-DX": "4.24 $$ a remark", "XUNITS": "NANOMETERS", "YUNITS": y_units, "XFACTOR": 1,
              "YFACTOR": factor, "FIRSTX": 400, "LASTX": 900, "NPOINTS": N, "FIRSTY": first, **items}  # fmt: skip
    return (
        f"##TITLE={title}\n"
        + "".join(f"##{k}={v}\n" for k, v in stated.items())
        + f"{body}\n##END=\n"
    )


@pytest.fixture
def library(tmp_path):
    def of(content, name="leaf.jdx"):
        (tmp_path / name).write_text(content)
        assert is_library(tmp_path / name)
        return read_library(tmp_path / name)

    return of


@pytest.mark.parametrize(
    "kind", ["written out", "exponents", "signs", "squeezed", "differences", "repeated"]
)
def test_every_form_of_ordinates(library, kind):
    found = library(text(table(kind)))
    assert (found.names, found.units, found.notices) == (("leaf",), "reflectance", ())
    np.testing.assert_allclose(found.wavelengths.nm, X)
    np.testing.assert_allclose(found.values[0], Y / 1000)


def test_points_percent_and_wavenumbers(library):
    points = "##XYPOINTS=(XY..XY)\n" + "\n".join(
        f"{x:g}, {y / 10:.1f}; " for x, y in zip(X, Y, strict=True)
    )
    found = library(text(points, y_units="% REFLECTANCE", factor=1, first=Y[0] / 10), "leaf.dx")
    np.testing.assert_allclose(found.values[0], Y / 1000)
    descending = "##XYDATA=(XY..XY)\n" + "\n".join(
        f"{1e7 / x:.6f} {y}" for x, y in zip(X, Y, strict=True)
    )
    found = library(text(descending, XUNITS="1/CM", FIRSTX=25000, LASTX=11111.1))
    np.testing.assert_allclose(found.wavelengths.nm, X, rtol=1e-6)
    np.testing.assert_allclose(found.values[0], Y / 1000)


def test_several_spectra_and_a_list_of_peaks(library):
    blocks = "".join(text(table("squeezed"), title) for title in ("leaf", "soil"))
    peaks = "##TITLE=peaks\n##PEAK TABLE=(XY..XY)\n500, 1\n##END=\n"
    found = library(f"##TITLE=all\n##DATA TYPE=LINK\n##BLOCKS=3\n{blocks}{peaks}##END=\n")
    assert found.names == ("leaf", "soil")
    assert has(found.notices, Code.OTHER_ARRAYS_LEFT_OUT)
    points = "\n".join(f"{x + 1:g} {y}" for x, y in zip(X, Y, strict=True))
    with pytest.raises(FileError, match="different wavelengths"):
        library(text(table("squeezed")) + text(f"##XYPOINTS=(XY..XY)\n{points}"))


def test_a_factor_that_the_file_contradicts_is_told(library):
    assert has(library(text(table("signs"), factor=0.01)).notices, Code.VALUES_SCALE_GUESSED)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (text(table("squeezed"), NPOINTS=99), "states 99 points, but 101"),
        (text("\n".join(table("squeezed").splitlines()[:6])), "101 points, but 50"),
        (text("\n".join(np.delete(table("signs").splitlines(), 5)), NPOINTS=91), "a line begins at"),
        (text("\n".join(np.delete(table("differences").splitlines(), 5))), "check value"),
        (text(table("squeezed").replace("\n450", "\n450!")), "line of its table is damaged"),
        (text("##XYDATA=(X++(Y..Y))\n400S9999999"), "repeats nothing"),
        (text("##XYDATA=(X++(Y..Y))\n400J1"), "begins a line"),
        (text("##XYDATA=(X++(Y..Y))"), "table is empty"),
        (text("##XYDATA=(T..T)\n1"), "which is not read"),
        (text("##XYPOINTS=(XY..XY)\n400 1 500"), "cut short"),
        (text("##NTUPLES=x"), "only ntuples"),
        (text(table("signs"), YFACTOR="much"), "expected as YFACTOR"),
        (text(table("signs"), YFACTOR="0"), "expected as YFACTOR"),
        ("##TITLE=x\n##END=\n", "has no table"),
    ],
)  # fmt: skip
def test_damage_is_one_sentence(library, content, told):
    with pytest.raises(FileError, match=told):
        library(content)


@pytest.mark.parametrize(
    ("good", "damaged"),
    [
        ("##END=", ""),
        ("##YUNITS=", "##UNITS="),
        ("##YUNITS=", "##YUNIT="),
        ("YUNITS=REFLECTANCE\n", "YUNITS="),
    ],
)
def test_a_missing_end_and_a_label_without_its_axis_are_told(library, good, damaged):
    whole = text(table("squeezed"))
    assert good in whole
    assert not has(library(whole).notices, Code.MAYBE_DAMAGED)
    assert has(library(whole.replace(good, damaged)).notices, Code.MAYBE_DAMAGED)
