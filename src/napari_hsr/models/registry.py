"""The networks that are known: each architecture with the optimised copy that inference runs.

This is the only place where :mod:`~napari_hsr.models.architectures` and
:mod:`~napari_hsr.models.optimised` meet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_hsr.models.architectures import (
    affine_adapter,
    awan,
    band_mapping,
    coarsr,
    colour_exact,
    drcr,
    edsr,
    hdnet,
    hinet,
    hrnet,
    hscnn_plus,
    inr,
    mirnet,
    mprnet,
    mst_l,
    mstpp,
    mxrunet,
    per_pixel,
    residual_over_base,
    restormer,
    root_polynomial,
)
from napari_hsr.models.optimised import channels_last
from napari_hsr.models.optimised import coarsr as fast_coarsr
from napari_hsr.models.optimised import drcr as fast_drcr
from napari_hsr.models.optimised import hscnn_plus as fast_hscnn_plus
from napari_hsr.models.optimised import inr as fast_inr
from napari_hsr.models.optimised import mst_l as fast_mst_l
from napari_hsr.models.optimised import mstpp as fast_mstpp
from napari_hsr.models.optimised import mxrunet as fast_mxrunet
from napari_hsr.models.recognition import recognise_among

if TYPE_CHECKING:
    from napari_hsr.models.architectures.base import AnyArchitecture, Weights


def recognise(weights: Weights) -> AnyArchitecture:
    """The architecture of a plain state dict: :func:`recognise_among` all that there are."""
    return recognise_among(weights, ARCHITECTURES)


#: Architectures and what makes their optimised copies, in the order in which they are tried.
#: A wrapper's copy is built around that of the wrapped network.
_TABLE = (
    (replace(colour_exact.ARCHITECTURE, recognise=recognise), None),
    (replace(residual_over_base.ARCHITECTURE, recognise=recognise), None),
    (replace(affine_adapter.ARCHITECTURE, recognise=recognise), None),
    (replace(band_mapping.ARCHITECTURE, recognise=recognise), None),
    (root_polynomial.ARCHITECTURE, None),
    (per_pixel.ARCHITECTURE, None),
    (mxrunet.ARCHITECTURE, fast_mxrunet.prepare),
    (inr.ARCHITECTURE, fast_inr.prepare),
    (mstpp.ARCHITECTURE, fast_mstpp.prepare),
    (mst_l.ARCHITECTURE, fast_mst_l.prepare),
    (hdnet.ARCHITECTURE, channels_last.prepare),
    (drcr.ARCHITECTURE, fast_drcr.prepare),
    (mirnet.ARCHITECTURE, channels_last.prepare_reduced),
    (mprnet.ARCHITECTURE, channels_last.prepare),
    (restormer.ARCHITECTURE, channels_last.prepare),
    (hscnn_plus.ARCHITECTURE, fast_hscnn_plus.prepare),
    (awan.ARCHITECTURE, channels_last.prepare),
    (edsr.ARCHITECTURE, channels_last.prepare),
    (hinet.ARCHITECTURE, channels_last.prepare),
    (hrnet.ARCHITECTURE, channels_last.prepare),
    (coarsr.ARCHITECTURE, fast_coarsr.prepare),
)
#: In the order in which they are tried.
ARCHITECTURES: tuple[AnyArchitecture, ...] = tuple(
    replace(architecture, prepare=prepare) for architecture, prepare in _TABLE
)
