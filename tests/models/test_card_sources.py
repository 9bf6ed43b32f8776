"""Figures by source on cards: kept, shown, and absent where nothing was measured."""

from napari_hsr.models.card import ModelCard

CARD = {
    "name": "m",
    "title": "M",
    "architecture": "mstpp",
    "input_encoding": "linear-srgb",
    "wavelengths_nm": (400.0, 500.0),
}


def test_figures_by_source_are_kept_and_shown():
    sources = {"leaves": {"psnr_db": 30.0, "sam_deg": 5.0}, "esser_chart113": {"sam_deg": 6.0}}
    card = ModelCard(**CARD, best_for="leaves", sources=sources, sources_protocol="ours")
    assert ModelCard(**card.model_dump()) == card
    rows = dict(card.sentences())
    assert rows["Best for"] == "leaves"
    assert rows["Measured on leaves"] == "PSNR (dB) 30, SAM (°) 5"
    assert rows["Measured on Esser chart, 113 patches"] == "SAM (°) 6"
    assert rows["Protocol of the sources"] == "ours"


def test_a_card_without_them_is_written_as_before():
    assert not {"best_for", "sources", "sources_protocol"} & set(ModelCard(**CARD).model_dump())
