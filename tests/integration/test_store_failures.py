"""What a user gets when the disk is full, the directory is not theirs, the database is damaged."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalbox.domain.clock import ManualClock
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.state import State
from evalbox.errors import StoreCorrupt, StoreError, StoreFull, StoreReadOnly, StoreTooNew
from evalbox.store.migrate import newest
from evalbox.store.sqlite import (
    Connection,
    Error,
    Thread,
    open_writer,
    sqlite_is_safe,
    sqlite_version,
    translate,
)
from evalbox.store.store import Store

CLOCK = ManualClock()
SPEC = EvaluationSpec(name="hello", command=("true",), image="base", engine="fake")


async def fill(directory: Path, count: int = 1) -> None:
    async with await Store.open(directory, clock=CLOCK) as store:
        await store.submit([SPEC] * count, CLOCK.now())


async def count(directory: Path, *, readonly: bool = False) -> int:
    async with await Store.open(directory, clock=CLOCK, readonly=readonly) as store:
        return (await store.count_by_state())[State.QUEUED]


def test_the_sqlite_in_use_is_free_of_the_log_reset_bug() -> None:
    assert sqlite_version().startswith("3.")
    assert sqlite_is_safe()


async def test_a_new_directory_is_private(tmp_path: Path) -> None:
    await fill(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert await count(tmp_path / "a" / "b") == 1


async def test_the_database_is_full_and_then_is_not(tmp_path: Path) -> None:
    async with await Store.open(tmp_path, clock=CLOCK) as store:
        await store.submit([SPEC], CLOCK.now())
        pages = await store._write(lambda conn: conn.execute("PRAGMA page_count").fetchone()[0])
        await store._write(lambda conn: conn.execute(f"PRAGMA max_page_count = {pages + 8}"))
        results = await asyncio.gather(
            store.submit([SPEC] * 500, CLOCK.now()),
            store.set_paused(True, CLOCK.now()),
            return_exceptions=True,
        )
        # The one that fits is not taken down by the one that does not.
        assert isinstance(results[0], StoreFull)
        assert results[0].hint
        assert results[1] is None
        await store._write(lambda conn: conn.execute("PRAGMA max_page_count = 1000000"))
        await store.submit([SPEC] * 500, CLOCK.now())
    assert await count(tmp_path) == 501


@pytest.fixture
def small_disk() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="evalbox-small-"))
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        directory.rmdir()
        pytest.skip("needs the right to mount a small disk")
    yield directory
    subprocess.run(["umount", str(directory)], check=True)
    directory.rmdir()


async def test_a_full_disk_loses_nothing_that_was_acknowledged(small_disk: Path) -> None:
    acknowledged = 0
    async with await Store.open(small_disk, clock=CLOCK) as store:
        full = False
        while not full:
            try:
                await store.submit([SPEC] * 10, CLOCK.now())
                acknowledged += 10
            except StoreFull:
                full = True
        with pytest.raises(StoreFull):
            await store.put_blob(os.urandom(2 << 20))
        writer = store.output_writer("some", 1)
        with pytest.raises(StoreFull):
            writer.append(1, b"x" * (4 << 20), 0.0)
        writer.close(sync=False)
        assert (await store.count_by_state())[State.QUEUED] == acknowledged
        shutil.rmtree(store.attempt_dir("some", 1))
        subprocess.run(
            ["mount", "-o", "remount,size=8m", str(small_disk)], check=True, capture_output=True
        )
        await store.submit([SPEC] * 100, CLOCK.now())
    assert acknowledged > 0
    assert await count(small_disk) == acknowledged + 100


def test_a_failure_of_a_full_disk_is_told_as_that(small_disk: Path) -> None:
    class Failure(Error):
        sqlite_errorcode = 10 | 19 << 8  # SQLITE_IOERR_SHMSIZE

    database = small_disk / "evalbox.db"
    assert type(translate(Failure("disk I/O error"), database)) is StoreError
    (small_disk / "ballast").write_bytes(b"x" * ((1 << 20) - 40 * 1024))
    assert type(translate(Failure("disk I/O error"), database)) is StoreFull


async def test_no_room_for_a_new_database(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * ((1 << 20) - 40 * 1024))
    with pytest.raises(StoreFull):
        await Store.open(small_disk, clock=CLOCK)
    (small_disk / "ballast").unlink()
    assert await count(small_disk) == 0


async def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "beneath"):
        with pytest.raises(StoreError, match="is a file, not a directory"):
            await Store.open(path, clock=CLOCK)
    (tmp_path / "d" / "evalbox.db").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"evalbox\.db"):
        await Store.open(tmp_path / "d", clock=CLOCK)


async def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no evalbox data"):
        await Store.open(tmp_path, clock=CLOCK, readonly=True)
    assert list(tmp_path.iterdir()) == []


async def test_reading_only(tmp_path: Path) -> None:
    await fill(tmp_path)
    async with await Store.open(tmp_path, clock=CLOCK, readonly=True) as store:
        assert (await store.count_by_state())[State.QUEUED] == 1
        with pytest.raises(StoreReadOnly, match="for reading only"):
            await store.submit([SPEC], CLOCK.now())
        with pytest.raises(StoreReadOnly):
            await store.put_blob(b"x")
        other = await Store.open(tmp_path, clock=CLOCK)
        await other.submit([SPEC], CLOCK.now())
        await other.close()
        assert (await store.count_by_state())[State.QUEUED] == 2


async def test_a_newer_database(tmp_path: Path) -> None:
    await fill(tmp_path)
    connection = open_writer(tmp_path / "evalbox.db")
    connection.execute(f"PRAGMA user_version = {newest() + 1}")
    connection.close()
    for readonly in (False, True):
        with pytest.raises(StoreTooNew, match=rf"version {newest() + 1}.* {newest()}$"):
            await Store.open(tmp_path, clock=CLOCK, readonly=readonly)


async def test_a_database_of_something_else(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "evalbox.db")
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    for readonly in (False, True):
        with pytest.raises(StoreCorrupt, match="not one of evalbox"):
            await Store.open(tmp_path, clock=CLOCK, readonly=readonly)


@pytest.mark.parametrize("junk", [b"not a database at all" * 100, b"SQLite format 3\0" * 300])
async def test_a_file_that_is_no_database(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "evalbox.db").write_bytes(junk)
    for readonly in (False, True):
        with pytest.raises(StoreCorrupt) as caught:
            await Store.open(tmp_path, clock=CLOCK, readonly=readonly)
        assert "evalbox restore" in caught.value.hint
    assert (tmp_path / "evalbox.db").read_bytes() == junk


async def test_what_cannot_be_opened_leaves_no_thread() -> None:
    # It would report to the loop, which may be closed by then.
    def broken() -> Connection:
        raise OSError("no such disk")

    for _ in range(20):
        thread = Thread(broken)
        with pytest.raises(OSError, match="no such disk"):
            await thread.start()
        assert not thread._connection._thread.is_alive()


async def test_a_damaged_page(tmp_path: Path) -> None:
    await fill(tmp_path, 2000)
    path = tmp_path / "evalbox.db"
    data = bytearray(path.read_bytes())
    data[4096 : len(data) // 2] = b"\xa5" * (len(data) // 2 - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt):
        async with await Store.open(tmp_path, clock=CLOCK) as store:
            await store.submit([SPEC], CLOCK.now())


async def test_a_half_of_a_database(tmp_path: Path) -> None:
    await fill(tmp_path, 2000)
    os.truncate(tmp_path / "evalbox.db", (tmp_path / "evalbox.db").stat().st_size // 2)
    with pytest.raises(StoreCorrupt):
        async with await Store.open(tmp_path, clock=CLOCK) as store:
            await store.list(limit=5000)


async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(tmp_path)
    from evalbox.store import migrate

    broken = (*migrate.migrations(), (newest() + 1, "CREATE TABLE extra (a);\nINSERT INTO no;\n"))
    monkeypatch.setattr(migrate, "migrations", lambda: broken)
    with pytest.raises(StoreError, match="syntax error"):
        await Store.open(tmp_path, clock=CLOCK)
    with pytest.raises(StoreError, match="older evalbox"):
        await Store.open(tmp_path, clock=CLOCK, readonly=True)
    monkeypatch.undo()
    assert await count(tmp_path) == 1


AS_NOBODY = """
import asyncio, os, sys, tempfile
from pathlib import Path
from evalbox.domain.clock import ManualClock
from evalbox.domain.state import State
from evalbox.errors import StoreError
from evalbox.store.store import Store

async def warm_up():
    # Nobody may not read the code: all of it must be loaded before.
    with tempfile.TemporaryDirectory() as folder:
        async with await Store.open(Path(folder), clock=ManualClock()) as store:
            await store.last_seq()

asyncio.run(warm_up())
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)

async def main():
    for readonly in (False, True):
        try:
            async with await Store.open(
                Path(sys.argv[1]), clock=ManualClock(), readonly=readonly
            ) as store:
                print((await store.count_by_state())[State.QUEUED], await store.last_seq())
        except StoreError as error:
            print(error.code)

asyncio.run(main())
"""


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Path]:
    # Not where pytest or TMPDIR say: there only we may enter.
    directory = Path(tempfile.mkdtemp(prefix="evalbox-public-", dir="/tmp"))
    yield directory
    for folder, _, _ in os.walk(directory):
        Path(folder).chmod(0o700)
    shutil.rmtree(directory)


def as_nobody(directory: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def test_a_directory_that_may_only_be_read(public: Path) -> None:
    await fill(public)
    (public / "evalbox.db").chmod(0o444)
    public.chmod(0o555)
    assert as_nobody(public) == ["store_read_only", "1 1"]


async def test_a_directory_that_may_not_even_be_read(public: Path) -> None:
    await fill(public)
    public.chmod(0o000)
    answers = as_nobody(public)
    assert answers[0] == "store_read_only"
    assert answers[1] in ("store_error", "store_read_only")


async def test_a_database_that_may_not_be_written(public: Path) -> None:
    await fill(public)
    (public / "evalbox.db").chmod(0o444)
    public.chmod(0o777)
    assert as_nobody(public)[0] == "store_read_only"
