"""Say what a file is: a cube with its wavelengths, units and origin, a photograph, or several of either."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.cli.output import note, print_json, print_pairs
from napari_hsr.cli.reading import add_reading_options, stated

if TYPE_CHECKING:
    import argparse

HELP = "say what a file or scene folder holds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="a cube, a scene folder, a photograph, or a film"
    )
    add_reading_options(parser, photographs=True)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from napari_hsr.cube import any_finite

    image = _opened(args)
    summary = image.summary()
    if summary.get("value_range") == [0.0, 0.0] and not any_finite(image):
        summary["value_range"] = None
    if args.json:
        print_json({"file": args.file, **summary})
    elif summary["kind"] == "cube":
        print_pairs(_cube_facts(args.file, image, summary))
    elif summary["kind"] == "photograph":
        print_pairs(_photograph_facts(args.file, summary))
    else:
        print_pairs(_stack_facts(args.file, image, summary))
    note(getattr(image, "notices", ()), about=Path(args.file).name)
    return 0


def _opened(args: argparse.Namespace) -> Any:
    """What the file holds: a cube, a photograph, or several of either."""
    from napari_hsr.errors import FileError
    from napari_hsr.io import detect, read
    from napari_hsr.io.stacks import can_read_stack, read_stack

    try:
        return read(args.file, **stated(args))
    except FileError:
        path = Path(args.file).expanduser()
        found: Any = None
        if detect.is_zarr(path):
            from napari_hsr.io.zarr.stored_frames import stored_frames

            found = stored_frames(path)
        elif can_read_stack(path):
            found = read_stack(path)
        if found is None:
            raise
        return found


def _cube_facts(path: str, cube: Any, summary: dict[str, Any]) -> list[tuple[str, object]]:
    bands, height, width = cube.shape
    span = summary["value_range"]
    values = f"{span[0]:.6g} to {span[1]:.6g}" if span else "no finite value"
    estimate = " (sampled)" if summary["value_range_is_estimate"] else ""
    wavelengths = cube.wavelengths.describe() if cube.wavelengths is not None else "not known"
    return [
        ("file", path),
        ("kind", "spectral cube"),
        ("name", cube.name),
        ("size", f"{height} x {width} pixels, {bands} band{'s' if bands > 1 else ''}"),
        ("pixels", cube.place.describe() if cube.place is not None else None),
        ("wavelengths", wavelengths),
        ("values", f"{values}{estimate}"),
        ("units", cube.units or "not known"),
        *_origin(summary["provenance"]),
        ("metadata", ", ".join(sorted(summary["metadata"]))),
    ]


def _photograph_facts(path: str, summary: dict[str, Any]) -> list[tuple[str, object]]:
    height, width, _ = summary["shape"]
    return [
        ("file", path),
        ("kind", "photograph"),
        ("name", summary["name"]),
        ("size", f"{height} x {width} pixels"),
        ("values", summary["dtype"]),
        ("encoding", summary["encoding"] or "not known"),
        *_origin(summary["provenance"]),
        ("metadata", ", ".join(sorted(summary["metadata"]))),
    ]


def _stack_facts(path: str, image: Any, summary: dict[str, Any]) -> list[tuple[str, object]]:
    """Of several photographs or cubes."""
    cubes = summary["kind"] == "frames"
    axes = [image.axis] if cubes else image.axes
    found: list[tuple[str, object]] = [
        ("file", path),
        ("kind", "cubes of several frames" if cubes else "stack of photographs"),
        ("frames", " x ".join(f"{axis.size} ({axis.name})" for axis in axes)),
        *(("spacing", f"{axis.step:g} {axis.unit}") for axis in axes if axis.unit != "pixel"),
    ]
    if cubes and image.first is not None:
        of_one = _cube_facts(path, image.first, image.first.summary())
        found += [one for one in of_one if one[0] not in ("file", "kind", "values")]
    elif not cubes:
        shown = {**summary, "shape": summary["shape"][-3:]}
        found += _photograph_facts(path, shown)[2:]
    for number, why in image.failures.items():
        found.append((f"frame {number + 1}", f"left empty: {why}"))
    if cubes:
        found.append(("missing", ", ".join(map(str, summary["missing"]))))
        found.append(("finished", "" if image.finished else "no: the same run goes on with it"))
    return found


def _origin(provenance: dict[str, Any]) -> list[tuple[str, object]]:
    weights = provenance.get("weights_sha256")
    return [
        ("made from", provenance.get("input")),
        ("by model", provenance.get("model")),
        ("weights", f"sha256 {weights[:16]}…" if weights else None),
        ("napari-hsr", provenance.get("version")),
        ("created", provenance.get("created")),
        *(("step", step) for step in provenance.get("steps", [])),
        ("trust", _trust((provenance.get("extra") or {}).get("trust"))),
    ]


def _trust(found: object) -> str | None:
    """What a run has found of a cube's uncertainty, in one line."""
    if not isinstance(found, dict):
        return None
    plain = {name: value for name, value in found.items() if isinstance(value, (str, int, float))}
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in plain.items())
