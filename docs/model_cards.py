"""What the documentation writes itself: the cards of the bundled models, and the examples."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path

from napari_hsr.models.figures_in_words import source_words

CARDS, EXAMPLES = "<!-- model cards -->", "<!-- examples -->"


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Called by mkdocs for each page."""
    if CARDS in markdown:
        markdown = markdown.replace(CARDS, cards())
    if EXAMPLES in markdown:
        markdown = markdown.replace(EXAMPLES, examples(Path(config.docs_dir) / "examples"))
    return markdown


def cards() -> str:
    """The bundled models' cards, in the order of the list."""
    from napari_hsr.models.bundled_models import bundled

    return "\n\n".join(_card(card) for card, _path in bundled().values())


def _card(card) -> str:
    facts = {
        "Best for": card.best_for,
        "Trained on": card.training_data,
        "Input": card.input_encoding,
        "Licence of the weights": card.licence,
        "Limits": card.limits,
    }
    lines = [f"## {card.title}", f"`{card.name}`", ""]
    lines += [f"* **{name}:** {value}" for name, value in facts.items() if value]
    for figures, words in (
        (card.sources, card.sources_protocol),
        (card.intervals and card.intervals.figures, _intervals(card)),
        (card.stress, f"Stress test {card.stress_protocol}"),
    ):
        if figures:
            lines += ["", words, "", *_table(figures)]
    if card.stress:
        lines += ["", _plot(card)]
    return "\n".join(lines)


def _intervals(card) -> str:
    """What the figures of the intervals are."""
    table = card.intervals
    return table and (
        f"Intervals of {table.coverage:.0%}, calibrated on {table.photographs} photographs: "
        f"{table.calibrated_on}. *coverage*, *coverage_regions* (of their means), *auroc* (area under the ROC of the difficulty times the "
        "brightness, for errors in reflectance in the worst quartile of the source) and *auroc_relative* (of "
        "the difficulty, for errors relative to the brightness) are those of a source that took no part in "
        "the calibration, *coverage_shipped* is with all that did, "
        "*half_width* relative to the brightness, *unlike* the share of pixels unlike the training."
    )


def _plot(card) -> str:
    """The stress test of a card as a picture, inside the page."""
    from napari_hsr.inference.trust.stress import StressReport
    from napari_hsr.inference.trust.stress_plot import write_plot

    with tempfile.TemporaryDirectory() as folder:
        drawn = write_plot(StressReport.of_card(card), Path(folder) / "stress.png").read_bytes()
    data = base64.b64encode(drawn).decode()
    return f"![How far the answers of {card.name} move, and how wrong they are](data:image/png;base64,{data})"


def _table(rows: dict[str, dict[str, float]]) -> list[str]:
    """Figures by source as Markdown."""
    figures = list(dict.fromkeys(name for values in rows.values() for name in values))
    lines = [f"| | {' | '.join(figures)} |", f"|---|{'---|' * len(figures)}"]
    for source, values in rows.items():
        cells = (f"{values[name]:.4g}" if name in values else "" for name in figures)
        lines.append(f"| {source_words(source)} | {' | '.join(cells)} |")
    return lines


def examples(folder: Path) -> str:
    """Notebooks as text and code; `tests/test_examples.py` runs them."""
    parts = []
    for file in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts)
