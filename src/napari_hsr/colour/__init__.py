"""Encodings of photographs, and colorimetry: sRGB, CIE rendering, the colour of a wavelength."""

from napari_hsr.colour.encodings import (
    ENCODINGS,
    check_range,
    encoding_label,
    normalise_encoding,
    why_not_convert,
    why_not_values,
)
from napari_hsr.colour.matrix import rendering_matrix
from napari_hsr.colour.observers import ILLUMINANTS, OBSERVERS, illuminant_name, observer_name
from napari_hsr.colour.render import (
    Rendering,
    bands_as_rgb,
    false_colour,
    render,
    rendering,
)
from napari_hsr.colour.transfer import (
    convert,
    decode_photograph_tile,
    srgb_decode,
    srgb_encode,
)
from napari_hsr.colour.wavelength_colour import wavelength_to_srgb
from napari_hsr.photograph import slug

__all__ = [
    "ENCODINGS",
    "ILLUMINANTS",
    "OBSERVERS",
    "Rendering",
    "bands_as_rgb",
    "check_range",
    "convert",
    "decode_photograph_tile",
    "encoding_label",
    "false_colour",
    "illuminant_name",
    "normalise_encoding",
    "observer_name",
    "render",
    "rendering",
    "rendering_matrix",
    "slug",
    "srgb_decode",
    "srgb_encode",
    "wavelength_to_srgb",
    "why_not_convert",
    "why_not_values",
]
