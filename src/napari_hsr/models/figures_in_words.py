"""What cards' figures are of, in words: sources of cubes, and changes of a stress test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Sources of the bundled models' figures, which cards name as their files are named.
_SOURCES = {
    "CAVE val": "CAVE scenes of the validation set",
    "esser_chart113": "Esser chart, 113 patches",
    "colorchecker_sg140": "ColorChecker SG, 140 patches",
    "aviris_90x90": "land from the air (AVIRIS, 90 × 90 pixels)",
    "hippo_fenix_38x23": "napari-hippo's sample cube (FENIX, 38 × 23 pixels)",
    "jasper_ridge_100x100": "Jasper Ridge from the air (100 × 100 pixels)",
    "pavia_rosis_80x50": "Pavia from the air (ROSIS, 80 × 50 pixels)",
}
#: The changes of :mod:`napari_hsr.inference.trust.stress`, whose names begin with their kind.
_CHANGES = ("metamers", "exposure", "white balance", "JPEG", "noise", "blur")


def source_words(source: str) -> str:
    """A source of figures in words; one that is not known without underscores."""
    return _SOURCES.get(source, source.replace("_", " "))


def stress_rows(stress: Mapping[str, Mapping[str, float]], protocol: str) -> list[tuple[str, str]]:
    """(heading, text) pairs: what was measured, then a row for each kind of change."""
    told = {k: v for k, v in stress.items() if v.keys() >= {"moved", "sam_deg"}}
    rows: dict[str, list[str]] = {}
    for test, figures in told.items():
        kind = next((k for k in _CHANGES if test.startswith(f"{k} ")), "")
        strength = test.removeprefix(f"{kind} ")
        answer = f"{figures['moved']:.1%}, {figures['sam_deg']:.1f}°"
        rows.setdefault(kind, []).append(f"{strength}: {answer}")
    intro = f"how far the answer moves and what its SAM is when the photograph changes; {protocol}"
    return [
        ("Stress test", intro),
        *((f"– {kind or 'photograph'}", "; ".join(each)) for kind, each in rows.items()),
    ]
