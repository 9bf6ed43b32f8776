"""Checkpoints become models of the user's: recognised, described, pinned, listed, handed on."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_hsr import list_models, load_model, reconstruct
from napari_hsr.errors import FileError, HSRError, ModelError
from napari_hsr.models import DEFAULT, card_of, import_checkpoint, user_models
from napari_hsr.models.architectures import awan, hdnet, hscnn_plus, mstpp, mxrunet
from napari_hsr.models.architectures.coarsr import LEAST_BANDS, CoarSR
from napari_hsr.models.architectures.mprnet import MPRNet, Widths
from napari_hsr.models.architectures.restormer import Restormer
from napari_hsr.models.bundled_models import bundled
from napari_hsr.models.checkpoint_import import examine
from napari_hsr.models.model_file import CARD_KEY, read_card, save_model
from napari_hsr.models.published_weights import ENTRIES, find
from napari_hsr.models.registry import ARCHITECTURES
from napari_hsr.models.state_dict import read_weights
from napari_hsr.photograph import Photograph

from ..double_precision import assert_exact
from ..small_zoo import MXRUNET

SMALL = {"width": 8, "depths": (1, 1, 1, 1, 1), "hidden": (10, 21, 42, 85)}


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    return Restormer(**SMALL).state_dict()


@pytest.fixture
def checkpoint(tmp_path, weights):
    """A file as a training program leaves it."""
    path = tmp_path / "net_best.pth"
    wrapped = {f"module.{key}": value for key, value in weights.items()}
    torch.save({"epoch": 3, "iter": 7, "state_dict": wrapped, "optimizer": {"lr": 1e-4}}, path)
    return path


def names():
    return [card.name for card in list_models()]


def own_names():
    return names()[len(bundled()) :]


def test_the_folder_is_the_user_s_or_the_one_named(own_data, monkeypatch):
    assert user_models.folder() == own_data / "models"
    monkeypatch.delenv("NAPARI_HSR_DATA")
    assert "napari-hsr" in user_models.folder().parts
    assert not own_data.joinpath("models").exists()  # asking makes nothing


def test_an_imported_checkpoint_is_listed_and_loads_with_the_same_numbers(checkpoint, weights):
    model = import_checkpoint(checkpoint, "mine")
    assert names()[0] == DEFAULT
    assert own_names() == ["mine"]
    again = load_model("mine")
    assert again.card == model.card == card_of("mine") == read_card(user_models.file_of("mine"))
    assert again.weights_sha256 == model.weights_sha256 == model.card.weights_sha256
    assert again.source == model.source == "mine"
    state = again.module.state_dict()
    assert all(torch.equal(state[key], value) for key, value in weights.items())
    x = torch.rand(1, 3, 9, 7)
    assert_exact(again.module(x), model.module, x, 0)
    image = Photograph(np.random.default_rng(0).random((9, 7, 3), np.float32), "linear-srgb")
    assert reconstruct(image, "mine").shape == (31, 9, 7)


def test_what_nobody_stated_is_said_to_be_assumed(checkpoint):
    card = import_checkpoint(checkpoint, "mine").card
    assert card.architecture == "restormer"
    assert card.input_rule.startswith("min-max")
    assert "net_best.pth" in card.title
    assert "net_best.pth, SHA-256 " in card.source
    assert (card.licence, card.training_data) == ("not stated", "not stated")
    assert "do not determine a spectrum" in card.limits
    assert "wavelengths, 400 to 700 nm in steps of 10, are an assumption" in card.limits
    assert "linear sRGB, is an assumption" in card.limits


def test_what_is_stated_goes_into_the_card_and_is_no_assumption(checkpoint):
    card = import_checkpoint(
        checkpoint,
        "mine",
        title="Ours",
        wavelengths=np.linspace(410, 710, 31),
        input_encoding="sRGB",
        units="reflectance",
        training_data="our scenes",
        licence="CC BY 4.0",
    ).card
    assert (card.title, card.input_encoding, card.units) == ("Ours", "srgb", "reflectance")
    assert card.wavelengths_nm[0] == 410
    assert (card.training_data, card.licence) == ("our scenes", "CC BY 4.0")
    assert "assumption" not in card.limits


def test_an_entry_of_the_catalogue_completes_the_card(checkpoint):
    card = import_checkpoint(checkpoint, "a", entry="restormer-ntire2022", units="sr").card
    entry = find("restormer-ntire2022")
    assert card.input_encoding == entry.input_encoding == "camera:basler-a2a5320-23ucbas"
    assert (card.training_data, card.licence) == (entry.training_data, entry.licence)
    assert card.units == "sr"  # what is stated goes before what is known
    assert entry.page in card.source
    assert "assumption" not in card.limits
    with pytest.raises(ModelError, match="holds weights of restormer, but mstpp-ntire2022"):
        import_checkpoint(checkpoint, "b", entry="mstpp-ntire2022")
    assert own_names() == ["a"]


def test_a_layer_under_many_names_is_stored_and_comes_back_as_one(tmp_path):
    net = MPRNet(Widths(units=1))
    torch.save(net.state_dict(), tmp_path / "shared.pth")
    import_checkpoint(tmp_path / "shared.pth", "mprnet-1")
    module = load_model("mprnet-1").module
    act = module.get_parameter("sam12.conv1.weight"), module.shallow_feat1[1].body[1]
    assert act[1] is module.stage2_decoder.skip_attn1.body[1]
    assert torch.equal(act[0], net.sam12.conv1.weight)


def test_the_statistics_of_mxr_u_net_are_stated_or_said_to_be_assumed(tmp_path):
    half = {k: v.half() for k, v in mxrunet.MXRUNet(MXRUNET).state_dict().items()}
    torch.save({"model": half, "opt": {}}, tmp_path / "mxr.pth")
    card = import_checkpoint(tmp_path / "mxr.pth", "a").card
    assert "ntire2020-clean" in card.input_rule
    assert "statistics of its input rule are an assumption" in card.limits
    assert "assumption" in user_models.edit("a", limits="Skin only.").limits
    card = import_checkpoint(tmp_path / "mxr.pth", "b", input_rule="ntire2020-real-world").card
    assert "ntire2020-real-world" in card.input_rule
    assert "statistics" not in card.limits
    assert load_model("b").rule.of == "ntire2020-real-world"


def test_other_than_31_bands_need_their_wavelengths(tmp_path):
    torch.save(Restormer(**SMALL, bands=4).state_dict(), tmp_path / "four.pth")
    with pytest.raises(FileError, match=r"four\.pth: .*31 wavelengths.*4 bands"):
        import_checkpoint(tmp_path / "four.pth", "four")
    model = import_checkpoint(tmp_path / "four.pth", "four", wavelengths=[450, 550, 650, 750])
    assert load_model("four").bands == model.bands == 4


def test_a_name_is_taken_once_unless_asked(checkpoint, tmp_path):
    first = import_checkpoint(checkpoint, "mine")
    other = tmp_path / "other.pth"
    torch.save(Restormer(**SMALL).state_dict(), other)
    with pytest.raises(ModelError, match="a model named mine already"):
        import_checkpoint(other, "mine")
    assert load_model("mine").weights_sha256 == first.weights_sha256
    second = import_checkpoint(other, "mine", overwrite=True)
    assert load_model("mine").weights_sha256 == second.weights_sha256 != first.weights_sha256
    assert names().count("mine") == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (DEFAULT, "belongs to a bundled model"),
        ("", "not fit for a model"),
        ("../up", "not fit for a model"),
        (".hidden", "not fit for a model"),
        ("zwölf", "not fit for a model"),
        ("a b", "not fit for a model"),
        ("a\n", "not fit for a model"),
        ("x" * 101, "not fit for a model"),
    ],
)
def test_names_that_cannot_be(checkpoint, own_data, name, says):
    with pytest.raises(ModelError, match=says):
        import_checkpoint(checkpoint, name, overwrite=True)
    assert not own_data.joinpath("models").exists()


class Dangerous:
    """Would make a file if it were ever unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".tar"])
@pytest.mark.parametrize(
    "save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))]
)
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, own_data, save, suffix):
    path, proof = tmp_path / f"evil{suffix}", tmp_path / "proof"
    save({"state_dict": {"a": torch.zeros(1)}, "x": Dangerous(proof)}, path)
    with pytest.raises(FileError, match="refused"):
        import_checkpoint(path, "evil")
    assert not proof.exists()
    assert not own_data.joinpath("models").exists()


def test_files_that_are_no_checkpoints_are_refused_in_a_sentence(tmp_path, weights):
    photo, none, folder = tmp_path / "photo.png", tmp_path / "none.pth", tmp_path / "folder"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    folder.mkdir()
    unknown, damaged = tmp_path / "unknown.pth", tmp_path / "damaged.pth"
    torch.save({"layer.weight": torch.zeros(3, 3)}, unknown)
    torch.save(dict(weights), damaged)
    damaged.write_bytes(damaged.read_bytes()[:-300])
    wrong = {**weights, "output.weight": torch.zeros(31, 16, 5, 5)}
    torch.save(wrong, tmp_path / "wrong.pth")
    for path, says in (
        (photo, "another kind of file"),
        (none, "no such file"),
        (folder, "this is a folder"),
        (unknown, "not recognised"),
        (damaged, "damaged"),
        (tmp_path / "wrong.pth", r"output\.weight is \(31, 16, 5, 5\)"),
    ):
        with pytest.raises(FileError, match=says) as told:
            import_checkpoint(path, "x")
        assert str(told.value).startswith(str(path))
        assert str(told.value).count("\n") == 0
    assert own_names() == []


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ({"wavelengths": [400, 500]}, "2 wavelengths"),
        ({"wavelengths": [500, 400]}, "must ascend"),
        ({"input_encoding": "cmyk"}, "cmyk"),
        ({"input_rule": "ntire2020-clean"}, "rule of its own"),
        ({"entry": "nothing"}, "no entry 'nothing'"),
    ],
)
def test_what_does_not_fit_is_refused(checkpoint, own_data, stated, says):
    with pytest.raises(HSRError, match=says):
        import_checkpoint(checkpoint, "mine", **stated)
    assert not own_data.joinpath("models").exists()


def test_a_fault_while_writing_leaves_nothing_behind(checkpoint, own_data, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    import_checkpoint(checkpoint, "mine")
    before = user_models.file_of("mine").read_bytes()
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(FileError, match="disk is full; make room"):
        import_checkpoint(checkpoint, "mine", title="new", overwrite=True)
    monkeypatch.undo()
    monkeypatch.setenv("NAPARI_HSR_DATA", str(own_data))
    assert [f.name for f in (own_data / "models").iterdir()] == ["mine.safetensors"]
    assert user_models.file_of("mine").read_bytes() == before


def test_safetensors_with_and_without_a_card_are_imported(tmp_path, checkpoint, weights):
    from safetensors.torch import save_file

    save_file(dict(weights), tmp_path / "plain.safetensors")
    assert import_checkpoint(tmp_path / "plain.safetensors", "plain").card.units is None
    user_models.edit("plain", units="reflectance", licence="MIT")
    handed = user_models.export("plain", tmp_path / "handed.safetensors")
    card = import_checkpoint(handed, "copy", licence="CC0").card
    assert (card.name, card.units, card.licence) == ("copy", "reflectance", "CC0")
    assert own_names() == ["copy", "plain"]


def test_a_card_is_completed_and_what_is_stated_is_no_longer_assumed(checkpoint):
    before = import_checkpoint(checkpoint, "mine").card
    card = user_models.edit("mine", input_encoding="camera:Nikon_D700", licence="MIT")
    assert card == card_of("mine")
    assert (card.input_encoding, card.licence) == ("camera:nikon-d700", "MIT")
    assert "linear sRGB" not in card.limits
    assert "wavelengths, 400 to 700 nm" in card.limits
    assert load_model("mine").weights_sha256 == before.weights_sha256
    card = user_models.edit("mine", limits="Skin only.")
    assert card.limits.startswith("Skin only.")
    assert "wavelengths, 400 to 700 nm" in card.limits  # still assumed, so still said
    card = user_models.edit("mine", wavelengths=range(400, 701, 10))
    assert card.limits == "Skin only."


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"wavelengths": [400, 500]}, "31 bands, but 2"),
        ({"architecture": "mstpp"}, "architecture cannot"),
        ({"weights_sha256": "0" * 64}, "weights_sha256 cannot"),
        ({"input_rule": "none"}, "input_rule cannot"),
    ],
)
def test_a_card_is_not_changed_into_nonsense(checkpoint, change, says):
    before = import_checkpoint(checkpoint, "mine").card
    with pytest.raises(ModelError, match=says):
        user_models.edit("mine", **change)
    assert card_of("mine") == before


def test_what_is_stated_as_nothing_is_not_stated(checkpoint):
    import_checkpoint(checkpoint, "mine", licence="MIT", units="reflectance", limits="Few.")
    card = user_models.edit("mine", licence="", units=" ")
    assert (card.licence, card.units) == ("not stated", None)
    for field in ("title", "limits"):
        with pytest.raises(ModelError, match=f"{field} of a model cannot be empty"):
            user_models.edit("mine", **{field: ""})


def test_removed_is_removed(checkpoint):
    import_checkpoint(checkpoint, "mine")
    user_models.remove("mine")
    assert own_names() == []
    with pytest.raises(ModelError, match="no model or folder named 'mine'"):
        load_model("mine")
    with pytest.raises(ModelError, match="no imported model named 'mine'; imported are: none"):
        user_models.remove("mine")
    with pytest.raises(ModelError, match=f"{DEFAULT} comes with the package"):
        user_models.remove(DEFAULT)


def test_an_exported_model_loads_anywhere(checkpoint, tmp_path):
    model = import_checkpoint(checkpoint, "mine")
    path = user_models.export("mine", tmp_path / "handed.safetensors")
    user_models.remove("mine")
    assert load_model(path).weights_sha256 == model.weights_sha256
    with pytest.raises(FileError, match="exists already"):
        user_models.export(DEFAULT, path)
    assert user_models.export(DEFAULT, path, overwrite=True) == path
    assert load_model(path).name == DEFAULT
    with pytest.raises(FileError, match=r"exported as \.safetensors"):
        user_models.export(DEFAULT, tmp_path / "model.pth")
    with pytest.raises(FileError, match="folder for it does not exist"):
        user_models.export(DEFAULT, tmp_path / "no" / "model.safetensors")
    with pytest.raises(ModelError, match="no model named 'none'"):
        user_models.export("none", tmp_path)


def test_a_model_is_exported_into_a_folder_that_is_made(tmp_path):
    name = "rootpoly-srgb"
    for folder in (str(tmp_path / "new"), f"{tmp_path / 'v1.2'}/", str(tmp_path)):
        made = user_models.export(name, folder)
        assert made == Path(folder) / f"{name}.safetensors"
        assert load_model(made).card.name == name
    with pytest.raises(FileError, match="the folder for it does not exist"):
        user_models.export(name, tmp_path / "no" / "new")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"exported as \.safetensors"):
        user_models.export(name, tmp_path / "file")


@pytest.mark.parametrize("name", [DEFAULT, "rootpoly-srgb"])
def test_a_bundled_model_that_is_exported_is_pinned(tmp_path, name):
    """One flipped bit had been used without a word."""
    path, own = user_models.export(name, tmp_path / "a.safetensors"), load_model(name)
    assert read_card(path).weights_sha256 == own.weights_sha256
    assert load_model(path).weights_sha256 == own.weights_sha256
    content = bytearray(path.read_bytes())
    content[(int.from_bytes(content[:8], "little") + len(content)) // 2 | 3] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(ModelError, match="its card pins"):
        load_model(path)


def test_weights_are_pinned_by_their_hash(checkpoint):
    import_checkpoint(checkpoint, "mine")
    path = user_models.file_of("mine")
    data = bytearray(path.read_bytes())
    data[-4] ^= 1  # one bit of the last weight
    path.write_bytes(data)
    with pytest.raises(ModelError, match="changed or damaged"):
        load_model("mine")


@pytest.mark.filterwarnings("ignore:A model is left out")
def test_a_damaged_model_is_told_as_such_and_can_be_removed(checkpoint, own_data):
    import_checkpoint(checkpoint, "mine")
    path = user_models.file_of("mine")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match=r"mine\.safetensors: a safetensors file was expected"):
        user_models.edit("mine", licence="MIT")
    user_models.remove("mine")
    assert not path.exists()
    with pytest.raises(ModelError, match="no imported model named 'mine'"):
        user_models.remove("mine")
    (own_data / "else.safetensors").write_text("not among the models")
    with pytest.raises(ModelError, match="no imported model"):
        user_models.remove("../else")
    assert (own_data / "else.safetensors").exists()


def test_a_damaged_or_doubled_file_hides_no_other_model(checkpoint, own_data):
    import_checkpoint(checkpoint, "mine")
    folder = own_data / "models"
    (folder / "broken.safetensors").write_bytes(b"nothing")
    with pytest.warns(UserWarning, match=r"left out: .*broken\.safetensors"):
        assert own_names() == ["mine"]
    (folder / "broken.safetensors").unlink()
    path = user_models.file_of("mine")
    save_model(folder / "twin.safetensors", read_weights(path), read_card(path))
    with pytest.warns(UserWarning, match="another one named mine"):
        assert own_names() == ["mine"]


def test_a_copy_beside_a_model_does_not_take_its_name(checkpoint, own_data):
    import_checkpoint(checkpoint, "mine")
    original = user_models.file_of("mine")
    for copied in ("dup", "zzz"):  # before and after it in the alphabet
        copy = original.with_name(f"{copied}.safetensors")
        save_model(copy, read_weights(original), read_card(original))
        with pytest.warns(UserWarning, match=rf"{copied}\.safetensors is another .*mine\.safet"):
            assert user_models.stored()["mine"][1] == original
        with pytest.warns(UserWarning, match=copied):
            user_models.edit("mine", licence=copied)
        assert (read_card(original).licence, read_card(copy).licence) == (copied, "not stated")
        copy.unlink()
        read_licence = user_models.edit("mine", licence="not stated").licence
        assert read_licence == "not stated"


@pytest.mark.parametrize("links", [True, False])
def test_of_two_imports_at_once_under_one_name_one_is_kept(checkpoint, monkeypatch, links):
    """The other one comes first while this one is being written."""
    import safetensors.torch

    if not links:
        monkeypatch.setattr(os, "link", lambda *paths: (_ for _ in ()).throw(OSError("no links")))
    write = safetensors.torch.save_file

    def overtaken(*what):
        monkeypatch.setattr(safetensors.torch, "save_file", write)
        import_checkpoint(checkpoint, "mine", licence="the first")
        write(*what)

    monkeypatch.setattr(safetensors.torch, "save_file", overtaken)
    with pytest.raises(ModelError, match="There is a model named mine already"):
        import_checkpoint(checkpoint, "mine", licence="the second")
    assert card_of("mine").licence == "the first"
    assert [path.name for path in user_models.folder().iterdir()] == ["mine.safetensors"]
    import_checkpoint(checkpoint, "mine", licence="the third", overwrite=True)
    assert card_of("mine").licence == "the third"


def test_a_checkpoint_is_not_run_without_being_imported(checkpoint):
    with pytest.raises(ModelError, match="imported first: napari-hsr models import"):
        load_model(checkpoint)


def test_the_catalogue_names_architectures_that_there_are():
    published = {a.id for a in ARCHITECTURES if a.published}  # the others are this product's own
    assert {entry.architecture for entry in ENTRIES} == published
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)
    for entry in ENTRIES:
        assert entry.page.startswith("https://")
        assert entry.published or "no weights" in entry.note
        if entry.published:
            assert entry.input_encoding
            assert entry.training_data
            assert entry.licence


def test_an_imported_file_carries_its_card(checkpoint):
    from safetensors import safe_open

    import_checkpoint(checkpoint, "mine")
    with safe_open(user_models.file_of("mine"), framework="numpy") as file:
        assert list(file.metadata()) == [CARD_KEY]


FOUR_CHANNELS = {
    "awan": lambda: awan.AWAN(4, 31, 16, 2, 1, 3),
    "hdnet": lambda: hdnet.HDNet(4, 31, 8, 2, 1, 2),
    "hscnn_plus": lambda: hscnn_plus.HSCNNPlus(4, 31, 2),
    "mstpp": lambda: mstpp.MSTPlusPlus(4, 31, 8, 1, (1, 1, 1)),
    "mxrunet": lambda: mxrunet.MXRUNet(replace(MXRUNET, channels=4)),
}


@pytest.mark.parametrize("network", FOUR_CHANNELS)
def test_a_network_for_other_than_three_channels_is_refused(network, tmp_path):
    path = tmp_path / "rgbn.pth"
    torch.save(FOUR_CHANNELS[network]().state_dict(), path)
    for door in (lambda: import_checkpoint(path, "rgbn"), lambda: examine(path)):
        with pytest.raises(FileError, match=r"its input has 4 channels, .* photograph has 3"):
            door()
    assert not own_names()


@pytest.mark.parametrize(("network", "bands"), [("restormer", 31), ("coarsr", LEAST_BANDS + 1)])
def test_what_fails_at_the_first_run_is_refused(network, bands, tmp_path, monkeypatch):
    make = {
        "restormer": lambda: Restormer(**SMALL),
        "coarsr": lambda: CoarSR(scale=2, width=4, blocks=1),
    }[network]
    module = make()
    torch.save(module.state_dict(), tmp_path / "a.pth")
    forward = type(module).forward
    monkeypatch.setattr(type(module), "forward", lambda net, image: forward(net, image[:, :1, 0]))
    with pytest.raises(FileError, match="its network cannot compute a small image: ") as caught:
        import_checkpoint(tmp_path / "a.pth", "a")
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(type(module), "forward", lambda net, image: forward(net, image)[..., 1:])
    said = rf"its network should make {bands} x (\d+) x \1 .* not {bands} x"
    with pytest.raises(FileError, match=said):
        import_checkpoint(tmp_path / "a.pth", "a")
    assert not own_names()


@pytest.mark.parametrize(
    "change", [{"input_encoding": "srgb"}, {"wavelengths": np.arange(410, 711, 10)}]
)
def test_figures_of_another_encoding_or_other_wavelengths_do_not_stay(change):
    file = bundled()[DEFAULT][1]
    measured = import_checkpoint(file, "mine").card
    assert measured.figures
    assert user_models.edit("mine", title="Mine").figures == measured.figures
    same = {"input_encoding": measured.input_encoding, "wavelengths": measured.wavelengths_nm}
    assert user_models.edit("mine", **same).figures == measured.figures
    with pytest.warns(UserWarning, match="figures of mine were measured with what its card stated"):
        card = user_models.edit("mine", **change)
    assert not any((card.figures, card.intervals, card.sources, card.stress))
    assert not any("figures" in key for key in card.training)
    assert card.weights_sha256 == measured.weights_sha256
    with pytest.warns(UserWarning, match="they are removed"):
        assert not import_checkpoint(file, "other", **change).card.figures
