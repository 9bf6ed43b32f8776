"""Which images are held out."""

import pytest

from napari_hsr.errors import FileError, InputError
from napari_hsr.notices import Code, Notice
from napari_hsr.training.data.image_source import LEFT_OUT, Scene
from napari_hsr.training.data.split import assign, count, read, split_text, write
from napari_hsr.training.recipe.schema import DataSettings

BAD = Notice.warning(Code.UNREADABLE, "It is bad.")


def scenes(number: int) -> list[Scene]:
    return [Scene(f"s{i}", cube=None) for i in range(number)]


def drawn(number: int, seed: int = 0, **settings) -> set[str]:
    found = assign(scenes(number), DataSettings(**settings), seed)
    return {s.name for s in found if s.held_out}


@pytest.mark.parametrize(
    ("hold_out", "images", "held_out"),
    [(0.2, 20, 4), (0.2, 3, 1), (0.01, 5, 1), (0.9, 2, 1), (1, 2, 1), (3, 10, 3), (0.5, 1, 0)],
)
def test_a_share_or_a_number_but_at_least_one_and_never_all(hold_out, images, held_out):
    assert count(hold_out, images) == held_out
    assert len(drawn(images, hold_out=hold_out)) == held_out


def test_a_number_that_leaves_nothing_or_is_none_is_refused():
    with pytest.raises(InputError, match="hold_out is 5, but there are 5 images"):
        count(5, 5)
    with pytest.raises(InputError, match=r"hold_out is 2\.5: a share below 1 or a whole number"):
        count(2.5, 5)


def test_the_seed_decides_and_nothing_else():
    first = drawn(12, seed=1, hold_out=4)
    assert first == drawn(12, seed=1, hold_out=4)
    mixed = assign(scenes(12)[::-1], DataSettings(hold_out=4), 1)
    assert {s.name for s in mixed if s.held_out} == first
    assert len({frozenset(drawn(12, seed=s, hold_out=4)) for s in range(20)}) > 10


def test_photographs_of_one_cube_stay_on_one_side(tmp_path):
    both = [
        Scene(f"c{i}-{kind}", tmp_path / f"c{i}.mat", tmp_path / f"c{i}_{kind}.png")
        for i in range(6)
        for kind in ("clean", "real")
    ]
    for seed in range(10):
        held_out = [s.name for s in assign(both, DataSettings(hold_out=2), seed) if s.held_out]
        assert len(held_out) == 4
        assert len({name.split("-")[0] for name in held_out}) == 2


def test_images_with_a_problem_take_no_part_in_the_draw():
    bad = [Scene(f"b{i}", None, problem=BAD) for i in range(20)]
    found = assign([*bad, *scenes(2)], DataSettings(hold_out=1), 0)
    assert sum(s.held_out for s in found if not s.problem) == 1


def by_file(tmp_path, text: str, number: int = 4, name: str = "split.txt"):
    path = tmp_path / name
    path.write_text(text)
    return assign(scenes(number), DataSettings(split_file=path), 0)


def sides(found: list[Scene]) -> dict[str, bool]:
    return {s.name: s.held_out for s in found if not s.problem}


def test_a_split_file_decides_and_what_it_does_not_name_is_left_out(tmp_path):
    found = by_file(tmp_path, "# mine\ntrain s0\nheld-out s2   # the difficult one\n\ntrain s1\n")
    assert sides(found) == {"s0": False, "s1": False, "s2": True}
    (left,) = [s for s in found if s.problem]
    assert (left.name, left.problem) == (
        "s3",
        "It is unticked, or the split file does not name it.",
    )
    assert left.problem.code in LEFT_OUT


def test_names_in_a_split_file_may_be_file_names(tmp_path):
    path = tmp_path / "split.txt"
    path.write_text("train Leaf_hsi.mat\nheld-out stone\n")
    both = [
        Scene("Leaf", tmp_path / "Leaf_hsi.mat", tmp_path / "Leaf_rgb.png"),
        Scene("stone", tmp_path / "stone.mat"),
    ]
    assert sides(assign(both, DataSettings(split_file=path), 0)) == {"Leaf": False, "stone": True}


def test_plain_lists_as_those_of_the_challenge(tmp_path):
    assert sides(by_file(tmp_path, "s1\ns3\n")) == {
        "s0": False, "s1": True, "s2": False, "s3": True,
    }  # fmt: skip
    train = by_file(tmp_path, "s1\ns3\n", name="train_list.txt")
    assert sides(train) == {"s0": True, "s1": False, "s2": True, "s3": False}
    both = by_file(tmp_path, "s0\n", name="valid_list.txt")  # the other list lies beside it
    assert sides(both) == {"s0": True, "s1": False, "s3": False}
    whole = assign(scenes(4), DataSettings(split_file=tmp_path), 0)
    assert sides(whole) == sides(both)


def test_a_wrong_split_file_is_one_sentence(tmp_path):
    with pytest.raises(FileError, match="it names s9, which is not among the images"):
        by_file(tmp_path, "train s9\n")
    with pytest.raises(FileError, match="line 2 is 'hold s1'; 'train NAME' or 'held-out NAME'"):
        by_file(tmp_path, "train s0\nhold s1\n")
    with pytest.raises(FileError, match="s0 is both in training and held out"):
        by_file(tmp_path, "train s0\nheld-out s0\n")
    with pytest.raises(FileError, match="names no image"):
        by_file(tmp_path, "# nothing\n")
    with pytest.raises(FileError, match="the split file cannot be read"):
        assign(scenes(2), DataSettings(split_file=tmp_path / "none.txt"), 0)


def test_a_split_that_is_written_is_read_back_equal(tmp_path):
    named = {"b b": False, "a": True, "val/x": True, "c": False}
    write(named.items(), tmp_path / "split.txt")
    text = (tmp_path / "split.txt").read_text()
    assert text == split_text(named.items()) == "train b b\ntrain c\nheld-out a\nheld-out val/x\n"
    assert read(tmp_path / "split.txt") == named
