"""The limits of control groups, as a container has them."""

from types import SimpleNamespace

import psutil
import pytest

from napari_hsr.inference import memory_budget
from napari_hsr.inference.estimates import memory_use

MIB = 2**20


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """``write(version, own, {group: (limit, used, cached)})`` makes what Linux shows of them."""

    def write(version, own, facts):
        top = tmp_path / "groups"
        names, cache = ("max", "current"), "inactive_file"
        if version == 1:
            top, names = top / "memory", ("limit_in_bytes", "usage_in_bytes")
            cache = "inactive_file 1\ntotal_inactive_file"
        for group, (limit, used, cached) in facts.items():
            (top / group).mkdir(parents=True, exist_ok=True)
            for name, value in zip(names, (limit, used), strict=True):
                (top / group / f"memory.{name}").write_text(f"{value}\n")
            (top / group / "memory.stat").write_text(f"anon 5\n{cache} {cached}\nfile 7\n")
        mine = f"7:cpu,memory:{own}" if version == 1 else f"0::{own}"
        (tmp_path / "process").write_text(f"12:pids:/elsewhere\n{mine}\n")

    monkeypatch.setattr(memory_use, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory_use, "GROUPS_OF_PROCESS", tmp_path / "process")
    return write


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_left_is_the_limit_less_what_is_used_but_for_cached_files(groups, version):
    groups(version, "/", {"": (512 * MIB, 300 * MIB, 100 * MIB)})
    assert memory_use.left_in_groups() == 312 * MIB


@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_of_the_group_and_those_above_counts(groups, version):
    facts = {"a": (400 * MIB, 100 * MIB, 0), "a/b": (900 * MIB, 50 * MIB, 0)}
    groups(version, "/a/b", facts)
    assert memory_use.left_in_groups() == 300 * MIB


def test_a_group_under_the_name_it_has_outside_is_the_one_at_the_top(groups):
    groups(2, "/docker/0123", {"": (64 * MIB, 60 * MIB, 0)})
    assert memory_use.left_in_groups() == 4 * MIB
    groups(2, "/../..", {"": (64 * MIB, 70 * MIB, 0)})
    assert memory_use.left_in_groups() == 0


def test_no_limit_is_no_limit(groups, tmp_path, monkeypatch):
    groups(2, "/a", {"a": ("max", 100 * MIB, 0)})
    assert memory_use.left_in_groups() is None
    (tmp_path / "process").unlink()
    assert memory_use.left_in_groups() is None
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=123 * MIB))
    assert memory_use.available() == 123 * MIB


@pytest.mark.parametrize("version", [1, 2])
def test_tiles_are_chosen_by_it(groups, version):
    groups(version, "/", {"": (512 * MIB, 507 * MIB, 0)})
    assert memory_budget.free() == 5 * MIB
    groups(version, "/", {"": (2**62, 507 * MIB, 0)})
    assert memory_budget.free() < 2**50
