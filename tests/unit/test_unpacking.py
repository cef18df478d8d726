"""Archives that came from elsewhere, and what they may not do."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.errors import InvalidInput
from evalbox.tasks import unpacking
from evalbox.tasks.unpacking import unpack

Fill = Callable[[tarfile.TarFile], None]


def packed(fill: Fill, **options: object) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", **options) as archive:  # type: ignore[call-overload]
        fill(archive)
    return raw.getvalue()


def member(name: str, content: bytes = b"", **changes: object) -> Fill:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return lambda archive: archive.addfile(info, io.BytesIO(content))


def all_of(*members: Fill) -> bytes:
    def fill(archive: tarfile.TarFile) -> None:
        for one in members:
            one(archive)

    return packed(fill)


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> Fill:
    return member(name, type=kind, linkname=to)


def unpacked(tmp_path: Path, content: bytes) -> Path:
    archive, target = tmp_path / "archive", tmp_path / "target"
    archive.write_bytes(content)
    target.mkdir()
    unpack(archive, target, field="archive")
    return target


def refused(tmp_path: Path, content: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        unpacked(tmp_path, content)
    assert caught.value.field == "archive"
    outside = {path.name for path in tmp_path.iterdir()}
    assert outside == {"archive", "target"}
    return caught.value.message


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_directories_and_links_come_out(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    content = all_of(
        member("top", type=tarfile.DIRTYPE),
        member("top/run.sh", b"#!/bin/sh\n", mode=0o4775, uid=1234),
        member("top/deep/er/data", b"\0" * 70_000, mode=0),
        link("top/again", "deep/er/data"),
    )
    target = unpacked(tmp_path, pack(content))
    assert (target / "top/run.sh").stat().st_mode & 0o7777 == 0o755
    assert (target / "top/deep/er/data").stat().st_mode & 0o7777 == 0o644
    assert (target / "top/again").read_bytes() == b"\0" * 70_000


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([member("../out")], "no path within it"),
        ([member("/etc/out")], "no path within it"),
        ([member("a/../../out")], "no path within it"),
        ([member("/".join("a" * 70))], "no path within it"),
        ([link("a", "/etc"), member("a/out")], "leads out of it"),
        ([link("a", "../target2"), member("a/out")], "leads out of it"),
        ([link("d", "."), link("d/up", "../..")], "leads out of it"),
        ([link("a", "b"), member("a/out", b"x")], "in it twice"),
        ([link("a", "b"), link("a", "c"), member("a")], "in it twice"),
        ([member("a", b"1"), member("a", b"2")], "in it twice"),
        ([member("a", b"1"), member("a/b", b"2")], "in it twice"),
        ([link("a", "/etc/passwd", tarfile.LNKTYPE)], "no file, no directory"),
        ([member("a", type=tarfile.CHRTYPE)], "no file, no directory"),
        ([member("a", type=tarfile.FIFOTYPE)], "no file, no directory"),
        ([member("/\x1b[31mx")], "^[[31m"),
        ([link("a/b/c", "../.."), link("a/b/c/up", "../../../out")], "lies behind a link"),
        ([link("a/b/c/up", "../../../out"), link("a/b/c", "../..")], "lies behind a link"),
    ],
)
def test_what_would_go_elsewhere_is_refused(
    tmp_path: Path, members: list[Fill], reason: str
) -> None:
    assert reason in refused(tmp_path, all_of(*members))


@pytest.mark.parametrize(
    "content",
    [
        b"no archive at all",
        b"\x1f\x8b",
        gzip.compress(b"x" * 10_000),
        gzip.compress(all_of(member("a", b"content")))[:-9],
        all_of(member("a", b"content" * 1000))[:4096],
    ],
    ids=["text", "two bytes", "no archive packed", "packed, cut", "cut"],
)
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    assert "is no" in refused(tmp_path, content)


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_TOTAL", 1 << 20)
    bomb = gzip.compress(b"\0" * (2 << 20))
    assert "over 1.0 MiB" in refused(tmp_path, bomb)
    (tmp_path / "target").rmdir()
    two = all_of(member("a", b"a" * 600_000), member("b", b"b" * 600_000))
    assert "over 1.0 MiB" in refused(tmp_path, two)


def test_the_number_of_members_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 3)
    assert "more than 3" in refused(tmp_path, all_of(*[member(str(one)) for one in range(4)]))


def test_a_header_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    huge = tarfile.TarInfo("././@PaxHeader")
    huge.type = tarfile.XHDTYPE
    huge.size = 1 << 30
    content = huge.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 4096
    assert "header" in refused(tmp_path, content)


@given(st.binary(max_size=2048), st.booleans())
def test_no_bytes_are_a_failure_of_another_kind(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, packed_too: bool
) -> None:
    place = tmp_path_factory.mktemp("any")
    data = gzip.compress(content) if packed_too else content
    with contextlib.suppress(InvalidInput):
        unpacked(place, data)
