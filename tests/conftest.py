"""What every test may ask for: quiet threads, and the reference data that lie beside the checkout."""

from __future__ import annotations

import atexit
import gc
import importlib.util
import itertools
import os
import re
import shutil
import sys
import tempfile
import weakref
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import IO, TYPE_CHECKING, Any

import pytest

from .patience import PatientBot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

# Before NumPy or torch are imported: many small operations gain nothing from threads,
# and every core already has a worker of its own.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Before napari is imported: its windows write down what is set in them, and the settings of
# whoever runs the tests are neither read nor replaced.
_NAPARI = tempfile.mkdtemp(prefix="napari-hsr-tests-")
atexit.register(shutil.rmtree, _NAPARI, ignore_errors=True)
os.environ["NAPARI_CONFIG"] = os.path.join(_NAPARI, "settings.yaml")

#: What a worker needs: half a gibibyte at most times, three for the largest network alone.
_WORKER_BYTES = 2 * 2**30

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays: looking for garbage meanwhile took a fourth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Thousands of tests and the modules they import stay: no collection looks at them again."""
    gc.collect()
    gc.freeze()
    _know_signatures()
    _know_manifests()


def _know_signatures() -> None:
    """napari reads the signature of a callback whenever it is connected: a tenth of a viewer's time.

    That of a method is the same for all objects of its class, so it is read once for all tests.
    """
    events = sys.modules.get("napari.utils.events.event")
    if events is None:
        return
    read = events.EventEmitter._check_signature
    known: weakref.WeakKeyDictionary[Callable, bool] = weakref.WeakKeyDictionary()

    def takes_event(callback: Callable) -> bool:
        function = getattr(callback, "__func__", None)
        if not isinstance(function, FunctionType):
            return read(callback)
        if function not in known:
            known[function] = read(callback)
        return known[function]

    events.EventEmitter._check_signature = staticmethod(takes_event)


def _know_manifests() -> None:
    """Each new window reads the manifests of all plugins again: a tenth of its test's time."""
    manifests = sys.modules.get("npe2.manifest._bases")
    if manifests is None:
        return
    parse = manifests._load_yaml_no_duplicates
    known: dict[bytes, Any] = {}

    def load(file: IO[bytes]) -> Any:
        content = file.read()
        if content not in known:
            known[content] = parse(content)
        return deepcopy(known[content])

    manifests._load_yaml_no_duplicates = load


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What is there after the last test of a file stays as well: libraries, caches, models.

    Tests of windows, which ask for a collection each, would else look at all of it every time.
    """
    try:
        return (yield)
    finally:
        if nextitem is not None and nextitem.path != item.path and _only_panels():
            gc.collect()
            gc.freeze()


def _only_panels() -> bool:
    """Whether Qt runs and no window of napari lives: what that keeps is to be collected with it."""
    if "napari._qt" not in sys.modules:
        return False
    from qtpy.QtWidgets import QApplication, QMainWindow

    if QApplication.instance() is None:
        return False
    return not any(isinstance(one, QMainWindow) for one in QApplication.topLevelWidgets())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many workers as this process has cores, and as fit into the memory."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    fitting = psutil.virtual_memory().available // _WORKER_BYTES
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") or max(1, min(cores or 1, fitting)))


def _shared_folder() -> Path:
    return Path(os.environ.get("NAPARI_HSR_SHARED") or CHECKOUT.parent / "shared")


@pytest.fixture(scope="session", autouse=True)
def no_data_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for fixtures of modules and sessions, which are made before those of a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_HSR_DATA", str(tmp_path_factory.mktemp("no-data")))
        # what networks take is measured once for all tests of a process
        patch.setenv("NAPARI_HSR_SPEED", str(tmp_path_factory.mktemp("speed") / "speed.json"))
        yield


@pytest.fixture(scope="session", autouse=True)
def disks_are_not_waited_for() -> Iterator[None]:
    """What is written reaches the disk when the system finds time: no test takes its power away.

    Tests of files that are cut short, and of disks that are full, count these calls or let them fail.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def numbered_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes an empty folder of its own for each that asks: ``numbered_folder("data")``.

    pytest looks for the next free number among all the folders made so far, which with two for
    each of thousands of tests takes longer than many of the tests.
    """
    root, numbers = tmp_path_factory.mktemp("tests"), itertools.count()

    def make(name: str) -> Path:
        folder = root / f"{name}{next(numbers)}"
        folder.mkdir(mode=0o700)
        return folder

    return make


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, numbered_folder: Callable[[str], Path]) -> Path:
    """As pytest's own: an empty folder, named after its test."""
    return numbered_folder(re.sub(r"\W", "_", request.node.name)[:30])


@pytest.fixture(autouse=True)
def own_data(numbered_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, so that no test sees or touches the models of whoever runs it."""
    folder = numbered_folder("data")
    monkeypatch.setenv("NAPARI_HSR_DATA", str(folder))
    return folder


@pytest.fixture
def qtbot(qapp, request: pytest.FixtureRequest) -> PatientBot:
    """As pytest-qt's own, but it waits as long as a slow machine takes."""
    return PatientBot(request)


@pytest.fixture
def swept() -> None:
    """What earlier tests left for the garbage collector is gone."""
    gc.collect()


@pytest.fixture
def windows_gone() -> None:
    """Windows of napari that earlier tests left for the garbage collector are gone."""
    module = sys.modules.get("napari._qt.qt_viewer")
    if module is not None and module.QtViewer._instances:
        gc.collect()


@pytest.fixture
def make_napari_viewer(windows_gone, make_napari_viewer):
    """As napari's own, which fails on a window that an earlier test left to the collector."""
    return make_napari_viewer


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data and goldens; tests that need it are skipped without it."""
    folder = _shared_folder()
    if not (folder / "reference").is_dir():
        pytest.skip(
            f"reference data not found in {folder}: put them beside the checkout as 'shared', "
            "or name their folder in NAPARI_HSR_SHARED"
        )
    return folder


@pytest.fixture(scope="session")
def cave(shared: Path) -> Callable[[str], tuple[np.ndarray, np.ndarray]]:
    """Loads a CAVE scene by its place: ``cave("val/<scene>")`` → (31, H, W) float32, nm."""
    folder = shared / "data" / "cave"
    decoder = next(iter(sorted((shared / "data").rglob("load_cave.py"))), None)
    if decoder is None or not folder.is_dir():
        pytest.skip(f"the CAVE scenes are not in {folder}")
    spec = importlib.util.spec_from_file_location("load_cave", decoder)
    load_cave = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(load_cave)

    @lru_cache(maxsize=2)
    def load(scene: str) -> tuple[np.ndarray, np.ndarray]:
        cube, wavelengths = load_cave.load(folder / f"{scene}.npz")
        cube.flags.writeable = False  # scenes are shared between tests
        return cube, wavelengths

    return load
