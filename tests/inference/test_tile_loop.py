"""The loop over tiles: where memory runs out, what is read and how often, where results go."""

import subprocess
import sys
import threading
from textwrap import dedent
from typing import ClassVar

import numpy as np
import pytest
import torch

from napari_hsr import Photograph
from napari_hsr.errors import Cancelled, HSRError, lacks_memory
from napari_hsr.inference import reconstruct, reconstruct_events
from napari_hsr.inference.run_plan import plan_run
from napari_hsr.inference.tiles.loop import run_tiles
from napari_hsr.inference.tiles.outputs import InMemory, written
from napari_hsr.inference.tiles.tiling import cut
from napari_hsr.models import ModelCard
from napari_hsr.models.model import Model

from ..patience import steps

CARD = ModelCard(
    name="toy",
    title="A toy",
    architecture="toy",
    input_encoding="linear-srgb",
    wavelengths_nm=(500, 550, 600),
)
CPU = "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"
WINDOWS = "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory"
SHORTAGES = [
    MemoryError(),
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(CPU),
    RuntimeError(WINDOWS),
    RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"),
]


def plan(height, width, model, tile="auto"):
    """The tiles of an image on the CPU."""
    return plan_run(model, height, width, tile=tile, device="cpu").tiles


class Small(torch.nn.Module):
    """A mean of 5 × 5 pixels that can take no more than so many at once."""

    def __init__(self, pixels, error=None, after=0):
        super().__init__()
        self.pixels, self.error, self.after = pixels, error or MemoryError(), after
        self.done, self.refused = [], 0

    def forward(self, x):
        if x.shape[2] * x.shape[3] > self.pixels and len(self.done) >= self.after:
            self.refused += 1
            raise self.error
        self.done.append(tuple(x.shape[2:]))
        padded = torch.nn.functional.pad(x, (2, 2, 2, 2), mode="replicate")
        return torch.nn.functional.avg_pool2d(padded, 5, 1)


def toy(pixels=10**9, context=2, **options):
    return Model(
        module=Small(pixels, **options), card=CARD, weights_sha256="", bands=3, context=context
    )


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 250, (90, 131, 3), np.uint8)


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda e: f"{type(e).__name__}-{str(e)[:12]}")
def test_the_tile_is_halved_until_it_fits(image, error):
    model = toy(40 * 40, error=error)
    *_, result = reconstruct_events(image, model, tile="whole", device="cpu")
    whole = reconstruct(image, toy(), tile="whole", device="cpu")
    np.testing.assert_allclose(result.cube.data, whole.data, rtol=0, atol=1e-6)
    assert result.cube.value_range == pytest.approx(whole.value_range, abs=1e-6)
    assert model.module.refused == 2  # 131, then 66; 33 and its context fit
    assert result.tiles == len(model.module.done)
    assert result.notices == (
        "There was not enough memory for tiles of 131 pixels: "
        "the rest was computed in tiles of at most 33 pixels.",
    )


def test_what_is_finished_is_kept_and_the_rest_is_halved_at_once(image):
    """Another program takes the memory after the fourth tile."""
    model = toy(30 * 30, after=4)
    *progress, result = steps(reconstruct_events(image, model, tile=40, device="cpu"))
    assert len(plan(*image.shape[:2], model, 40)) == 12
    assert [max(shape) > 30 for shape in model.module.done[:5]] == [True] * 4 + [False]
    assert model.module.refused == 1
    whole = reconstruct(image, toy(), tile="whole", device="cpu")
    np.testing.assert_allclose(result.cube.data, whole.data, rtol=0, atol=1e-6)
    said = [p.message for p in progress]
    assert said[5] == "Reconstructing"
    assert said[6] == "Reconstructing in tiles of 20 pixels: there was no memory for larger ones"
    assert [p.done for p in progress[1:6]] == [0, 1, 2, 3, 4]
    assert progress[6].done == 4  # the tile that failed begins anew
    assert progress[-1].done == progress[-1].total == result.tiles


@pytest.mark.parametrize("tile", ["whole", 48])
def test_windows_are_halved_into_windows_without_a_seam(image, tile):
    """What the network makes of each pixel alone shows whether the weights still sum to 1."""
    model = toy(25 * 25, context=None, after=2 if tile == 48 else 0)
    model.module.forward = lambda x, guard=model.module.forward: guard(x) * 0 + x
    photograph = Photograph(image, encoding="linear-srgb")
    *_, result = reconstruct_events(photograph, model, tile=tile, device="cpu")
    np.testing.assert_allclose(
        result.cube.data, image.transpose(2, 0, 1) / np.float32(255), rtol=0, atol=1e-6
    )
    assert "not enough memory" in result.notices[-2]
    assert f"{result.tiles} overlapping tiles" in result.notices[-1]
    assert "depends on the whole image" in result.notices[-1]


@pytest.mark.parametrize("context", [0, 3, None])
@pytest.mark.parametrize("side", [1, 7, 20, 33])
def test_cut_tiles_are_the_same_part_of_the_image(context, side):
    model = toy(context=context)
    written = np.zeros((61, 83))
    counted = np.zeros_like(written)
    for tile in plan(61, 83, model, 40):
        for part in cut(tile, side, 61, 83, model):
            written[part.rows.write, part.columns.write] += part.weights()
            counted[part.rows.core, part.columns.core] += 1
    np.testing.assert_allclose(written, 1, atol=1e-6)
    assert (counted == 1).all()


def test_saturated_pixels_are_counted_once(image):
    white = np.full_like(image, 255)
    notices = reconstruct(white, toy(25 * 25, context=None), tile=48, device="cpu").notices
    assert notices[0].startswith(f"{90 * 131} pixels (100.0%)")


def test_an_ensemble_begins_its_tile_anew(image):
    model = toy(50 * 50, after=0)
    *progress, result = reconstruct_events(image, model, tile=80, ensemble="mean", device="cpu")
    single = reconstruct(image, toy(), tile="whole", device="cpu")
    np.testing.assert_allclose(result.cube.data, single.data, rtol=0, atol=1e-5)
    assert progress[-1].done == 8 * result.tiles


def test_strips_of_the_whole_image_are_not_cut(image):
    model = toy(50 * 50)
    with pytest.raises(HSRError, match="not enough memory for strips of the whole image"):
        reconstruct(image, model, tile="whole", ensemble="strips", device="cpu")
    assert model.module.refused == 1


def test_where_even_the_smallest_tile_fails_there_is_one_sentence(image):
    model = toy(100)
    with pytest.raises(HSRError, match=r"not enough memory for toy, not even in tiles of 17") as e:
        reconstruct(image, model, tile="whole", device="cpu")
    assert "\n" not in str(e.value)
    assert model.module.refused == 4  # 131, 66, 33, 17


def test_other_errors_are_not_taken_for_it(image):
    fault = RuntimeError("The size of tensor a (4) must match the size of tensor b (5)")
    model = toy(100, error=fault)
    with pytest.raises(RuntimeError, match="must match"):
        reconstruct(image, model, device="cpu", tile="whole")
    assert model.module.refused == 1
    assert not lacks_memory(ValueError("out of memory"))


def test_it_can_be_cancelled_while_tiles_are_halved(image):
    cancel = threading.Event()
    run = reconstruct_events(image, toy(40 * 40), tile="whole", device="cpu", cancel=cancel)
    next(run), next(run)
    cancel.set()
    with pytest.raises(Cancelled):
        next(run)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit on a process's memory")
def test_memory_that_really_gives_out():
    """A process that may take 300 MB more: a convolution of the whole image does not fit."""
    script = """
        import resource
        import numpy as np, torch
        from napari_hsr.inference import reconstruct
        from napari_hsr.models import ModelCard
        from napari_hsr.models.model import Model

        torch.set_num_threads(1)
        card = ModelCard(name="toy", title="A toy", architecture="toy",
                         input_encoding="linear-srgb", wavelengths_nm=(500, 550, 600))
        wide = torch.nn.Sequential(torch.nn.Conv2d(3, 200, 1), torch.nn.Conv2d(200, 3, 1))
        model = Model(module=wide.eval(), card=card, weights_sha256="", bands=3, context=0)
        image = np.random.default_rng(0).random((900, 1000, 3), dtype=np.float32)
        small = reconstruct(image, model, tile=100, device="cpu")
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20,) * 2)
        large = reconstruct(image, model, tile="whole", device="cpu")
        assert np.abs(small.data - large.data).max() < 1e-5
        print(large.notices[0])
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("There was not enough memory for tiles of 1000 pixels")


# --- what goes in and what comes out -----------------------------------------------------------------


class Counting(np.ndarray):
    """An image that remembers which rows and columns were read of it."""

    reads: ClassVar[list] = []

    def __getitem__(self, index):
        if isinstance(index, tuple) and len(index) == 2:
            self.reads.append(index)
        return np.asarray(self)[index]


def test_each_tile_of_a_photograph_is_read_once(image):
    Counting.reads.clear()
    white = np.full_like(image, 255).view(Counting)
    *_, result = reconstruct_events(
        Photograph(white, encoding="linear-srgb"), toy(), tile=40, device="cpu"
    )
    whole, *tiles = Counting.reads  # once for what a cube knows it by
    assert whole == np.s_[0:90, 0:131]
    assert len(tiles) == result.tiles == 12
    assert result.notices[0].startswith(f"{90 * 131} pixels (100.0%)")


class InFiles:
    """An output that keeps a file for each tile, and knows those of an earlier run."""

    def __init__(self, folder, shape):
        self.folder, self.shape, self.largest = folder, shape, 0

    def _path(self, tile):
        rows, columns = written(tile)
        return self.folder / f"{rows.start}-{rows.stop}-{columns.start}-{columns.stop}.npz"

    def finished(self, tile):
        if not self._path(tile).exists():
            return None
        return {"read": int(np.load(self._path(tile))["read"])}

    def write(self, tile, block, counted):
        rows, columns = written(tile)
        np.savez(self._path(tile), block=block, at=[rows.start, columns.start], **counted)
        self.largest = max(self.largest, block.size)

    def close(self):
        return np.nanmin(self.whole()), np.nanmax(self.whole())

    def whole(self):
        whole = np.zeros(self.shape, np.float32)
        for path in self.folder.glob("*.npz"):
            part = np.load(path)
            top, left = part["at"]
            _, height, width = part["block"].shape
            whole[:, top : top + height, left : left + width] += part["block"]
        return whole


class Halves:
    """An input that is neither photograph nor cube: two channels, made when they are read."""

    doing = "Counting"

    def __init__(self, values):
        self.values, self.tiles = values, 0

    def read(self, tile):
        return self.values[:, tile.rows.read, tile.columns.read]

    def undo(self, bands):
        return bands / 2

    def counted(self):
        return {"read": 1}

    def add(self, counted):
        self.tiles += counted["read"]


@pytest.mark.parametrize("context", [2, None])
def test_any_input_and_any_output_will_do(tmp_path, context):
    values = np.random.default_rng(0).random((3, 50, 61), np.float32)
    values[1, 3, 4] = np.nan
    run = plan_run(toy(context=context), 50, 61, tile=20, device="cpu")
    job, output = Halves(values), InFiles(tmp_path, run.output_shape)
    *_, last = (loop := steps(_driven(run_tiles(run, job, output))))
    memory = np.zeros(run.output_shape, np.float32)
    *_, other = _driven(run_tiles(run, Halves(values), InMemory(memory)))
    # up to four windows are added in any order: each sum is rounded by half a unit in the last place
    np.testing.assert_allclose(output.whole(), memory, rtol=3 * 2**-24)
    assert job.tiles == last.tiles == len(run.tiles) == len(loop) - 2
    assert (last.tiles, last.notices) == (other.tiles, other.notices)
    assert np.isnan(memory[:, 3, 4]).all()
    assert np.isnan(memory).sum() == 3
    assert other.value_range == (np.nanmin(memory), np.nanmax(memory))
    assert output.largest < memory.size / 4  # nothing but tiles was written


def test_what_an_output_has_already_is_not_computed_again(tmp_path):
    values = np.random.default_rng(0).random((3, 50, 61), np.float32)
    model = toy()
    run = plan_run(model, 50, 61, tile=20, device="cpu")
    first = run_tiles(run, Halves(values), InFiles(tmp_path, run.output_shape))
    for event in first:
        if event.done == 5:  # five tiles are written, the sixth is about to be computed
            first.close()
            break
    passes, compute = [], model.module.forward
    model.module.forward = lambda x: passes.append(x.shape) or compute(x)
    job, output = Halves(values), InFiles(tmp_path, run.output_shape)
    *_, last = _driven(run_tiles(run, job, output))
    assert len(passes) == len(run.tiles) - 5
    assert job.tiles == last.tiles == len(run.tiles)  # those of the first run are counted too
    memory = np.zeros(run.output_shape, np.float32)
    list(run_tiles(run, Halves(values), InMemory(memory)))
    np.testing.assert_array_equal(output.whole(), memory)


def _driven(loop):
    """What a loop yields, and at last what it returns."""
    last = yield from loop
    yield last
