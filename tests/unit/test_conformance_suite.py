"""The conformance suite has teeth: engines that are wrong fail it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from evalbox.engines.base import Chunk, Exit, Launch, Profile, Sandbox, Stream
from evalbox.engines.conformance import (
    CASES,
    Lab,
    Status,
    Traits,
    builtin_commands,
    builtin_traits,
    run_suite,
    suite,
)
from evalbox.engines.conformance.case import case
from evalbox.engines.execution import Exec, Execution
from evalbox.engines.fake import FakeEngine, FakeSandbox
from evalbox.engines.fake.execution import FakeFiles
from evalbox.errors import EngineError


def lab_of(engine: FakeEngine) -> Lab:
    return Lab(
        engine, image="fake", traits=builtin_traits("fake"), commands=builtin_commands("fake")
    )


class Sabotaged(FakeEngine):
    """A fake engine whose sandboxes are of another class."""

    sandboxes: type[FakeSandbox] = FakeSandbox

    async def create(
        self, profile: Profile, *, labels: Mapping[str, str], name: str | None = None
    ) -> Sandbox:
        made = await super().create(profile, labels=labels, name=name)
        return self.sandboxes(self, self.host.sandboxes[made.id])

    async def adopt(self, sandbox_id: str) -> Sandbox:
        await super().adopt(sandbox_id)
        return self.sandboxes(self, self.host.sandboxes[sandbox_id])


class WrongStatus(FakeSandbox):
    async def wait(self) -> Exit:
        return Exit(code=((await super().wait()).code or 0) % 255)


class Mixed(FakeSandbox):
    async def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        async for chunk in super().output(skip):
            yield Chunk(Stream.STDOUT, chunk.data)


class Repeating(FakeSandbox):
    async def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        async for chunk in super().output():
            yield chunk


class Talkative(FakeSandbox):
    async def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        yield Chunk(Stream.STDOUT, b"")
        async for chunk in super().output(skip):
            yield chunk


class RunsAgain(FakeSandbox):
    async def launch(self, launch: Launch) -> None:
        await super().launch(launch)
        self._state.output *= 2


class Lingering(FakeSandbox):
    async def destroy(self) -> None:
        pass


class Immortal(FakeSandbox):
    async def kill(self) -> None:
        pass


class Forgetful(FakeSandbox):
    async def artifacts(self) -> AsyncIterator[bytes]:
        async for _ in super().artifacts():
            pass
        return
        yield b""


class Careless(FakeSandbox):
    async def usage(self) -> None:
        return None


class Wrapped:
    """An execution, but for what is wrong with it."""

    def __init__(self, execution):
        self.execution = execution

    def __getattr__(self, name):
        return getattr(self.execution, name)


class Unkillable(FakeSandbox):
    async def exec(self, program: Exec) -> Execution:
        class Left(Wrapped):
            async def kill(self):
                pass

        return Left(await super().exec(program))


class WrongEnd(FakeSandbox):
    async def exec(self, program: Exec) -> Execution:
        class Wrong(Wrapped):
            async def wait(self):
                return 0

        return Wrong(await super().exec(program))


class HalfWritten(FakeSandbox):
    @property
    def files(self):
        class Files(FakeFiles):
            async def write(self, path, content, mode=0o644, user=None):
                async for piece in content:
                    self._state.files[path] = piece

        return Files(self._state, self._check)


@pytest.mark.parametrize(
    ("sandboxes", "caught_by"),
    [
        (WrongStatus, "exit_statuses"),
        (Mixed, "streams_apart"),
        (Repeating, "output_that_was_seen"),
        (Repeating, "adopting_what_runs"),
        (Talkative, "silence"),
        (RunsAgain, "launching_twice"),
        (Lingering, "destroying"),
        (Immortal, "killing_what_sleeps"),
        (Forgetful, "artifacts_and_status"),
        (Careless, "usage_is_told"),
        (Unkillable, "exec_killed"),
        (WrongEnd, "exec_status"),
        (HalfWritten, "file_whose_source_breaks"),
    ],
)
async def test_wrong_sandboxes_are_caught(sandboxes, caught_by, monkeypatch):
    monkeypatch.setattr("evalbox.engines.conformance.killing.KILL_TIME", 0.2)
    monkeypatch.setattr("evalbox.engines.conformance.halting.KILL_TIME", 0.2)
    engine = Sabotaged()
    engine.sandboxes = sandboxes
    wrong = next(case for case in CASES if case.name == caught_by)
    (result,) = await run_suite(lab_of(engine), [wrong])
    assert result.status is Status.FAILED
    assert result.detail
    await engine.close()


async def test_an_engine_that_reaps_too_much_is_caught():
    class Greedy(FakeEngine):
        async def reap(self, box: str, keep: frozenset[str]) -> int:
            return await super().reap(box, frozenset())

    engine = Greedy()
    reaping = [case for case in CASES if case.name == "reaping"]
    (result,) = await run_suite(lab_of(engine), reaping)
    assert result.status is Status.FAILED
    await engine.close()


async def test_the_suite_says_what_it_could_not_try():
    engine = FakeEngine()
    results = await run_suite(lab_of(engine))
    assert {result.status for result in results} == {Status.PASSED, Status.NOT_APPLICABLE}
    assert len(results) == len(CASES)
    left_out = [result for result in results if result.status is Status.NOT_APPLICABLE]
    assert all("does not claim" in result.detail for result in left_out)
    assert not engine.host.sandboxes
    await engine.close()


async def test_whatever_goes_wrong_is_a_result(monkeypatch):
    @case()
    async def stuck(lab: Lab) -> None:
        """Never ends."""
        await asyncio.Event().wait()

    @case()
    async def broken(lab: Lab) -> None:
        """Raises."""
        raise EngineError("it broke")

    monkeypatch.setattr(suite, "TIME_LIMIT", 0.01)
    engine = FakeEngine()
    results = await run_suite(lab_of(engine), [stuck, broken])
    assert [result.status for result in results] == [Status.FAILED] * 2
    assert "TimeoutError" in results[0].detail
    assert "it broke" in results[1].detail


def test_cases_say_what_they_are_about():
    assert len({case.name for case in CASES}) == len(CASES)
    for item in CASES:
        assert item.about.endswith(".")
        assert "\n" not in item.about


def test_cases_need_only_traits_that_there_are():
    with pytest.raises(ValueError, match="no_such_trait"):
        case("no_such_trait")
    assert Traits(adopts=False).missing(frozenset({"adopts", "isolates"})) == ["adopts"]
