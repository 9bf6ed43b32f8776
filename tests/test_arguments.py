"""Arguments of wrong types end in a sentence, in all functions that users call."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import napari_hsr
from napari_hsr import Cube, HSRError, Photograph, Wavelengths
from napari_hsr.arguments import ArgumentError
from napari_hsr.spectral_library import SpectralLibrary

NM = np.arange(400.0, 701.0, 10.0)
WRONG = [
    None, 3, -1.5, "nonsense", b"x", [1, "a"], [], {"a": 1}, object(), np.zeros(3), (1, 2), 10**400,
]  # fmt: skip
#: By name, arguments that are right.
CALLS = {
    "Wavelengths": (NM,),
    "read": ("a.npz",),
    "write": ("cube", "b.npz"),
    "read_library": ("a.csv",),
    "reconstruct": ("photograph", "rootpoly-srgb"),
    "super_resolve": ("cube", "bicubic", 2),
    "refine": ("cube", "cube"),
    "evaluate": ("cube", "cube"),
    "calibrate": ("cube", "cube"),
    "convert": ("cube",),
}


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).uniform(0.1, 0.9, (31, 5, 6)).astype(np.float32)
    cube = Cube(values, Wavelengths(NM), "reflectance")
    napari_hsr.write(cube, "a.npz")
    napari_hsr.write(SpectralLibrary(("a", "b"), NM, values[:, 0, :2].T), "a.csv")
    return {"cube": cube, "photograph": Photograph(values[:3].transpose(1, 2, 0))}


@pytest.mark.parametrize("name", CALLS)
def test_an_argument_of_a_wrong_type_is_told(name, given):
    function = getattr(napari_hsr, name)
    takes = inspect.signature(function)
    right = takes.bind(*(given.get(a, a) if isinstance(a, str) else a for a in CALLS[name]))
    said = set()
    for parameter in takes.parameters:
        for wrong in WRONG:
            if parameter in ("client", "output"):  # begin workers, or write
                continue
            try:
                function(**{**right.arguments, parameter: wrong})
            except HSRError as error:  # whatever else is raised fails the test
                said.update([str(error)] if isinstance(error, ArgumentError) else [])
    assert said or name == "refine"  # which looks at all of them itself
    assert all(len(told) < 200 and told.endswith(".") for told in said)


def test_the_sentence_names_the_argument_of_the_function_that_was_called(given):
    with pytest.raises(
        HSRError, match=r"^progress must be a function or None, not of the type int\.$"
    ):
        napari_hsr.reconstruct(given["photograph"], "rootpoly-srgb", progress=3)
    with pytest.raises(
        HSRError, match=r"^crop must be 4 values in brackets or None, not a text\.$"
    ):
        napari_hsr.convert(given["cube"], crop="left")
    with pytest.raises(HSRError, match=r"^nm must be an array of numbers, not a text\.$"):
        Cube(given["cube"].data, "blue")


def test_errors_of_arguments_that_are_right_are_not_touched(given):
    def broken(_progress):
        raise LookupError("of the caller's own")

    with pytest.raises(LookupError, match="of the caller's own"):
        napari_hsr.reconstruct(
            given["photograph"], "rootpoly-srgb", progress=broken, region=(slice(0, 4), slice(0, 4))
        )
    with pytest.raises(TypeError, match="unexpected keyword"):
        napari_hsr.convert(given["cube"], colour="red")
