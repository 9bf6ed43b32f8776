"""Super-resolve spectral cubes: files, folders and patterns.

Each cube gets SCALE times as many pixels along each side, over the same area and in the same
bands, by a model or by a named interpolation. With --refine, back-projection makes it agree with
the cube it came from; --dualsr is the refinement that the authors of DualSR published, against a
second result at half the scale. The residual on the coarse grid is printed: it needs no ground
truth.

OUT is a file for one cube, otherwise a folder, in which each result is named after its cube and the
model, <cube>_<model>.mat. A folder as CUBE stands for the cubes directly in it. A cube that fails
does not stop the others: its reason is printed and the exit status is 1. Into a folder, the same
command again computes only what is missing or has changed. No input is ever overwritten; another
existing file is replaced, which a note says unless --overwrite is given. Ctrl-C ends the batch and
leaves nothing half-written.

A zarr store (OUT.zarr, or --format .zarr) is written tile by tile, in the memory of a tile, unless the
result is refined. Until it is finished it is called OUT.unfinished.zarr; the same command goes on with
it after Ctrl-C, a kill or a full disk, and --overwrite begins anew.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.batch import Batch, add_batch_options
from napari_hsr.cli.reading import whole_number
from napari_hsr.io.file_lists import CUBE_SUFFIXES

if TYPE_CHECKING:
    from napari_hsr.inference import SuperResolutionResult

HELP = "super-resolve spectral cubes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    add_batch_options(parser, "CUBE", "spectral cubes")
    parser.add_argument(
        "--scale",
        metavar="N",
        type=whole_number,
        help="2, 3, 4 or 8 times as fine (default: the model's)",
    )
    parser.add_argument(
        "--model",
        metavar="M",
        help="name of a model for cubes, its folder or file, or an interpolation: bicubic-matlab, "
        "bicubic-opencv, bicubic-torch, box (default: the first installed model of the scale)",
    )
    refining = parser.add_mutually_exclusive_group()
    refining.add_argument(
        "--refine",
        action="store_const",
        const="back-projection",
        help="refine the result by back-projection",
    )
    refining.add_argument(
        "--dualsr",
        dest="refine",
        action="store_const",
        const="dualsr",
        help="refine it as published for DualSR, at scale 4 or 8: FineSR, once, against the result "
        "of a second model for half the scale",
    )
    parser.add_argument(
        "--half-model",
        metavar="M",
        help="that second model (default: an installed one of the same network)",
    )
    parser.add_argument(
        "--degradation",
        metavar="D",
        default="bicubic-matlab",
        help="how the cubes are assumed to have come from finer ones, for the residual and "
        "--refine: bicubic-matlab (default), bicubic-opencv, bicubic-torch, box, gaussian (full "
        "width at half maximum: one coarse pixel) or gaussian:SIGMA in fine pixels",
    )
    parser.add_argument(
        "--denoise",
        action=argparse.BooleanOptionalAction,
        help="leave noise that the bands do not share out of the cubes first (default: for models "
        "trained on cubes with noise, as the bundled ones)",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    batch = Batch(args, CUBE_SUFFIXES, "cube")
    if not batch.inputs:
        return batch.refuse()
    from napari_hsr.inference import estimate_super_resolution, super_resolve_events
    from napari_hsr.inference.region import shape

    upscaler, scale, half_model = _choose(args)
    computing: dict[str, Any] = {
        name: getattr(args, name) for name in ("refine", "device", "tile", "precision")
    }

    def facts(_image: Any, result: SuperResolutionResult) -> dict[str, Any]:
        return {
            "scale": result.scale,
            "relative_residual": result.agreement.relative,
            "degradation": result.agreement.degradation,
            "notices": list(result.notices),
        }

    work = batch.work(
        model=upscaler,
        events=lambda image, cancel, store=None: super_resolve_events(
            image,
            upscaler,
            scale,
            half_model=half_model,
            degradation=args.degradation,
            **computing,
            denoise=args.denoise,
            region=args.region,
            cancel=cancel,
            client=batch.client,
            output=store,
            overwrite=args.overwrite,
        ),
        estimate=lambda cube, on_disk=False: estimate_super_resolution(
            (cube.bands, *shape(args.region, *cube.shape[1:])),
            upscaler,
            scale,
            **computing,
            on_disk=on_disk,
        ),
        in_parts=args.refine is None,
        facts=facts,
        settings={
            **computing,
            "scale": scale,
            "half model": half_model
            and [half_model.name, getattr(half_model, "weights_sha256", "")],
            "degradation": args.degradation,
            **({} if args.denoise is None else {"denoise": args.denoise}),
        },
    )
    return batch.run(work, f"{upscaler.name}_x{scale}", "super-resolved")


def _choose(args: argparse.Namespace) -> tuple[Any, int, Any]:
    """Upscaler, scale and second model; what would be wrong with every cube is wrong usage."""
    from napari_hsr.errors import InputError
    from napari_hsr.inference.devices import resolve
    from napari_hsr.inference.precision import choose as choose_precision
    from napari_hsr.inference.refinement_choice import half_scale_upscaler
    from napari_hsr.inference.upscalers import choose
    from napari_hsr.resample import Kind, find

    try:
        find(args.degradation)
        device = resolve(args.device)
        upscaler, scale = choose(args.model, args.scale)
        half = half_scale_upscaler(upscaler, scale, args.refine, args.half_model)
        for one in (upscaler, half):
            if one is not None and not isinstance(one, Kind):
                choose_precision(one, args.precision, device)
    except InputError as error:
        args.usage_error(str(error))
    return upscaler, scale, half
