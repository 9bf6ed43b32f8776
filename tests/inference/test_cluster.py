"""Tiles as tasks: two worker processes, and workers made up where order and faults matter."""

import os
import signal
import socket
import sys
import threading
import time
from multiprocessing import forkserver
from queue import SimpleQueue
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from napari_hsr import Cube, evaluate, local_workers, super_resolve, workers
from napari_hsr.cli import main
from napari_hsr.errors import Cancelled, InputError
from napari_hsr.inference import reconstruct, reconstruct_events
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles import cluster
from napari_hsr.inference.tiles.on_disk import OnDisk, ShardWriter
from napari_hsr.io import read, write
from napari_hsr.io.zarr.in_parts import ZarrInParts, pyramid
from napari_hsr.metrics import row_blocks, streaming_sums
from napari_hsr.models import from_state_dict
from napari_hsr.models.architectures import coarsr, edsr, mstpp
from napari_hsr.photograph import Photograph

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")


@pytest.fixture(scope="module")
def local():
    """A small network whose tiles are put side by side."""
    torch.manual_seed(0)
    return from_state_dict(edsr.EDSR(3, 31, 8, 2).state_dict())


@pytest.fixture(scope="module")
def blended():
    """A small network whose tiles overlap."""
    torch.manual_seed(0)
    return from_state_dict(mstpp.MSTPlusPlus(3, 31, 8, 1, (1, 1, 1)).state_dict())


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)


# --- made-up workers ---------------------------------------------------------------------------


class Backwards:
    """Computes all that is sent in this process, and gives the last tile first."""

    planning = {"at_once": 2, "memory": None}  # noqa: RUF012

    def __init__(self, *_):
        self.most, self.sent, self.limit = 1000, [], 10**9

    def tasks(self, run, writing=None):
        self.model, self.work = (
            run.model,
            cluster.Work(run, "cpu", cluster.__version__, *writing or ()),
        )
        return self

    under_way = property(lambda self: len(self.sent))

    def together(self, _left):
        return 2

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sent.clear()

    withdraw = __exit__

    def submit(self, group):
        self.sent.append(group)

    def next(self, _seconds):
        group = self.sent.pop()
        if any(values[0].size > self.limit for _, values in group):
            raise MemoryError
        answers, _ = cluster.compute(self.work, self.model, group)
        return [(tile, answer) for (tile, _), answer in zip(group, answers, strict=True)]


@pytest.fixture
def backwards(monkeypatch):
    made = Backwards()
    for room in ("reconstruction", "super_resolution"):
        monkeypatch.setattr(f"napari_hsr.inference.{room}.Workers", lambda *_: made)
    return made


@pytest.mark.parametrize("name", ["local", "blended"])
def test_the_bytes_do_not_depend_on_which_tile_ends_first(request, image, backwards, name):
    model = request.getfixturevalue(name)
    expected = reconstruct(image, model, tile=32, device="cpu")
    found = reconstruct(image, model, tile=32, device="cpu", client=object())
    np.testing.assert_array_equal(found.data, expected.data)
    assert found.value_range == expected.value_range


@pytest.mark.parametrize("name", ["local", "blended"])
def test_workers_write_the_shards_themselves(
    request, image, backwards, tmp_path, monkeypatch, name
):
    model = request.getfixturevalue(name)
    expected = reconstruct(image, model, tile=32, device="cpu", output=tmp_path / "alone.zarr")
    here = []
    monkeypatch.setattr(OnDisk, "write", lambda *_: here.append(1))
    options = {"tile": 32, "device": "cpu", "client": object(), "output": tmp_path / "cube.zarr"}
    found = reconstruct(image, model, **options)
    assert not here
    np.testing.assert_array_equal(np.asarray(found.data), np.asarray(expected.data))
    assert found.value_range == expected.value_range


def test_a_worker_that_does_not_see_the_store_sends_its_tiles(
    image, local, backwards, tmp_path, monkeypatch
):
    monkeypatch.setattr(ShardWriter, "sees", lambda _: False)
    expected = reconstruct(image, local, tile=32, device="cpu")
    options = {"tile": 32, "device": "cpu", "client": object(), "output": tmp_path / "cube.zarr"}
    np.testing.assert_array_equal(reconstruct(image, local, **options).data, expected.data)


def test_small_tiles_go_together_and_few_are_shared_out():
    tasks = cluster.Tasks(None, cluster.Work(SimpleNamespace(bands=31), "cpu", ""), None, 2)
    assert tasks.together(1000) == 1  # how fast they are is not known
    group = [(object(), np.zeros((3, 64, 64), np.float32))]
    for took, expected in ((0.05, 10), (1e-6, 42), (5.0, 1)):  # 42 of them are 64 MiB with results
        tasks._futures[1] = done = SimpleNamespace(
            result=lambda timeout=None, took=took: ([None], took)
        )
        tasks._waiting[1] = group, 0
        tasks._mail.put((1, done))
        tasks.next(1)
        assert tasks.together(1000) == expected
    tasks._together = 10
    assert tasks.together(12) == 3


def test_the_scheduler_is_asked_for_workers_after_a_silence_alone(monkeypatch):
    asked = []
    client = SimpleNamespace(scheduler_info=lambda **_: asked.append(1) or {"workers": {}})
    tasks = cluster.Tasks(client, cluster.Work(SimpleNamespace(bands=31), "cpu", ""), None, 2)
    assert all(tasks.any_worker() for _ in range(100))
    assert not asked
    monkeypatch.setattr(cluster, "SILENCE", -1)
    assert not tasks.any_worker()
    assert asked == [1]


def test_tiles_are_halved_where_a_worker_lacks_memory(image, local, backwards):
    backwards.limit = 60 * 60
    *_, result = reconstruct_events(image, local, tile="whole", device="cpu", client=object())
    expected = reconstruct(image, local, tile="whole", device="cpu")
    np.testing.assert_allclose(result.cube.data, expected.data, rtol=0, atol=1e-5)
    assert result.tiles > 1


def test_cancelling_ends_a_run_on_workers(image, local, backwards):
    cancel = threading.Event()
    events = reconstruct_events(image, local, tile=16, client=object(), cancel=cancel)
    next(event for event in events if event.done)
    cancel.set()
    with pytest.raises(Cancelled):
        list(events)
    assert not backwards.sent  # the others were withdrawn


def test_a_cube_is_super_resolved_by_workers(backwards):
    torch.manual_seed(0)
    model = from_state_dict(coarsr.CoarSR(2, width=8, blocks=1).state_dict())
    cube = np.random.default_rng(0).random((6, 20, 24), np.float32)
    expected = super_resolve(cube, model, tile=10, device="cpu")
    found = super_resolve(cube, model, tile=10, device="cpu", client=object())
    np.testing.assert_array_equal(found.data, expected.data)


def test_automatic_tiles_are_enough_for_all_workers(local, blended):
    alone = plan_run(local, 700, 700, device="cpu").tiles
    shared = plan_run(local, 700, 700, device="cpu", at_once=2).tiles
    assert len(shared) >= 8 > len(alone)
    assert len(plan_run(local, 100, 100, device="cpu", at_once=8).tiles) == 1
    sizes = [len(plan_run(blended, 300, 300, device="cpu", at_once=n).tiles) for n in (1, 8)]
    assert sizes[0] == sizes[1]  # its result depends on them


def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.2)
    with (
        pytest.raises(InputError, match=r"No scheduler answers at tcp://127\.0\.0\.1:9"),
        workers.connected("tcp://127.0.0.1:9"),
    ):
        pass
    with socket.create_server(("127.0.0.1", 0)) as silent:  # listens, and is no scheduler
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match="No scheduler answers"), workers.connected(address):
            pass


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1", "is no address of a scheduler .missing port"),
        ("foo://x", "is no address of a scheduler .unknown address scheme"),
        ("tls://127.0.0.1:9", "cannot connect to tls://127.0.0.1:9: TLS expects"),
    ],
)
def test_what_the_library_says_of_an_address_is_told_as_what_it_is(address, told):
    with pytest.raises(InputError, match=told), workers.connected(address):
        pass


def test_between_two_workers_work_goes_on(monkeypatch):
    """A scheduler whose workers have died, and whose others are not there yet, has none."""

    class Scheduler:
        def scheduler_info(self, n_workers):
            return {"workers": {}}

    assert workers.threads_of(Scheduler()) == 1


class _Deserted:
    """A client whose scheduler has no workers, until some come."""

    scheduler, status = None, "running"

    def __init__(self):
        self.workers, self.waited = {}, 0

    def wait_for_workers(self, count, timeout):
        self.waited += 1
        if not self.workers:
            raise TimeoutError

    def scheduler_info(self, n_workers):
        return {"workers": self.workers}

    def run(self, function):
        return {name: function() for name in self.workers}


def test_of_many_files_one_waits_for_workers_that_are_all_gone():
    """Each waited ten seconds for them before it failed."""
    client = _Deserted()
    for _ in range(5):
        with pytest.raises(InputError, match="has no workers"):
            workers.checked(client)
    assert client.waited == 1
    client.workers = {"tcp://127.0.0.1:9": {"nthreads": 1}}
    assert workers.checked(client) == [{"nthreads": 1}]
    client.workers = {}
    with pytest.raises(InputError, match="has no workers"):
        workers.checked(client)
    assert client.waited == 2


class _Losing:
    """A client whose scheduler loses a worker in the middle of so many messages to all of them."""

    def __init__(self, losses, status="running", error=None):
        self.left, self.status, self.waited = losses, status, 0
        self.error = error or distributed.comm.CommClosedError(
            "in <TCP (closed)>: Stream is closed"
        )

    def scatter(self):
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return "sent"

    def wait_for_workers(self, count, timeout):
        self.waited += count


def test_a_worker_lost_while_the_model_is_sent_is_no_fault_of_the_run(monkeypatch):
    monkeypatch.setattr(workers, "_POLL", 0)
    client = _Losing(workers.LOSSES - 1)
    assert workers.with_patience(client, client.scatter) == "sent"
    assert client.waited == workers.LOSSES - 1
    client = _Losing(workers.LOSSES)
    with pytest.raises(InputError, match="lost again and again while the model was sent"):
        workers.with_patience(client, client.scatter)
    client = _Losing(1, status="closed")
    with pytest.raises(InputError, match="scheduler no longer answers"):
        workers.with_patience(client, client.scatter)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("tcp://127.0.0.1:35569"),  # it forgot the worker while it was sending
        OSError("Timed out trying to connect to tcp://127.0.0.1:35569 after 30 s"),
        TimeoutError("No valid workers found"),
        ValueError("Can not use replicate to delete data"),  # none is left
    ],
)
def test_whatever_the_scheduler_raises_of_a_lost_worker_it_is_asked_again(monkeypatch, error):
    monkeypatch.setattr(workers, "_POLL", 0)
    client = _Losing(1, error=error)
    assert workers.with_patience(client, client.scatter) == "sent"
    client = _Losing(1, error=ValueError("a fault of the task"))
    with pytest.raises(ValueError, match="a fault of the task"):
        workers.with_patience(client, client.scatter)


def test_what_all_workers_are_told_is_not_waited_for_once_cancelled():
    """They have just begun, and load their libraries."""
    cancel, ready = threading.Event(), threading.Event()

    def loading():
        cancel.set()
        return ready.wait(60)

    with pytest.raises(Cancelled):
        workers.with_patience(None, loading, cancel)
    ready.set()
    assert workers.with_patience(None, lambda: "told", threading.Event()) == "told"
    with pytest.raises(KeyError):
        workers.with_patience(None, lambda: {}["none"], threading.Event())


def test_without_dask_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"napari-hsr\[distributed\]"), workers.connected(None, 2):
        pass


# --- two processes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client():
    method = {"distributed.worker.multiprocessing-method": "forkserver"}
    with dask.config.set(method), local_workers.quiet():
        # workers are copies of one process, which has loaded what takes each of them seconds
        forkserver.set_forkserver_preload(["distributed", cluster.__name__, edsr.__name__])
        forkserver.ensure_running()
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=":0"
            ) as made,
            distributed.Client(made) as found,
        ):
            yield found


def _settings():
    return [dask.config.get(name) for name, _ in local_workers.QUIET.values()]


def test_workers_that_are_begun_here_do_not_watch_themselves(client, monkeypatch):
    for variable in local_workers.QUIET:
        monkeypatch.delenv(variable, raising=False)
    settings = [value for _, value in local_workers.QUIET.values()]
    assert list(client.run(_settings).values()) == [settings] * 2
    before = _settings()
    with local_workers.quiet():
        assert _settings() == settings
    assert _settings() == before  # other clusters of the same program are as they were
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED", "True")
    with local_workers.quiet():
        assert _settings() == [before[0], *settings[1:]]


@pytest.mark.skipif(sys.platform == "win32", reason="where a terminal has no groups of processes")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")  # dask's, of a port in use
def test_ctrl_c_is_for_the_client_alone_and_no_worker_is_waited_for(monkeypatch):
    """A terminal sends it to the workers too; of what they still compute nobody wants the result."""
    ended, kill = [], os.kill
    monkeypatch.setattr(local_workers.os, "kill", lambda *what: ended.append(what) or kill(*what))
    with workers.connected(workers=1) as client:
        assert client.direct_to_workers  # results do not go by way of the scheduler
        (number,) = client.run(os.getpid).values()
        kill(number, signal.SIGINT)
        assert list(client.run(os.getpid).values()) == [number]
        client.submit(time.sleep, 60)
    assert ended == [(number, signal.SIGKILL)]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")  # dask's, of what never came
def test_ctrl_c_while_workers_begin_leaves_none_of_them(monkeypatch):
    """Their libraries take seconds to load, which nobody waits for."""
    begun = []

    def interrupted(_client, processes):
        begun.extend(process.pid for process in processes)
        raise KeyboardInterrupt

    monkeypatch.setattr(local_workers, "_wait_for", interrupted)
    with pytest.raises(KeyboardInterrupt), workers.connected(workers=2):
        pass
    assert len(begun) == 2
    assert not any(psutil.pid_exists(number) for number in begun)


@pytest.mark.skipif(sys.platform == "win32", reason="where a terminal has no groups of processes")
def test_ctrl_c_is_heard_while_a_scheduler_begins(monkeypatch):
    """It takes as long as its libraries do; the thread that begins workers alone does not hear it."""

    def begins(loop, **_):
        masks = SimpleQueue()
        loop.add_callback(lambda: masks.put(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
        assert signal.SIGINT in masks.get(timeout=60)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    monkeypatch.setattr(distributed, "LocalCluster", begins)
    with pytest.raises(KeyboardInterrupt), workers.connected(workers=1):
        pass


def test_workers_that_end_as_they_begin_are_not_waited_for():
    gone = SimpleNamespace(is_alive=lambda: False)
    with pytest.raises(InputError, match="lack of memory"):
        local_workers._wait_for(None, [gone])


def test_workers_of_another_version_are_refused(client, image, local, monkeypatch):
    version = workers.__version__
    monkeypatch.setattr(workers, "__version__", "9.9")
    with pytest.raises(InputError, match=f"napari-hsr {version} and this is 9.9"):
        reconstruct(image, local, client=client)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone has it")
def test_a_worker_keeps_freed_memory_for_the_next_tile(monkeypatch):
    asked = []
    library = SimpleNamespace(mallopt=lambda *option: asked.append(option))
    monkeypatch.setattr(workers.ctypes, "CDLL", lambda _: library)
    workers.reuse_memory.__wrapped__()
    assert asked == [(-1, 2**26), (-3, 2**25)]  # by the numbers of malloc.h


def test_a_model_is_sent_once_however_many_photographs_follow(client, image, local, monkeypatch):
    sent, scatter = [], client.scatter
    monkeypatch.setattr(
        client, "scatter", lambda what, **options: sent.append(what) or scatter(what, **options)
    )
    expected = reconstruct(image, local, tile=32, device="cpu")
    for _ in range(2):
        found = reconstruct(image, local, tile=32, device="cpu", client=client)
        np.testing.assert_array_equal(found.data, expected.data)
    assert sent.count(local) == 1
    assert len(sent) == 3
    assert not any(getattr(one.run, "model", None) for one in sent if one is not local)


def test_the_command_line_uses_the_workers_of_a_scheduler(client, image, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    write(Photograph(image, encoding="srgb"), tmp_path / "in" / "a.png")
    address, model = client.scheduler.address, "rootpoly-srgb"
    asked = [str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--model", model, "--tile", "32"]
    assert main(["predict", *asked, "--scheduler", address]) == 0
    made = read(tmp_path / "out" / f"a_{model}.mat")
    expected = reconstruct(tmp_path / "in" / "a.png", model, tile=32)
    np.testing.assert_array_equal(np.asarray(made.data), expected.data)
    with pytest.raises(SystemExit):
        main(["predict", *asked, "--scheduler", address, "--workers", "2"])
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["zarr", "memory"])
def test_figures_are_computed_by_workers_to_the_last_bit(client, tmp_path, monkeypatch, where):
    monkeypatch.setattr(row_blocks, "BLOCK_BYTES", 4 * 8 * 20**2)
    monkeypatch.setattr(row_blocks, "_SPAN_VALUES", 4 * 300 * 20)
    values = np.random.default_rng(0)
    truth = Cube(values.random((4, 90, 300), np.float32), [400, 500, 600, 700])
    truth.data[1, 30, 40] = np.nan
    guess = truth.replace(data=truth.data * np.float32(0.9) + np.float32(0.01))
    if where == "zarr":
        guess, truth = (stored(c, tmp_path / f"{n}.zarr") for n, c in enumerate((guess, truth)))
    mask = np.ones(truth.shape[1:], bool)
    mask[:50, 100:] = False
    options = {"protocol": "drcr"} if where == "zarr" else {"mask": mask, "lights": ("D65",)}
    steps = []
    expected = evaluate(guess, truth, **options)
    found = evaluate(guess, truth, client=client, progress=lambda *at: steps.append(at), **options)
    assert len(steps) > 4
    assert steps[-1][0] == steps[-1][1]
    assert found.to_dict() == expected.to_dict()


def stored(cube, path):
    """A cube in a store of small chunks, read from there."""
    store = ZarrInParts(path, cube, (32, 64), {})
    for shard in np.ndindex(*store.grid):
        store.put(shard, np.asarray(cube.data[(slice(None), *store.place(shard))]))
    store.finish(cube)
    return cube.replace(data=pyramid(path)[0])


def test_workers_read_stores_that_they_see(client, tmp_path):
    cube = Cube(np.random.default_rng(1).random((3, 40, 50), np.float32))
    one, other = (stored(cube, tmp_path / f"{name}.zarr") for name in ("one", "other"))
    assert streaming_sums._seen(row_blocks.Pair(one.data, other.data), client)
    assert not streaming_sums._seen(row_blocks.Pair(one.data, cube.data), client)
    (tmp_path / "other.zarr").rename(tmp_path / "moved.zarr")
    assert not streaming_sums._seen(row_blocks.Pair(one.data, other.data), client)


def test_evaluate_on_the_command_line_uses_a_scheduler(client, tmp_path, capsys):
    cube = Cube(np.random.default_rng(1).random((3, 20, 30), np.float32), [450, 550, 650])
    write(cube, tmp_path / "truth.npz")
    write(cube.replace(data=cube.data * np.float32(0.9)), tmp_path / "guess.npz")
    asked = ["evaluate", str(tmp_path / "guess.npz"), str(tmp_path / "truth.npz"), "--json"]
    assert main(asked) == 0
    expected = capsys.readouterr().out
    assert main([*asked, "--scheduler", client.scheduler.address]) == 0
    assert capsys.readouterr().out == expected


def test_cancelling_takes_back_figures_that_are_under_way(client):
    cancel, started = threading.Event(), []

    def parts():
        for number in range(1000):
            started.append(number)
            yield (number,)

    results = workers.in_order(client, abs, parts(), cancel)
    assert [next(results), next(results)] == [0, 1]
    cancel.set()
    with pytest.raises(Cancelled):
        next(results)
    assert len(started) < 20  # few are sent ahead


def forget(client):
    """What a client does with all that it waits for where the connection was lost and made again."""
    client.cancel([distributed.Future(key, client) for key in list(client.futures)])


def test_figures_that_the_scheduler_forgot_are_computed_again(client):
    results = workers.in_order(client, lambda number: -number, ((n,) for n in range(12)))
    found = [next(results)]
    forget(client)
    assert found + list(results) == [-number for number in range(12)]


def test_a_scheduler_that_forgets_again_and_again_is_told(client, monkeypatch):
    from distributed.client import FutureCancelledError

    def arguments():
        for number in range(1000):
            yield (number,)

    def forgotten(task, seconds=None):
        raise FutureCancelledError(task.key, "lost")

    monkeypatch.setattr(workers, "result_of_task", forgotten)
    results = workers.in_order(client, abs, arguments())
    with pytest.raises(InputError, match="lost again and again"):
        next(results)


def test_a_fault_of_the_task_itself_is_not_taken_for_a_loss(client):
    def faulty(_):
        raise UnboundLocalError("of its own")

    with pytest.raises(UnboundLocalError, match="of its own"):
        list(workers.in_order(client, faulty, [(1,)]))


@pytest.mark.parametrize("seconds", [None, 0.5])
def test_a_result_that_is_lost_on_its_way_is_asked_for_again(client, monkeypatch, seconds):
    import asyncio

    gather, lost = client._gather, []

    async def lost_once(*args, **kwargs):
        if not lost:
            lost.append(args)
            raise asyncio.CancelledError
        return await gather(*args, **kwargs)

    task = client.submit(abs, -3, pure=False)
    distributed.wait(task)
    monkeypatch.setattr(client, "_gather", lost_once)
    if seconds is not None:
        with pytest.raises(TimeoutError):
            workers.result_of_task(task, seconds)
    assert workers.result_of_task(task, seconds) == 3
    assert lost


def test_tiles_that_the_scheduler_forgot_are_computed_again(client, image, local):
    expected = reconstruct(image, local, tile=16, device="cpu")
    forgotten, result = False, None
    for event in reconstruct_events(image, local, tile=16, device="cpu", client=client):
        if not forgotten and getattr(event, "done", 0) >= 5:
            forget(client)
            forgotten = True
        result = event
    assert forgotten
    np.testing.assert_array_equal(np.asarray(result.cube.data), expected.data)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process as POSIX has it")
def test_tiles_of_a_killed_worker_are_computed_again(client, image, local, tmp_path):
    expected = reconstruct(image, local, tile=16, device="cpu")
    pids, result = list(client.run(os.getpid).values()), None
    assert len(pids) == 2
    options = {"tile": 16, "device": "cpu", "client": client, "output": tmp_path / "cube.zarr"}
    for event in reconstruct_events(image, local, **options):
        if pids and getattr(event, "done", 0) >= 5:  # others are under way
            os.kill(pids.pop(), signal.SIGKILL)
            pids.clear()
        result = event
    assert not pids
    np.testing.assert_array_equal(np.asarray(result.cube.data), expected.data)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (("", None), "address"),
        ((" ", None), "address"),
        ((None, 0), "takes 1 to"),
        ((None, 10**9), "takes 1 to"),
    ],
)
def test_no_cluster_is_begun_that_nobody_can_have_meant(named, told):
    with pytest.raises(InputError, match=told), workers.connected(*named):
        pass
