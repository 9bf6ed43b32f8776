from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest
import torch

from napari_hsr import __version__, cli
from napari_hsr.cli import COMMANDS, main
from napari_hsr.cli.interrupt import ending_cleanly
from napari_hsr.cli.output import note, print_json, sentence
from napari_hsr.errors import Cancelled, FileError, InputError, explain
from napari_hsr.workers import connected

from ..patience import PATIENCE


def failing(error: BaseException):
    def run(args):
        raise error

    return run


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"napari-hsr {__version__}\n"


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["predict"], ["info"], ["predict", "a.png"]])
def test_wrong_usage_is_status_2(argv, capsys):
    with pytest.raises(SystemExit) as left:
        main(argv)
    assert left.value.code == 2
    assert "usage: napari-hsr" in capsys.readouterr().err


def test_an_argument_of_thousands_of_digits_is_not_repeated_whole(capsys):
    with pytest.raises(SystemExit):
        main(["anchors", "a.mat", "b.csv", "-o", "c.mat", "--at", f"a={'9' * 5000},\x1b[2J"])
    told = capsys.readouterr().err
    assert len(told) < 3000
    assert "\x1b" not in told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert COMMANDS[command].__doc__.splitlines()[0] in capsys.readouterr().out


def test_the_help_of_evaluate_names_every_protocol(capsys):
    from napari_hsr.cli import evaluate
    from napari_hsr.metrics import PROTOCOLS

    assert evaluate.PROTOCOLS.split(", ") == list(PROTOCOLS)
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    said = capsys.readouterr().out.split()
    assert all(any(word.strip(",") == name for word in said) for name in PROTOCOLS)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FileError("scene.mat", "it is empty"), "scene.mat: it is empty."),
        (PermissionError(13, "Permission denied", "out.mat"), "out.mat: Permission denied."),
        (MemoryError(), "not enough memory"),
        (torch.OutOfMemoryError("CUDA"), "not enough memory"),
        (KeyError("band"), "unexpected KeyError: 'band'"),
    ],
)
def test_an_error_is_one_sentence_and_status_1(monkeypatch, capsys, error, sentence):
    monkeypatch.setattr(COMMANDS["info"], "run", failing(error))
    assert main(["info", "x"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("napari-hsr: error: ")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("argv", [["--debug", "info", "x"], ["info", "x", "--debug"]])
def test_debug_lets_the_traceback_through(monkeypatch, argv):
    monkeypatch.setattr(COMMANDS["info"], "run", failing(FileError("x", "it is empty")))
    with pytest.raises(FileError):
        main(argv)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled()])
def test_an_interrupt_is_status_130_without_traceback(monkeypatch, capsys, stop):
    monkeypatch.setattr(COMMANDS["info"], "run", failing(stop))
    assert main(["info", "x"]) == 130
    assert capsys.readouterr().err == "napari-hsr: cancelled\n"


def test_an_interrupted_command_does_not_wait_for_its_network():
    """Python waits for the threads of a pool; what there is to end beside them is ended."""
    code = (
        "import atexit, sys, time\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from napari_hsr import cli\n"
        "def run(args):\n"
        "    ThreadPoolExecutor(1, cli.COMPUTING_THREAD).submit(time.sleep, 60)\n"
        "    raise KeyboardInterrupt\n"
        "cli.models.run = run\n"
        "atexit.register(print, 'ended')\n"
        "sys.argv[1:] = ['models']\n"
        "cli.command()"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert time.monotonic() - begun < 50
    assert (done.returncode, done.stdout) == (130, "ended\n")
    assert done.stderr == "napari-hsr: cancelled\n"


def test_a_reader_that_closes_the_pipe_is_no_error():
    code = (
        "import sys\nfrom napari_hsr import cli\n"
        "def run(args):\n    for _ in range(100000): print('line')\n    return 0\n"
        "cli.models.run = run\nsys.exit(cli.main(['models']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 141


def test_python_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "napari_hsr", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["napari-hsr", __version__]


def test_json_has_no_numbers_that_parsers_refuse(capsys):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    print_json({"psnr": float("inf"), "sam": [float("nan"), 1.5]})
    read_back = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert read_back["sam"][1] == 1.5


def test_notes_go_to_stderr_with_the_file_named(capsys):
    note(["The cube has no wavelengths.", "The axis was swapped."], about="a.mat")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "note: a.mat: The cube has no wavelengths.",
        "note: a.mat: The axis was swapped.",
    ]


def test_a_message_of_the_system_without_a_file_is_still_a_sentence():
    assert explain(OSError(28, "No space left on device")) == "No space left on device."


def test_streams_that_whoever_started_it_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["models", "list"]) == 0
    assert main(["info", "no such file"]) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is full")
@pytest.mark.parametrize(
    "command",
    [["models", "show", "instant-photo"], ["--nothing"], ["--version"], ["info", "--help"]],
)
def test_streams_on_a_full_disk_are_no_traceback(command):
    """Python tried once more as it ended, and its status was 120."""
    code = "import sys; from napari_hsr.cli import command; command()"
    for full, status in (("stdout", 1), ("stderr", 0)):
        with open("/dev/full", "wb") as disk:
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, full: disk}
            done = subprocess.run([sys.executable, "-c", code, *command], check=False, **streams)
        assert done.returncode == (2 if command == ["--nothing"] else status)
        assert b"Traceback" not in (done.stderr or b"")
        assert b"ignored" not in (done.stderr or b"")


def test_a_home_of_nobody_is_a_folder_of_that_name(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAPARI_HSR_DATA", "~nosuchuser")
    assert main(["models", "list"]) == 0
    assert main(["convert", "~nosuchuser/a.h5", "-o", "~nosuchuser/b.h5"]) == 1
    assert "~nosuchuser/a.h5: there is no such file" in capsys.readouterr().err


INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "napari_hsr.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from napari_hsr.__main__ import command
command()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_ctrl_c_before_a_command_is_there_ends_it_without_a_traceback():
    made = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, timeout=PATIENCE
    )
    assert (made.returncode, made.stderr) == (-signal.SIGINT, b"")


def test_tasks_that_still_wait_as_a_command_is_cancelled_are_not_told(capfd, monkeypatch):
    logger = logging.getLogger("asyncio")
    before = logger.level

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build_parser", interrupted)
    assert cli.main([]) == 130
    logger.error("Task was destroyed but it is pending!")
    logger.setLevel(before)
    assert capfd.readouterr().err == "napari-hsr: cancelled\n"


@pytest.mark.parametrize("option", ["--number", "--method", "--axes"])
def test_two_hyphens_are_no_value(capsys, option):
    with pytest.raises(SystemExit) as left:
        main(["components", "a.npz", "-o", "b.npz", f"{option}=--"])
    assert left.value.code == 2
    assert f"argument {option}: expected one argument" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["tls://127.0.0.1:1", "ucx://127.0.0.1:1"])
def test_an_address_that_no_scheduler_has_is_told(address):
    pytest.importorskip("distributed")
    with pytest.raises(InputError, match="cannot connect to"), connected(address):
        pass


def test_a_warning_of_a_library_is_a_note_without_its_source(hsr, cube_file, monkeypatch):
    def warned(*_args, **_options):
        warnings.warn("overflow encountered in add", RuntimeWarning, stacklevel=1)

    monkeypatch.setattr("napari_hsr.cli.info.note", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        status, _, said = hsr("info", cube_file())
    assert (status, said) == (0, "note: while computing, overflow encountered in add.\n")


@pytest.mark.parametrize("number", ["9" * 5000, "1" * 400, "²", "1.5", "nan"])
@pytest.mark.parametrize(
    "command",
    [
        ("spectra", "a.mat", "--at", "{},0"),
        ("unmix", "a.mat", "-o", "o.npz", "--at", "a=0,{}"),
        ("anchors", "a.mat", "b.csv", "-o", "o.npz", "--at", "a={},0"),
        ("convert", "a.mat", "-o", "o.npz", "--crop", "0,0,{},1"),
        ("spectra", "a.mat", "--window", "{}"),
        ("predict", "a.png", "-o", "o.npz", "--jobs", "{}"),
    ],
    ids=lambda command: " ".join(command[:1]),
)
def test_a_whole_number_is_one_that_computers_count_in(hsr, command, number):
    status, _, said = hsr(*(part.format(number) for part in command))
    assert status == 2
    assert "invalid" in said.splitlines()[-1]
    assert len(said.splitlines()[-1]) < 1200


@pytest.mark.parametrize(
    ("number", "ends"), [("SIGINT", KeyboardInterrupt), ("SIGTERM", SystemExit)]
)
def test_a_signal_in_a_destructor_is_not_lost(number, ends, capsys):
    """Python only writes of it there: Ctrl-C during an import now and then changed nothing."""

    class Heard:
        def __del__(self):
            signal.raise_signal(getattr(signal, number))

    def work():
        Heard()
        time.sleep(PATIENCE)

    # in a shell's background Python begins with Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = time.monotonic()
    try:
        with pytest.raises(ends), ending_cleanly():
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - started < PATIENCE
    assert capsys.readouterr().err == ""


def test_of_a_long_error_the_reason_is_kept():
    said = sentence(FileError("a" * 4000, "it cannot be written (File name too long)"))
    assert said.startswith("aaa")
    assert said.endswith("it cannot be written (File name too long).")
    assert len(said) <= 500


def test_a_signal_after_the_work_is_done_prints_nothing():
    """Python would tell where it ends, with a traceback, though all is written."""
    ending = "import atexit, os, signal, sys; from napari_hsr.cli import main; "
    ending += "atexit.register(os.kill, os.getpid(), signal.SIGINT); "
    ending += "sys.argv = ['napari-hsr', 'render', '--help']; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", ending], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage" in done.stdout
