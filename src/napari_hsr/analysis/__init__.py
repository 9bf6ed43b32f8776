"""Maps made of a cube: indices and band arithmetic, components, unmixing."""

from napari_hsr.analysis.indices import Offer, index, index_events, offers

__all__ = ["Offer", "index", "index_events", "offers"]
