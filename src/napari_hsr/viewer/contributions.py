"""Entry points of the manifest: reader of images, writer, sample data, actions on a cube.

The actions (true and false colour) are in the command palette and in the Wavelength panel.

Loaded on first use, not when napari starts; heavy imports stay inside functions.
"""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_hsr.errors import GreyImageError, HSRError, InputError, SeveralArraysError
from napari_hsr.units import one_line
from napari_hsr.viewer.unreadable import telling, window_is_in_use

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import napari

    from napari_hsr.cube import Cube
    from napari_hsr.photograph import Photograph
    from napari_hsr.photograph_stack import PhotographStack
    from napari_hsr.viewer.fingerprints import Trace

    LayerTuple = tuple[Any, dict[str, Any], str]

#: Where users find the action that sets wavelengths.
SET_WAVELENGTHS = "Plugins ▸ Hyperspectral reconstruction ▸ Set wavelengths…"
#: What napari expects from a reader that has nothing to show.
NOTHING: list = [(None,)]


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list] | None:
    """The reader for a file or a scene folder; None if the format is not supported.

    In the running application it is what says so, in a sentence.

    Parameters
    ----------
    path : str or list of str
        More than one path asks for a stack, of photographs.
    """
    from napari_hsr import io
    from napari_hsr.io import stacks

    single = _single(path)
    if stacks.can_read_stack(path if single is None else single):
        return read_layers
    if single is not None and io.can_read(single):
        return read_layers
    return telling(single or path, "napari-hsr.get_reader", read_layers)


def read_layers(path: str | Sequence[str]) -> list:
    """Read a file into layer data tuples, and show its notices as napari notifications.

    A file that cannot be read raises in scripts. In the running application it gives one
    notification instead, since napari would replace our sentence by its own and a traceback.
    There a grey picture is left to napari's own reader, and the first file makes ours the
    preferred one; a file that leaves a choice asks for it, once for files of its layout. A file of
    several is not read a second time when napari asks for the reader of another.

    Raises
    ------
    HSRError
        In scripts: if the file cannot be read; one sentence.
    """
    from napari.utils.notifications import show_error, show_info

    from napari_hsr import io
    from napari_hsr.io import stacks
    from napari_hsr.io.libraries import is_library
    from napari_hsr.viewer import file_choices, preferred_reader
    from napari_hsr.viewer.fingerprints import Trace
    from napari_hsr.viewer.opened_already import opened_already

    file = _single(path)
    if file is not None and opened_already(file):
        return NOTHING
    if file is None or stacks.can_read_stack(file):  # several files make a stack, or nothing
        return _read_stack(path if file is None else file)
    trace = Trace.of(file)
    if not window_is_in_use():
        thing = io.read(file)
        announce(thing)
        return [_of_file(trace, thing)]
    if is_library(file):
        _execute("open_library", file)(file)
        return NOTHING
    try:
        thing, asks, choice = file_choices.read_as_before(file)
        layers = [_of_file(trace, thing)]
        layers[0][1]["metadata"] |= file_choices.stated(choice)
    except SeveralArraysError:
        _execute("ask_what_to_read", file)
        return NOTHING
    except HSRError as error:
        if isinstance(error, GreyImageError):
            return preferred_reader.naparis_own(error.path)
        show_error(one_line(error))
        return NOTHING
    announce(thing)
    told = preferred_reader.prefer()
    if told:
        show_info(told)
    if asks:
        _execute("ask_what_to_read", file)
    return layers


def _read_stack(path: str | Sequence[str]) -> list[LayerTuple]:
    """A film, a folder, several files or pages as a stack, with the same faults."""
    from napari.utils.notifications import show_error

    from napari_hsr.io import stacks
    from napari_hsr.viewer import as_read, preferred_reader
    from napari_hsr.viewer.frames import stack_layer

    try:
        stack = stacks.read_stack(path)
    except HSRError as error:
        if not window_is_in_use():
            raise
        if isinstance(error, GreyImageError):
            return preferred_reader.naparis_own(fspath(path) if isinstance(path, str) else path)
        show_error(one_line(error))
        return NOTHING
    announce(stack)
    layer = stack_layer(stack)
    as_read.note(layer[0], as_read.trace_of_stack(_single(path) or fspath(path[0]), stack))
    return [layer]


def _execute(command: str, path: str | None) -> Any:
    """Call what the widgets register under a command of the manifest."""
    from npe2 import PluginManager

    return PluginManager.instance().commands.execute(f"napari-hsr.{command}", args=(path,))


def layer_tuple(thing: Cube | Photograph) -> LayerTuple:
    """The layer data tuple of a cube or a photograph."""
    from napari_hsr.photograph import Photograph
    from napari_hsr.viewer.layers import cube_layer, photograph_layer

    return photograph_layer(thing) if isinstance(thing, Photograph) else cube_layer(thing)


def _of_file(trace: Trace, thing: Cube | Photograph) -> LayerTuple:
    """The layer of a file, which has its name where nobody named it: several would all be called alike."""
    from napari_hsr.viewer import as_read

    layer = layer_tuple(thing)
    as_read.note(layer[0], trace)
    if thing.name == type(thing).name:
        layer[1]["name"] = Path(trace.path).stem
    return layer


def announce(thing: Cube | Photograph | PhotographStack) -> None:
    """Show the notices of what was read, and the wavelength of a cube on the canvas."""
    import napari
    from napari.utils.notifications import show_info, show_warning

    from napari_hsr.cube import Cube
    from napari_hsr.notices import ABOUT_WAVELENGTHS, Code, has

    notices: list[str] = list(thing.notices)
    warn = has(notices, Code.PLACE_UNUSABLE)
    if isinstance(thing, Cube):
        if thing.wavelengths is None or thing.wavelengths.assumed:
            warn = True
            if not has(notices, *ABOUT_WAVELENGTHS):
                notices.append(missing_wavelengths(thing))
            notices.append(f"Set them in {SET_WAVELENGTHS}.")
        viewer = napari.current_viewer()
        if viewer is not None:
            from napari_hsr.viewer.axis import open_next_cube
            from napari_hsr.viewer.canvas_text import show_wavelength

            show_wavelength(viewer)
            open_next_cube(viewer)
    if notices:
        show = show_warning if warn else show_info
        show(one_line(f"{thing.name}: {' '.join(notices)}"))


def missing_wavelengths(cube: Cube) -> str:
    """The sentence on wavelengths that are assumed or unknown."""
    bands = f"{cube.bands} band{'' if cube.bands == 1 else 's'}"
    if cube.wavelengths is None:
        return f"No wavelengths are known; its {bands} go{'es' * (cube.bands == 1)} by index."
    nm = cube.wavelengths.nm
    return f"Wavelengths are assumed to be {nm[0]:g}–{nm[-1]:g} nm, in {bands}."


def write_image(path: str | PathLike, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write an image layer that holds a cube or a photograph; the suffix sets the format.

    Other layers, which come here because ours is the first writer once there is a cube, go to the writer that
    napari would have taken.

    A name without one, such as that of the layer which napari's dialog proposes, gets ``.mat`` for a cube and
    ``.png`` for a photograph. A cube is written with the position and scale that its layer has in the viewer; a warning
    says what the file cannot hold of them.

    Of several layers that napari saves together one that cannot be written is told, and the others are: it would
    take all of them away again.

    Raises
    ------
    HSRError
        If the layer is neither, or the file cannot be written; one sentence.
    """
    from napari.utils.notifications import show_error

    from napari_hsr.viewer.preferred_writer import one_of_several

    try:
        return _written(path, data, meta)
    except HSRError as error:
        if not one_of_several():
            raise
        show_error(one_line(f"{meta.get('name', 'A layer')} was not saved: {error}"))
        return []


def _written(path: str | PathLike, data: Any, meta: dict[str, Any]) -> list[str]:
    from napari_hsr import io
    from napari_hsr.viewer import preferred_writer
    from napari_hsr.viewer.computed_cubes import check_computed
    from napari_hsr.viewer.layer_data import (
        FRAMES,
        cube_from_parts,
        photograph_from_parts,
        place_in,
        state_of,
    )

    whole = data
    if meta.get("multiscale"):
        data = data[0]
    if preferred_writer.is_for_others(path, data, meta):
        written_by_others = preferred_writer.write_by_others(path, whole, meta)
        if written_by_others is not None:
            return written_by_others
    if len(data.shape) > 3 and state_of(meta.get("metadata")).get("kind") == FRAMES:
        raise InputError(
            f"{meta.get('name')!r} holds the cubes of all frames: Reconstruct writes them, by Save cubes…"
        )
    if len(data.shape) != 3:
        raise InputError(
            f"{meta.get('name', 'This layer')!r} is neither a cube (bands, height, width) nor a "
            f"photograph: its shape is {tuple(data.shape)}; choose another writer."
        )
    if meta.get("rgb"):
        path = preferred_writer.with_suffix(path, ".png")
        return [fspath(io.write(photograph_from_parts(data, meta), path))]
    cube = cube_from_parts(data, meta)
    check_computed(cube)
    written = [fspath(io.write(cube, preferred_writer.with_suffix(path, ".mat")))]
    _, left_out = place_in(meta)
    if left_out:
        from napari.utils.notifications import show_warning

        show_warning(one_line(left_out))
    return written


def sample_photograph() -> list[LayerTuple]:
    """A real photograph."""
    from napari_hsr import samples

    return [layer_tuple(samples.photograph())]


def sample_chart() -> list[LayerTuple]:
    """A chart scene: the measured cube, and the photograph taken of it."""
    from napari_hsr import samples

    truth, photograph = samples.chart()
    announce(truth)
    return [layer_tuple(truth), layer_tuple(photograph)]


def true_colour(viewer: napari.Viewer) -> None:
    """Add the selected cube in true colour as an RGB layer."""
    from napari_hsr.viewer.rendering import add_true_colour

    _on_chosen_cube(viewer, add_true_colour)


def false_colour(viewer: napari.Viewer) -> None:
    """Add the selected cube in false colour as an RGB layer."""
    from napari_hsr.viewer.rendering import add_false_colour

    _on_chosen_cube(viewer, add_false_colour)


def _on_chosen_cube(viewer: napari.Viewer, action: Callable) -> None:
    from napari.utils.notifications import show_error

    try:
        action(viewer, _chosen_cube(viewer))
    except HSRError as error:
        show_error(one_line(error))


def _chosen_cube(viewer: napari.Viewer) -> Any:
    """The selected cube, or the source of the selected picture, or the topmost visible cube."""
    from napari_hsr.viewer.axis import visible_cubes
    from napari_hsr.viewer.layer_data import is_cube, layer_state

    active = viewer.layers.selection.active
    if active is not None and is_cube(active):
        return active
    cubes = visible_cubes(viewer)
    if not cubes:
        raise InputError("There is no cube in the viewer: open one, or reconstruct one first.")
    state = {} if active is None else layer_state(active).get("metadata") or {}
    source = state.get("rendered_layer")
    return next((c for c in viewer.layers if str(c.unique_id) == source), cubes[0])


def _single(path: str | Sequence[str]) -> str | None:
    if isinstance(path, (str, PathLike)):
        return fspath(path)
    return fspath(path[0]) if len(path) == 1 else None
