"""Figures by source on cards: kept, shown, and absent where nothing was measured."""

from napari_hsr.models import card_of
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


def test_other_weights_say_nothing_that_holds_for_these_alone():
    """A model that is trained further would promise the intervals and figures of its start."""
    start = card_of("mstpp-photo")
    assert start.intervals
    assert start.sources
    assert start.stress
    assert start.best_for
    further = start.unmeasured(title="Trained further")
    assert further.title == "Trained further"
    kept = {"name", "architecture", "input_encoding", "input_rule", "wavelengths_nm", "scale"}
    kept |= {"units", "training_data", "protocol", "licence", "limits", "source", "training"}
    kept |= {"version"}
    every = {
        name: field.get_default(call_default_factory=True)
        for name, field in ModelCard.model_fields.items()
    }
    for name in every.keys() - kept - {"title"}:
        assert getattr(further, name) == every[name]
    assert all(getattr(further, name) == getattr(start, name) for name in kept)
    headings = [heading for heading, _ in further.sentences()]
    assert not {"Best for", "Intervals", "Protocol of the sources"} & set(headings)
    assert not any(heading.startswith("Measured on") for heading in headings)
