"""Make the pictures of the documentation: ``make screenshots``, or some of them by name.

    python docs/make_screenshots.py [reconstruct train…]

Real windows with the sample data, so that the pictures never show what the product does not.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from qtpy.QtCore import Qt

from napari_hsr.cli.demo import run_demo
from napari_hsr.viewer import demo_viewer

IMAGES = Path(__file__).parent / "images"
THEMES = ("dark", "light")
WAIT_S = 60


def wait_until(done, seconds: float = WAIT_S) -> None:
    """Let the window work until ``done()`` is true."""
    import time

    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing happened for {seconds:g} s")
        demo_viewer.settle(1)
    demo_viewer.settle()


def save(viewer, name: str, window=None) -> None:
    """The viewer's window as a PNG, with a window of a panel over its canvas."""
    from PIL import Image

    demo_viewer.settle()
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    if window is not None:
        with tempfile.TemporaryDirectory() as folder:
            window.grab().save(str(Path(folder) / "window.png"))
            with Image.open(Path(folder) / "window.png") as over:
                picture.paste(over.convert("RGB"), (330, 90))
    picture.save(IMAGES / f"{name}.png", optimize=True)
    print(IMAGES / f"{name}.png")


def open_viewer(theme: str):
    """An empty viewer in a theme, not remembered in the user's settings."""
    import napari

    viewer = napari.Viewer(title="napari-hsr")
    viewer.theme = theme
    viewer.window.resize(*demo_viewer.SIZE)
    return viewer


def demo(files) -> None:
    """The picture of the README."""
    viewer = open_viewer("dark")
    demo_viewer.arrange(viewer, files)
    save(viewer, "demo")
    viewer.close()


def reconstruct(theme: str) -> None:
    """The Reconstruct panel after a run."""
    viewer = open_viewer(theme)
    viewer.open_sample(demo_viewer.PLUGIN, "photograph")
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Reconstruct")
    wait_until(lambda: panel.ready)  # the model is loaded first
    before = len(viewer.layers)
    panel.run()
    wait_until(lambda: len(viewer.layers) > before and not panel.running)
    save(viewer, f"reconstruct-{theme}")
    viewer.close()


def chart(theme: str) -> None:
    """The layout of a ColorChecker over a photograph that was taken of one at an angle."""
    from skimage.draw import polygon

    from napari_hsr import Photograph
    from napari_hsr.cameras.estimate import GRID_NM
    from napari_hsr.colour import rendering_matrix
    from napari_hsr.trust.chart_layout import CLASSIC, quadrilaterals, reflectances_of
    from napari_hsr.viewer.layers import add_photograph

    corners = np.array([[60.0, 75], [45, 700], [475, 750], [500, 40]])
    colours = reflectances_of(CLASSIC, GRID_NM) @ rendering_matrix(GRID_NM, "D65")
    image = np.full((550, 800, 3), 0.03, np.float32)
    for outline, colour in zip(quadrilaterals(corners, CLASSIC, 0.85), colours, strict=True):
        inside = polygon(outline[:, 0], outline[:, 1], image.shape[:2])
        image[inside] = np.maximum(colour, 0) * [0.5, 0.85, 0.6]  # not balanced
    viewer = open_viewer(theme)
    add_photograph(viewer, Photograph(image, encoding="linear-srgb", name="chart"))
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Measurements")
    demo_viewer.settle()
    panel.chart.place(corners)
    viewer.reset_view()
    save(viewer, f"chart-{theme}")
    viewer.close()


def explore(files, theme: str) -> None:
    """Wavelength and Spectra on one cube."""
    from napari_hsr.io import read
    from napari_hsr.viewer import axis
    from napari_hsr.viewer.layers import add_cube

    viewer = open_viewer(theme)
    width, height = demo_viewer.SIZE
    viewer.window.resize(width, height + 60)  # down to the last row of Spectra
    add_cube(viewer, read(files.chart_cube), name="chart, reconstructed")
    add_cube(viewer, read(files.chart_truth), name="chart, ground truth")
    panels = demo_viewer.add_panels(viewer)
    demo_viewer.settle()
    viewer.reset_view()
    axis.go_to(viewer, 620)
    demo_viewer.pin_patches(viewer, panels["Spectra"])
    save(viewer, f"explore-{theme}")
    viewer.close()


def compare(files, theme: str) -> None:
    """The Compare panel with its maps in the grid view."""
    from napari_hsr.io import read
    from napari_hsr.viewer.layers import add_cube

    viewer = open_viewer(theme)
    add_cube(viewer, read(files.chart_truth), name="chart, ground truth")
    add_cube(viewer, read(files.chart_cube), name="chart, reconstructed")
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Compare")
    demo_viewer.settle()
    before = len(viewer.layers)
    panel.run()
    wait_until(lambda: len(viewer.layers) > before and not panel.running)
    panel.toggle_grid()
    save(viewer, f"compare-{theme}")
    viewer.close()


def over_time(folder: Path, theme: str) -> None:
    """A film whose light changes in the viewer, and its pins over time."""
    import numpy as np
    from PIL import Image

    from napari_hsr import read_stack, samples
    from napari_hsr.viewer.frames import add_stack

    photo = samples.photograph().data[::2, ::2].astype(float)
    lapse = folder / f"lapse-{theme}"
    lapse.mkdir()
    for hour, height in enumerate(np.sin(np.linspace(0.15, 3, 16))):  # of the sun
        light = height * np.array([1.0, 0.75 + 0.25 * height, 0.5 + 0.5 * height])
        Image.fromarray((photo * light).astype(np.uint8)).save(lapse / f"hour_{hour:02d}.png")
    viewer = open_viewer(theme)
    add_stack(viewer, read_stack(lapse, axis="time", step=1, unit="hour"))
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Reconstruct")
    wait_until(lambda: panel.ready)
    panel.model.set_name("instant-photo")
    wait_until(lambda: panel.ready)
    panel.run()
    wait_until(lambda: len(viewer.layers) > 1 and not panel.running)
    _, spectra = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Spectra")
    viewer.dims.set_point(0, 6)
    height, width = viewer.layers[-1].data.shape[-2:]
    for row, column in ((0.35, 0.5), (0.6, 0.45), (0.9, 0.6)):
        spectra.pin((6, 550, row * height, column * width))
    window = spectra.open_window("Over time")
    wait_until(lambda: not window.busy and window.found is not None and not window.found.missing)
    save_dialog(window, f"over-time-{theme}")
    window.close()
    many = panel.many.open_queue()
    (lapse / "hour_00_cut.png").write_bytes(b"no picture")
    many.set_folder(lapse)
    many.start()
    wait_until(lambda: not many.busy)
    save_dialog(many, f"queue-{theme}")
    many.close()
    saving = panel.many.open_save()
    saving.set_folder(folder / "cubes")
    save_dialog(saving, f"save-cubes-{theme}")
    saving.close()
    viewer.close()


def save_dialog(window, name: str) -> None:
    """A window of a panel as a PNG."""
    demo_viewer.settle()
    window.grab().save(str(IMAGES / f"{name}.png"))
    print(IMAGES / f"{name}.png")


def maps(theme: str) -> None:
    """The Maps panel with the components of a measured chart."""
    from napari_hsr import samples
    from napari_hsr.viewer.layers import add_cube
    from napari_hsr.widgets.maps.panel import COMPONENTS

    viewer = open_viewer(theme)
    truth, _ = samples.chart()
    add_cube(viewer, truth, name="chart, ground truth")
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Maps")
    demo_viewer.settle()
    panel.tabs.setCurrentIndex(COMPONENTS)
    panel.components.number.setValue(3)
    panel.run()
    wait_until(panel.run_button.isEnabled)
    panel.components.view.set_value("loadings")
    save(viewer, f"maps-{theme}")
    viewer.close()


def scroll_to(part) -> None:
    """Scroll a panel so that all of a part of it is seen."""
    from qtpy.QtWidgets import QScrollArea

    area = part.parent()
    while not isinstance(area, QScrollArea):
        area = area.parent()
    demo_viewer.settle()
    area.verticalScrollBar().setValue(part.mapTo(area.widget(), part.rect().topLeft()).y() - 60)


def trust(theme: str) -> None:
    """How far to trust it: a chart's photograph, reconstructed with maps, and held against its truth."""
    from napari_hsr import samples
    from napari_hsr.viewer import axis
    from napari_hsr.viewer.layers import add_cube, add_photograph
    from napari_hsr.widgets.common.collapsible import Fold

    truth, photograph = samples.chart()
    viewer = open_viewer(theme)
    true = add_cube(viewer, truth, name="chart, ground truth", visible=False)
    add_photograph(viewer, photograph)
    dock, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Reconstruct")
    wait_until(lambda: panel.ready)
    next(f for f in panel.findChildren(Fold) if f.content is panel.trust).set_open(True)
    panel.trust.camera.set_value("cie-1931")
    panel.trust.intervals.setChecked(True)
    panel.run()
    wait_until(lambda: len(viewer.layers) > 2 and not panel.running)
    viewer.reset_view()
    cube, *maps = viewer.layers[2:]
    maps[0].visible = True
    scroll_to(panel.trust)
    save(viewer, f"trust-{theme}")
    viewer.window.remove_dock_widget(dock)
    for layer in maps:
        layer.visible = layer in maps[1:4]
    cube.visible = False
    viewer.canvas.grid.enabled = True
    viewer.reset_view()
    save(viewer, f"trust-maps-{theme}")
    viewer.canvas.grid.enabled = False
    for layer in viewer.layers:
        layer.visible = layer is cube
    panels = demo_viewer.add_panels(viewer)
    demo_viewer.settle()  # the canvas has its width between the panels before the view is fitted
    viewer.reset_view()
    axis.go_to(viewer, 550)
    demo_viewer.pin_patches(viewer, panels["Spectra"])
    wait_until(lambda: not panels["Spectra"].trust.busy)
    save(viewer, f"trust-spectra-{theme}")
    for panel in panels.values():
        viewer.window.remove_dock_widget(panel.parent())
    _, compare_panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Compare")
    demo_viewer.settle()
    compare_panel.form.truth.set_layer(true)
    compare_panel.run()
    wait_until(lambda: not compare_panel.running and compare_panel.held is not None)
    compare_panel.results.curve_chooser.set_value("risk")
    save(viewer, f"risk-{theme}")
    viewer.close()


def anchors(folder: Path, theme: str) -> None:
    """Spectra measured at six pins correct the cube of a photograph whose white was not balanced."""
    from napari_hsr import Photograph, reconstruct, samples
    from napari_hsr.colour import srgb_decode
    from napari_hsr.viewer.layers import add_cube

    truth, photograph = samples.chart()
    warm = srgb_decode(photograph.data / np.float32(255)) * np.float32([1, 0.85, 0.65])
    viewer = open_viewer(theme)
    made = reconstruct(Photograph(warm, "linear-srgb", name="warm light"), "instant-photo")
    cube = add_cube(viewer, made, name="warm light, reconstructed")
    _, spectra = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Spectra")
    demo_viewer.settle()
    patches = truth.metadata["patches"][1:24:4]
    for patch in patches:
        row, column = ((patch[a] + patch[b]) / 2 for a, b in (("top", "bottom"), ("left", "right")))
        spectra.pin(cube.data_to_world((0, row, column)))
    viewer.window.remove_dock_widget(spectra.parent())
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Measurements")
    panel.anchors.read(chart_library(truth, folder / f"field-{theme}.csv"))
    wait_until(lambda: not panel.anchors.busy)
    for number, patch in enumerate(patches):
        panel.anchors.choose(number, patch["name"])
    panel.anchors.run()
    wait_until(lambda: not panel.anchors.busy)
    viewer.reset_view()
    save(viewer, f"anchors-{theme}")
    viewer.close()


def chart_library(truth, file: Path) -> Path:
    """The patches of the chart as a library of spectra."""
    from napari_hsr.io import write
    from napari_hsr.spectral_library import SpectralLibrary

    patches = truth.metadata["patches"][:24]
    means = [
        np.asarray(truth.data[:, p["top"] : p["bottom"], p["left"] : p["right"]]).mean(axis=(1, 2))
        for p in patches
    ]
    names = tuple(p["name"] for p in patches)
    nm = truth.wavelengths.nm
    return write(SpectralLibrary(names, nm, np.array(means), "reflectance", "patches"), file)


def matching(files, theme: str) -> None:
    """A pin of a reconstruction held against a library: what three numbers can tell apart."""
    from napari_hsr import samples
    from napari_hsr.io import read
    from napari_hsr.viewer.layers import add_cube

    truth, _ = samples.chart()
    viewer = open_viewer(theme)
    add_cube(viewer, truth, name="chart, ground truth")
    add_cube(viewer, read(files.chart_cube), name="chart, reconstructed")
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Spectra")
    demo_viewer.settle()
    with tempfile.TemporaryDirectory() as folder:
        panel.load_library(chart_library(truth, Path(folder) / "patches.csv"))
    demo_viewer.pin_patches(viewer, panel)
    demo_viewer.settle()
    window = panel.open_window("Match")
    demo_viewer.settle()
    window.table.item(0, 0).setCheckState(Qt.CheckState.Checked)
    save(viewer, f"match-{theme}", window)
    window.close()
    viewer.close()


def classification(theme: str) -> None:
    """The patches of a measured chart as classes."""
    from napari_hsr import samples
    from napari_hsr.viewer.layers import add_cube

    truth, _ = samples.chart()
    viewer = open_viewer(theme)
    add_cube(viewer, truth, name="chart, ground truth")
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Spectra")
    demo_viewer.settle()
    demo_viewer.pin_patches(viewer, panel)
    demo_viewer.settle()
    window = panel.open_window("Classify")
    demo_viewer.settle()
    window.classes.tick_listed(True)
    window.run()
    wait_until(lambda: window.found is not None and not window.busy)
    save(viewer, f"classify-{theme}", window)
    window.close()
    viewer.close()


def measurements(theme: str) -> None:
    """The Measurements panel with the layout of a chart over its photograph."""
    from napari_hsr import samples
    from napari_hsr.viewer.layers import add_cube, add_photograph

    truth, photograph = samples.chart()
    viewer = open_viewer(theme)
    add_cube(viewer, truth, name="chart, ground truth", visible=False)
    add_photograph(viewer, photograph)
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Measurements")
    demo_viewer.settle()
    panel.chart.place()
    viewer.reset_view()
    save(viewer, f"measurements-{theme}")
    viewer.close()


def calibrate(theme: str) -> None:
    """The Calibrate panel at work on counts of the chart, of four times its height and width."""
    from napari_hsr import Cube, samples
    from napari_hsr.viewer.layers import add_cube

    truth, _ = samples.chart()
    lamp = np.linspace(1500, 3000, len(truth.wavelengths), dtype=np.float32)[:, None, None]
    light = np.linspace(1, 0.8, 4 * truth.shape[1], dtype=np.float32)[:, None]
    dark, white = np.full((31, 1, 1), 100, np.float32), lamp * light + 100
    scan = np.repeat(np.repeat(truth.data, 4, axis=1), 4, axis=2)
    scan *= lamp * light
    scan += 100
    viewer = open_viewer(theme)
    for name, data in (("dark", dark), ("white", white), ("scan", scan)):
        add_cube(viewer, Cube(np.broadcast_to(data, scan.shape), truth.wavelengths, "counts", name))
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Calibrate…")
    demo_viewer.settle()
    for chooser, name in ((panel.scan, "scan"), (panel.white, "white"), (panel.dark, "dark")):
        chooser.set_layer(viewer.layers[name])
    panel.has_dark.setChecked(True)
    viewer.reset_view()
    demo_viewer.settle()
    panel.run()
    wait_until(lambda: panel.progress.value() > 0.3 * panel.progress.maximum() > 0)
    save(viewer, f"calibrate-{theme}")
    viewer.close()


def super_resolve(theme: str) -> None:
    """The Super-resolve panel after a run: a part of a photograph's cube, made coarse before."""
    from napari_hsr import Photograph, reconstruct, samples
    from napari_hsr.resample import degrade
    from napari_hsr.viewer.layers import add_cube

    photo = samples.photograph()
    part = reconstruct(Photograph(photo.data[:256, 96:352], photo.encoding, name="portrait"))
    viewer = open_viewer(theme)
    add_cube(viewer, degrade(part, 4), name="portrait, coarse")
    _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Super-resolve")
    wait_until(lambda: panel.ready)
    before = len(viewer.layers)
    panel.run()
    wait_until(lambda: len(viewer.layers) > before and not panel.running)
    viewer.reset_view()
    save(viewer, f"super-resolve-{theme}")
    viewer.close()


def train(files, theme: str) -> None:
    """The Train panel after a training of half a minute on parts of the chart."""
    from napari_hsr.cube import Cube
    from napari_hsr.io import read, write

    cube = read(files.chart_truth)
    height, width = cube.shape[1] // 2, cube.shape[2] // 2
    with tempfile.TemporaryDirectory() as folder:
        for number, (top, left) in enumerate(((0, 0), (0, width), (height, 0)), start=1):
            part = cube.data[:, top : top + height, left : left + width]
            write(Cube(part, cube.wavelengths, name="part"), Path(folder) / f"part {number}.h5")
        viewer = open_viewer(theme)
        _, panel = viewer.window.add_plugin_dock_widget(demo_viewer.PLUGIN, "Train")
        panel.follow(None)
        panel.setup.minutes.setValue(0.5)
        panel.setup.data.set_folder(Path(folder))
        wait_until(lambda: not panel.setup.looking)
        panel.start_button.click()
        wait_until(lambda: panel.run is not None and not panel.status.active, 300)
        demo_viewer.settle(30)
        save(viewer, f"train-{theme}")
        viewer.close()


def main(names: list[str]) -> None:
    """All of them, or those of these functions."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # Models and trainings of whoever makes the pictures are not to be seen in them.
        os.environ["NAPARI_HSR_DATA"] = str(Path(folder) / "data")
        files = run_demo(Path(folder))
        calls = {
            "demo": [partial(demo, files)],
            "chart": [partial(chart, "dark")],
            "over_time": [partial(over_time, Path(folder), "dark")],
            "trust": [partial(trust, "dark")],
            "anchors": [partial(anchors, Path(folder), "dark")],
            "calibrate": [partial(calibrate, "dark")],
        }
        for make, *given in (
            *((reconstruct,), (explore, files), (compare, files), (maps,), (matching, files)),
            *((classification,), (measurements,), (super_resolve,), (train, files)),
        ):
            calls[make.__name__] = [partial(make, *given, theme) for theme in THEMES]
        for name in names or calls:
            for call in calls[name]:
                call()


if __name__ == "__main__":
    main(sys.argv[1:])
