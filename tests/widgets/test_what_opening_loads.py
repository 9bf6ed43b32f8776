"""Opening a panel loads no large library: neither torch, nor what reads files, nor what draws plots."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: Takes a tenth of a second or more to import.
HEAVY = ("torch", "lightning", "safetensors.torch", "h5py", "zarr", "tifffile", "rasterio", "colour",
         "spectral", "sklearn", "spyndex", "dask.array", "matplotlib", "imageio_ffmpeg")  # fmt: skip
SCRIPT = """
import json, sys
import napari.components, napari.layers
import npe2
from importlib import import_module
from importlib.resources import files
import yaml
from qtpy.QtWidgets import QApplication

app = QApplication([])
found = yaml.safe_load((files("napari_hsr") / "napari.yaml").read_text(encoding="utf-8"))
paths = {c["id"]: c["python_name"] for c in found["contributions"]["commands"]}
viewer, said, panels = napari.components.ViewerModel(), {}, []
widgets = found["contributions"]["widgets"]
for widget in sorted(widgets, key=lambda w: w["display_name"] in ("Spectra", "Maps")):  # these last
    known = set(sys.modules)
    module, name = paths[widget["command"]].split(":")
    panels.append(getattr(import_module(module), name)(viewer))
    said[name] = sorted(set(sys.modules) - known)
    if name == "TrainWidget":
        said["settings"] = [f.toolTip() for f in panels[-1].setup.form.fields.values()]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The modules that each panel has loaded beyond those before it, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=300
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_no_panel_loads_a_large_library(loaded):
    found = {
        panel: heavy
        for panel, modules in loaded.items()
        if (heavy := [name for name in HEAVY if name in modules])
    }
    assert found == {}


def test_panels_without_a_plot_yet_load_no_plots(loaded):
    """Spectra and Maps draw one from the beginning."""
    drawing = {panel for panel, modules in loaded.items() if "pyqtgraph" in modules}
    assert drawing == {"SpectraWidget"}  # the first of them


def test_settings_have_the_help_of_their_source(loaded):
    tips = loaded["settings"]
    assert len(tips) > 50
    assert sum(len(tip) > 60 for tip in tips) > 20
