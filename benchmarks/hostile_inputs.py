"""What bad inputs do: made-up ones of every kind, and good files with a few bytes changed.

    python benchmarks/hostile_inputs.py [--mutations 1000] [--kind TIFF] [--markdown FILE] [--journal FILE]

Each is opened by the command line in a process of its own. It must be read, or refused in one
sentence, within 5 s of CPU and 500 MB, and run nothing that it carries. The exit status is 1 if any was
not. POSIX only.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import hashlib
import json
import os
import platform
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import apart
import bad_inputs
import corpus

from napari_hsr import __version__
from napari_hsr.errors import HSRError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: What a good file with bytes changed is counted as.
MUTATED = "good files, bytes changed"
#: Of mallopt: what memory is filled with when it is handed out and given back.
_PERTURB = -6


class Journal:
    """What became of every input until now, in a file of JSON lines, or nowhere.

    Lines of another version of the package are no part of this run.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._run = {"version": __version__, "tree": _tree()}
        self.known: dict[tuple[str, str], apart.Outcome] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                kind, name, run, outcome = json.loads(line)
                if run == self._run:
                    self.known[kind, name] = apart.Outcome(**outcome)

    def add(self, kind: str, name: str, outcome: apart.Outcome) -> None:
        if self._path is None or (kind, name) in self.known:
            return
        if not outcome.is_fault:  # what was said of thousands of files is not kept
            outcome = dataclasses.replace(outcome, said="")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([kind, name, self._run, dataclasses.asdict(outcome)]) + "\n")


def _made_by(seed: int) -> str:
    """The seed, the machine and the versions behind a table."""
    libraries = ", ".join(
        f"{name} {version(name)}"
        for name in ("numpy", "h5py", "tifffile", "imagecodecs", "zarr", "pillow", "scipy", "torch")
    )
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return (
        f"Seed {seed}; napari-hsr {__version__} (sources {_tree()}), Python "
        f"{platform.python_version()}, {libraries}; {found[1] if found else platform.processor()}, "
        f"{os.cpu_count()} threads, {platform.system()} {platform.release()}; {time.strftime('%Y-%m-%d')}."
    )


def _tree() -> str:
    """What the package's own files are, in a few letters."""
    import napari_hsr

    sums = hashlib.sha256()
    for path in sorted(Path(napari_hsr.__file__).parent.rglob("*.py")):
        sums.update(path.read_bytes())
    return sums.hexdigest()[:12]


def made(kind: str | None, journal: Journal) -> Iterator[tuple[str, str, apart.Outcome]]:
    """Every made-up input, and what became of it."""
    for of, name, make in bad_inputs.every():
        if kind is not None and kind.lower() not in of.lower():
            continue
        if (of, name) in journal.known:
            yield of, name, journal.known[of, name]
            continue
        with tempfile.TemporaryDirectory() as folder:
            inputs, work = Path(folder) / "in", Path(folder) / "work"
            inputs.mkdir()
            work.mkdir()
            try:
                arguments = make(inputs)
            except Exception as error:
                yield of, name, apart.Outcome(apart.FAULT, 0, 0, f"could not be made: {error!r}")
                continue
            call = arguments if callable(arguments) else apart.command(*arguments)
            outcome = apart.apart(call, str(work))
            if any(found.name == "owned" for found in Path(folder).rglob("owned")):
                outcome = apart.Outcome(
                    apart.FAULT, outcome.seconds, outcome.nbytes, "CODE WAS RUN"
                )
            yield of, name, outcome


def mutated(
    count: int, seed: int, suffixes: tuple[str, ...], journal: Journal
) -> Iterator[tuple[str, str, apart.Outcome]]:
    """Good files with a few bytes changed, cut short, or parts of them doubled."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, work = Path(folder) / "in", Path(folder) / "work"
        inputs.mkdir()
        work.mkdir()
        good = [g for g in corpus.make(inputs) if g.name.endswith(suffixes)]
        known = {g.name: values_of(g.image) for g in good if g.name in corpus.SUMMED and g.image}
        contents = {path: path.read_bytes() for g in good for path in g.files}

        def chosen(index: int) -> tuple[random.Random, corpus.Good, Path]:
            rng = random.Random(f"{seed} {index}")
            one = rng.choice(good)
            return rng, one, rng.choice(one.files)

        def name_of(index: int) -> str:
            return f"{chosen(index)[2].relative_to(inputs)} {seed} {index}"

        left: Sequence[int] = range(count)
        if journal.known:
            left = [n for n in left if (MUTATED, name_of(n)) not in journal.known]
        for index in range(count if journal.known else 0):
            outcome = journal.known.get((MUTATED, name_of(index)))
            if outcome is not None:
                yield MUTATED, name_of(index), outcome

        def call_of(number: int) -> Callable[[], int]:
            if number:
                _, _, last = chosen(left[number - 1])
                last.write_bytes(contents[last])
            rng, one, path = chosen(left[number])
            path.write_bytes(corpus.mutated(contents[path], rng))
            return opened(one, known.get(one.name))

        outcomes = apart.in_turn(call_of, len(left), str(work))
        for index, outcome in zip(left, outcomes, strict=True):
            yield MUTATED, name_of(index), outcome


def values_of(path: Path) -> np.ndarray:
    """All values of an image."""
    from napari_hsr.io import read

    return np.array(read(path).data)


def opened(good: corpus.Good, known: np.ndarray | None) -> Callable[[], int]:
    """A call that opens a file by its command, and looks whether its values can be relied on.

    Memory that is handed out is filled with another pattern at the second reading, so that values
    which come from there differ; a format with sums of check must give its values or none.
    """
    command = apart.command(*good.command)

    def call() -> int:
        status = command()
        if status or good.image is None:
            return status
        found, system = [], ctypes.CDLL(None)
        for pattern in (0x5A, 0xA5):
            system.mallopt(_PERTURB, pattern)
            try:
                found.append(values_of(good.image))
            except HSRError as error:  # damage that only its values show
                print(error)
                return 1
        system.mallopt(_PERTURB, 0)
        if not np.array_equal(*found, equal_nan=found[0].dtype.kind == "f"):
            print(apart.WRONG, "two readings differ")
        if known is not None and not np.array_equal(known, found[0]):
            print(apart.WRONG, "other values were read")
        return status

    return call


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--suffix", nargs="*", default=[""], help="only mutations of such files")
    parser.add_argument("--kind", help="only kinds with this in their name")
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    parser.add_argument("--journal", type=Path, help="go on with the run that is written there")
    args = parser.parse_args()
    os.environ["NAPARI_HSR_DATA"] = tempfile.mkdtemp()
    os.environ["NAPARI_HSR_CACHE"] = tempfile.mkdtemp()
    apart.warm()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    slowest: defaultdict[str, float] = defaultdict(float)
    largest: defaultdict[str, int] = defaultdict(int)
    start = time.monotonic()
    journal = Journal(args.journal)
    changed = mutated(args.mutations, args.seed, tuple(args.suffix), journal)
    for source in (made(args.kind, journal), changed):
        for kind, name, outcome in source:
            journal.add(kind, name, outcome)
            counts[kind][outcome.how] += 1
            slowest[kind] = max(slowest[kind], outcome.seconds)
            largest[kind] = max(largest[kind], outcome.nbytes)
            if outcome.is_fault:
                said = " ".join(outcome.said.split())[-300:]
                print(
                    f"{outcome.how} {kind}: {name}: {outcome.seconds:.1f} s, {outcome.nbytes / 1e6:.0f} MB: {said}",
                    flush=True,
                )
    lines = [
        "| kind | inputs | read | refused | faults | longest | most memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, count in counts.items():
        bad = sum(count[how] for how in apart.FAULTS)
        lines.append(
            f"| {kind} | {count.total():,} | {count[apart.TAKEN]:,} | {count[apart.REFUSED]:,} | {bad} | "
            f"{slowest[kind]:.1f} s | {largest[kind] / 1e6:.0f} MB |"
        )
    print(*lines, f"{time.monotonic() - start:.0f} s in all", sep="\n")
    if args.markdown is not None:
        lines += ["", _made_by(args.seed)]
        args.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(any(count[how] for count in counts.values() for how in apart.FAULTS))


if __name__ == "__main__":
    raise SystemExit(main())
