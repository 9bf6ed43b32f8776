"""Scripts that import modules of 0.1 go on working, and are told the new names."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from napari_hsr import moved_modules


@pytest.mark.parametrize("old", moved_modules.MOVED)
def test_old_names_lead_to_modules_that_are_there(old):
    new = f"napari_hsr.{moved_modules.MOVED[old]}"
    assert find_spec(new) is not None
    if new.startswith("napari_hsr.widgets"):
        pytest.importorskip("qtpy")
    with pytest.warns(DeprecationWarning, match=new):
        found = import_module(f"napari_hsr.{old}")
    assert found is import_module(new)
    del sys.modules[f"napari_hsr.{old}"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("widgets.wavelength", "WavelengthWidget"),
        ("widgets.spectra", "SpectraWidget"),
        ("widgets.compare", "CompareWidget"),
        ("widgets.train", "TrainWidget"),
        ("training.recipe", "Recipe"),
    ],
)
def test_folders_that_were_modules_have_their_names(folder, name):
    package = import_module(f"napari_hsr.{folder}")
    with pytest.warns(DeprecationWarning, match=folder):
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'none_such'"):
        package.none_such  # noqa: B018


def test_a_script_of_0_1(tmp_path):
    code = (
        "from napari_hsr.models.importing import import_checkpoint\n"
        "import napari_hsr.io.png\n"
        "from napari_hsr.events import Progress\n"
        "print(Progress(1, 2).done)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert done.stderr.count("DeprecationWarning") == 3


def test_the_package_itself_imports_next_to_nothing():
    # until a command knows what Ctrl-C means, that ends in a traceback
    code = "import sys; import napari_hsr.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"typing", "pathlib", "importlib.abc", "napari_hsr.cli"} & set(done.stdout.split())
