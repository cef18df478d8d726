import asyncio
import io
import os
import tarfile
from pathlib import Path

import pytest

from evalbox.domain.clock import ManualClock
from evalbox.domain.evaluation import EvaluationSpec, InputFile
from evalbox.domain.state import State
from evalbox.errors import Conflict, FileMissing, StoreCorrupt, StoreError, StoreLocked
from evalbox.store.restore import restore
from evalbox.store.store import Store

CLOCK = ManualClock()


async def make(directory: Path) -> Store:
    store = await Store.open(directory, clock=CLOCK)
    blob, size = await store.put_blob(b"input")
    spec = EvaluationSpec(
        name="x", command=("t",), image="i", inputs=(InputFile("/in", blob, size),), batch="b"
    )
    (one, _) = await store.submit([spec, spec], CLOCK.now())
    writer = store.output_writer(one.id, 1)
    writer.append(1, b"hello \xff", CLOCK.now())
    writer.close()
    directory = store.artifact_dir(one.id, 1)
    directory.mkdir(parents=True)
    (directory / "näme\n").write_bytes(b"artifact")
    return store


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


async def check(directory: Path, box: str) -> None:
    async with await Store.open(directory, clock=CLOCK) as store:
        assert store.box_id != box
        assert (await store.count_by_state())[State.QUEUED] == 2
        one = (await store.list(limit=2))[1]
        assert await store.read_blob(one.spec.inputs[0].blob) == b"input"
        assert [piece.data for piece in await store.read_output(one.id, 1)] == [b"hello \xff"]
        assert (store.artifact_dir(one.id, 1) / "näme\n").read_bytes() == b"artifact"
        assert len(await store.claim(9, CLOCK.now(), free_cpus=9, free_memory=1 << 40)) == 2


async def test_there_and_back(tmp_path: Path) -> None:
    async with await make(tmp_path / "data") as store:
        await store.backup(tmp_path / "box.tar")
        with pytest.raises(Conflict, match="exists"):
            await store.backup(tmp_path / "box.tar")
        with pytest.raises(StoreError):
            await store.backup(tmp_path / "missing" / "box.tar")
    assert names(tmp_path) == {"box.tar", "data"}
    assert not [name for name in names(tmp_path / "data") if name.startswith(".")]
    assert (tmp_path / "box.tar").stat().st_mode & 0o777 == 0o600
    assert restore(tmp_path / "box.tar", tmp_path / "new") is None
    await check(tmp_path / "new", store.box_id)
    (tmp_path / "empty").mkdir()
    assert restore(tmp_path / "box.tar", tmp_path / "empty") is None
    await check(tmp_path / "empty", store.box_id)


async def test_over_an_old_one(tmp_path: Path) -> None:
    async with await make(tmp_path / "data") as store:
        await store.backup(tmp_path / "box.tar")
        with pytest.raises(Conflict, match="not empty"):
            restore(tmp_path / "box.tar", tmp_path / "data")
        assert store.lock.try_acquire()
        with pytest.raises(StoreLocked, match=str(os.getpid())):
            restore(tmp_path / "box.tar", tmp_path / "data", force=True)
    aside = restore(tmp_path / "box.tar", tmp_path / "data", force=True)
    assert aside is not None
    await check(tmp_path / "data", store.box_id)
    async with await Store.open(aside, clock=CLOCK) as old:
        assert old.box_id == store.box_id


async def test_beside_a_busy_writer(tmp_path: Path) -> None:
    async with await make(tmp_path / "data") as store:
        stop = False

        async def write() -> int:
            count = 0
            while not stop:
                await store.record("test.mark", 0.0, {})
                count += 1
            return count

        writer = asyncio.create_task(write())
        await asyncio.sleep(0.05)
        before = await store.last_seq()
        await store.backup(tmp_path / "box.tar")
        after = await store.last_seq()
        stop = True
        await writer
    assert after > before
    restore(tmp_path / "box.tar", tmp_path / "new")
    async with await Store.open(tmp_path / "new", clock=CLOCK) as copy:
        assert before <= await copy.last_seq() <= after
    await check(tmp_path / "new", store.box_id)


async def test_cancelled_it_leaves_nothing(tmp_path: Path) -> None:
    async with await make(tmp_path / "data") as store:
        task = asyncio.create_task(store.backup(tmp_path / "box.tar"))
        await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert names(tmp_path) <= {"data", "box.tar"}


def archive(path: Path, members: dict[str, bytes], **changes: object) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in changes.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"evalbox.db": b"not a database" * 1000},
        {"evalbox.db": b""},
        {"../evil": b"x"},
        {"/tmp/evil": b"x"},
        {"blobs/../../evil": b"x"},
        {"other": b"x"},
        {"evalbox.db/x": b"x"},
        {"blobs/a": b"x", "blobs/a/b": b"x"},
    ],
)
def test_what_is_no_backup_leaves_nothing(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = archive(tmp_path / "box.tar", members)
    with pytest.raises(StoreCorrupt):
        restore(path, tmp_path / "in" / "new")
    assert list((tmp_path / "in").iterdir()) == []


def test_links_are_refused(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "box.tar", {"blobs/link": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd"
    )
    with pytest.raises(StoreCorrupt, match="blobs/link"):
        restore(path, tmp_path / "new")


async def test_half_a_backup(tmp_path: Path) -> None:
    async with await make(tmp_path / "data") as store:
        await store.backup(tmp_path / "box.tar")
    whole = (tmp_path / "box.tar").read_bytes()
    for size in (0, 100, 5000, len(whole) // 2):
        (tmp_path / "half.tar").write_bytes(whole[:size])
        with pytest.raises(StoreCorrupt):
            restore(tmp_path / "half.tar", tmp_path / "new")
        assert not (tmp_path / "new").exists()
    with pytest.raises(FileMissing):
        restore(tmp_path / "missing.tar", tmp_path / "new")
    with pytest.raises(FileMissing):
        restore(tmp_path, tmp_path / "new")
