"""What the plugin puts into the viewer."""

from __future__ import annotations

import importlib
import importlib.resources
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import napari_hsr

from .basis import RUN_BUTTON, SAMPLES, numbers, photograph, shape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def manifest() -> dict[str, Any]:
    """The plugin's manifest, its commands by id and without their Python names."""
    content = raw_manifest()
    contributions = content["contributions"]

    def by(key: str, entries: list[dict]) -> dict[str, Any]:
        return {e[key]: {k: v for k, v in e.items() if k != "python_name"} for e in entries}

    return {
        "name": content["name"],
        "display_name": content["display_name"],
        "commands": by("id", contributions["commands"]),
        "widgets": by("command", contributions["widgets"]),
        "readers": {
            reader["command"]: {
                "accepts_directories": reader["accepts_directories"],
                "filename_patterns": dict.fromkeys(reader["filename_patterns"], True),
            }
            for reader in contributions["readers"]
        },
        "writers": {
            writer["command"]: {
                "display_name": writer["display_name"],
                "layer_types": writer["layer_types"],
                "filename_extensions": dict.fromkeys(writer["filename_extensions"], True),
            }
            for writer in contributions["writers"]
        },
        "sample_data": by("key", contributions["sample_data"]),
    }


def raw_manifest() -> dict[str, Any]:
    """``napari.yaml`` as it is."""
    import yaml

    file = importlib.resources.files("napari_hsr") / "napari.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def command(name: str) -> Callable:
    """What the command ``napari-hsr.NAME`` of the manifest runs."""
    commands = {entry["id"]: entry for entry in raw_manifest()["contributions"]["commands"]}
    module, _, attribute = commands[f"napari-hsr.{name}"]["python_name"].partition(":")
    return getattr(importlib.import_module(module), attribute)


def layer_state(folder: Path) -> dict[str, Any]:
    """``layer.metadata["hsr"]`` of what is opened, and of what the Reconstruct panel makes."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    paths = {
        "opened cube": SAMPLES / "cubes" / "estimate.mat",
        "opened photograph": folder / "photo.png",
    }
    napari_hsr.write(photograph(), paths["opened photograph"])
    found = {}
    for what, path in paths.items():
        (layer,) = command("get_reader")(str(path))(str(path))
        added = viewer.add_image(layer[0], **layer[1])
        found[what] = _layer_facts(added)
    run_panel(viewer)
    found["reconstructed cube"] = _layer_facts(viewer.layers[-1])
    viewer.layers.selection.active = viewer.layers[0]
    for name in ("true_colour", "false_colour"):
        found[name] = _layer_facts(_added(viewer, name))
        viewer.layers.selection.active = viewer.layers[0]
    return found


def _added(viewer: Any, name: str) -> Any:
    """The layer that a command adds, wherever it lies in the list."""
    before = set(viewer.layers)
    command(name)(viewer)
    (added,) = set(viewer.layers) - before
    return added


def _layer_facts(layer: Any) -> dict[str, Any]:
    metadata = json.loads(json.dumps(dict(layer.metadata)))
    facts = {"metadata": shape(metadata), "kind": metadata.get("hsr", {}).get("kind")}
    return facts | {"axis_labels": list(layer.axis_labels), "scale": layer.scale.tolist()}


#: Qt's application, where no test framework holds one.
_KEPT: dict[str, Any] = {}


def run_panel(viewer: Any, seconds: float = 60) -> None:
    """Press Run in a Reconstruct panel, and wait for the new layer."""
    from qtpy.QtWidgets import QApplication, QPushButton

    application = QApplication.instance() or _KEPT.setdefault("application", QApplication([]))
    panel = command("reconstruct")(viewer)
    (button,) = [b for b in panel.findChildren(QPushButton) if b.text().strip() == RUN_BUTTON]
    before, pressed = len(viewer.layers), False
    end = time.monotonic() + seconds
    while len(viewer.layers) == before and time.monotonic() < end:
        application.processEvents()
        if not pressed and button.isEnabled():
            button.click()
            pressed = True
        time.sleep(0.01)
    assert len(viewer.layers) == before + 1, "the panel made no layer"
    for _ in range(20):  # its thread and its last words
        application.processEvents()
        time.sleep(0.01)
    panel.close()
    panel.deleteLater()
    application.processEvents()


def false_colours() -> dict[str, Any]:
    """The true and false colours of a cube in the viewer."""
    from napari.components import ViewerModel

    viewer, found = ViewerModel(), {}
    path = str(SAMPLES / "cubes" / "plain.mat")
    (layer,) = command("get_reader")(path)(path)
    viewer.add_image(layer[0], **layer[1])
    for name in ("true_colour", "false_colour"):
        viewer.layers.selection.active = viewer.layers[0]
        found[name] = numbers(np.asarray(_added(viewer, name).data, dtype=np.float64))
    return found
