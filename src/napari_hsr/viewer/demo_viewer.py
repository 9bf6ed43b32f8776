"""The viewer of ``napari-hsr demo``, and its screenshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

#: The name under which napari knows the plugin.
PLUGIN = "napari-hsr"
#: Patches of the chart to pin: very different colours.
PINNED = ("blue", "orange yellow", "light skin")
SIZE = (1560, 1000)


class DemoFiles(Protocol):
    """The files that the demonstration shows, readable by `napari_hsr.read`."""

    photograph: Path
    photograph_cube: Path
    chart_truth: Path
    chart_photograph: Path
    chart_cube: Path


def show_demo(files: DemoFiles, screenshot: Path, stay: bool) -> None:
    """Open the viewer on the files, take a screenshot, and optionally leave it to the user.

    A grid shows the reconstruction of the chart, its ground truth, its photograph and the map
    of spectral angles. Beside it are the wavelength slider and the spectra of pinned patches,
    reconstruction and ground truth in one plot. The cube of the real photograph is hidden.

    Parameters
    ----------
    files : DemoFiles
    screenshot : Path
        PNG file to write.
    stay : bool
        Run until the user closes the window.
    """
    import napari

    viewer = napari.Viewer(title="napari-hsr demonstration")
    viewer.window.resize(*SIZE)
    arrange(viewer, files)
    settle()
    viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
    if stay:
        napari.run()
    else:
        viewer.close()


def arrange(viewer, files: DemoFiles) -> None:
    """Add layers, panels and the grid; each needs the layout of the one before."""
    from napari_hsr.viewer import axis
    from napari_hsr.viewer.side_by_side import GridView

    prediction, truth, *others = fill(viewer, files)
    panels = add_panels(viewer)
    settle()
    GridView(viewer).show(prediction, truth, others)
    axis.go_to(viewer, 550)
    pin_patches(viewer, panels["Spectra"])


def fill(viewer, files: DemoFiles) -> list:
    """Add photographs, cubes and the SAM map; return the layers of the chart."""
    from napari_hsr.inference.trust.reopened import evidence_again
    from napari_hsr.io import read
    from napari_hsr.metrics.compare import Comparison, compare_events
    from napari_hsr.progress import result_of
    from napari_hsr.trust.linear_camera import CIE
    from napari_hsr.viewer.comparison import show_maps
    from napari_hsr.viewer.layer_data import layer_cube
    from napari_hsr.viewer.layers import add_cube, add_photograph
    from napari_hsr.viewer.trust_maps import remember

    def shown(file: Path) -> Any:  # of which it is known whether it is a photograph or a cube
        return read(file)

    add_photograph(viewer, shown(files.photograph), name="photograph")
    add_cube(viewer, shown(files.photograph_cube), name="photograph, reconstructed")
    photograph = add_photograph(viewer, shown(files.chart_photograph), name="chart, photograph")
    truth = add_cube(viewer, shown(files.chart_truth), name="chart, ground truth")
    prediction = add_cube(viewer, shown(files.chart_cube), name="chart, reconstructed")
    cube = layer_cube(prediction)
    evidence = evidence_again(cube, shown(files.chart_photograph)).seen_by(CIE)
    remember(prediction, evidence)  # intervals, and what the colour leaves open
    pair = cube, shown(files.chart_truth)
    comparison: Comparison = result_of(compare_events(*pair, maps=("sam",)))
    maps = show_maps(
        viewer, comparison.maps, prediction, truth, comparison.evaluation.protocol_text
    )
    return [prediction, truth, photograph, *maps]


def add_panels(viewer) -> dict:
    """Dock the Wavelength and Spectra panels; return the widgets by name."""
    panels = {}
    for name in ("Wavelength", "Spectra"):
        _, panels[name] = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    return panels


def pin_patches(viewer, spectra) -> None:
    """Pin patches of the chart, as Shift-click does."""
    from napari_hsr.viewer.layer_data import layer_cube

    truth = next(layer for layer in viewer.layers if layer.name == "chart, ground truth")
    for patch in layer_cube(truth).metadata["patches"]:
        if patch["name"] in PINNED:
            row = (patch["top"] + patch["bottom"]) / 2
            column = (patch["left"] + patch["right"]) / 2
            spectra.pin(truth.data_to_world((0, row, column)))


def settle(rounds: int = 40) -> None:
    """Process events until the window is drawn."""
    import time

    from napari.qt import get_qapp

    application = get_qapp()
    for _ in range(rounds):
        application.processEvents()
        time.sleep(0.02)
