"""Random input for every parser, and changed files for every reader, for so many minutes.

    python benchmarks/fuzz.py [--minutes 10] [--seed 0]

A parser gives a result, says that there is none, or raises one sentence of ours; a reader does so within
the limits of benchmarks/hostile_inputs.py. What else comes is printed with the input that brought it,
and the exit status is 1. POSIX only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import apart
import hostile_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What parsers of this package meet: signs, numbers at the edges, brackets, digits of other scripts.
_PIECES = st.sampled_from(
    ["{", "}", "[", "]", "(", ")", "<", ">", "=", ":", ",", ";", "-", "+", "*", "**", "/", ".", "e", "nan", "inf", "1e999", "9" * 400, "0", "1", "-1", "400", "700", "10", "²", "٣", "\0", "\x1b[2J", "\n", "\t", " ", "#", "\\", "\"", "'", "ENVI", "samples", "lines", "bands", "wavelength", "nm", "µm", "b650", "sqrt(", "min(", "true", "null", "&a", "*a", "!!"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=60).map("".join))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)),
    max_leaves=20,
)  # fmt: skip
BYTES = st.binary(max_size=400)


def targets(folder: Path) -> dict[str, tuple[Any, Callable[[Any], Any]]]:
    """What is made, and what takes it, by name; files are written into the folder."""
    import json

    from napari_hsr.analysis import expression
    from napari_hsr.cli.reading import band_numbers
    from napari_hsr.io import embedded_record, number_parsing
    from napari_hsr.io.envi import header as envi_header
    from napari_hsr.io.libraries import read_library
    from napari_hsr.io.photographs import icc, png_chunks
    from napari_hsr.io.tiff import page_chain as tiff_chain
    from napari_hsr.io.wavelengths import resolve as wl
    from napari_hsr.io.wavelengths.wavelength_list import parse, regular
    from napari_hsr.models import pickle_steps
    from napari_hsr.models.card import ModelCard
    from napari_hsr.resample import methods
    from napari_hsr.training.events import from_json
    from napari_hsr.training.recipe.yaml_io import read_recipe
    from napari_hsr.training.runs.run_folder import STATE, read_state

    def written(name: str, content: str | bytes) -> Path:
        path = folder / name
        path.write_bytes(
            content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        )
        return path

    def evaluated(text: str) -> None:
        found = expression.parse(text)
        found.evaluate(dict.fromkeys(found.names, 0.5))

    def envi(text: str) -> None:
        path = written("a.hdr", f"ENVI\n{text}")
        items = envi_header.parse(path)
        envi_header.layout(path, items)
        for name in items:
            envi_header.numbers(items, name)

    def record(value: Any) -> None:
        embedded_record.parse(
            json.dumps({"version": 1, "name": "x", "provenance": value, "metadata": value})
        )
        embedded_record.parse(json.dumps(value))

    def event(value: Any) -> None:
        for kind in ("began", "step", "measured", "finished", "notice"):
            from_json(
                json.dumps({"kind": kind, "step": 1, "total": value, "text": value, "mean": value})
            )
        from_json(json.dumps(value))

    def recipe(text: str) -> None:
        read_recipe(written("a.yaml", f"model: {{architecture: edsr}}\n{text}"))

    def state(value: Any) -> None:
        written(STATE, json.dumps(value))
        read_state(folder)

    def card(value: Any) -> None:
        from pydantic import ValidationError

        try:
            ModelCard.model_validate_json(
                json.dumps({"name": "x", "architecture": value, "scale": value})
            )
        except ValidationError:  # told as a sentence by whoever reads the file
            return

    def usage(text: str) -> None:
        try:
            band_numbers(text)
        except (ValueError, argparse.ArgumentTypeError):  # argparse makes a sentence of both
            return

    return {
        "numbers": (TEXTS, lambda text: (number_parsing.number(text), number_parsing.whole(text))),
        "lists of wavelengths": (TEXTS, parse),
        "grids": (TEXTS, regular),
        "names of bands": (st.lists(TEXTS, max_size=5), wl.from_band_names),
        "wavelengths in texts": (st.lists(TEXTS, max_size=5), wl.from_texts),
        "wavelengths": (JSON, lambda value: wl.resolve(value, 3, "nm")),
        "ENVI headers": (TEXTS, envi),
        "expressions": (TEXTS, evaluated),
        "records": (JSON, record),
        "events": (JSON, event),
        "states": (JSON, state),
        "recipes": (TEXTS, recipe),
        "settings": (TEXTS, lambda text: read_recipe("fine-tune", [text])),
        "cards": (JSON, card),
        "numbers of bands": (TEXTS, usage),
        "degradations": (TEXTS, methods.find),
        "tables of spectra": (TEXTS, lambda text: read_library(written("a.csv", text))),
        "spectra in JSON": (JSON, lambda value: read_library(written("a.json", json.dumps({"spectra": value, "wavelengths_nm": value})))),
        "profiles": (BYTES, icc.parse),
        "PNG": (BYTES, lambda content: png_chunks.info(folder, png_chunks.SIGNATURE + content)),
        "chains of TIFF": (BYTES, lambda content: tiff_chain.check(written("a.tif", b"II*\0" + content))),
        "pickles": (BYTES, lambda content: pickle_steps.check(written("a.pth", b"\x80\x02" + content), False)),
        "ASD": (BYTES, lambda content: read_library(written("a.asd", b"as7" + content * 3))),
    }  # fmt: skip


def tried(name: str, strategy: Any, target: Callable[[Any], Any], examples: int) -> str:
    """What is wrong, with the smallest input that shows it; empty if nothing is."""
    from napari_hsr.errors import HSRError

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(strategy)
    def check(value: Any) -> None:
        try:
            target(value)
        except HSRError as error:
            too_long = len(str(error)) > 5_000
        else:
            too_long = False
        assert not too_long, "no sentence"

    try:
        check()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        notes = " ".join(getattr(error, "__notes__", ()))
        return f"FAULT {name}: {type(error).__name__}: {error} at {last.filename}:{last.lineno} {notes}"
    return ""


def changed_files(seed: int) -> Iterator[tuple[str, str, apart.Outcome]]:
    """Good files with bytes changed, without end, and what became of them."""
    return hostile_inputs.mutated(10**9, seed, ("",), hostile_inputs.Journal(None))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="of the changed files")
    args = parser.parse_args()
    os.environ["NAPARI_HSR_DATA"] = tempfile.mkdtemp()
    apart.warm()
    half, faults, rounds = 30 * args.minutes, 0, 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        while rounds == 0 or time.monotonic() - start < half:
            rounds += 1
            for name, (strategy, target) in targets(Path(folder)).items():
                wrong = tried(name, strategy, target, 100)
                faults += bool(wrong)
                if wrong:
                    print(wrong, flush=True)
    files, start = 0, time.monotonic()
    for _, name, outcome in changed_files(args.seed):
        files += 1
        if outcome.is_fault:
            faults += 1
            print(
                f"{outcome.how} {name}: {outcome.seconds:.1f} s, {outcome.nbytes / 1e6:.0f} MB: {outcome.said[-300:]}",
                flush=True,
            )
        if time.monotonic() - start > half:
            break
    print(
        f"{rounds} rounds of {len(targets(Path('.')))} parsers, {files:,} changed files: {faults} faults"
    )
    return int(faults > 0)


if __name__ == "__main__":
    raise SystemExit(main())
