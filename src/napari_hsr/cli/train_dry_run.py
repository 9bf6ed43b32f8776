"""``napari-hsr train --dry-run``: what a training would read and do, without doing it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.interrupt import cancelled_by_user
from napari_hsr.cli.output import note, print_json, print_pairs, print_table
from napari_hsr.cli.train_messages import EventPrinter, describe_plan, image_table
from napari_hsr.errors import HSRError
from napari_hsr.units import format_bytes, format_seconds, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from napari_hsr.training.data.findings import Findings
    from napari_hsr.training.recipe.schema import Recipe
    from napari_hsr.training.runs.estimate import Estimate


def dry_run(recipe: Recipe, as_json: bool) -> int:
    """Check the data, and print pairs, split, shapes, ranges, estimated time and memory.

    Returns 0 if the training could start; otherwise prints all of it and raises the reason.
    """
    from napari_hsr.training.data.inspection import inspect_events
    from napari_hsr.training.events import result_of
    from napari_hsr.training.runs.estimate import estimate_events

    printer = EventPrinter()
    fault = estimate = thumbnails = None
    with cancelled_by_user(None) as cancel:
        findings = result_of(inspect_events(recipe, cancel), printer)
        printer.clear()
        try:
            findings.check()
            if recipe.materials is not None:
                from napari_hsr.training.data import cache
                from napari_hsr.training.data.painted_thumbnails import write_thumbnails

                place = cache.folder(recipe.data.cache) / f"painted-{recipe.name}.png"
                thumbnails = write_thumbnails(recipe, place)
            estimate = result_of(estimate_events(recipe, findings=findings))
        except HSRError as error:
            fault = error
    if as_json:
        print_json(_content(recipe, findings, estimate, fault, thumbnails))
    else:
        _print(recipe, findings, estimate, thumbnails)
    if fault is not None:
        raise fault
    return 0


def _print(
    recipe: Recipe, findings: Findings, estimate: Estimate | None, thumbnails: Path | None
) -> None:
    print_table(*image_table(findings))
    for row in findings.rows:
        if row.problem:  # warnings about the others were printed while they were checked
            print(one_line(f"{row.name}: {row.problem}"))
            note(f"{row.name}: {warning}" for warning in row.warnings)
    print()
    nm = findings.wavelengths
    print_pairs(
        [
            ("Train", _images(len(findings.train))),
            ("Held out", _images(len(findings.held_out))),
            ("Decoded on disk", format_bytes(findings.decoded_bytes)),
            ("Wavelengths", nm.describe() if nm is not None else "not known"),
            ("Model", recipe.model.start or recipe.model.architecture),
            ("Strategy", recipe.strategy),
            ("Plan", describe_plan(recipe)),
            ("Estimated time", format_seconds(estimate.seconds) if estimate else None),
            ("Estimated memory", format_bytes(estimate.memory_bytes) if estimate else None),
            ("Device", estimate.device if estimate else None),
            ("Painted scenes", thumbnails),
        ]
    )


def _content(
    recipe: Recipe,
    findings: Findings,
    estimate: Estimate | None,
    fault: HSRError | None,
    thumbnails: Path | None,
) -> dict[str, Any]:
    return {
        "recipe": recipe.model_dump(mode="json"),
        "images": [
            {
                "name": row.name,
                "rgb": row.rgb,
                "cube": row.cube,
                "shape": [row.bands, row.height, row.width],
                "cube_range": row.cube_range,
                "rgb_range": row.rgb_range,
                "made_coarse": row.coarse,
                "left_over": row.left_over,
                "held_out": row.held_out,
                "problem": row.problem or "",
                "warnings": list(row.warnings),
            }
            for row in findings.rows
        ],
        "wavelengths_nm": None if findings.wavelengths is None else list(findings.wavelengths),
        "estimate": None if estimate is None else asdict(estimate),
        **({} if thumbnails is None else {"painted_scenes": str(thumbnails)}),
        "obstacle": None if fault is None else str(fault),
    }


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"
