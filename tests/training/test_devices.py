"""Where a training runs, and what is asked for that is not there."""

from __future__ import annotations

import pytest
import torch

from napari_hsr.errors import InputError
from napari_hsr.inference import precision
from napari_hsr.training.engine import devices as hardware

from . import engine

NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR")


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No other program's processes."""
    for name in (*NAMES, "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


def place(**engine_settings):
    return hardware.place(engine.recipe(engine=engine_settings))


def test_one_process_on_the_cpu():
    found = place()
    threads = torch.get_num_threads()
    assert found.words == f"CPU, {threads} thread{'s' * (threads != 1)}"
    assert (found.rank, found.world, found.devices, found.nodes) == (0, 1, 1, 1)
    assert found.leads
    assert found.workers == 0


@pytest.mark.parametrize(("rank", "leads"), [(0, True), (1, False), (3, False)])
def test_under_torchrun(monkeypatch, rank, leads):
    values = {"RANK": rank, "LOCAL_RANK": rank % 2, "WORLD_SIZE": 4, "LOCAL_WORLD_SIZE": 2}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    found = place()
    assert (found.rank, found.world, found.devices, found.nodes) == (rank, 4, 2, 2)
    assert (found.leads, found.started_by) == (leads, "torchrun")
    assert found.words.endswith(", 4 processes")


def test_devices_that_the_first_process_starts(monkeypatch):
    assert place(devices=2).rank == 0
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    found = place(devices=2)
    assert (found.rank, found.world, found.started_by) == (1, 2, "own")


def test_several_nodes(monkeypatch):
    with pytest.raises(InputError, match=r"engine\.nodes is 2: start this on each"):
        place(devices=2, nodes=2)
    monkeypatch.setenv("MASTER_ADDR", "first")
    monkeypatch.setenv("NODE_RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    found = place(devices=2, nodes=2)
    assert (found.rank, found.world, found.nodes) == (3, 4, 2)


def test_under_slurm(monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "2")
    found = place(devices=2, nodes=2)
    assert (found.rank, found.world, found.started_by) == (2, 4, "slurm")
    assert place().rank == 0  # one process in a job of several


def test_a_batch_must_be_shared_evenly():
    with pytest.raises(
        InputError, match=r"^batch\.size is 4, but 3 processes need a multiple of 3"
    ):
        place(devices=3)
    batch = {"size": 4, "patch": 8, "accumulate": 3}
    with pytest.raises(InputError, match="but a step in 3 parts needs a multiple of 3"):
        hardware.place(engine.recipe(batch=batch))
    batch["accumulate"] = 4
    with pytest.raises(InputError, match="2 processes in 4 parts need a multiple of 8"):
        hardware.place(engine.recipe(batch=batch, engine={"devices": 2}))


@pytest.mark.parametrize("strategy", ["adapter", "auto"])
def test_a_closed_form_has_no_use_for_processes(strategy):
    recipe = engine.recipe(strategy=strategy, engine={"devices": 2})
    with pytest.raises(InputError, match=f"The strategy {strategy} runs in one process"):
        hardware.place(recipe)


def test_numbers_of_the_environment_are_checked(monkeypatch):
    monkeypatch.setenv("RANK", "first")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="environment's RANK is 'first', where a number"):
        place()


def test_precision():
    assert place(precision="bfloat16").precision == "bfloat16"
    assert place(precision="auto").precision in ("float32", "bfloat16")
    with pytest.raises(InputError, match="float16 is trained on a GPU only"):
        place(precision="float16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there():
    with pytest.raises(InputError) as caught:
        place(device="cuda")
    assert "\n" not in str(caught.value)


def test_gpus_are_counted(monkeypatch):
    from napari_hsr.inference import devices

    monkeypatch.setattr(devices, "resolve", lambda name: torch.device("cuda", 0))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"^engine\.devices asks for 2 GPUs, and 1 are here\.$"):
        place(device="cuda", devices=2)


@pytest.mark.parametrize(
    ("device", "capability", "amx", "gain", "expected"),
    [
        ("cuda:0", (7, 5), False, 0, "float16"),  # emulates bfloat16, and says that it supports it
        ("cuda:0", (8, 0), False, 0, "bfloat16"),
        ("cpu", None, True, 7, "bfloat16"),
        ("cpu", None, True, 0.2, "float32"),  # forbidden
        ("cpu", None, False, 7, "float32"),
        ("mps", None, True, 7, "float32"),
    ],
)
def test_auto_takes_bfloat16_where_it_is_not_emulated(
    monkeypatch, device, capability, amx, gain, expected
):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(precision, "onednn_has_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "bfloat16_gain", lambda _instructions: gain)
    assert hardware._precision("auto", torch.device(device)) == expected
