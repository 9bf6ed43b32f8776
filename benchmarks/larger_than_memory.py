"""Peak memory of what reads a cube on disk: metrics, rendering, maps, statistics, super-resolution.

    python benchmarks/larger_than_memory.py                 a cube of 4 GB in a zarr store
    python benchmarks/larger_than_memory.py --side 12000    18 GB
    python benchmarks/larger_than_memory.py index render    some of the operations

The store is sparse: most of its shards were never written and read as one value, so that it takes no
room on the disk, while whoever loads it whole takes all of its memory. Each operation runs in a process
of its own; printed are its seconds, and its peak resident memory beyond what the imports take.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

#: What the child of each operation does; ``a`` and ``out`` are paths of the store and of a result.
OPERATIONS = {
    "evaluate": "from napari_hsr.metrics import evaluate; evaluate(read(a), read(a))",
    "compare": (
        "from napari_hsr.metrics.compare import compare_events; "
        "list(compare_events(read(a), read(a)))"
    ),
    "render": "done(main(['render', a, '-o', out + '.png']))",
    "index": "done(main(['index', a, 'NGRDI', '-o', out + '.tif']))",
    "formula": "done(main(['index', a, 'b550 / b650', '-o', out + '.tif']))",
    "components": "done(main(['components', a, '-o', out + '.tif', '-n', '3']))",
    "unmix": "done(main(['unmix', a, '-o', out + '.tif', '--at', 'a=3,3', 'b=900,900']))",
    "classify": "done(main(['classify', a, '-o', out + '.tif', '--at', '3,3', '900,900']))",
    "convert": "done(main(['convert', a, '-o', out + '.zarr', '--bands', '0-4']))",
    "super-resolve": (
        "from napari_hsr import super_resolve; "
        "super_resolve(read(a), 'bicubic-matlab', 2, output=out + '.zarr')"
    ),
    "unlike": (
        "from napari_hsr.inference.trust.intervals import sampled_unlike; "
        "from napari_hsr import load_model, Photograph; import numpy as np; cube = read(a); "
        "seen = Photograph(np.broadcast_to(np.uint8(90), (*cube.shape[1:], 3)), 'srgb'); "
        "sampled_unlike(cube.data, seen, load_model('instant-photo'))"
    ),
    "trust": (
        "from napari_hsr.inference.trust.run import trust_events; from napari_hsr import Photograph; "
        "from napari_hsr.trust.linear_camera import linear_camera; import numpy as np; cube = read(a); "
        "seen = Photograph(np.broadcast_to(np.uint8(90), (*cube.shape[1:], 3)), 'linear-srgb'); "
        "camera = linear_camera('linear-srgb', tuple(cube.wavelengths), 'cie-1931'); "
        "list(trust_events(cube.data, seen, camera, False, None))"
    ),
}
CHILD = """
import resource, sys, time
from napari_hsr import read
from napari_hsr.cli import main
import torch, zarr, scipy.ndimage
a, out, work = sys.argv[1:]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
def done(status):
    assert status == 0, f"the command ended with {status}"
before, start = peak(), time.perf_counter()
exec(work)
print(f"{time.perf_counter() - start:.1f} s, peak {peak():.2f} GiB, {peak() - before:.2f} above the imports")
"""


def write_store(path: Path, side: int) -> None:
    """31 bands of side x side pixels, of which a corner is written."""
    import zarr

    from napari_hsr import Cube, Wavelengths
    from napari_hsr.io.tiff import ome_metadata

    group = zarr.open_group(path, mode="w", zarr_format=3)
    array = group.create_array(
        "0",
        shape=(31, side, side),
        chunks=(4, 256, 256),
        shards=(32, 1024, 1024),
        dtype="float32",
        fill_value=0.3,
        dimension_names=("c", "y", "x"),
    )
    array[:, :1024, :1024] = np.random.default_rng(0).random((31, 1024, 1024), np.float32)
    nothing = np.broadcast_to(np.float32(0), (31, side, side))
    like = Cube(nothing, Wavelengths(np.arange(400, 701, 10.0)), units="reflectance", name="large")
    group.attrs.update(ome_metadata.attributes(like, (0.0, 1.0), "0.5"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("operations", nargs="*", choices=[[], *OPERATIONS], default=[])
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--folder", type=Path, help="where the files go (default: temporary)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        path = Path(name) / "large.zarr"
        write_store(path, args.side)
        print(f"a cube of {31 * args.side**2 * 4 / 2**30:.1f} GiB")
        for operation in args.operations or OPERATIONS:
            out = str(Path(name) / operation)
            given = [sys.executable, "-c", CHILD, str(path), out, OPERATIONS[operation]]
            done = subprocess.run(given, capture_output=True, text=True)
            lines = done.stdout.splitlines() or [""]
            said = lines[-1] if not done.returncode else done.stderr.splitlines()[-1]
            print(f"{operation}: {said}", flush=True)


if __name__ == "__main__":
    main()
