"""The display colour of a wavelength."""

from __future__ import annotations

import numpy as np

from napari_hsr import colour as ours


def test_wavelength_colours_have_their_hues():
    r, g, b = ours.wavelength_to_srgb(650)
    assert r > 0.9 > 0.2 > max(g, b)
    r, g, b = ours.wavelength_to_srgb(530)
    assert g > 0.9 > 0.4 > max(r, b)
    r, g, b = ours.wavelength_to_srgb(460)
    assert b > 0.9 > 0.5 > max(r, g)
    r, g, b = ours.wavelength_to_srgb(575)
    assert min(r, g) > 0.8 > 0.3 > b


def test_wavelength_colours_are_smooth_visible_and_defined_everywhere():
    colours = np.array([ours.wavelength_to_srgb(nm) for nm in np.arange(360, 800)])
    assert ((colours >= 0) & (colours <= 1)).all()
    assert colours.max(axis=1).min() > 0.2
    assert np.abs(np.diff(colours, axis=0)).max() < 0.12
    for nm in (1.0, 2500.0, float("inf"), float("nan")):
        assert max(ours.wavelength_to_srgb(nm)) < 0.35
    assert ours.wavelength_to_srgb(np.float32(550)) == ours.wavelength_to_srgb(550)
