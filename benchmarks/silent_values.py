"""Whether damaged files are read as other values, shapes, wavelengths, units or places without a word.

    python benchmarks/silent_values.py [--mutations 1000] [--seed 0] [--only NAME …] [--list FILE]

Each good file is read, then again with one small change, of bits or of characters that look alike.
What comes of it is *same*, *told* (a notice that the good file does not have), *refused*, or read as
others without a word. Of the last it is decided by the layout of the file (``file_layouts``) whether
that could have been seen, and why not (``silent_reasons``); what could is *unexplained*, printed, and
makes the script end with 1. POSIX only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import re
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import apart
import file_layouts
import stated_files
from silent_reasons import BYTES, LINES, NAMES, NUMBERS, UNEXPLAINED, Change, reason, without_parts

from napari_hsr.cameras.cut_off import cut_off
from napari_hsr.errors import HSRError
from napari_hsr.io.tiff import geotiff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What becomes of a changed file; no answer is one that crashed, or took too long.
SAME, TOLD, REFUSED, SILENT, NONE = "same", "told", "refused", "silent", "no answer"
COLUMNS = (SAME, TOLD, REFUSED, BYTES, NUMBERS, LINES, NAMES, UNEXPLAINED, NONE)
#: Values differ from this part of their range on: what rounding makes is less.
DIFFERENCE = 1e-7
_LOOK_ALIKE = dict(
    zip("0O1lI5S8B2Z6b9g,.;:-_{}[]'\"/", "O0lI1S5B8Z2b6g9.,:;_-[]{}\"'1", strict=True)
)
_MARK = "OUTCOME "
#: Facts of the metadata that tell what values or places are.
_FACTS = ("bbl", "fwhm", "ground", "orientation", "norm_factor")


def facts(read: Any) -> dict[str, Any]:
    """What was read, as plain facts; its values are ``data``."""
    if isinstance(read, dict):  # cameras
        found = {name: facts(camera) for name, camera in read.items()}
        return {
            f"{key} of {name}": value for name, one in found.items() for key, value in one.items()
        }
    if dataclasses.is_dataclass(read) and hasattr(read, "matrix"):  # a camera profile
        settings = dataclasses.asdict(read)
        return {"names": (settings.pop("name"), settings.pop("chart")), "settings": settings}
    wavelengths = getattr(read, "wavelengths_nm", None)
    if wavelengths is None:
        wavelengths = getattr(read, "wavelengths", None)
    data = next(
        getattr(read, key) for key in ("data", "values", "sensitivities") if hasattr(read, key)
    )
    metadata = getattr(read, "metadata", None) or {}
    place = getattr(read, "place", None)
    found = {
        "shape": tuple(int(n) for n in data.shape),
        "wavelengths": None if wavelengths is None else np.asarray(wavelengths, float).tolist(),
        "units": (getattr(read, "units", None) or "").lower() or None,
        "encoding": getattr(read, "encoding", None),
        "names": tuple(getattr(read, "names", ())),
        "place": None if place is None else place.to_dict(),
        "data": np.asarray(data),
    }
    for key in _FACTS:
        found[key] = metadata.get(key)
    # a text may say the same place in other words
    found["map info"] = geotiff.stated(metadata) if "map info" in metadata else None
    return found


def notices(read: Any) -> set[str]:
    """What is told of it, without numbers: those of a scale that is told are the file's own.

    Of cameras that is what is told wherever they are used.
    """
    told = getattr(read, "notices", ())
    if isinstance(read, dict):
        told = cut_off(read.values(), np.arange(400.0, 701.0, 10.0))
    return {re.sub(r"[\d.]+", "#", notice.text) for notice in told}


def differing(good: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The facts that are others than those of the good file, of each the good one and the other."""
    out: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*good, *other}):
        first, second = good.get(key), other.get(key)
        if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
            if first.shape == second.shape and (share := other_values(first, second)):
                out[key] = ("values", f"{share:.2%} of them are others")
        elif json.dumps(first, default=str) != json.dumps(second, default=str):
            out[key] = (first, second)
    return out


def other_values(first: np.ndarray, second: np.ndarray) -> float:
    """Which part of the values are others."""
    first, second = first.astype(float), second.astype(float)
    known = first[np.isfinite(first)]
    span = float(np.ptp(known)) if known.size else 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        apart_ = np.abs(first - second) > DIFFERENCE * (span or 1.0)
    unlike = apart_ | (np.isfinite(first) != np.isfinite(second))
    return float(unlike.mean())


def changed(content: bytes, rng: random.Random) -> Change:
    """One small change of a file."""
    runs = [m.span() for m in re.finditer(rb"[\t\r\n\x20-\x7e]{5,}", content)]
    text = sum(end - start for start, end in runs) > 0.95 * len(content)
    if runs and (text or rng.random() < 0.5):
        return _changed_text(content, rng, runs, text)
    most = len(content) if rng.random() < 0.4 else min(len(content), 1024)
    at = rng.randrange(most) if rng.random() < 0.7 else len(content) - 1 - rng.randrange(most)
    how = rng.choice(("bit", "bit", "bit", "byte", "cut", "zeroed"))
    if how == "bit":
        return Change(how, at, at + 1, bytes([content[at] ^ 1 << rng.randrange(8)]))
    if how == "byte":
        return Change(how, at, at + 1, bytes([rng.randrange(256)]))
    if how == "cut":
        return Change(how, at, len(content), b"")
    end = min(at + rng.choice((4, 16, 64, 256)), len(content))
    return Change(how, at, end, bytes(end - at))


def _changed_text(
    content: bytes, rng: random.Random, runs: list[tuple[int, int]], text: bool
) -> Change:
    how = rng.choice(
        ("alike", "alike", "digit gone", "entry gone", "entry doubled", "character gone")
    )
    if text:
        how = rng.choice((how, "line gone", "line doubled", "cut", how))
    patterns = {
        "alike": "[" + re.escape("".join(_LOOK_ALIKE)) + "]", "digit gone": r"\d",
        "entry gone": r"[^,;\s={}\[\]]+[,;\s]+", "entry doubled": r"[^,;\s={}\[\]]+[,;\s]+",
        "character gone": ".", "line gone": r"[^\n]+\n", "line doubled": r"[^\n]+\n", "cut": ".",
    }  # fmt: skip
    found: list[re.Match[bytes]] = []
    start = 0
    for start, end in rng.sample(runs, len(runs)):
        found = list(re.finditer(patterns[how].encode(), content[start:end]))
        if found:
            break
    if not found:
        return Change("nothing", 0, 0, b"")
    one = rng.choice(found)
    first, last = one.start() + start, one.end() + start
    doubled = one[0].decode("latin-1") * 2
    put = {"alike": _LOOK_ALIKE.get(one[0].decode("latin-1"), ""), "entry doubled": doubled,
           "line doubled": doubled}.get(how, "")  # fmt: skip
    end = len(content) if how == "cut" else last
    return Change(how, first, end, put.encode("latin-1"), _field(content, first))


def _field(content: bytes, at: int) -> str:
    """The name of what stands at a place of a text: of the item of the line, or of the list that goes on there."""
    before = content[:at].decode("latin-1")[-4000:]
    named = r"(?:^|[\n{,#])[ \t]*\"?([A-Za-z][\w .-]{0,40}?)\"?[ \t]*(?:[=:]|(?= \d*$))"
    found = list(re.finditer(named, before))
    if not found:
        return "head"
    since = before[found[-1].end() :]
    inside = sum(since.count(sign) for sign in "{[") > sum(since.count(sign) for sign in "}]")
    return found[-1][1] if inside or "\n" not in since else "head"


def outcome(
    good: tuple[dict[str, Any], set[str]], reads: Callable[[], Any]
) -> tuple[str, str | dict[str, Any]]:
    """What became of a changed file, and what was said, or which facts are others."""
    try:
        read = reads()
        other = differing(good[0], facts(read))
    except HSRError as error:
        return REFUSED, str(error)
    said = notices(read) - good[1]
    if said:
        return TOLD, " | ".join(sorted(said))
    return (SILENT, other) if other else (SAME, "")


def run(count: int, seed: int, only: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """What became of each change, and why of those that were not seen."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, work = Path(folder) / "in", Path(folder) / "work"
        inputs.mkdir()
        work.mkdir()
        files = [one for one in stated_files.every(inputs) if not only or one.name in only]
        known = {}
        for one in files:
            read = one.read()
            known[one.name] = (facts(read), notices(read))
        contents = {path: path.read_bytes() for one in files for path in one.files}
        parts = {path: file_layouts.of(path, content) for path, content in contents.items()}

        def chosen(index: int) -> tuple[stated_files.Stated, Path, Change]:
            rng = random.Random(f"{seed} {index}")
            one = files[index % len(files)]
            path = rng.choice(one.changed or one.files)
            return one, path, changed(contents[path], rng)

        def without_effect(
            one: stated_files.Stated, path: Path, rest: Change, content: bytes
        ) -> bool:
            """Whether what changed beside the known parts changes nothing by itself."""
            now = path.read_bytes()
            path.write_bytes(rest.of(content))
            answer = apart.apart(
                lambda: int(outcome(known[one.name], one.read)[0] != SAME), str(work)
            )
            path.write_bytes(now)
            return answer.how == apart.TAKEN

        def call_of(index: int) -> Callable[[], int]:
            if index:
                last = chosen(index - 1)[1]
                last.write_bytes(contents[last])
            one, path, change = chosen(index)
            path.write_bytes(change.of(contents[path]))

            def call() -> int:
                print(_MARK + json.dumps(outcome(known[one.name], one.read), default=str))
                return 0

            return call

        for index, answer in enumerate(apart.in_turn(call_of, count, str(work))):
            one, path, change = chosen(index)
            content = contents[path]
            lines = [t for t in answer.said.splitlines() if t.startswith(_MARK)]
            how, told = (
                json.loads(lines[-1][len(_MARK) :]) if lines else (NONE, answer.said[-2000:])
            )
            if how == SILENT:
                text = file_layouts.is_text(content)
                how = reason(change, content, parts[path], text, told)
                rest = without_parts(change, content, parts[path])
                if how == UNEXPLAINED and rest is not None and not text:
                    how = BYTES if without_effect(one, path, rest, content) else how
            yield {
                "file": one.name,
                "part": path.name,
                "change": change.shown(content),
                "how": how,
                "told": told,
            }


def table(counts: dict[str, Counter[str]]) -> list[str]:
    """Rows by kind of file."""
    rows = [f"| file | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    total: Counter[str] = sum(counts.values(), Counter())
    for name, count in [*sorted(counts.items()), ("all", total)]:
        rows.append(f"| {name} | {' | '.join(f'{count[key]:,}' for key in COLUMNS)} |")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="only these files")
    parser.add_argument("--list", type=Path, help="a file of JSON lines for what is not the same")
    args = parser.parse_args()
    os.environ["NAPARI_HSR_DATA"] = tempfile.mkdtemp()
    os.environ["NAPARI_HSR_CACHE"] = tempfile.mkdtemp()
    apart.warm()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    kept = args.list.open("w", encoding="utf-8") if args.list else None
    for one in run(args.mutations, args.seed, tuple(args.only)):
        counts[one["file"]][one["how"]] += 1
        if kept is not None and one["how"] != SAME:
            kept.write(json.dumps(one) + "\n")
            kept.flush()
        if one["how"] in (UNEXPLAINED, NONE):
            print(
                f"{one['how']}: {one['file']} ({one['part']}), {one['change']}: {_short(one['told'])}"
            )
    print(*table(counts), sep="\n")
    return int(any(count[NONE] or count[UNEXPLAINED] for count in counts.values()))


def _short(other: str | dict[str, Any]) -> str:
    """Which facts are others, in a line."""
    if isinstance(other, str):
        return other
    return "; ".join(f"{key}: {str(a)[:70]} -> {str(b)[:70]}" for key, (a, b) in other.items())


if __name__ == "__main__":
    raise SystemExit(main())
