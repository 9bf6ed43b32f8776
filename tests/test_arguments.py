"""Arguments of wrong types end in a sentence, in all functions that users call."""

from __future__ import annotations

import inspect
from importlib import import_module

import numpy as np
import pytest

import napari_hsr
from napari_hsr import Cube, HSRError, Photograph, Wavelengths
from napari_hsr.arguments import ArgumentError, told
from napari_hsr.errors import InputError
from napari_hsr.spectra import pixel
from napari_hsr.spectral_library import SpectralLibrary

NM = np.arange(400.0, 701.0, 10.0)
WRONG = [
    None, 3, -1.5, float("nan"), 10**30, "nonsense", "", b"x", [1, "a"], [], {"a": 1}, object(),
    np.zeros(3), np.zeros(3, complex), np.array(["a"]), (1, 2), 10**400,
]  # fmt: skip
#: Rooms whose functions users call, and of each function arguments that are right.
CALLS = {
    "": {
        "Wavelengths": (NM,),
        "read": ("a.npz",),
        "write": ("cube", "b.npz"),
        "read_library": ("a.csv",),
        "read_stack": ("none",),
        "load_model": ("rootpoly-srgb",),
        "reconstruct": ("photograph", "rootpoly-srgb"),
        "reconstruct_stack": ("none",),
        "super_resolve": ("cube", "bicubic-matlab", 2),
        "refine": ("fine", "cube"),
        "evaluate": ("cube", "cube"),
        "calibrate": ("cube", "cube"),
        "convert": ("cube",),
        "Cube": ("values",),
        "Photograph": ("colours",),
    },
    "spectra": {
        "Curve": ("a", NM),
        "Processing": ("max",),
        "pixel": ("cube", 0, 0),
        "region": ("cube", "mask"),
        "labels": ("cube", "mask"),
        "normalise": ("curve",),
        "derivative": ("curve",),
        "smooth": ("curve",),
        "remove_continuum": ("curve",),
        "difference": ("curve", "curve"),
        "ratio": ("curve", "curve"),
        "to_text": (["curve"],),
        "write_csv": (["curve"], "c.csv"),
        "write_table": (["curve"], "d.csv"),
    },
    "analysis": {
        "components": ("cube",),
        "components_events": ("cube",),
        "index": ("cube", "b650 / b550"),
        "index_events": ("cube", "b650 / b550"),
        "offers": ("cube",),
        "unmix": ("cube", "library"),
        "unmix_events": ("cube", "library"),
        "from_pixels": ("cube", {"a": (0, 0), "b": (1, 1)}),
        "from_spectra": ("cube", {"a": NM, "b": NM**2}),
    },
    "matching": {
        "Entries": (("a",), NM[None], NM),
        "classify": ("cube", "library"),
        "classify_events": ("cube", "library"),
        "correlation": ("spectra", "spectra"),
        "divergence": ("spectra", "spectra"),
        "spectral_angle": ("spectra", "spectra"),
        "entries_on": ("library", NM, 31),
        "match": ("curve", "library"),
    },
    "metrics": {
        "average": ([],),
        "evaluate_several": (["cube"], "cube"),
        "get_protocol": ("default",),
        "match": ("cube", "cube"),
    },
    "conversion": {"to_wavelengths": ("cube", NM[3:6]), "common_grid": ("cube", "cube")},
    "resample": {
        "agreement_events": ("fine", "cube"),
        "aligned": (2,),
        "check_pair": ("fine", "cube"),
        "degrade": ("fine", 2),
        "enlarge": ("values", 2),
        "find": ("box",),
        "finesr_events": ("fine", "cube"),
        "imresize": ("values", 2),
        "modcrop": ("cube", 2),
        "refine_events": ("fine", "cube"),
        "shrink": ("spectra", 2),
        "upsample": ("cube", 2),
    },
    "cameras": {
        "Camera": ("c", NM, np.ones((31, 3))),
        "get_camera": ("nikon-5100-npl",),
        "matrix": ("nikon-5100-npl", NM),
        "read_cameras": ("none",),
        "simulate": ("cube", "nikon-5100-npl"),
    },
    "colour": {
        "bands_as_rgb": ("cube", [0, 1, 2]),
        "check_range": ("colours", "srgb"),
        "convert": ("colours", "srgb", "linear-srgb"),
        "decode_photograph_tile": ("colours", "srgb"),
        "encoding_label": ("srgb",),
        "false_colour": ("cube", [450, 550, 650]),
        "illuminant_name": ("D65",),
        "normalise_encoding": ("srgb",),
        "observer_name": ("cie-1931",),
        "render": ("cube",),
        "rendering": ("cube",),
        "rendering_matrix": (NM,),
        "srgb_decode": ("colours",),
        "srgb_encode": ("colours",),
        "wavelength_to_srgb": (500,),
        "why_not_convert": ("srgb", "xyz-d65"),
        "why_not_values": ("photograph",),
    },
    "models": {"card_of": ("rootpoly-srgb",), "import_checkpoint": ("none", "a")},
    "inference": {"why_not_super_resolve": ("cube", "bicubic-matlab", 2)},
}
#: Arguments that begin workers or write, and results, which nobody but us makes.
LEFT_OUT = ("client", "output")
RESULTS = (
    "HSRError", "Cancelled", "PhotographStack", "Components", "Offer", "Unmixing", "Evaluation",
    "FigureTable", "Protocol", "Classification", "Match", "Matches", "Rendering", "Agreement", "FineSR",
    "Kind", "Pass", "Refinement", "slug",
)  # fmt: skip
ALL = [(room, name) for room, calls in CALLS.items() for name in calls]


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).uniform(0.1, 0.9, (31, 5, 6)).astype(np.float32)
    cube = Cube(values, Wavelengths(NM), "reflectance")
    library = SpectralLibrary(("a", "b"), NM, values[:, 0, :2].T)
    napari_hsr.write(cube, "a.npz")
    napari_hsr.write(library, "a.csv")
    colours = values[:3].transpose(1, 2, 0)
    return {
        "cube": cube,
        "fine": Cube(np.kron(values, np.ones((1, 2, 2), np.float32)), NM, "reflectance"),
        "photograph": Photograph(colours),
        "values": values,
        "colours": colours,
        "spectra": values[:, :4, 0].T,
        "mask": np.ones((5, 6), bool),
        "library": library,
        "curve": pixel(cube, 0, 0),
    }


def _filled(given, value):
    if isinstance(value, list):
        return [_filled(given, each) for each in value]
    return given.get(value, value) if isinstance(value, str) else value


def _run(function, **arguments):
    made = function(**arguments)
    if hasattr(made, "__next__"):
        for _ in made:
            pass


def test_all_functions_of_these_rooms_are_watched():
    for room, calls in CALLS.items():
        module = import_module(f"napari_hsr.{room}" if room else "napari_hsr")
        functions = {n for n in module.__all__ if n[0] != "_" and callable(getattr(module, n))}
        functions -= set(RESULTS)
        without = {n for n in functions if not inspect.signature(getattr(module, n)).parameters}
        if room not in ("models", "inference"):  # which look at models first of all
            others = {n for n in functions if getattr(module, n) in _elsewhere(room)}
            assert functions - without - others <= set(calls), room


def _elsewhere(room):
    """Functions that a room hands on, and which stand in another one's list."""
    found = []
    for other, calls in CALLS.items():
        module = import_module(f"napari_hsr.{other}" if other else "napari_hsr")
        found += [getattr(module, name) for name in calls if other != room]
    return found


@pytest.mark.parametrize(("room", "name"), ALL, ids=[f"{room}.{name}" for room, name in ALL])
def test_an_argument_of_a_wrong_type_is_told(room, name, given):
    function = getattr(import_module(f"napari_hsr.{room}" if room else "napari_hsr"), name)
    takes = inspect.signature(function)
    right = takes.bind(*(_filled(given, value) for value in CALLS[room][name])).arguments
    said = set()
    for parameter, what in takes.parameters.items():
        if parameter in LEFT_OUT or what.kind is what.VAR_KEYWORD or parameter[0] == "_":
            continue
        for wrong in WRONG:
            try:
                _run(function, **{**right, parameter: wrong})
            except HSRError as error:  # whatever else is raised fails the test
                said.add(str(error))
    assert said or name in ("Curve", "Processing", "Camera", "Entries", "why_not_super_resolve")
    assert [told for told in said if len(told) >= 1000 or "\n" in told] == []


def test_the_sentence_names_the_argument_of_the_function_that_was_called(given):
    for sentence, call in {
        "progress must be a function or None, not 3.": lambda cube: napari_hsr.reconstruct(
            given["photograph"], "rootpoly-srgb", progress=3
        ),
        "crop must be 4 whole numbers in brackets or None, not a text.": lambda cube: (
            napari_hsr.convert(cube, crop="left")
        ),
        "bands must be a list of whole numbers or None, not a list of 2.": lambda cube: (
            napari_hsr.convert(cube, bands=[1.5, 2])
        ),
        "row must be a whole number, not 1.7.": lambda cube: pixel(cube, 1.7, 0),
        "nm must be an array of numbers, not a text.": lambda _cube: Wavelengths("blue"),
    }.items():
        with pytest.raises(ArgumentError) as caught:
            call(given["cube"])
        assert str(caught.value) == sentence


def test_errors_of_arguments_that_are_right_are_not_touched(given):
    def broken(_progress):
        raise LookupError("of the caller's own")

    with pytest.raises(LookupError, match="of the caller's own"):
        napari_hsr.reconstruct(
            given["photograph"], "rootpoly-srgb", progress=broken, region=(slice(0, 4), slice(0, 4))
        )
    with pytest.raises(TypeError, match="unexpected keyword"):
        napari_hsr.convert(given["cube"], colour="red")


def test_an_exception_thrown_into_events_reaches_them_and_comes_back(given):
    from napari_hsr.analysis import unmix_events

    events = unmix_events(given["cube"], given["library"])
    next(events)
    with pytest.raises(LookupError, match="of the caller's own"):
        events.throw(LookupError("of the caller's own"))
    assert next(events, None) is None


def test_an_array_on_disk_is_not_read_to_look_at_its_type(given):
    class Unread:
        shape, dtype, ndim = (5, 6), np.dtype(bool), 2

        def __array__(self, *_args, **_named):
            raise AssertionError("it was read")

    with pytest.raises(InputError, match="row must be a whole number"):
        pixel(given["cube"], Unread(), 0)
    with pytest.raises(InputError, match="progress must be"):
        napari_hsr.evaluate(given["cube"], given["cube"], progress=3, mask=Unread())


def test_none_in_place_of_a_default_is_left_to_the_function():
    @told
    def doubled(times: int = 2, name: str = "x") -> str:
        return name * (times or 2)

    assert doubled(times=None) == "xx"
    with pytest.raises(HSRError, match="times must be a whole number, not a text"):
        doubled(times="3")
