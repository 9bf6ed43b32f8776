"""``predict --stack``: the frames of a film, a folder or a pattern into one zarr store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_hsr.cli.output import note, print_json, worked
from napari_hsr.units import format_seconds, one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def run(args: argparse.Namespace) -> int:
    """Carry out the command; 1 if a frame was left empty, 130 after Ctrl-C."""
    from pathlib import Path

    from napari_hsr.cli.files import prepare_output
    from napari_hsr.errors import Cancelled
    from napari_hsr.inference.stacks.frames_on_disk import store_frames_events
    from napari_hsr.io.stacks import read_stack
    from napari_hsr.io.zarr.unfinished_store import unfinished
    from napari_hsr.models import DEFAULT
    from napari_hsr.workers import connected

    _check(args)
    axis = {"axis": "time", "step": args.interval, "unit": "second"} if args.interval else {}
    stack = read_stack(args.inputs[0], full_scale=args.full_scale, **axis)
    prepare_output(Path(args.output), [Path(args.inputs[0])], args.overwrite)
    names = ["device", "tile", "precision", "ensemble", "finer", "detail", "exact", "camera"]
    names += ["output", "overwrite", "watch"]
    options: dict[str, Any] = {name: getattr(args, name) for name in names}
    options["encoding"] = args.input_encoding
    with connected(args.scheduler, args.workers) as client:
        options["client"] = client
        try:
            stored = worked(
                lambda cancel: _time_told(
                    store_frames_events(stack, args.model or DEFAULT, cancel=cancel, **options)
                )
            )
        except Cancelled:
            begun = unfinished(Path(args.output))
            note([f"{begun} keeps what is finished: the same command goes on with it."])
            return 130
    note(stored.notices)
    if args.json:
        failures = {str(number + 1): why for number, why in stored.failures.items()}
        facts = {"output": str(stored.path), "frames": stored.frames, "computed": stored.computed}
        print_json({**facts, "failures": failures, "seconds": stored.seconds})
    else:
        there = stored.frames - len(stored.failures)
        empty = f", {len(stored.failures)} left empty" if stored.failures else ""
        told = (
            f"{there} frame{'' if there == 1 else 's'} in {format_seconds(stored.seconds)}{empty}"
        )
        print(one_line(f"{args.inputs[0]} -> {stored.path}: {told}"))
    return int(bool(stored.failures))


def _time_told(events: Iterator[Any]) -> Iterator[Any]:
    """The same events; the time that all frames will take is told before they begin."""
    first = next(events)
    left = getattr(first, "seconds_left", None)
    if left:
        note([f"All frames take about {format_seconds(left)} on this device."])
    yield first
    yield from events


def _check(args: argparse.Namespace) -> None:
    """Wrong usage exits."""
    if not args.stack:
        args.usage_error("--watch and --interval go with --stack")
    if len(args.inputs) != 1:
        args.usage_error("--stack takes one film, folder or pattern (in quotes)")
    if not args.output.lower().endswith(".zarr"):
        args.usage_error("--stack writes one store: name it OUT.zarr")
    if args.intervals or args.jobs or args.summary:
        args.usage_error("--stack goes with neither --intervals nor --jobs nor --summary")
    for option in ("variable", "axes", "bands", "no_data"):
        if getattr(args, option) is not None:
            args.usage_error(f"--stack reads photographs, without --{option.replace('_', '-')}")
    if args.format and args.format.lower().lstrip(".") != "zarr":
        args.usage_error("--stack writes a zarr store, without another --format")
    if args.region:
        args.usage_error("--stack computes whole frames, without --region")
