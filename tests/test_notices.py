"""Notices: text for people, a code for programs, and nothing that can be changed."""

from __future__ import annotations

import copy
import pickle

import pytest

from napari_hsr.notices import Code, Notice, Severity, as_notices, has, without

MISSING = Notice(Code.WAVELENGTHS_MISSING, Severity.WARNING, "No wavelengths were found.")


def test_a_notice_is_its_text_for_whoever_prints_it():
    assert f"{MISSING}" == MISSING == MISSING.text == "No wavelengths were found."
    assert type(MISSING.text) is str


def test_a_notice_cannot_be_changed():
    for name in ("code", "severity", "text", "other"):
        with pytest.raises(AttributeError):
            setattr(MISSING, name, "x")
    with pytest.raises(AttributeError):
        del MISSING.code


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))]
)
def test_a_copy_keeps_code_and_severity(again):
    made = again(MISSING)
    assert (made.code, made.severity, made.text) == (MISSING.code, MISSING.severity, MISSING.text)


def test_unknown_codes_and_severities_are_refused():
    with pytest.raises(ValueError, match="no-such"):
        Notice("no-such", "info", "x")
    with pytest.raises(ValueError, match="loud"):
        Notice("other", "loud", "x")


def test_notices_are_found_and_left_out_by_their_code():
    notices = as_notices(["a plain sentence", MISSING, MISSING])
    assert [n.code for n in notices] == [Code.OTHER, Code.WAVELENGTHS_MISSING]
    assert has(notices, Code.WAVELENGTHS_MISSING)
    assert not has(notices, Code.WAVELENGTHS_ASSUMED)
    assert without(notices, Code.WAVELENGTHS_MISSING) == ("a plain sentence",)
    reworded = [n.with_text("xyzzy") for n in notices]
    assert has(reworded, Code.WAVELENGTHS_MISSING)
