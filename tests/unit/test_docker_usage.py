"""What control groups of either version say, and what of it is used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalbox.domain.attempt import Usage
from evalbox.engines.docker.cgroup import (
    MeterV1,
    MeterV2,
    meter,
    meter_of,
    parse_groups,
    parse_mounts,
)
from evalbox.engines.docker.disk import Filestore

ID = "c" * 64
V1 = f"""\
9:name=systemd:/docker/{ID}
8:pids:/docker/{ID}
4:memory:/docker/{ID}
2:cpu,cpuacct:/docker/{ID}
0::/
"""
MOUNTS_V1 = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
MOUNTS_V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def fill(directory: Path, **files: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)
    return directory


def test_version_1_is_found() -> None:
    found = meter(parse_groups(V1), parse_mounts(MOUNTS_V1))
    assert found == MeterV1(
        Path(f"/sys/fs/cgroup/memory/docker/{ID}"),
        Path(f"/sys/fs/cgroup/cpu,cpuacct/docker/{ID}"),
        Path(f"/sys/fs/cgroup/pids/docker/{ID}"),
    )


def test_version_2_is_found_under_systemd() -> None:
    path = f"/system.slice/docker-{ID}.scope"
    found = meter(parse_groups(f"0::{path}\n"), parse_mounts(MOUNTS_V2))
    assert found == MeterV2(Path(f"/sys/fs/cgroup{path}"))


def test_version_1_is_read(tmp_path: Path) -> None:
    found = MeterV1(
        fill(tmp_path / "m", memory__usage_in_bytes="100\n", memory__max_usage_in_bytes="300\n"),
        fill(tmp_path / "c", cpuacct__usage="2500000000\n"),
        fill(tmp_path / "p", pids__current="7\n"),
        fill(
            tmp_path / "b",
            blkio__throttle__io_service_bytes="8:0 Read 10\n8:0 Write 20\n8:16 Read 1\nTotal 31\n",
        ),
    )
    assert found.read() == Usage(2.5, 100, 300, 7, 0, 11, 20)
    (tmp_path / "m" / "memory.usage_in_bytes").unlink()
    assert found.read() is None


def test_version_2_is_read_with_and_without_a_peak(tmp_path: Path) -> None:
    group = fill(
        tmp_path / "g",
        memory__current="100\n",
        memory__peak="300\n",
        pids__current="7\n",
        cpu__stat="usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n",
        io__stat="8:0 rbytes=10 wbytes=20 rios=1 wios=2\n8:16 rbytes=1 wbytes=0\n",
    )
    assert MeterV2(group).read() == Usage(2.5, 100, 300, 7, 0, 11, 20)
    (group / "memory.peak").unlink()
    found = MeterV2(group)
    peaks = []
    for current in ("100", "500", "200"):
        fill(group, memory__current=current)
        usage = found.read()
        peaks.append(usage.memory_peak if usage else None)
    assert peaks == [100, 500, 500]


def test_a_process_that_is_not_the_containers_is_not_measured() -> None:
    assert meter_of(os.getpid(), ID) is None
    assert meter_of(2**22 + 1, ID) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the open files of others")
def test_the_filestore_is_found_among_open_files(tmp_path: Path) -> None:
    path = tmp_path / f".gvisor.filestore.{ID}"
    with path.open("wb") as file:
        file.truncate(1 << 30)
        file.write(b"x" * 1_000_000)
        file.flush()
        os.fsync(file.fileno())
        used = Filestore(os.getpid(), ID).used()
        assert 1_000_000 <= used < 2_000_000
        assert Filestore(os.getpid(), "d" * 64).used() == 0
