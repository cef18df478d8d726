"""Everything that changes a box is in its audit log, once, and nothing can be taken out of it."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from recovery_support import ended, opened, phase, settings_in, spec

from evalbox.domain.access import Scope, Standing, Token
from evalbox.domain.audit import GENESIS, OK, PRUNE, AuditReport, Pruned
from evalbox.domain.clock import ManualClock
from evalbox.domain.evaluation import Evaluation, Priority
from evalbox.domain.reduction import BatchPlan
from evalbox.domain.sandbox import ExecSpec
from evalbox.engines.fake import FakeEngine
from evalbox.errors import Conflict, EvalboxError, InvalidInput, KeyNotFound
from evalbox.service.actor import Actor, acting, user_name
from evalbox.service.audit import LocalAudit, expire
from evalbox.service.authentication import Authentication
from evalbox.service.keys import LocalKeys
from evalbox.service.local import LocalBox
from evalbox.service.local_images import LocalImages
from evalbox.service.local_webhooks import LocalWebhooks
from evalbox.service.sandboxes import LocalSandboxes
from evalbox.store.journal import Draft
from evalbox.store.sqlite import Error, open_writer
from evalbox.store.store import Store

Call = Callable[[LocalBox, Evaluation, Path], Awaitable[object]]
NOWHERE = "0" * 22


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[LocalBox]:
    engine = FakeEngine()
    async with opened(settings_in(tmp_path / "box"), engine) as made:
        yield made
    await engine.close()


#: Each call that changes a box: its action, one that succeeds, and one that fails.
WRITES: dict[str, tuple[str, Call, Call | None]] = {
    "upload": (
        "input.upload",
        lambda box, one, path: box.upload(b"x"),
        lambda box, one, path: box.upload(path / "missing"),
    ),
    "submit": (
        "evaluation.submit",
        lambda box, one, path: box.submit([spec("true"), spec("true")]),
        lambda box, one, path: box.submit([spec("true", batch="")]),
    ),
    "cancel": (
        "evaluation.cancel",
        lambda box, one, path: _cancel(box),
        lambda box, one, path: box.cancel([one.id]),
    ),
    "retry": (
        "evaluation.retry",
        lambda box, one, path: box.retry([one.id]),
        lambda box, one, path: box.retry([NOWHERE]),
    ),
    "plan_batch": (
        "batch.plan",
        lambda box, one, path: box.plan_batch("b", BatchPlan(True, spec("true"))),
        lambda box, one, path: box.plan_batch("", BatchPlan(True)),
    ),
    "prioritize": (
        "evaluation.prioritize",
        lambda box, one, path: _prioritize(box),
        lambda box, one, path: box.prioritize([one.id], Priority.HIGH),
    ),
    "shell": (
        "evaluation.shell",
        lambda box, one, path: _shell(box),
        lambda box, one, path: box.shell(one.id, ExecSpec(("true",))),
    ),
    "set_score": (
        "evaluation.score",
        lambda box, one, path: box.set_score(one.id, 0.5, by="alice"),
        lambda box, one, path: box.set_score(NOWHERE, 0.5, by="alice"),
    ),
    "remove": (
        "evaluation.remove",
        lambda box, one, path: box.remove([one.id]),
        lambda box, one, path: box.remove([NOWHERE]),
    ),
    "set_batch_concurrency": (
        "batch.limit",
        lambda box, one, path: box.set_batch_concurrency("b", 2),
        lambda box, one, path: box.set_batch_concurrency("b", 0),
    ),
    "pause": ("queue.pause", lambda box, one, path: box.pause(), None),
    "resume": ("queue.resume", lambda box, one, path: box.resume(), None),
    "set_slots": (
        "queue.resize",
        lambda box, one, path: box.set_slots(3),
        lambda box, one, path: box.set_slots(0),
    ),
    "backup": (
        "box.backup",
        lambda box, one, path: box.backup(path / "backup.tar"),
        lambda box, one, path: box.backup(path / "missing" / "backup.tar"),
    ),
    "keys.create": (
        "key.create",
        lambda box, one, path: box.keys.create("name", [Scope.READ]),
        lambda box, one, path: box.keys.create("taken", [Scope.READ]),
    ),
    "keys.revoke": (
        "key.revoke",
        lambda box, one, path: box.keys.revoke("taken"),
        lambda box, one, path: box.keys.revoke("nobody"),
    ),
}
#: What only looks. A method must be in either list.
READS = {
    *("get", "list", "attempts", "samples", "output", "wait", "resolve", "explain", "artifacts"),
    *("read_artifact", "batches", "batch", "queue", "events", "last_seq", "host", "diagnose"),
    *("require_engine", "open", "close", "running_here", "images", "keys", "audit"),
    *("work_begun", "attempt_begun", "stop_working", "sandboxes", "webhooks", "activity"),
    *("report", "read_blob"),
    *("keys.list", "audit.list", "audit.verify", "images.list", "images.get"),
    *("images.builds", "images.build", "images.build_log"),
    *("webhooks.list", "webhooks.get", "webhooks.deliveries", "webhooks.alerts"),
    # What run does is done by exec.
    *("sandboxes.list", "sandboxes.get", "sandboxes.read", "sandboxes.entries", "sandboxes.run"),
}
#: These change something too, and are tried where what they need is at hand.
ELSEWHERE = {
    f"{facet}.{name}": kind
    for facet, kind, names in (
        (
            "images",
            LocalImages,
            ("build_base", "build_task_standard", "prepare", "prune", "load", "pull", "remove"),
        ),
        ("audit", LocalAudit, ("prune",)),
        ("sandboxes", LocalSandboxes, ("create", "keep", "remove", "exec", "write")),
        ("webhooks", LocalWebhooks, ("create", "change", "remove", "test", "redeliver")),
    )
    for name in names
}


async def _cancel(box: LocalBox) -> None:
    (later,) = await box.submit([spec("sleep", "inf")])
    await box.cancel([later.id])


async def _prioritize(box: LocalBox) -> None:
    (later,) = await box.submit([spec("true", not_before=2e9)])
    await box.prioritize([later.id], Priority.HIGH)


async def _shell(box: LocalBox) -> None:
    (running,) = await box.submit([spec("sleep", "inf")])
    await phase(box, "running")
    await (await box.shell(running.id, ExecSpec(("true",)))).close()


def _public(kind: type, prefix: str = "") -> set[str]:
    return {prefix + name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}


def test_every_method_is_known_to_change_or_not_to() -> None:
    facets = {
        "keys": LocalKeys,
        "audit": LocalAudit,
        "images": LocalImages,
        "sandboxes": LocalSandboxes,
        "webhooks": LocalWebhooks,
    }
    methods = _public(LocalBox)
    for name, kind in facets.items():
        methods |= _public(kind, f"{name}.")
    assert methods == WRITES.keys() | READS | ELSEWHERE.keys()
    for name, kind in ELSEWHERE.items():
        source = inspect.getsource(getattr(kind, name.partition(".")[2]))
        assert "audited(" in source or "audited_exec(" in source, name


@pytest.mark.parametrize("method", WRITES)
async def test_each_change_is_one_entry(box: LocalBox, method: str, tmp_path: Path) -> None:
    action, succeeds, fails = WRITES[method]
    (one,) = await box.submit([spec("true")])
    await ended(box, one.id)
    await box.keys.create("taken", [Scope.READ])
    before = (await box.audit.list())[-1].seq
    with acting(Actor("alice", "192.0.2.1", "request-7")):
        if fails is not None:
            with pytest.raises(EvalboxError) as caught:
                await fails(box, one, tmp_path)
        await succeeds(box, one, tmp_path)
    entries = [entry for entry in await box.audit.list(after=before) if entry.action == action]
    assert {(one.actor, one.source, one.request_id) for one in entries} == {
        ("alice", "192.0.2.1", "request-7")
    }
    results = [entry.result for entry in entries]
    assert results == ([caught.value.code, OK] if fails is not None else [OK])
    assert entries[-1].target or action.startswith("queue.")
    assert (await box.audit.verify()).sound


async def test_one_entry_for_many(box: LocalBox) -> None:
    made = await box.submit([spec("true")] * 50)
    (entry,) = [one for one in await box.audit.list() if one.action == "evaluation.submit"]
    assert entry.target == f"{made[0].id} to {made[-1].id}"
    assert entry.detail == {"count": 50}
    assert (entry.actor, entry.source) == (user_name(os.getuid()), "local")
    for one in made:
        await ended(box, one.id)
    await box.remove([one.id for one in made])
    (removal,) = [one for one in await box.audit.list() if one.action == "evaluation.remove"]
    assert removal.detail["count"] == 50
    assert len(removal.detail["ids"]) == 20


async def test_what_the_box_does_by_itself_is_nobodys_act(box: LocalBox) -> None:
    (one,) = await box.submit([spec("true")])
    await ended(box, one.id)
    assert [entry.action for entry in await box.audit.list()] == ["evaluation.submit"]


async def test_pages(box: LocalBox) -> None:
    for _ in range(25):
        await box.pause()
    newest = await box.audit.list(limit=10)
    assert [entry.seq for entry in newest] == list(range(16, 26))
    assert [entry.seq for entry in await box.audit.list(after=3, limit=2)] == [4, 5]
    first = await box.audit.list(after=0, limit=1)
    assert first[0].previous == GENESIS


async def test_changes_at_once_make_one_chain(box: LocalBox) -> None:
    await asyncio.gather(*(box.set_slots(number % 7 + 1) for number in range(200)))
    report = await box.audit.verify()
    assert report.sound
    assert report.entries == 200


TAMPERING = {
    "changed": ("UPDATE audit SET actor = 'mallory' WHERE seq = 3", 3),
    "a space in the detail": ("UPDATE audit SET detail = ' {}' WHERE seq = 3", 3),
    "removed": ("DELETE FROM audit WHERE seq = 3", 3),
    "cut off": ("DELETE FROM audit WHERE seq > 4", 5),
    "emptied": ("DELETE FROM audit", 1),
    "swapped": (
        "UPDATE audit SET seq = -3 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4;"
        "UPDATE audit SET seq = 4 WHERE seq = -3",
        3,
    ),
    "inserted": (
        "INSERT INTO audit SELECT 7, at, actor, source, action, target, result, request_id,"
        " detail, hash, hash FROM audit WHERE seq = 6",
        7,
    ),
}


@pytest.mark.parametrize("how", TAMPERING)
async def test_tampering_shows(tmp_path: Path, how: str) -> None:
    statements, broken_at = TAMPERING[how]
    settings = settings_in(tmp_path / "box")
    async with opened(settings, FakeEngine(), work=False) as box:
        for number in range(1, 7):
            await box.set_slots(number)
        head = (await box.audit.verify()).head
    database = open_writer(settings.data_dir / "evalbox.db")
    if how != "inserted":
        with pytest.raises(Error, match="only added to"):
            database.execute(statements.partition(";")[0])
    database.execute("DROP TRIGGER audit_is_not_changed")
    database.execute("DROP TRIGGER audit_is_not_deleted")
    database.executescript(statements)
    database.close()
    async with opened(settings, FakeEngine(), work=False) as box:
        report = await box.audit.verify()
        assert report.broken_at == broken_at
        assert report.problem
        # What comes after cannot make it good again.
        await box.pause()
        assert (await box.audit.verify()).broken_at == broken_at
        assert not (await box.audit.verify(head)).sound


async def test_a_whole_new_log_shows_to_who_kept_the_head(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "box")
    async with opened(settings, FakeEngine(), work=False) as box:
        for number in range(1, 7):
            await box.set_slots(number)
        head = (await box.audit.verify()).head
        await box.pause()
        assert (await box.audit.verify(head)).sound
        assert (await box.audit.verify(f" {head.upper()}\n")).sound
        with pytest.raises(InvalidInput):
            await box.audit.verify("short")
    database = open_writer(settings.data_dir / "evalbox.db")
    database.execute("DROP TRIGGER audit_is_not_deleted")
    database.execute("DELETE FROM audit")
    database.execute("DELETE FROM sqlite_sequence WHERE name = 'audit'")
    database.close()
    async with opened(settings, FakeEngine(), work=False) as box:
        await box.pause()
        assert (await box.audit.verify()).sound
        assert not (await box.audit.verify(head)).sound


async def test_a_long_log_is_looked_through_in_pages(tmp_path: Path) -> None:
    async with await Store.open(tmp_path, clock=ManualClock()) as store:
        from evalbox.store.journal import append

        def fill(conn: object) -> None:
            for number in range(2500):
                append(conn, Draft(1.0, "a", "local", "x.y", str(number)))  # type: ignore[arg-type]

        await store._write(fill)
        assert (await store.verify_audit()).entries == 2500


# pruning


DAY = 86400.0


async def _in_two_ages(store: Store, clock: ManualClock) -> LocalAudit:
    """Three entries of the past, and two of ten days later."""
    for number in range(3):
        await store.append_audit(Draft(clock.now(), "a", "local", "x.y", str(number)), OK)
    clock.advance(10 * DAY)
    for number in range(3, 5):
        await store.append_audit(Draft(clock.now(), "a", "local", "x.y", str(number)), OK)
    return LocalAudit(store)


async def test_a_pruned_log_is_still_verified(tmp_path: Path) -> None:
    clock = ManualClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        audit = await _in_two_ages(store, clock)
        entries = await audit.list()
        pruned = await audit.prune(clock.now() - 5 * DAY)
        assert pruned == Pruned(3, 3, entries[2].hash)
        left = await audit.list()
        assert [entry.seq for entry in left] == [4, 5, 6]
        assert (left[-1].action, left[-1].detail["head"]) == (PRUNE, entries[2].hash)
        report = await audit.verify(entries[4].hash)
        assert report == AuditReport(3, left[-1].hash, pruned=3)
        # What is left follows that one, and so it is still known; what was before is not.
        assert (await audit.verify(entries[2].hash)).sound
        assert "among the 3" in (await audit.verify(entries[0].hash)).problem
        # Nothing more is that old; and the newest stays, for the next to follow it.
        assert (await audit.prune(clock.now() - 5 * DAY)).removed == 0
        clock.advance(20 * DAY)
        assert (await audit.prune(clock.now() - 5 * DAY)).through == 6
        assert (await audit.verify()).sound
        with pytest.raises(Error, match="only added to"):
            open_writer(tmp_path / "evalbox.db").execute("DELETE FROM audit")


async def test_what_is_of_the_last_day_is_not_pruned(tmp_path: Path) -> None:
    clock = ManualClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        audit = await _in_two_ages(store, clock)
        with pytest.raises(InvalidInput, match="a day"):
            await audit.prune(clock.now() - DAY / 2)
        assert [entry.result for entry in await audit.list()] == [OK] * 5 + ["invalid_input"]


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM audit WHERE seq <= 4", "DELETE FROM audit WHERE seq <= 5"],
)
async def test_only_a_pruning_that_is_told_of_is_sound(tmp_path: Path, statement: str) -> None:
    clock = ManualClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        audit = await _in_two_ages(store, clock)
        await audit.prune(clock.now() - 5 * DAY)
    database = open_writer(tmp_path / "evalbox.db")
    database.execute("DROP TRIGGER audit_is_not_deleted")
    database.execute(statement)
    database.close()
    async with await Store.open(tmp_path, clock=clock) as store:
        report = await LocalAudit(store).verify()
        assert (report.broken_at, "entry 4 is missing" in report.problem) == (4, True)


async def test_a_working_box_prunes_what_it_keeps_no_longer(tmp_path: Path) -> None:
    clock = ManualClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        audit = await _in_two_ages(store, clock)
        await expire(store, 0)
        assert len(await audit.list()) == 5
        await expire(store, 7)
        await expire(store, 7)
        newest = await audit.list()
        assert [entry.seq for entry in newest] == [4, 5, 6]
        assert (newest[-1].actor, newest[-1].action) == ("evalbox", PRUNE)


# keys


async def test_the_life_of_a_key(tmp_path: Path) -> None:
    clock = ManualClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        keys = LocalKeys(store, clock, Authentication(store, clock))
        key, text = await keys.create("ci", {Scope.SUBMIT, Scope.READ}, expires_at=clock.now() + 60)
        token = Token.parse(text)
        assert token is not None
        assert await store.find_key(token) == key
        assert await keys.list() == [key]
        with pytest.raises(Conflict, match="ci"):
            await keys.create("ci", [Scope.READ])
        clock.advance(61)
        assert key.standing(clock.now()) is Standing.EXPIRED
        revoked = await keys.revoke("ci")
        assert revoked.revoked_at == clock.now()
        clock.advance(5)
        assert await keys.revoke(key.id) == revoked
        with pytest.raises(KeyNotFound):
            await keys.revoke("ci")
        # The name is free again.
        again, _ = await keys.create("ci", [Scope.ADMIN], signing=True)
        assert {one.id for one in await keys.list()} == {key.id, again.id}
        assert await keys.revoke("ci")


async def test_a_token_is_kept_as_its_digest_only(tmp_path: Path) -> None:
    clock = ManualClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        keys = LocalKeys(store, clock, Authentication(store, clock))
        tokens = [
            Token.parse((await keys.create(f"key {signing}", [Scope.READ], signing=signing))[1])
            for signing in (False, True)
        ]
        for token in tokens:
            assert token is not None
            stranger = Token(token.key_id, "A" * 43, token.signing)
            assert await store.find_key(stranger) is None
            assert await store.find_key(Token("0" * 10, token.secret)) is None
        seen = repr(await store.audit_entries(0, limit=10))
    for path in tmp_path.rglob("*"):
        for token in tokens:
            assert token is not None
            assert path.is_dir() or token.secret.encode() not in path.read_bytes()
            assert token.secret not in seen


async def test_signing_secrets(tmp_path: Path) -> None:
    from evalbox.domain.signing import signing_secret

    clock = ManualClock()
    async with await Store.open(tmp_path, clock=clock) as store:
        keys = LocalKeys(store, clock, Authentication(store, clock))
        key, text = await keys.create("signs", [Scope.READ], signing=True)
        plain, _ = await keys.create("shows", [Scope.READ])
        token = Token.parse(text)
        assert token is not None
        assert await store.signing_key(key.id) == (key, signing_secret(token))
        assert await store.signing_key(plain.id) is None
        assert await store.signing_key("0" * 10) is None


@pytest.mark.parametrize(
    ("name", "scopes", "expires"),
    [("", [Scope.READ], None), ("a\nb", [Scope.READ], None), ("x", [], None), ("x", ["read"], 1.0)],
)
async def test_keys_that_cannot_be(
    box: LocalBox, name: str, scopes: list[Scope], expires: float | None
) -> None:
    with pytest.raises(InvalidInput):
        await box.keys.create(name, scopes, expires_at=expires)
    assert not await box.keys.list()
