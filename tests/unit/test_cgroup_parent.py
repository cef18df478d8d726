import os
from pathlib import Path
from typing import Any

import pytest

from evalbox.engines.docker.client import Client
from evalbox.engines.docker.parent import Parent, Weight, parent_name, weight_of
from evalbox.engines.docker.wire import Address

V1 = "30 20 0:26 / {root} rw - cgroup cgroup rw,cpu\n31 20 0:27 / {root}/u rw - cgroup2 none rw\n"
V2 = "30 20 0:26 / {root} rw - cgroup2 cgroup2 rw\n"
FILES = {V1: ("cpu.shares", 1024, 256), V2: ("cpu.weight", 100, 25)}


def _mounts(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(text.format(root=tmp_path / "cgroup"))
    return file


def _info(driver: str, *options: str) -> dict[str, Any]:
    return {"CgroupDriver": driver, "SecurityOptions": list(options)}


@pytest.mark.parametrize(
    ("info", "name"),
    [
        (_info("cgroupfs", "name=seccomp"), "/evalbox"),
        (_info("systemd"), "evalbox.slice"),
        (_info("none"), ""),
        (_info("systemd", "name=rootless"), ""),
        ({"CgroupDriver": "cgroupfs", "SecurityOptions": None}, "/evalbox"),
    ],
)
def test_the_group_is_called_as_the_engine_can_have_it(info: dict[str, Any], name: str) -> None:
    assert parent_name(info) == name


@pytest.mark.parametrize("text", [V1, V2])
def test_a_weight_is_lowered_and_never_raised(tmp_path: Path, text: str) -> None:
    name, ordinary, light = FILES[text]
    group = tmp_path / "cgroup" / "evalbox"
    group.mkdir(parents=True)
    weight = weight_of("/evalbox", _mounts(tmp_path, text))
    assert weight == Weight(group / name, ordinary, light)
    weight.file.write_text(f"{ordinary}\n")
    weight.lower()
    assert weight.read() == light
    weight.file.write_text("2\n")
    weight.lower()
    assert weight.read() == 2


def test_without_control_groups_there_is_no_weight(tmp_path: Path) -> None:
    assert weight_of("/evalbox", tmp_path / "none") is None
    assert weight_of("/evalbox", _mounts(tmp_path, "1 0 8:1 / / rw - ext4 disk rw\n")) is None


@pytest.mark.parametrize(
    ("found", "level", "told"),
    [("256", "ok", "256 of 1024"), ("1024", "warning", "more than 256"), (None, "warning", "read")],
)
def test_the_check_reads_what_holds(
    tmp_path: Path, found: str | None, level: str, told: str
) -> None:
    group = tmp_path / "cgroup" / "evalbox"
    group.mkdir(parents=True)
    if found is not None:
        (group / "cpu.shares").write_text(found)
    parent = Parent(_nowhere(), local=True, mounts=_mounts(tmp_path, V1))
    check = parent.check(_info("cgroupfs"))
    assert (check.level, told in check.detail) == (level, True)
    assert bool(check.remedy) is (level == "warning")
    assert ("packaging/evalbox.slice" in parent.check(_info("systemd")).remedy) is True


def test_an_engine_elsewhere_has_its_own_ways() -> None:
    check = Parent(_nowhere(), local=False).check(_info("cgroupfs"))
    assert (check.level, check.remedy) == ("ok", "")


def test_the_slice_of_the_package_has_the_weight_that_is_looked_for() -> None:
    text = (Path(__file__).parents[2] / "packaging" / "evalbox.slice").read_text()
    assert "CPUWeight=25" in text.splitlines()


def _nowhere() -> Client:
    return Client(Address.parse(f"unix:///nowhere/{os.getpid()}.sock"), 1)
