"""``napari-hsr stress``."""

from PIL import Image

from .conftest import strict


def test_it_prints_a_table_or_json_and_draws(hsr, cube_file, tmp_path):
    scene = cube_file("scene.h5")
    status, said, _ = hsr("stress", "rootpoly-srgb", "--scene", scene)
    assert status == 0
    assert said.splitlines()[0].startswith("rootpoly-srgb on cube")
    assert sum(line.startswith("metamers") for line in said.splitlines()) == 3
    plot = tmp_path / "stress.png"
    status, said, _ = hsr(
        "stress", "rootpoly-srgb", "--scene", scene, "--json", "--plot", str(plot)
    )
    with Image.open(plot) as picture:
        assert picture.width == 990
        assert len(picture.convert("RGB").getcolors(2**20)) > 10
    rows = strict(said)["rows"]
    assert {row["test"] for row in rows} >= {"as it is", "metamers", "JPEG", "blur"}


def test_a_scene_of_other_bands_is_refused_in_a_sentence(hsr, cube_file):
    status, _, warned = hsr(
        "stress", "rootpoly-srgb", "--scene", cube_file("s.mat", shape=(5, 3, 3))
    )
    assert status == 1
    assert "does not have these bands" in warned
    status, _, warned = hsr(
        "stress", "rootpoly-srgb", "--scene", cube_file("s.h5"), "--plot", "s.xyz"
    )
    assert status == 1
    assert ".png, .pdf, .svg" in warned


def test_a_plot_over_a_file_of_the_user_is_told_and_never_one_over_the_scene(
    hsr, cube_file, tmp_path
):
    scene = cube_file("scene.h5")
    plot = tmp_path / "stress.png"
    plot.write_bytes(b"mine")
    *_, warned = hsr("stress", "rootpoly-srgb", "--scene", "nowhere.h5", "--plot", str(plot))
    assert "stress.png exists already, and is replaced" in warned
    plot.unlink()
    plot.symlink_to(scene)
    status, _, warned = hsr("stress", "rootpoly-srgb", "--scene", scene, "--plot", str(plot))
    assert (status, "is an input" in warned) == (1, True)
