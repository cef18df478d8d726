import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from evalbox.domain.records import ArtifactRecord
from evalbox.domain.score import Score, ScoreKind
from evalbox.errors import StoreError
from evalbox.store.artifacts import extract
from evalbox.store.scorefile import ScoreFile

LIMIT = 1 << 20


async def stream(data: bytes, size: int = 777) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)


def entry(name: str, data: bytes = b"", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, data


def make_tar(
    entries: Iterable[tuple[tarfile.TarInfo, bytes]], *, form: int = tarfile.PAX_FORMAT
) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=form, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return buffer.getvalue()


async def take(
    data: bytes, directory: Path, *, max_bytes: int = LIMIT, max_files: int = 100
) -> list[ArtifactRecord]:
    return await extract(stream(data), directory, max_bytes=max_bytes, max_files=max_files)


def skipped(records: list[ArtifactRecord]) -> list[tuple[str, str]]:
    return [(record.path, record.reason) for record in records if record.kind == "skipped"]


def kept(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "attempt" / "artifacts"


async def test_files_are_kept_with_their_mode(directory: Path) -> None:
    data = make_tar(
        [entry("out", type=tarfile.DIRTYPE), entry("out/a.txt", b"hello", mode=0o640),
         entry("./run.sh", b"#!/bin/sh\n", mode=0o4755), entry("/home/agent/b", b"x" * 5000)]
    )  # fmt: skip
    records = await take(data, directory)
    assert records == [
        ArtifactRecord("out/a.txt", 5, 0o640),
        ArtifactRecord("run.sh", 10, 0o755),
        ArtifactRecord("home/agent/b", 5000, 0o644),
    ]
    assert kept(directory)["out/a.txt"] == b"hello"
    assert (directory / "run.sh").stat().st_mode & 0o7777 == 0o755
    assert not list(directory.parent.glob("*.part"))


async def test_no_stream_leaves_nothing(directory: Path) -> None:
    assert await take(b"", directory) == []
    assert not directory.exists()


async def test_nothing_leaves_the_directory(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"mine")
    data = make_tar(
        [
            entry("../victim", b"evil"),
            entry("a/../../../victim", b"evil"),
            entry("/etc/evalbox-evil", b"evil"),
            entry("link", type=tarfile.SYMTYPE, linkname=str(tmp_path)),
            entry("link/victim", b"evil"),
            entry("hard", type=tarfile.LNKTYPE, linkname="../../victim"),
            entry("dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
            entry("block", type=tarfile.BLKTYPE),
            entry("pipe", type=tarfile.FIFOTYPE),
        ]
    )
    records = await take(data, directory)
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert not Path("/etc/evalbox-evil").exists()
    assert kept(directory) == {"etc/evalbox-evil": b"evil", "link/victim": b"evil"}
    assert skipped(records) == [
        ("../victim", "the name leads out of the directory"),
        ("a/../../../victim", "the name leads out of the directory"),
        ("link", "it is a symbolic link"),
        ("hard", "it is a hard link"),
        ("dev", "it is a device"),
        ("block", "it is a device"),
        ("pipe", "it is a named pipe"),
    ]


async def test_hostile_names(directory: Path) -> None:
    names = ["", ".", "x" * 256, "é" * 128, "d/" * 600 + "f", "bad\udcffbyte", "two\nlines",
             "\x1b[31mred", "rtl\u202egpj.exe"]  # fmt: skip
    records = await take(make_tar([entry(name, b"1") for name in names]), directory)
    assert all(record.path.isprintable() for record in records)
    assert {path for path, _ in skipped(records)} == {
        "", ".", "x" * 256, "é" * 128, ("d/" * 600 + "f")[:1024]
    }  # fmt: skip
    assert set(kept(directory)) == {
        "bad\\xffbyte", "two\\nlines", "\\x1b[31mred", "rtl\\u202egpj.exe"
    }  # fmt: skip
    for record in records:
        record.path.encode()


async def test_the_same_name_again_replaces_it(directory: Path) -> None:
    data = make_tar([entry("a", b"one"), entry("b", b"."), entry("./a", b"second")])
    assert await take(data, directory) == [ArtifactRecord("b", 1), ArtifactRecord("a", 6)]
    assert kept(directory) == {"a": b"second", "b": b"."}


async def test_names_that_differ_in_case_do_not_collide(directory: Path) -> None:
    data = make_tar([entry(name, name.encode()) for name in ("a.txt", "A.txt", "A.TXT")])
    records = await take(data, directory)
    assert [record.path for record in records] == ["a.txt", "A.txt~1", "A.TXT~2"]
    assert records[1].reason == "the name differs from a.txt only in case"
    assert kept(directory)["A.txt~1"] == b"A.txt"


async def test_a_file_where_a_directory_is(directory: Path) -> None:
    data = make_tar([entry("a", b"1"), entry("a/b", b"2"), entry("c/d", b"3"), entry("c", b"4")])
    records = await take(data, directory)
    assert kept(directory) == {"a": b"1", "c/d": b"3"}
    assert [path for path, _ in skipped(records)] == ["a/b", "c"]


async def test_what_goes_beyond_the_limit_is_left_out(directory: Path) -> None:
    data = make_tar([entry("a", b"1" * 600), entry("b", b"2" * 600), entry("c", b"3" * 300)])
    records = await take(data, directory, max_bytes=1000)
    assert sorted(kept(directory)) == ["a", "c"]
    assert skipped(records) == [("b", "it goes beyond the limit of 1000 B in all")]


async def test_too_many_entries(directory: Path) -> None:
    data = make_tar([entry(f"f{number}", b"x") for number in range(20)])
    records = await take(data, directory, max_files=5)
    assert len(kept(directory)) == 5
    assert skipped(records)[-1][1].endswith("more than 5 entries")


@pytest.mark.parametrize("cut", [600, 1024, 1100, 2300])
async def test_a_tar_that_breaks_off_keeps_what_came(directory: Path, cut: int) -> None:
    data = make_tar([entry("a", b"1" * 100), entry("b", b"2" * 5000)])[:cut]
    records = await take(data, directory)
    assert set(kept(directory)) == ({"a"} if cut > 612 else set())
    assert skipped(records)[-1][1].startswith("the archive cannot be read further")


async def test_rubbish_in_the_middle(directory: Path) -> None:
    good = make_tar([entry("a", b"1")])[:1024]
    records = await take(good + b"rubbish!" * 512 + good, directory)
    assert set(kept(directory)) == {"a"}
    assert "cannot be read further" in skipped(records)[0][1]


@pytest.mark.parametrize("data", [b"\xff" * 4096, b"\0" * 10, os.urandom(100_000), b"x"])
async def test_rubbish_alone(directory: Path, data: bytes) -> None:
    records = await take(data, directory)
    assert kept(directory) == {}
    assert all(record.kind == "skipped" for record in records)


async def test_a_header_of_endless_size_is_not_read_into_memory(directory: Path) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield header.tobuf(tarfile.GNU_FORMAT)
        while True:
            sent += 1 << 16
            yield b"x" * (1 << 16)

    records = await asyncio.wait_for(extract(endless(), directory, max_bytes=LIMIT), 20)
    assert sent < 200 << 20
    assert skipped(records)[0][1].startswith("far more came")


async def test_a_size_that_never_comes_ends(directory: Path) -> None:
    info, _ = entry("huge")
    info.size = 1 << 62
    data = info.tobuf(tarfile.GNU_FORMAT) + b"x" * 1000
    records = await asyncio.wait_for(take(data, directory), 20)
    assert [path for path, _ in skipped(records)] == ["huge", ""]


async def test_headers_within_headers(directory: Path) -> None:
    name = b"n" * 100 + b"\0" * 412
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 101
    data = (header.tobuf(tarfile.GNU_FORMAT) + name) * 2000
    records = await take(data, directory)
    assert kept(directory) == {}
    assert records[-1].kind == "skipped"


async def test_a_sparse_file_counts_with_its_holes(directory: Path) -> None:
    info, _ = entry("sparse")
    info.pax_headers = {
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "sparse",
        "GNU.sparse.size": str(1 << 50), "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,0",
    }  # fmt: skip
    records = await asyncio.wait_for(take(make_tar([(info, b"")]), directory), 20)
    assert kept(directory) == {}
    assert [path for path, _ in skipped(records)] == ["sparse"]


async def test_an_error_of_the_stream_is_raised(directory: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield make_tar([entry("a", b"1")])[:1024]
        raise RuntimeError("engine")

    with pytest.raises(RuntimeError, match="engine"):
        await extract(broken(), directory, max_bytes=LIMIT)


async def test_cancelled_while_it_waits_for_more(directory: Path) -> None:
    reached = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield make_tar([entry("a", b"1")])[:1024]
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(extract(stalled(), directory, max_bytes=LIMIT))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not list(directory.parent.glob("*.part"))


async def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        await take(make_tar([entry("a", b"1")]), tmp_path / "file" / "artifacts")


async def test_many_files_are_fast(directory: Path) -> None:
    data = make_tar([entry(f"d{number % 10}/f{number}", b"x") for number in range(1000)])
    records = await extract(stream(data, 1 << 16), directory, max_bytes=LIMIT)
    assert len(records) == len(kept(directory)) == 1000


async def scored(data: bytes, directory: Path, path: str = "score.json") -> tuple[ScoreFile, Any]:
    score = ScoreFile(path)
    records = await extract(stream(data), directory, max_bytes=LIMIT, score=score)
    return score, [record.path for record in records]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("score.json", "score.json"), ("score.json", "./score.json"), ("./s", "s"),
        ("/home/agent/s", "home/agent/s"), ("/tmp/s", "/tmp/s"), ("out//s", "out/s"),
    ],
)  # fmt: skip
async def test_a_score_comes_first(tmp_path: Path, path: str, name: str) -> None:
    data = make_tar([entry(name, b"0.5"), entry("other", b"1"), entry(name, b"2")])
    score, records = await scored(data, tmp_path / "a", path)
    assert score.found == Score(ScoreKind.NUMBER, 0.5, raw="0.5")
    # What comes again is an artifact.
    assert len(records) == 2
    assert len(kept(tmp_path / "a")) == 2


async def test_a_score_that_does_not_come_first_is_none(tmp_path: Path) -> None:
    data = make_tar([entry("other", b"1"), entry("score.json", b"2")])
    score, records = await scored(data, tmp_path / "a")
    assert (score.found, records) == (None, ["other", "score.json"])
    for nothing in (b"", make_tar([]), b"\x00" * 512, b"rubbish" * 100):
        assert (await scored(nothing, tmp_path / "b"))[0].found is None


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.FIFOTYPE, "a named pipe"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.DIRTYPE, "a directory"),
        (tarfile.CONTTYPE, "no regular file"),
    ],
)
async def test_what_is_no_file_is_no_score(tmp_path: Path, kind: bytes, word: str) -> None:
    first = entry("score.json", b"", type=kind, linkname="/etc/passwd")
    data = make_tar(
        [first, entry("score.json/x", b"1"), entry("y", b"1"), entry("score.json", b"1")]
    )
    score, records = await scored(data, tmp_path / "a")
    if kind == tarfile.CONTTYPE:
        # Which tarfile takes for a regular file, here an empty one.
        assert score.found is not None
        assert score.found.reason == "the score file is empty"
    else:
        assert score.found == Score(ScoreKind.INVALID, reason=f"score.json is {word}")
    assert records == ["y", "score.json"]


async def test_a_score_does_not_count_among_artifacts(tmp_path: Path) -> None:
    data = make_tar([entry("score.json", b"1" * LIMIT * 3), entry("other", b"x" * LIMIT)])
    score, records = await scored(data, tmp_path / "a")
    assert score.found is not None
    assert score.found.reason == "the score file is over 64.0 KiB"
    assert records == ["other"]


@pytest.mark.parametrize("cut", [100, 512, 513, 2000, 512 + 4999])
async def test_half_a_score_is_none(tmp_path: Path, cut: int) -> None:
    data = make_tar([entry("score.json", b"1" * 5000)])
    score, _ = await scored(data[:cut], tmp_path / "a")
    assert score.found is None
    assert not kept(tmp_path / "a")
