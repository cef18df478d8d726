"""The SDK: the same in this process, on the socket of a service, and at a URL."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from api_support import served

from evalbox import AsyncBox, Box
from evalbox.domain.access import Scope
from evalbox.domain.evaluation import Priority
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.errors import (
    ArtifactNotFound,
    Conflict,
    EvaluationNotFound,
    FileMissing,
    Forbidden,
    InvalidInput,
    InvalidTransition,
    SandboxNotFound,
    ServiceUnreachable,
    Unauthenticated,
)

CALM: dict[str, Any] = {"memory_percent": 100, "disk_free": 0, "load_per_core": 1000, "slots": 8}
WAYS = ("embedded", "socket", "url")

Opener = Callable[[], AsyncBox]


@asynccontextmanager
async def reachable(way: str, directory: Path) -> AsyncIterator[dict[str, Any]]:
    """What opens the box in one of the ways."""
    if way == "embedded":
        yield {"data_dir": directory, "engine": "process", **CALM}
        return
    async with served(directory, work=True) as box:
        if way == "socket":
            yield {"data_dir": directory, "engine": "process"}
        else:
            yield {"url": box.url, "key": await box.key(Scope.SUBMIT), "engine": "process"}


@pytest.fixture(params=WAYS)
async def how(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    async with reachable(request.param, tmp_path / "box") as given:
        yield given


async def test_a_run_from_its_files_to_its_artifacts(how: dict[str, Any], tmp_path: Path) -> None:
    local = tmp_path / "numbers.txt"
    local.write_text("1 2 3")
    async with AsyncBox(**how) as box:
        result = await box.run(
            "import os, sys\n"
            "print(open('numbers.txt').read(), sys.stdin.read(), sys.argv[1], os.environ['A'])\n"
            "print('oh', file=sys.stderr)\n"
            "open('left.txt', 'w').write('left')\n"
            "sys.exit(3)\n",
            language="py",
            arguments=["x"],
            files={"numbers.txt": local, "more/b.bin": b"\0"},
            stdin="in",
            env={"A": "b"},
            artifacts=["left.txt"],
            memory="128m",
            timeout="30s",
            labels={"team": "x"},
        )
        assert (result.outcome, result.exit_code, result.ok) == (Outcome.FAILED, 3, False)
        assert (result.text, result.error_text) == ("1 2 3 in x b\n", "oh\n")
        assert result.evaluation.spec.limits.memory == 128 << 20
        (artifact,) = result.artifacts
        assert await box.read_artifact(result.id, artifact.path) == b"left"
        with pytest.raises(ArtifactNotFound):
            await box.read_artifact(result.id, "nothing")
        (listed,) = await box.list(labels={"team": "x"})
        assert listed.id == result.id
        assert (await box.get(result.id[-8:])).id == result.id


async def test_a_run_is_scored(how: dict[str, Any]) -> None:
    async with AsyncBox(**how) as box:
        text = """{"score": 0.5, "checks": {"a": true}}"""
        result = await box.run(
            f"open('score.json', 'w').write('{text}'); 1 / 0", language="py", score="score.json"
        )
        assert result.score == Score(ScoreKind.NUMBER, 0.5)
        assert result.error == "ZeroDivisionError: division by zero"
        (attempt,) = await box.service.attempts(result.id)
        assert attempt.verdict is not None
        assert attempt.verdict.score == Score(
            ScoreKind.NUMBER, 0.5, raw=text, checks=(ScoreCheck("a", passed=True),)
        )


async def test_a_handle_follows_what_it_stands_for(how: dict[str, Any]) -> None:
    async with AsyncBox(**how) as box:
        program = "import time\nfor n in range(3):\n print(n, flush=True)\n time.sleep(0.05)\n"
        handle = await box.submit(program, language="py")
        seen = b"".join([piece.data async for piece in handle.logs()])
        assert seen == b"0\n1\n2\n"
        assert (await handle.wait()).state is State.COMPLETED
        kinds = [event.kind async for event in handle.events()]
        assert kinds[0] == "evaluation.queued"
        assert kinds[-1] == "evaluation.completed"
        endless = await box.submit(command=["sleep", "600"])
        with pytest.raises(TimeoutError):
            await endless.wait(timeout=0.2)
        await endless.cancel()
        assert (await endless.result()).outcome is Outcome.CANCELLED
        assert "cancelled" in await endless.explain()
        await endless.remove()
        with pytest.raises(EvaluationNotFound):
            await endless.refresh()


async def test_a_job_is_looked_into_while_it_runs(how: dict[str, Any]) -> None:
    async with AsyncBox(**how) as box:
        handle = await box.submit(command=["sh", "-c", "echo job >file; sleep 600"])
        while [one.phase for one in await box.activity()] != ["running"]:
            await asyncio.sleep(0.01)
        if "url" in how:
            # The key may submit, which is not enough for this.
            with pytest.raises(Forbidden):
                await handle.exec("true")
            await handle.cancel()
            return
        report = await handle.exec("until [ -s file ]; do :; done; cat file -; exit 3", stdin="in")
        assert (report.stdout, report.end.exit_code) == (b"job\nin", 3)
        async with handle.shell("read line; echo got $line") as shell:
            await shell.write(b"this\n")
            assert [piece.data async for piece in shell.output()] == [b"got this\n"]
        await handle.cancel()
        assert (await handle.result()).stdout == b""
        with pytest.raises(InvalidTransition):
            await handle.exec("true")
        later = await box.submit(command=["true"], delay="1h")
        assert (await later.prioritize("high")).spec.priority is Priority.HIGH
        with pytest.raises(InvalidInput):
            await later.prioritize("urgent")


async def test_many_come_as_they_end(how: dict[str, Any]) -> None:
    async with AsyncBox(**how) as box:
        items: list[Any] = [
            {"source": "import time; time.sleep(1.5)", "name": "slow"},
            *({"command": ["echo", str(number)], "name": f"n{number}"} for number in range(6)),
            {"command": ["false"], "name": "bad"},
        ]
        names = [
            result.evaluation.spec.name
            async for result in box.map(items, language="py", batch="many", timeout=60)
        ]
        assert sorted(names) == sorted(["slow", "bad", *(f"n{number}" for number in range(6))])
        assert names[-1] == "slow"
        batch = await box.batch("many")
        assert (batch.total, batch.outcomes[Outcome.FAILED]) == (8, 1)
        assert [one.name for one in await box.batches()] == ["many"]
        assert (await box.limit_batch("many", 2)).concurrency == 2


async def test_what_is_planned_for_a_batch(how: dict[str, Any]) -> None:
    async with AsyncBox(**how) as box:
        await box.submit_many([{"command": ["echo", word]} for word in ("a", "b")], batch="plan")
        planned = await box.plan_batch("plan", fail_fast=True, reduce={"command": ["true"]})
        assert planned.fail_fast
        async with aclosing(box.feed(after=0, batch="plan")) as feed:  # type: ignore[type-var]
            async for event in feed:
                if event.kind == "batch.reduced":
                    break
        reduction = (await box.batch("plan")).reduction
        assert reduction is not None
        assert reduction.evaluation_id is not None
        result = await (await box.get(reduction.evaluation_id)).result()
        assert result.outcome is Outcome.OK
        assert (await box.plan_batch("plan")).reduction is None


async def test_what_has_ended_already_comes_at_once(how: dict[str, Any]) -> None:
    async with AsyncBox(**how) as box:
        job = {"command": ["echo", "once"], "idempotency_key": "k"}
        first = [result async for result in box.map([job, job])]
        again = [result async for result in box.map([job])]
        assert [one.id for one in first] == [one.id for one in again]
        assert again[0].text == "once\n"
        with pytest.raises(Conflict):
            await box.submit(command=["echo", "twice"], idempotency_key="k")


async def test_a_run_is_cancelled_with_its_caller(how: dict[str, Any]) -> None:
    async with AsyncBox(**how) as box:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await box.run(command=["sleep", "600"])
        (evaluation,) = await box.list()
        ended = await box.service.wait(evaluation.id)
        assert ended.outcome is Outcome.CANCELLED


async def test_the_feed_misses_nothing(how: dict[str, Any]) -> None:
    async with AsyncBox(**how) as box:
        start = await box.service.last_seq()
        handle = await box.submit(command=["true"], batch="b")
        seen = []
        async for event in box.feed(after=start, batch="b"):
            seen.append(event.kind)
            if event.kind == "batch.finished":
                break
        assert seen[0] == "evaluation.queued"
        assert "evaluation.completed" in seen
        assert handle.id


async def test_a_sandbox_is_there_for_a_block(how: dict[str, Any], tmp_path: Path) -> None:
    local = tmp_path / "data.bin"
    local.write_bytes(bytes(range(256)) * 4096)
    async with AsyncBox(**how) as box:
        async with box.sandbox(memory="128m", lifetime="10m", env={"A": "b"}) as sandbox:
            report = await sandbox.exec("echo $A; echo oh >&2; exit 4")
            assert (report.end.exit_code, report.stdout, report.stderr) == (4, b"b\n", b"oh\n")
            assert (await sandbox.exec(["cat"], stdin="in")).stdout == b"in"
            late = await sandbox.exec("sleep 60", timeout=0.5)
            assert late.end.timed_out
            await sandbox.write("deep/data.bin", local)
            assert await sandbox.read("deep/data.bin") == local.read_bytes()
            await sandbox.write("text.txt", "text", mode=0o600)
            names = {entry.name for entry in await sandbox.entries()}
            assert {"deep", "text.txt"} <= names
            with pytest.raises(FileMissing):
                await sandbox.read("nothing")
            async with sandbox.start(["cat"], stdin=True) as program:
                await program.write(b"said")
                await program.close_stdin()
                said = b"".join([piece.data async for piece in program.output()])
                assert (said, (await program.wait()).exit_code) == (b"said", 0)
            await sandbox.keep("20m")
            same = await box.open_sandbox(sandbox.id)
            assert await same.read("text.txt") == b"text"
        with pytest.raises(SandboxNotFound):
            await sandbox.exec("true")


@pytest.mark.parametrize(
    ("source", "options", "field"),
    [
        (None, {}, "source"),
        ("x", {"command": ["ls"]}, "source"),
        ("x", {"language": "cobol"}, "lang"),
        ("x", {"language": "py", "memory": "a lot"}, "memory"),
        ("x", {"language": "py", "memory": 1}, "memory"),
        ("x", {"language": "py", "timeout": -1}, "timeout"),
        ("x", {"language": "py", "network": "some"}, "network"),
        ("x", {"language": "py", "priority": "urgent"}, "priority"),
        ("x", {"language": "py", "retries": -1}, "retries"),
        ("x", {"language": "py", "files": {"../x": b""}}, "files"),
        ("x", {"language": "py", "colour": "red"}, "colour"),
        ("x", {"language": "py", "env": {"1": "x"}}, "env"),
    ],
)
async def test_bad_input_is_told_with_its_field(
    tmp_path: Path, source: str | None, options: dict[str, Any], field: str
) -> None:
    async with AsyncBox(data_dir=tmp_path / "box", work=False, engine="process") as box:
        with pytest.raises(InvalidInput) as refused:
            await box.submit(source, **options)
        assert refused.value.field == field


async def test_no_box_and_a_wrong_key() -> None:
    with pytest.raises(ServiceUnreachable):
        async with AsyncBox("http://127.0.0.1:9"):
            pass
    with pytest.raises(InvalidInput, match="not open"):
        await AsyncBox("http://127.0.0.1:9").queue()


async def test_a_key_that_is_none(tmp_path: Path) -> None:
    async with served(tmp_path / "box") as box:
        for key in ("evb_wrong", None):
            with pytest.raises(Unauthenticated) as refused:
                async with AsyncBox(box.url, key=key) as remote:
                    await remote.queue()
            assert "--key or EVALBOX_KEY" in refused.value.hint


def test_the_environment_does_not_override_a_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALBOX_URL", "http://127.0.0.1:9")
    with Box(data_dir=tmp_path / "box", work=False) as box:
        assert sum(box.queue().states.values()) == 0
    with pytest.raises(ServiceUnreachable), Box(work=False):
        pass


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with Box(data_dir=tmp_path / "box", engine="process", **CALM) as made:
        yield made


def test_without_asyncio(box: Box) -> None:
    result = box.run("print('hello')", language="py")
    assert (result.ok, result.text) == (True, "hello\n")
    handle = box.submit(command=["sh", "-c", "echo a; echo b"])
    assert b"".join(piece.data for piece in handle.logs()) == b"a\nb\n"
    assert handle.result().exit_code == 0
    texts = {result.text for result in box.map([f"print({n})" for n in range(5)], language="py")}
    assert texts == {f"{n}\n" for n in range(5)}
    many = box.submit_many([{"command": ["true"]}, {"command": ["false"]}])
    assert [one.wait().outcome for one in many] == [Outcome.OK, Outcome.FAILED]
    assert next(event.kind for event in many[0].events()) == "evaluation.queued"
    assert len(box.list(states=[State.FAILED])) == 1
    assert box.call(lambda service: service.keys.list()) == []
    box.pause()
    assert box.queue().paused
    box.resume()
    box.resize(3)
    assert box.queue().slots == 3
    assert box.host().slots == 3


def test_a_job_is_looked_into_without_asyncio(box: Box) -> None:
    handle = box.submit(command=["sleep", "600"])
    while [one.phase for one in box.activity()] != ["running"]:
        time.sleep(0.01)
    assert handle.exec(["echo", "beside"]).stdout == b"beside\n"
    with handle.shell("cat") as shell:
        shell.write(b"x")
        shell.close_stdin()
        assert b"".join(piece.data for piece in shell.output()) == b"x"
        assert shell.wait().exit_code == 0
    handle.cancel()
    later = box.submit(command=["true"], delay="1h")
    assert later.prioritize("low").spec.priority is Priority.LOW


def test_a_sandbox_without_asyncio(box: Box) -> None:
    with box.sandbox() as sandbox:
        assert sandbox.exec("cat; exit 2", stdin=b"x").end.exit_code == 2
        sandbox.write("a.txt", "a")
        assert sandbox.read("a.txt") == b"a"
        with sandbox.start("echo 1; cat", stdin=True) as program:
            output = program.output()
            assert next(output).data == b"1\n"
            program.write(b"2")
            program.close_stdin()
            assert b"".join(piece.data for piece in output) == b"2"
            assert program.wait().exit_code == 0
        assert [entry.name for entry in sandbox.entries()] == ["a.txt"]
        assert box.open_sandbox(sandbox.id).record.id == sandbox.id


def test_a_loop_that_is_left_early_leaves_nothing_behind(box: Box) -> None:
    for _ in box.map(["print(1)"] * 3, language="py"):
        break
    for _ in box.feed(after=0):
        break
    handle = box.submit(command=["sh", "-c", "while :; do echo x; sleep 0.05; done"])
    for _ in handle.logs():
        break
    handle.cancel()
    assert handle.wait().outcome is Outcome.CANCELLED


def test_from_many_threads_at_once(box: Box) -> None:
    texts: list[str] = []

    def work(number: int) -> None:
        texts.append(box.run(f"print({number})", language="py").text)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts) == [f"{number}\n" for number in range(6)]


async def test_where_a_loop_runs_already(tmp_path: Path) -> None:
    """As in a notebook."""
    box = Box(data_dir=tmp_path / "box", engine="process", **CALM).open()
    try:
        assert box.run("print(1)", language="py").text == "1\n"
    finally:
        box.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "evalbox"]


def test_an_error_leaves_what_runs_to_the_next(tmp_path: Path) -> None:
    begun: list[str] = []

    def fail_in_the_middle() -> None:
        with Box(data_dir=tmp_path / "box", engine="process", **CALM) as box:
            handle = box.submit(command=["sleep", "600"])
            begun.append(handle.id)
            while handle.refresh().state is not State.RUNNING:
                time.sleep(0.01)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    with Box(data_dir=tmp_path / "box", engine="process", **CALM) as box:
        again = box.get(begun[0])
        assert again.evaluation.attempts == 1
        again.cancel()
        assert again.wait(30).state is State.CANCELLED


def test_its_own_callbacks_cannot_wait_for_it(tmp_path: Path) -> None:
    told: list[BaseException] = []

    def note(_: str) -> None:
        try:
            box.queue()
        except InvalidInput as error:
            told.append(error)

    box = Box(data_dir=tmp_path / "box", engine="process", on_note=note, **CALM)
    with box:
        box.submit(command=["true"]).wait(30)
    assert told
    assert "callbacks" in str(told[0])
