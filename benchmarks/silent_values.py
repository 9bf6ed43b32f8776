"""Whether damaged files are read as other values, shapes, wavelengths, units or places without a word.

    python benchmarks/silent_values.py [--mutations 1000] [--seed 0] [--only NAME …] [--list FILE]

Each good file is read, then again with one small change, of bits or of characters that look alike.
What comes of it is *same*, *told* (a notice that the good file does not have), *refused*, or *silent*.
Many silent ones cannot be otherwise: a digit is as good as another, and most formats keep no sums of
check of their pixels. The list says of each what was changed, for a person to judge. POSIX only.
"""

from __future__ import annotations

import argparse
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
import stated_files

from napari_hsr.errors import HSRError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What becomes of a changed file; no answer is one that crashed, or took too long.
SAME, TOLD, REFUSED, SILENT, NONE = "same", "told", "refused", "silent", "no answer"
#: Other values: more than this part of them differ by more than this part of their range.
PART, DIFFERENCE = 0.02, 0.01
_LOOK_ALIKE = dict(
    zip("0O1lI5S8B2Z6b9g,.;:-_{}[]'\"/", "O0lI1S5B8Z2b6g9.,:;_-[]{}\"'1", strict=True)
)
_MARK = "OUTCOME "
#: Facts of the metadata that tell what values or places are.
_FACTS = ("bbl", "fwhm", "map info", "ground", "orientation", "norm_factor")


def facts(read: Any) -> dict[str, Any]:
    """What was read, as plain facts; its values are ``data``."""
    if isinstance(read, dict):  # cameras
        found = {name: facts(camera) for name, camera in read.items()}
        return {f"{name} {key}": value for name, one in found.items() for key, value in one.items()}
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
        "units": getattr(read, "units", None),
        "encoding": getattr(read, "encoding", None),
        "names": tuple(getattr(read, "names", ())),
        "place": None if place is None else place.to_dict(),
        "data": np.asarray(data),
    }
    for key in _FACTS:
        found[key] = metadata.get(key)
    return found


def notices(read: Any) -> set[str]:
    """What is told of it, without numbers: those of a scale that is told are the file's own."""
    return {re.sub(r"[\d.]+", "#", notice.text) for notice in getattr(read, "notices", ())}


def differing(good: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The facts that are others than those of the good file."""
    out = []
    for key in sorted({*good, *other}):
        first, second = good.get(key), other.get(key)
        if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
            if first.shape == second.shape and other_values(first, second):
                out.append(key)
        elif json.dumps(first, default=str) != json.dumps(second, default=str):
            out.append(key)
    return out


def other_values(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether values differ by more than a few pixels' worth."""
    first, second = first.astype(float), second.astype(float)
    known = first[np.isfinite(first)]
    span = float(np.ptp(known)) if known.size else 1.0
    with np.errstate(invalid="ignore"):
        apart_ = np.abs(first - second) > DIFFERENCE * (span or 1.0)
    unlike = apart_ | (np.isfinite(first) != np.isfinite(second))
    return bool(unlike.mean() > PART)


def changed(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A copy with one small change, and what it was."""
    runs = [m.span() for m in re.finditer(rb"[\t\r\n\x20-\x7e]{5,}", content)]
    text = sum(end - start for start, end in runs) > 0.95 * len(content)
    if runs and (text or rng.random() < 0.5):
        return _changed_text(content, rng, runs, text)
    data = bytearray(content)
    most = len(data) if rng.random() < 0.4 else min(len(data), 1024)
    at = rng.randrange(most) if rng.random() < 0.7 else len(data) - 1 - rng.randrange(most)
    how = rng.choice(("bit", "bit", "bit", "byte", "cut", "zeroed"))
    if how == "bit":
        data[at] ^= 1 << rng.randrange(8)
    elif how == "byte":
        data[at] = rng.randrange(256)
    elif how == "cut":
        del data[at:]
    else:
        size = rng.choice((4, 16, 64, 256))
        data[at : at + size] = bytes(len(data[at : at + size]))
    return bytes(data), f"{how} at {at} of {len(content)} ({content[max(at - 12, 0) : at + 12]!r})"


def _changed_text(
    content: bytes, rng: random.Random, runs: list[tuple[int, int]], text: bool
) -> tuple[bytes, str]:
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
        return content, "nothing"
    one = rng.choice(found)
    first, last = one.start() + start, one.end() + start
    put = {"alike": _LOOK_ALIKE.get(one[0].decode(), ""), "entry doubled": one[0].decode() * 2,
           "line doubled": one[0].decode() * 2}.get(how, "")  # fmt: skip
    tail = b"" if how == "cut" else content[last:]
    new = content[:first] + put.encode() + tail
    shown = (
        content[max(first - 30, 0) : first]
        + b"<"
        + content[first:last]
        + b">"
        + content[last : last + 20]
    )
    return new, f"{how} ({_field(content, first)}) {shown!r} -> {put!r}"


def _field(content: bytes, at: int) -> str:
    """The name of what stands at a place of a text: of the item whose value it is."""
    before = content[:at].decode("latin-1")[-4000:]
    names = re.findall(r"(?:^|[\n{,])\s*\"?([A-Za-z][\w .-]{0,40}?)\"?\s*[=:]", before)
    return names[-1] if names else "head"


def outcome(good: tuple[dict[str, Any], set[str]], reads: Callable[[], Any]) -> tuple[str, str]:
    """What became of a changed file, and which facts are others or what was said."""
    try:
        read = reads()
        other = differing(good[0], facts(read))
    except HSRError as error:
        return REFUSED, str(error)
    said = notices(read) - good[1]
    if said:
        return TOLD, " | ".join(sorted(said))
    return (SILENT, ", ".join(other)) if other else (SAME, "")


def run(count: int, seed: int, only: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """What became of each change."""
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

        def chosen(index: int) -> tuple[stated_files.Stated, Path, bytes, str]:
            rng = random.Random(f"{seed} {index}")
            one = files[index % len(files)]
            path = rng.choice(one.changed or one.files)
            return one, path, *changed(contents[path], rng)

        def call_of(index: int) -> Callable[[], int]:
            if index:
                last = chosen(index - 1)[1]
                last.write_bytes(contents[last])
            one, path, content, _ = chosen(index)
            path.write_bytes(content)

            def call() -> int:
                print(_MARK + json.dumps(outcome(known[one.name], one.read)))
                return 0

            return call

        for index, answer in enumerate(apart.in_turn(call_of, count, str(work))):
            one, path, _, what = chosen(index)
            lines = [t for t in answer.said.splitlines() if t.startswith(_MARK)]
            how, told = (
                json.loads(lines[-1][len(_MARK) :]) if lines else (NONE, answer.said[-2000:])
            )
            yield {"file": one.name, "part": path.name, "change": what, "how": how, "told": told}


def table(counts: dict[str, Counter[str]]) -> list[str]:
    """Rows by kind of file."""
    columns = (SAME, TOLD, REFUSED, SILENT, NONE)
    rows = [f"| file | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    total: Counter[str] = sum(counts.values(), Counter())
    for name, count in [*sorted(counts.items()), ("all", total)]:
        rows.append(f"| {name} | {' | '.join(f'{count[key]:,}' for key in columns)} |")
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
    print(*table(counts), sep="\n")
    return int(any(count[NONE] for count in counts.values()))


if __name__ == "__main__":
    raise SystemExit(main())
