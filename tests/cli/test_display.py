from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from napari_hsr.cli import display

from ..patience import PATIENCE, wait_for

needs_xvfb = pytest.mark.skipif(not display.can_start_xvfb(), reason="Xvfb is not installed")
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X11 on Linux")


@pytest.fixture
def no_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


@linux_only
@pytest.mark.parametrize("name", [":7654321", "nonsense", ":", "localhost:nonsense"])
def test_a_display_that_nobody_answers_is_none(no_display, monkeypatch, name):
    assert not display.real_display()
    monkeypatch.setenv("DISPLAY", name)
    assert not display.real_display()


@needs_xvfb
def test_xvfb_answers_within_and_is_gone_after(no_display, monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    with display.xvfb() as name:
        assert os.environ["DISPLAY"] == name
        assert os.environ["QT_QPA_PLATFORM"] == "xcb"
        assert display.real_display()
    assert "DISPLAY" not in os.environ
    assert os.environ["QT_QPA_PLATFORM"] == "offscreen"
    assert not display._answers(name)


@needs_xvfb
def test_xvfb_goes_when_the_work_in_it_fails(no_display):
    with pytest.raises(RuntimeError, match="the work"), display.xvfb() as name:
        raise RuntimeError("the work")
    assert not display._answers(name)


@needs_xvfb
def test_a_polite_kill_leaves_no_xvfb_behind(no_display):
    code = (
        "import time\nfrom napari_hsr.cli.display import xvfb\n"
        "with xvfb() as name:\n    print(name, flush=True)\n    time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    name = process.stdout.readline().strip()
    assert display._answers(name)
    process.send_signal(signal.SIGTERM)
    process.stdout.close()
    assert process.wait(PATIENCE) == 143
    wait_for(lambda: not display._answers(name), "the end of Xvfb")


@needs_xvfb
def test_a_command_runs_under_a_display_and_hands_its_status_back(no_display):
    code = "import os, sys; sys.exit(7 if os.environ['DISPLAY'].startswith(':') else 1)"
    assert display.run_under_xvfb([sys.executable, "-c", code]) == 7
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert display.run_under_xvfb([sys.executable, "-c", code]) == 128 + 9


def test_it_runs_as_a_module_without_a_warning():
    code = "import runpy; runpy.run_module('napari_hsr.cli.display', run_name='__main__')"
    made = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert "RuntimeWarning" not in made.stderr
