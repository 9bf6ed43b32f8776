"""A panel that is opened again in its viewer is set as it was; in another viewer it is not."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_hsr.widgets.common.control_settings import settings
from napari_hsr.widgets.inference.reconstruct import ReconstructWidget
from napari_hsr.widgets.inference.super_resolve import SuperResolveWidget


@pytest.fixture
def opened(qtbot):
    """Open a panel in a viewer."""

    def open_panel(kind, viewer):
        panel = kind(viewer)
        qtbot.addWidget(panel)
        return panel

    return open_panel


def test_reconstruct_keeps_its_model_and_its_tiles(opened):
    viewer = ViewerModel()
    panel = opened(ReconstructWidget, PublicOnlyProxy(viewer))
    first = panel.model.name()
    panel.model.set_name("instant-photo")
    panel.advanced.tile_chooser.setCurrentIndex(1)
    wanted = settings(panel)
    panel.close()
    again = opened(ReconstructWidget, viewer)
    assert again.model.name() == "instant-photo" != first
    assert settings(again) == wanted
    assert opened(ReconstructWidget, ViewerModel()).model.name() == first


def test_super_resolve_keeps_its_scale(opened):
    viewer = ViewerModel()
    panel = opened(SuperResolveWidget, viewer)
    panel.scale.set_value(next(s for s in panel.scale.offered() if s != panel.scale.value()))
    panel.keep_noise.setChecked(True)
    wanted = settings(panel)
    panel.close()
    assert settings(opened(SuperResolveWidget, viewer)) == wanted
