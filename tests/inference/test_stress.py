"""What moves a model's answer, and what cannot."""

import itertools
import json

import numpy as np
import pytest

from napari_hsr import Cancelled, Cube, Wavelengths, load_model
from napari_hsr.errors import InputError
from napari_hsr.inference.trust.stress import StressReport, stress_events
from napari_hsr.progress import result_of


@pytest.fixture(scope="module")
def report():
    return result_of(stress_events("rootpoly-srgb"))


def rows(report, test):
    return {row.value: row for row in report.rows if row.test == test}


def test_metamers_move_the_truth_and_not_the_answer(report):
    plain = report.rows[0]
    assert (plain.test, plain.moved, plain.truth_moved) == ("as it is", 0, 0)
    found = rows(report, "metamers")
    assert [row.moved for row in found.values()] == [0, 0, 0]
    assert max(row.colour_change for row in found.values()) == 0
    assert 0 < found[0.25].truth_moved < found[0.5].truth_moved < found[1.0].truth_moved
    assert found[1.0].error > plain.error


def test_exposure_moves_a_homogeneous_model_by_rounding_only(report):
    for row in rows(report, "exposure").values():
        assert row.moved < 1e-5
        assert row.sam == pytest.approx(report.rows[0].sam, abs=1e-3)


def test_more_of_a_fault_moves_it_further(report):
    for test, rising in (("white balance", 1), ("JPEG", -1), ("noise", -1), ("blur", 1)):
        moved = [row.moved for _, row in sorted(rows(report, test).items())][::rising]
        assert len(moved) >= 3
        assert all(a < b for a, b in itertools.pairwise(moved)), test
        blurred = test == "blur"
        assert all((row.truth_moved > 0) == blurred for row in rows(report, test).values())


def test_the_table_and_json_say_the_same(report):
    made = json.loads(json.dumps(report.to_dict()))
    assert made["model"] == "rootpoly-srgb"
    assert len(made["rows"]) == len(report.rows)
    table = report.table().splitlines()
    assert len(table) == len(report.rows) + 3
    assert f"{report.rows[1].error:.1%}" in table[3]


def test_a_scene_of_ones_own_and_a_camera_of_ones_own(tmp_path):
    nm = np.arange(400.0, 701, 10)
    data = np.random.default_rng(0).random((31, 6, 7)).astype(np.float32)
    scene = Cube(data, Wavelengths(nm), name="mine")
    report = result_of(stress_events("rootpoly-srgb", scene, camera="nikon-5100-npl"))
    assert report.scene == "mine"
    assert "Nikon 5100" in report.camera
    table = tmp_path / "c.csv"
    lines = [f"Nikon_D700,{n:g},{n - 390:g},{300 - abs(n - 550):g},{710 - n:g}" for n in nm]
    table.write_text("\n".join(["camera,wavelength,R,G,B", *lines]))
    report = result_of(stress_events("rootpoly-nikon-d700", scene, camera=f"{table}:Nikon_D700"))
    assert not rows(report, "JPEG")
    with pytest.raises(InputError, match="table"):
        result_of(stress_events("rootpoly-nikon-d700", scene))


def test_a_card_keeps_it_and_says_it(report):
    card = load_model("rootpoly-srgb").card.model_copy(update=report.card_fields())
    assert len(card.stress) == len(report.rows)
    said = dict(card.sentences())
    assert "how far the answer moves" in said["Stress test"]
    assert f"40: {rows(report, 'JPEG')[40].moved:.1%}, " in said["– JPEG"]
    assert type(card).model_validate(card.model_dump()) == card
    again = StressReport.of_card(card)
    assert (again.model, again.scene, again.camera) == (report.model, report.scene, report.camera)
    assert again.card_fields() == report.card_fields()


def test_bad_scenes_are_refused():
    nm = Wavelengths(np.arange(400.0, 701, 10))
    for scene, why in (
        (Cube(np.ones((5, 2, 2), np.float32), Wavelengths([1, 2, 3, 4, 5])), "bands"),
        (Cube(np.zeros((31, 2, 2), np.float32), nm), "black"),
        (Cube(np.full((31, 2, 2), np.nan, np.float32), nm), "not finite"),
    ):
        with pytest.raises(InputError, match=why):
            result_of(stress_events("rootpoly-srgb", scene))


def test_it_can_be_cancelled():
    import threading

    cancel = threading.Event()
    events = stress_events(load_model("rootpoly-srgb"), cancel=cancel)
    next(events)
    cancel.set()
    with pytest.raises(Cancelled):
        next(events)
