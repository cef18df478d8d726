"""Values of an environment reach the attempt, and nothing else."""

from __future__ import annotations

import io
import json
import multiprocessing
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from recovery_support import ended, opened, output, settings_in, spec

from evalbox.config.settings import Settings
from evalbox.domain.clock import ManualClock
from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.errors import Conflict, StoreError
from evalbox.service.local import LocalBox
from evalbox.store.migrate import APPLICATION_ID, migrations
from evalbox.store.restore import restore
from evalbox.store.sqlite import open_writer
from evalbox.store.store import Store
from evalbox.store.vault import SECRET_KEY, Vault
from evalbox.telemetry import logs

CLOCK = ManualClock()
MARKER = "marker-3f9c-of-a-secret"
SPEC = EvaluationSpec(name="x", command=("t",), image="i", engine="fake", env={"TOKEN": MARKER})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "box")


def told(directory: Path) -> list[str]:
    """The files below a directory in which the marker stands."""
    return [
        str(path)
        for path in directory.rglob("*")
        if path.is_file() and MARKER.encode() in path.read_bytes()
    ]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logs.configure(level="debug", form="json", stream=stream)
    yield stream
    logs.close()


async def test_a_secret_is_nowhere_but_in_the_sandbox(
    settings: Settings, log: io.StringIO, tmp_path: Path
) -> None:
    engine = FakeEngine()
    async with opened(settings, engine) as box:
        secretive = spec("exit", "3", env={"TOKEN": MARKER}, idempotency_key="k")
        (one,) = await box.submit([secretive])
        assert await box.submit([secretive])
        with pytest.raises(Conflict) as refused:
            await box.submit([spec("exit", "3", env={"TOKEN": MARKER + "2"}, idempotency_key="k")])
        ending = await ended(box, one.id)
        assert ending.outcome is Outcome.FAILED
        (retried,) = await box.retry([one.id])
        seen = [
            repr(item)
            for item in (
                one,
                ending,
                retried,
                await box.attempts(one.id),
                [event async for event in box.events()],
                await box.audit.list(),
                str(refused.value) + refused.value.hint,
            )
        ]
        await ended(box, one.id)
        await box.backup(tmp_path / "backup.tar")
        assert told(tmp_path) == []
    await engine.close()
    assert told(tmp_path) == []
    assert not [text for text in seen if MARKER in text]
    assert log.getvalue()
    assert MARKER not in log.getvalue()
    assert one.spec.env == ending.spec.env == Withheld(["TOKEN"])


async def test_the_attempt_is_handed_its_values(settings: Settings) -> None:
    engine = FakeEngine()
    async with opened(settings, engine) as box:
        (one,) = await box.submit([spec("env", "TOKEN", env={"TOKEN": MARKER})])
        await ended(box, one.id)
        assert await output(box, one.id) == f"{MARKER}\n".encode()
        await box.retry([one.id])
        await ended(box, one.id)
        assert await output(box, one.id) == f"{MARKER}\n".encode()
    await engine.close()


@pytest.mark.parametrize("what", ["missing", "another", "short"])
async def test_without_the_right_key_only_what_it_sealed_fails(
    settings: Settings, what: str
) -> None:
    engine = FakeEngine()
    async with opened(settings, engine, work=False) as box:
        (sealed, plain) = await box.submit([spec("env", "TOKEN", env={"TOKEN": "v"}), spec("true")])
    path = settings.data_dir / SECRET_KEY
    kept = path.read_bytes()
    path.unlink()
    if what != "missing":
        path.write_bytes(b"\7" * (32 if what == "another" else 31))
    async with opened(settings, engine) as box:
        assert (await ended(box, plain.id)).outcome is Outcome.OK
        failed = await ended(box, sealed.id)
        assert failed.state is State.DEAD
        assert failed.outcome is Outcome.INFRA_ERROR
        assert SECRET_KEY in failed.reason
        # Back with the key, it runs.
        path.write_bytes(kept)
    async with opened(settings, engine) as box:
        await box.retry([sealed.id])
        assert (await ended(box, sealed.id)).outcome is Outcome.OK
    await engine.close()


def test_sealing(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    sealed = vault.seal(b"secret", "of a")
    assert (tmp_path / SECRET_KEY).stat().st_mode & 0o777 == 0o600
    assert len((tmp_path / SECRET_KEY).read_bytes()) == 32
    assert [path.name for path in tmp_path.iterdir()] == [SECRET_KEY]
    assert b"secret" not in sealed
    assert vault.seal(b"secret", "of a") != sealed
    assert Vault(tmp_path).open(sealed, "of a") == b"secret"
    with pytest.raises(StoreError, match="belongs to something else"):
        vault.open(sealed, "of b")
    for at in range(len(sealed)):
        if at > 0:
            damaged = bytearray(sealed)
            damaged[at] ^= 1
            with pytest.raises(StoreError):
                vault.open(bytes(damaged), "of a")
    for length in range(len(sealed)):
        with pytest.raises(StoreError):
            vault.open(sealed[:length], "of a")


def _seal(directory: Path) -> bytes:
    return Vault(directory).seal(b"secret", "c")


def test_many_processes_make_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        sealed = pool.map(_seal, [tmp_path] * 16, chunksize=1)
    assert {Vault(tmp_path).open(one, "c") for one in sealed} == {b"secret"}
    assert [path.name for path in tmp_path.iterdir()] == [SECRET_KEY]


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Vault(tmp_path / "missing").seal(b"x", "c")


def _older(directory: Path, count: int) -> list[str]:
    """A database as an evalbox before schema 2 left it, values in the clear; one was removed."""
    directory.mkdir(mode=0o700)
    connection = open_writer(directory / "evalbox.db")
    connection.executescript(migrations()[0][1])
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO lanes VALUES (1, 1, '', 'fake', 1.0, 536870912, NULL)")
    from evalbox.store.codec import encode_spec

    document = json.loads(encode_spec(SPEC))
    ids = [f"{number:022d}" for number in range(count)]
    for number, identifier in enumerate(ids):
        document["env"] = {"TOKEN": f"{MARKER}{number}"} if number % 2 == 0 else {}
        connection.execute(
            "INSERT INTO evaluations (id, short, lane, name, engine, priority, state, ready,"
            " created_at, updated_at) VALUES (?, ?, 1, 'x', 'fake', 1, 'queued', 1, 1, 1)",
            (identifier, identifier[-8:]),
        )
        connection.execute("INSERT INTO specs VALUES (?, ?)", (identifier, json.dumps(document)))
    connection.execute("DELETE FROM evaluations WHERE id = ?", (ids[-1],))
    connection.close()
    return ids[:-1]


async def test_what_an_older_evalbox_left_in_the_clear_is_sealed(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    ids = _older(directory, 1202)
    assert told(directory)
    async with await Store.open(directory, clock=CLOCK) as store:
        assert told(directory) == []
        for number in (0, 1, 500, 1200):
            found = await store.get(ids[number])
            clear = {"TOKEN": f"{MARKER}{number}"} if number % 2 == 0 else {}
            assert found.spec.env == Withheld(clear)
            assert await store.environment(found) == clear
        assert len(await store.list(limit=5000)) == 1201
    assert told(directory) == []
    async with await Store.open(directory, clock=CLOCK) as store:
        assert len(await store.list(limit=5000)) == 1201


async def test_sealing_goes_on_where_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "box"
    ids = _older(directory, 1202)
    sealed = 0
    real = Vault.seal

    def breaks(self: Vault, data: bytes, context: str) -> bytes:
        nonlocal sealed
        sealed += 1
        if sealed == 400:
            raise StoreError("cut off")
        return real(self, data, context)

    monkeypatch.setattr(Vault, "seal", breaks)
    with pytest.raises(StoreError, match="cut off"):
        await Store.open(directory, clock=CLOCK)
    async with await Store.open(directory, clock=CLOCK) as store:
        for number in (0, 1200):
            found = await store.get(ids[number])
            assert await store.environment(found) == {"TOKEN": f"{MARKER}{number}"}
    assert told(directory) == []


async def test_a_backup_is_whole(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "data", clock=CLOCK) as store:
        (one,) = await store.submit([SPEC], CLOCK.now())
        await store.backup(tmp_path / "box.tar")
    assert (tmp_path / "box.tar").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "box.tar") as tar:
        assert SECRET_KEY in tar.getnames()
    restore(tmp_path / "box.tar", tmp_path / "new")
    assert (tmp_path / "new" / SECRET_KEY).stat().st_mode & 0o777 == 0o600
    async with await Store.open(tmp_path / "new", clock=CLOCK) as store:
        assert await store.environment(await store.get(one.id)) == {"TOKEN": MARKER}


async def test_removing_an_evaluation_removes_its_secrets(tmp_path: Path) -> None:
    async with await Store.open(tmp_path, clock=CLOCK) as store:
        (one,) = await store.submit([SPEC], CLOCK.now())
        await store.request_cancel([one.id], CLOCK.now())
        await store.remove([one.id])
        count = await store._read(
            lambda conn: conn.execute("SELECT count(*) FROM environments").fetchone()[0]
        )
        assert count == 0


async def test_nothing_is_made_where_there_is_no_secret(settings: Settings) -> None:
    box = await LocalBox.open(settings, work=False, engines=[FakeEngine()])
    await box.submit([spec("true")])
    await box.close()
    assert not (settings.data_dir / SECRET_KEY).exists()
