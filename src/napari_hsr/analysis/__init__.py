"""Maps made of a cube: indices and band arithmetic, components, unmixing."""

from napari_hsr.analysis.components import Components, components, components_events
from napari_hsr.analysis.indices import Offer, index, index_events, offers
from napari_hsr.analysis.unmixing import Unmixing, from_pixels, from_spectra, unmix, unmix_events

__all__ = [
    "Components",
    "Offer",
    "Unmixing",
    "components",
    "components_events",
    "from_pixels",
    "from_spectra",
    "index",
    "index_events",
    "offers",
    "unmix",
    "unmix_events",
]
