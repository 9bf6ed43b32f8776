"""Numbers that must not change: results of the models on board, and the README's figures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import napari_hsr
from napari_hsr import Photograph

from .basis import CHECKOUT, cube, numbers, photograph, run

if TYPE_CHECKING:
    from pathlib import Path

BASELINES = ("bicubic-matlab", "bicubic-opencv", "bicubic-torch", "box")
PROTOCOLS = (
    *("default", "cave-val", "mstpp", "mstpp-validation", "mstpp-custom", "drcr", "drcr-train"),
    *("mxrunet", "inr", "dualsr", "sspsr", "ntire2022"),
)


def golden_numbers(folder: Path) -> dict[str, Any]:
    """What the models on board, baselines, renderings and metrics give for fixed inputs."""
    photo, coarse, truth = photograph(40, 32), cube(height=16, width=12), cube(seed=2)
    options = {"device": "cpu", "precision": "float32"}
    found: dict[str, Any] = {}
    for card in napari_hsr.list_models():
        if card.input_encoding == "cube":
            made = napari_hsr.super_resolve(coarse, card.name, card.scale, **options)
        else:
            encoding = card.input_encoding  # the same numbers as if they were what it takes
            made = napari_hsr.reconstruct(
                Photograph(photo.data, encoding=encoding), card.name, **options
            )
        found[card.name] = numbers(made.data)
    for name, how in {"rootpoly-srgb": {}, "mstpp-photo": {"tile": 24, "ensemble": "mean"}}.items():
        made = napari_hsr.reconstruct(photo, name, **how, **options)
        found[f"{name} of sRGB"] = numbers(made.data)
    for name in BASELINES:
        made = napari_hsr.super_resolve(coarse, name, 2, **options)
        found[name] = numbers(made.data)
    made = napari_hsr.super_resolve(coarse, "bicubic-matlab", 2, refine=True, **options)
    found["bicubic-matlab and back-projection"] = numbers(made.data)
    napari_hsr.write(coarse, folder / "coarse.npz")
    for words in ("", "--camera nikon-5100-npl", "--illuminant A"):
        assert run("render", folder / "coarse.npz", "-o", folder / "r.png", *words.split())[0] == 0
        found[f"render {words}".strip()] = numbers(napari_hsr.read(folder / "r.png").data / 256)
        (folder / "r.png").unlink()
    # One protocol leaves out 128 pixels at each side.
    wide = [cube(height=260, width=264, seed=seed) for seed in (0, 2)]
    for protocol in PROTOCOLS:
        pair = wide if protocol == "mstpp-validation" else (coarse, truth)
        found[f"evaluate by {protocol}"] = dict(napari_hsr.evaluate(*pair, protocol).values)
    return found


_NUMBER = r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?"
_UNITS = "dB|°|%|×|s|ms|µs|minutes|steps|MiB|MB|kB|GB"


def readme_figures() -> dict[str, Any]:
    """The numbers in each row of the README's tables, and those with a unit in its prose."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    rows = [re.findall(_NUMBER, line) for line in text.splitlines() if line.startswith("|")]
    prose = " ".join(line for line in text.splitlines() if not line.startswith("|"))
    with_units = re.findall(rf"({_NUMBER})(?: to {_NUMBER})?\s?({_UNITS})(?![\w])", prose)
    return {
        "rows": {" ".join(row): True for row in rows if len(row) > 4},
        "prose": {f"{number} {unit}": True for number, unit in with_units},
    }
