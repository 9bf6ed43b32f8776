"""``napari-hsr train --dry-run``: what a training would read and do, without doing it."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.output import note, print_json, print_pairs, print_table
from napari_hsr.cli.train_stop import asked_to_stop
from napari_hsr.cli.train_words import Speaker, plan_words, table_of
from napari_hsr.training.runs.figures_text import bytes_words, duration

if TYPE_CHECKING:
    from napari_hsr.training.recipe.schema import Recipe


def dry_run(recipe: Recipe, as_json: bool) -> int:
    """Read the data, print pairs, split, shapes, ranges, estimated time and memory.

    Returns 0 if the training could start, else 1 after all of it was printed.
    """
    from napari_hsr.errors import HSRError
    from napari_hsr.training.data import inspection

    speaker = Speaker()
    with asked_to_stop(None) as stop:
        findings = inspection.inspect(recipe, speaker, stop)
    speaker.clear()
    obstacle = estimate = None
    try:
        findings.check()
        from napari_hsr.training import train

        estimate = train.estimate(recipe, findings)
    except HSRError as error:
        obstacle = str(error)
    if as_json:
        print_json(_content(recipe, findings, estimate, obstacle))
    else:
        _say(recipe, findings, estimate)
    if obstacle:
        raise HSRError(obstacle)
    return 0


def _say(recipe: Recipe, findings, estimate) -> None:
    print_table(*table_of(findings))
    told = "\n".join(notice.text for notice in findings.notices)  # while they were looked at
    for row in findings.rows:
        if row.problem:
            print(f"{row.name}: {row.problem}")
        note((text for text in row.warnings if text not in told), about=row.name)
    print()
    nm = findings.wavelengths
    print_pairs(
        [
            ("Train", _images(findings.train)),
            ("Held out", _images(findings.held_out)),
            ("Decoded on disk", bytes_words(findings.decoded_bytes)),
            ("Wavelengths", nm.describe() if nm is not None else "not known"),
            ("Model", recipe.model.start or recipe.model.architecture),
            ("Strategy", recipe.strategy),
            ("Plan", plan_words(recipe)),
            ("Estimated time", duration(estimate.seconds) if estimate else None),
            ("Estimated memory", bytes_words(estimate.memory_bytes) if estimate else None),
            ("Device", getattr(estimate, "device", None)),
        ]
    )


def _content(recipe: Recipe, findings, estimate, obstacle: str | None) -> dict[str, Any]:
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
                "problem": row.problem,
                "warnings": list(row.warnings),
            }
            for row in findings.rows
        ],
        "wavelengths_nm": None if findings.wavelengths is None else list(findings.wavelengths),
        "estimate": asdict(estimate) if is_dataclass(estimate) else None,
        "obstacle": obstacle,
    }


def _images(rows: list) -> str:
    return f"{len(rows)} image{'s' * (len(rows) != 1)}"
