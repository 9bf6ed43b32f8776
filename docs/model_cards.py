"""What the documentation writes itself: the cards of the bundled models, and the examples."""

from __future__ import annotations

import json
from pathlib import Path

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
    if card.sources:
        lines += ["", card.sources_protocol, ""]
        figures = list(next(iter(card.sources.values())))
        lines += [f"| source | {' | '.join(figures)} |", f"|---|{'---|' * len(figures)}"]
        for source, values in card.sources.items():
            lines.append(f"| {source} | {' | '.join(f'{values[f]:.4g}' for f in figures)} |")
    return "\n".join(lines)


def examples(folder: Path) -> str:
    """Notebooks as text and code; `tests/test_examples.py` runs them."""
    parts = []
    for file in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts)
