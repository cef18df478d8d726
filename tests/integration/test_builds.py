"""Images that are built, over a real store and the fake engine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from api_support import WAYS, reached
from recovery_support import ended, opened, phase, run, settings_in, spec, until

from evalbox.config.settings import Settings
from evalbox.domain.building import BuildState, Built, ImageBuild, built_name
from evalbox.domain.evaluation import EvaluationSpec, InputFile, Network
from evalbox.domain.image import BASE
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import State
from evalbox.engines.base import Launch
from evalbox.engines.fake import FakeEngine, FakeHost, interpret
from evalbox.engines.fake.language import Step
from evalbox.errors import (
    EngineUnavailable,
    FileMissing,
    ImageBuildError,
    ImageNotFound,
    InvalidInput,
)
from evalbox.service.local import LocalBox

ROOT = {"user": "0:0"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path / "box")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def box(settings: Settings, engine: FakeEngine) -> AsyncIterator[LocalBox]:
    async with opened(settings, engine) as made:
        yield made
    await engine.close()


def build(*command: str, **changes: object) -> ImageBuild:
    return replace(ImageBuild(files=(), command=command), **changes)  # type: ignore[arg-type]


async def prepare(box: LocalBox, wanted: ImageBuild, **options: object) -> tuple[Built, list[str]]:
    said: list[str] = []
    built = await box.images.prepare(wanted, said.append, base="any", **options)  # type: ignore[arg-type]
    return built, said


async def asleep(box: LocalBox, wanted: ImageBuild) -> asyncio.Task[tuple[Built, list[str]]]:
    """One who waits for a build that goes on."""
    task = asyncio.create_task(prepare(box, wanted))
    await until(lambda: _any_building(box))
    return task


async def _any_building(box: LocalBox) -> bool:
    return any(one.state is BuildState.BUILDING for one in await box.images.builds())


async def log_of(box: LocalBox, key: str, *, follow: bool = False) -> bytes:
    return b"".join([data async for data in box.images.build_log(key, follow=follow)])


# --- once ---


async def test_what_is_built_is_there_for_what_runs_upon_it(box: LocalBox) -> None:
    wanted = build("artifact", "/opt/it", "here")
    ran = await run(box, spec("cat", "/opt/it", build=wanted, **ROOT))
    assert ran.outcome is Outcome.OK
    (attempt,) = await box.attempts(ran.id)
    (record,) = await box.images.builds()
    assert attempt.image_digest == f"fake:{record.image}"
    assert record.state is BuildState.READY


async def test_twenty_at_once_build_it_once(box: LocalBox, engine: FakeEngine) -> None:
    wanted = build("echo", "once", ";", "sleep", "0.05")
    answers = await asyncio.gather(*(prepare(box, wanted) for _ in range(10)))
    ran = await box.submit([spec("true", build=wanted, name=f"one-{n}") for n in range(10)])
    assert {(await ended(box, one.id)).outcome for one in ran} == {Outcome.OK}
    assert len({built.image for built, _ in answers}) == 1
    assert all("once" in said for _, said in answers)
    assert engine.host.created == 1 + 10
    again, said = await prepare(box, wanted)
    assert again.cached
    assert said == []
    assert again.image == answers[0][0].image


async def test_who_comes_late_is_told_from_the_beginning(box: LocalBox) -> None:
    wanted = build("echo", "first", ";", "sleep", "0.3", ";", "echo", "last")
    first = await asleep(box, wanted)
    async with asyncio.timeout(5):
        while b"first" not in await log_of(box, (await box.images.builds())[0].key):
            await asyncio.sleep(0.01)
    built, said = await prepare(box, wanted)
    assert said[-3:] == ["first", "last", "evalbox: keeping the image"]
    assert not built.cached
    assert (await first)[1] == said
    assert await log_of(box, built.key) == await log_of(box, built.key[:12], follow=True)


async def test_the_log_is_followed_by_who_only_looks(box: LocalBox) -> None:
    wanted = build("echo", "first", ";", "sleep", "0.2", ";", "echo", "last")
    task = await asleep(box, wanted)
    (record,) = await box.images.builds()
    assert (await log_of(box, record.key, follow=True)).endswith(
        b"last\nevalbox: keeping the image\n"
    )
    await task


def _file(path: str, blob: str, mode: int = 0o644) -> InputFile:
    return InputFile(path, blob, 1, mode)


def test_the_key_is_of_the_content_alone() -> None:
    one, other = _file("/a", "1" * 64), _file("/b", "2" * 64)
    first = build("x", files=(one, other))
    assert first.key("base") == build("x", files=(other, one), timeout=5.0).key("base")
    for different in (
        build("y", files=(one, other)),
        build("x", files=(one,)),
        build("x", files=(one, _file("/b", "3" * 64))),
        build("x", files=(one, _file("/b", "2" * 64, 0o755))),
        build("x", files=(one, _file("/c", "2" * 64))),
        build("x", files=(one, other), description="/d"),
    ):
        assert different.key("base") != first.key("base")
    assert first.key("other") != first.key("base")


def test_another_version_of_a_program_that_is_known_makes_the_same() -> None:
    old, new = (build("x", files=(_file("/driver", digit * 64),)) for digit in "12")
    known = {"1" * 64: "driver 1"}
    assert old.key("base", known) == new.key("base", {"2" * 64: "driver 1"})
    assert old.key("base", known) != new.key("base", {"2" * 64: "driver 2"})
    # What somebody sends in its place is not known.
    assert new.key("base", known) == new.key("base") != old.key("base", known)


async def test_files_are_put_in_and_what_is_told_of_it_is_kept(box: LocalBox) -> None:
    blob, size = await box.upload(b'{"tasks": ["a", "b"]}')
    wanted = build(
        "cat", "/in/family.json",
        files=(InputFile("/in/family.json", blob, size, 0o600),),
        description="/in/family.json",
    )  # fmt: skip
    built, said = await prepare(box, wanted)
    assert built.description == '{"tasks":["a","b"]}'
    assert '{"tasks": ["a", "b"]}' in said
    assert (await box.images.build(built.key)).description == built.description


async def test_what_stands_beside_the_network_of_a_build(box: LocalBox, engine: FakeEngine) -> None:
    task = await asleep(box, build("sleep", "0.2"))
    (state,) = engine.host.sandboxes.values()
    assert state.profile.network is Network.INTERNET
    assert state.profile.user == "0:0"
    assert "SETUID" in state.profile.capabilities
    await task
    assert engine.host.sandboxes == {}


# --- secrets ---


async def test_the_environment_is_the_builds_and_nowhere_kept(
    box: LocalBox, settings: Settings
) -> None:
    seen: list[dict[str, str]] = []

    def programs(launch: Launch) -> list[Step]:
        seen.append(dict(launch.env))
        return list(interpret(launch))

    box._engines["fake"]._programs = programs  # type: ignore[attr-defined]
    wanted = build("true")
    ran = await run(box, spec("true", build=wanted, env={"TOKEN": "hush-hush"}))
    assert ran.outcome is Outcome.OK
    assert seen == [{"TOKEN": "hush-hush"}]
    await prepare(box, build("echo", "other"), env={"TOKEN": "hush-hush"})
    assert seen[1] == {"TOKEN": "hush-hush"}
    for file in settings.data_dir.rglob("*"):
        if file.is_file():
            assert b"hush-hush" not in file.read_bytes(), file


# --- failures ---


async def test_a_build_that_fails_tells_its_last_words(box: LocalBox, engine: FakeEngine) -> None:
    wanted = build("echo", "pip says no", ";", "exit", "3")
    with pytest.raises(ImageBuildError) as raised:
        await prepare(box, wanted)
    first, *rest = raised.value.message.splitlines()
    assert first == "the image could not be built: status 3: pip says no"
    assert rest[-1] == "pip says no"
    (record,) = await box.images.builds()
    assert record.state is BuildState.FAILED
    assert record.reason == first
    assert record.key[:16] in raised.value.hint
    assert b"pip says no" in await log_of(box, record.key)
    assert engine.host.sandboxes == {}
    with pytest.raises(ImageNotFound):
        await engine.image(built_name(record.key))


async def test_an_attempt_whose_image_cannot_be_built_is_the_tasks_own_fault(
    box: LocalBox, engine: FakeEngine
) -> None:
    ran = await run(box, spec("true", build=build("echo", "no wheel", ";", "exit", "1")))
    assert (ran.state, ran.outcome) == (State.FAILED, Outcome.TASK_ERROR)
    assert ran.reason == "the image could not be built: status 1: no wheel"
    assert ran.attempts == 1
    assert engine.host.sandboxes == {}


async def test_what_was_printed_is_inert_where_it_is_told(box: LocalBox) -> None:
    with pytest.raises(ImageBuildError) as raised:
        await prepare(box, build("echo", "\x1b[31mred\u202e", "x" * 10_000, ";", "exit", "1"))
    assert "\x1b" not in raised.value.message
    assert "\u202e" not in raised.value.message
    assert len(raised.value.message) < 10_000
    (record,) = await box.images.builds()
    assert b"\x1b[31m" in await log_of(box, record.key)


async def test_a_build_that_failed_is_tried_again_when_it_is_wanted_again(box: LocalBox) -> None:
    host = FakeHost()
    tries: list[int] = []

    def programs(launch: Launch) -> list[Step]:
        tries.append(1)
        return list(interpret(replace(launch, command=("exit", "1" if len(tries) == 1 else "0"))))

    box._engines["fake"] = engine = FakeEngine(host=host, programs=programs)
    box._scheduler._gates.clear()  # type: ignore[union-attr]
    with pytest.raises(ImageBuildError):
        await prepare(box, build("true"))
    built, _ = await prepare(box, build("true"))
    assert not built.cached
    await engine.close()


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (build("sleep", "inf", timeout=0.1), "it took longer than"),
        (build("true", description="/nowhere.json"), "it left no /nowhere.json"),
        (
            build("artifact", "/d.json", "not json", description="/d.json"),
            "/d.json is not JSON",
        ),
    ],
)
async def test_why_builds_fail(box: LocalBox, wanted: ImageBuild, reason: str) -> None:
    with pytest.raises(ImageBuildError, match=reason):
        await prepare(box, wanted)
    assert box._engines["fake"].host.sandboxes == {}  # type: ignore[attr-defined]


async def test_what_cannot_be_asked_for(box: LocalBox) -> None:
    with pytest.raises(FileMissing):
        await prepare(box, build("true", files=(_file("/a", "0" * 64),)))
    with pytest.raises(InvalidInput):
        await prepare(box, build("true", files=(_file("/proc/a", "0" * 64),)))
    with pytest.raises(InvalidInput):
        await prepare(box, build())
    with pytest.raises(InvalidInput):
        await prepare(box, build("true", timeout=0.0))
    with pytest.raises(ImageNotFound):
        await box.images.prepare(build("true"), print, base="no-such")
    with pytest.raises(FileMissing):
        await box.submit([spec("true", build=build("true", files=(_file("/a", "0" * 64),)))])
    for wanted in (("SYS_ADMIN",), ("CHOWN",)):
        with pytest.raises(InvalidInput, match="capabilities"):
            await box.submit([spec("true", capabilities=wanted)])
    assert await box.images.builds() == []


# --- those who wait ---


async def test_a_build_that_nobody_waits_for_is_given_up(box: LocalBox, engine: FakeEngine) -> None:
    wanted = build("sleep", "inf")
    first = await asleep(box, wanted)
    second = asyncio.create_task(prepare(box, wanted))
    await until(lambda: _waiting(box, 2))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert len(engine.host.sandboxes) == 1
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)

    async def given_up() -> bool:
        (record,) = await box.images.builds()
        return record.state is BuildState.FAILED and not engine.host.sandboxes

    await until(given_up)


async def _waiting(box: LocalBox, count: int) -> bool:
    jobs = box._scheduler.builds._jobs.values()  # type: ignore[union-attr]
    return sum(job.waiting for job in jobs) == count


async def test_who_asks_while_it_is_given_up_gets_one_of_their_own(
    box: LocalBox, engine: FakeEngine
) -> None:
    wanted = build("sleep", "0.2")
    first = await asleep(box, wanted)
    first.cancel()
    built, _ = await prepare(box, wanted)
    assert not built.cached
    assert (await box.images.build(built.key)).state is BuildState.READY
    assert engine.host.sandboxes == {}


async def test_an_attempt_is_cancelled_while_its_image_is_built(
    box: LocalBox, engine: FakeEngine
) -> None:
    (made,) = await box.submit([spec("true", build=build("sleep", "inf"))])
    await phase(box, "building the image")
    await until(lambda: _any_building(box))
    await box.cancel([made.id])
    assert (await ended(box, made.id)).state is State.CANCELLED

    async def nothing_left() -> bool:
        return not engine.host.sandboxes and not await _any_building(box)

    await until(nothing_left)


async def test_an_engine_that_goes_down_is_not_the_tasks_fault(
    box: LocalBox, engine: FakeEngine
) -> None:
    wanted = build("sleep", "0.3")
    (made,) = await box.submit([spec("true", build=wanted)])
    await until(lambda: _any_building(box))
    engine.down = True
    asking = asyncio.create_task(prepare(box, wanted))
    with pytest.raises(EngineUnavailable):
        await asking
    engine.down = False
    assert (await ended(box, made.id, within=30)).outcome is Outcome.OK


# --- from one process to the next ---


async def test_a_process_that_dies_in_the_middle_leaves_nothing(settings: Settings) -> None:
    host = FakeHost()
    wanted = build("sleep", "inf")
    async with opened(settings, FakeEngine(host=host)) as box:
        await box.submit([spec("true", build=wanted)])
        await until(lambda: _any_building(box))
        # As kill -9 leaves it: with a sandbox, and a record that it goes on.
        (state,) = host.sandboxes.values()
        left = dict(host.sandboxes)
    with sqlite3.connect(settings.data_dir / "evalbox.db") as database:
        database.execute("UPDATE builds SET state = 'building'")
    host.sandboxes.update(left)
    assert state.labels["evalbox.build"]

    def programs(launch: Launch) -> list[Step]:
        return list(interpret(replace(launch, command=("true",))))

    async with opened(settings, FakeEngine(host=host, programs=programs)) as box:
        (waiting,) = await box.list(EvaluationFilter())
        assert (await ended(box, waiting.id)).outcome is Outcome.OK
        assert host.sandboxes == {}
        (record,) = await box.images.builds()
        assert record.state is BuildState.READY


async def test_what_is_built_is_known_to_the_next_process(settings: Settings) -> None:
    host = FakeHost()
    async with opened(settings, FakeEngine(host=host)) as box:
        first, _ = await prepare(box, build("true"))
    async with opened(settings, FakeEngine(host=host)) as box:
        again, _ = await prepare(box, build("true"))
    assert again.cached
    assert again.image == first.image


async def test_an_image_that_was_removed_is_built_again(box: LocalBox, engine: FakeEngine) -> None:
    first, _ = await prepare(box, build("true"))
    await box.images.remove(first.image)
    again, _ = await prepare(box, build("true"))
    assert not again.cached
    assert await engine.image(again.image)


async def test_a_process_that_runs_no_queue_builds_too(settings: Settings) -> None:
    host = FakeHost()
    async with opened(settings, FakeEngine(host=host), work=False) as box:
        built, said = await prepare(box, build("echo", "hello"))
    assert "hello" in said
    assert host.sandboxes == {}
    async with opened(settings, FakeEngine(host=host)) as box:
        assert (await prepare(box, build("echo", "hello")))[0].cached
    assert built_name(built.key) == built.image


# --- those that are not needed any more ---


async def test_what_is_not_used_is_pruned(box: LocalBox, engine: FakeEngine) -> None:
    first, _ = await prepare(box, build("echo", "first"))
    second, _ = await prepare(box, build("echo", "second"))
    assert await box.images.prune(60.0) == []
    engine.images.used.add(second.image)
    (removed,) = await box.images.prune(0.0)
    assert removed.image == first.image
    with pytest.raises(ImageNotFound):
        await engine.image(first.image)
    assert (await box.images.build(first.key)).state is BuildState.REMOVED
    assert (await box.images.build(second.image)).state is BuildState.READY
    assert not (await prepare(box, build("echo", "first")))[0].cached
    (entry,) = [one for one in await box.audit.list() if one.action == "image.prune" and one.target]
    assert entry.target == first.image


async def test_the_oldest_logs_go_where_they_are_many(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalbox.store.builds.MOST_LOGS", 200)
    first, _ = await prepare(box, build("echo", "x" * 60))
    second, _ = await prepare(box, build("echo", "y" * 60))
    assert await log_of(box, first.key) == b""
    assert b"y" * 60 in await log_of(box, second.key)


async def test_a_build_is_found_by_the_beginning_of_its_key(box: LocalBox) -> None:
    built, _ = await prepare(box, build("true"))
    assert (await box.images.build(built.key[:8])).image == built.image
    for wrong in ("", "zz", "%", BASE):
        with pytest.raises(ImageNotFound):
            await box.images.build(wrong)


async def test_a_spec_comes_back_as_it_was_asked_for(box: LocalBox) -> None:
    blob, size = await box.upload(b"x")
    wanted = spec(
        "true",
        build=build("true", files=(InputFile("/x", blob, size),), description="", timeout=60.0),
        capabilities=("CHOWN", "SETUID"),
        **ROOT,
    )
    ran = await run(box, wanted)
    found: EvaluationSpec = (await box.get(ran.id)).spec
    assert found.build == wanted.build
    assert found.capabilities == wanted.capabilities


# --- over the API ---


@pytest.mark.parametrize("way", WAYS)
async def test_a_box_builds_whichever_way_it_is_reached(way: str, tmp_path: Path) -> None:
    async with reached(way, tmp_path) as found:
        box = found.box
        blob, size = await box.upload(b'{"a": "\xc3\xa9"}')
        wanted = build(
            "echo", "hel\x1blo", ";", "env", "TOKEN",
            files=(InputFile("/d.json", blob, size),), description="/d.json",
        )  # fmt: skip
        said: list[str] = []
        env = {"TOKEN": "t"}
        built = await box.images.prepare(wanted, said.append, base="any", engine="fake", env=env)
        assert said[-3:] == ["hel^[lo", "t", "evalbox: keeping the image"]
        assert built.description == '{"a":"\\u00e9"}'
        again = await box.images.prepare(wanted, said.append, base="any")
        assert again == replace(built, cached=True)
        (record,) = await box.images.builds()
        assert record == await box.images.build(built.key[:9])
        for follow in (False, True):
            told = [data async for data in box.images.build_log(built.key, follow=follow)]
            assert b"hel\x1blo\n" in b"".join(told)
        ran = spec("true", build=wanted, capabilities=("CHOWN",), **ROOT)
        (made,) = await box.submit([ran])
        assert (await box.get(made.id)).spec.build == wanted
        assert (await box.wait(made.id)).outcome is Outcome.OK
        with pytest.raises(ImageBuildError, match="status 3: bad"):
            await box.images.prepare(
                build("echo", "bad", ";", "exit", "3"), said.append, base="any"
            )
        with pytest.raises(ImageNotFound):
            await box.images.build("abcdef")
        with pytest.raises(InvalidInput):
            await box.images.prepare(build("true", timeout=-1.0), said.append, base="any")
        assert [one.image for one in await box.images.prune(0.0)] == [built.image]
