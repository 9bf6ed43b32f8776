"""What bad inputs do: made-up ones of every kind, and good files with a few bytes changed.

    python benchmarks/hostile_inputs.py [--mutations 1000] [--kind TIFF] [--markdown FILE]

Each is opened by the command line in a process of its own. It must be read, or refused in one
sentence, within 5 s of CPU and 500 MB, and run nothing that it carries. The exit status is 1 if any was
not. POSIX only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import apart
import bad_inputs
import corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What a good file with bytes changed is counted as.
MUTATED = "good files, bytes changed"
#: Of mallopt: what memory is filled with when it is handed out and given back.
_PERTURB = -6


def made(kind: str | None) -> Iterator[tuple[str, str, apart.Outcome]]:
    """Every made-up input, and what became of it."""
    for of, name, make in bad_inputs.every():
        if kind is not None and kind.lower() not in of.lower():
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
    count: int, seed: int, suffixes: tuple[str, ...]
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

        def call_of(index: int) -> Callable[[], int]:
            if index:
                _, _, last = chosen(index - 1)
                last.write_bytes(contents[last])
            rng, one, path = chosen(index)
            path.write_bytes(corpus.mutated(contents[path], rng))
            return opened(one, known.get(one.name))

        for index, outcome in enumerate(apart.in_turn(call_of, count, str(work))):
            path = chosen(index)[2]
            yield MUTATED, f"{path.relative_to(inputs)} {seed} {index}", outcome


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
            found.append(values_of(good.image))
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
    args = parser.parse_args()
    os.environ["NAPARI_HSR_DATA"] = tempfile.mkdtemp()
    os.environ["NAPARI_HSR_CACHE"] = tempfile.mkdtemp()
    apart.warm()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    slowest: defaultdict[str, float] = defaultdict(float)
    largest: defaultdict[str, int] = defaultdict(int)
    start = time.monotonic()
    for source in (made(args.kind), mutated(args.mutations, args.seed, tuple(args.suffix))):
        for kind, name, outcome in source:
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
        args.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(any(count[how] for count in counts.values() for how in apart.FAULTS))


if __name__ == "__main__":
    raise SystemExit(main())
