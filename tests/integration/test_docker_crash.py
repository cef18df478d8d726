"""What a crash of the service leaves: adoption, exactly one run, reaping."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from docker_support import bench, both, finished, source

from evalbox.engines.base import LABEL_BOX, Launch, Stream
from evalbox.engines.docker import DockerEngine, orphans
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.removal import Remover
from evalbox.engines.docker.wire import Address
from evalbox.errors import EngineUnavailable, SandboxGone


@both
async def test_adopted_before_its_launch_it_runs_once(kind: str, tmp_path: Path) -> None:
    launch = Launch(
        ("/bin/sh", "-c", "cat data | head -c 5; echo; echo run >>/tmp/runs; wc -l </tmp/runs"),
        files=(source(tmp_path, "/home/agent/data", b"first" * 20_000),),
    )
    async with crashed(kind) as before, bench(kind) as after:
        sandbox = await before.create(after.profile(), labels={LABEL_BOX: after.box})
        await before.close()
        adopted = await after.engine.adopt(sandbox.id)
        await adopted.prepare(launch)
        await adopted.launch(launch)
        await adopted.launch(launch)
        ran = await finished(adopted)
        await adopted.destroy()
    assert ran.out == b"first\n1\n", ran
    assert ran.exit.code == 0
    assert ran.usage is not None
    assert ran.usage.cpu_seconds > 0


@both
@pytest.mark.parametrize("artifacts", [(), ("data",)])
async def test_adopted_after_its_launch_it_runs_once(
    kind: str, artifacts: tuple[str, ...], tmp_path: Path
) -> None:
    script = (
        "echo changed >data; echo run >>/tmp/runs; echo one; echo err >&2;"
        "sleep 1.5;"
        "wc -l </tmp/runs; cat data; exit 5"
    )
    launch = Launch(
        ("/bin/sh", "-c", script),
        files=(source(tmp_path, "/home/agent/data", b"first" * 20_000),),
        artifacts=artifacts,
    )
    async with crashed(kind) as before, bench(kind) as after:
        sandbox = await before.create(after.profile(), labels={LABEL_BOX: after.box})
        await sandbox.prepare(launch)
        await sandbox.launch(launch)
        seen = b""
        async for chunk in sandbox.output():
            seen += chunk.data if chunk.stream is Stream.STDOUT else b""
            if seen == b"one\n":
                break
        await before.close()
        adopted = await after.engine.adopt(sandbox.id)
        await adopted.prepare(launch)
        await adopted.launch(launch)
        kept = asyncio.create_task(collect(adopted))
        ran = await finished(adopted, {Stream.STDOUT: len(seen)})
        assert bool(await kept) == bool(artifacts)
        await adopted.destroy()
    assert ran.out == b"1\nchanged\n"
    assert ran.err == b"err\n"
    assert ran.exit.code == 5


@both
async def test_what_was_kept_for_one_who_crashed_is_kept_for_the_next(kind: str) -> None:
    launch = Launch(("/bin/sh", "-c", "echo it >data; exit 5"), artifacts=("data",))
    async with crashed(kind) as before, bench(kind) as after:
        sandbox = await before.create(after.profile(), labels={LABEL_BOX: after.box})
        await sandbox.prepare(launch)
        await sandbox.launch(launch)
        async with aclosing(sandbox.artifacts()) as tar:
            async for _ in tar:
                break
        await before.close()
        adopted = await after.engine.adopt(sandbox.id)
        await adopted.prepare(launch)
        await adopted.launch(launch)
        async with asyncio.timeout(20):
            kept = asyncio.create_task(collect(adopted))
            ran = await finished(adopted)
            assert b"it\n" in await kept
        await adopted.destroy()
    assert ran.exit.code == 5


@both
async def test_the_artifacts_of_an_adopted_sandbox_are_whole(kind: str) -> None:
    size = 20_000_000
    script = f"sleep 1; head -c {size} /dev/urandom >data; exit 6"
    launch = Launch(("/bin/sh", "-c", script), artifacts=("data",))
    async with crashed(kind) as before, bench(kind) as after:
        sandbox = await before.create(after.profile(), labels={LABEL_BOX: after.box})
        await sandbox.launch(launch)
        lost = asyncio.create_task(collect(sandbox))
        await asyncio.sleep(0.5)
        lost.cancel()
        await before.close()
        adopted = await after.engine.adopt(sandbox.id)
        await adopted.launch(launch)
        kept, ran = await asyncio.gather(collect(adopted), finished(adopted))
        await adopted.destroy()
    assert len(kept) > size
    assert kept.endswith(bytes(1024))
    assert ran.exit.code == 6


@both
async def test_adopted_after_its_end_everything_is_told(kind: str) -> None:
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.launch(Launch(("/bin/sh", "-c", "printf 'a\\000b\\377'; exit 9")))
        await finished(sandbox)
        adopted = await b.engine.adopt(sandbox.id)
        await adopted.launch(Launch(("/bin/sh", "-c", "printf 'a\\000b\\377'; exit 9")))
        ran = await finished(adopted)
        assert ran.exit.code == 9
        # The engine's own log ends every last line.
        assert ran.out in (b"a\0b\xff", b"a\0b\xff\n")
        await adopted.destroy()
        with pytest.raises(SandboxGone):
            await b.engine.adopt(sandbox.id)


@both
async def test_listing_and_reaping(kind: str) -> None:
    async with bench(kind) as b:
        kept, lost, ended = await asyncio.gather(b.create(), b.create(), b.create())
        await ended.launch(Launch(("true",)))
        await finished(ended)
        listed = {item.id: item.running for item in await b.engine.list(b.box)}
        assert listed == {kept.id: True, lost.id: True, ended.id: False}
        assert await b.engine.reap(b.box, frozenset({kept.id})) == 2
        assert [item.id for item in await b.engine.list(b.box)] == [kept.id]
        assert await b.engine.list("another-box") == []
        await kept.destroy()
        await kept.destroy()


@both
async def test_what_is_being_made_is_not_reaped(kind: str) -> None:
    async with bench(kind) as b:
        making = asyncio.create_task(b.create())
        while not making.done():
            assert await b.engine.reap(b.box, frozenset()) == 0
        sandbox = await making
        await sandbox.launch(Launch(("echo", "alive")))
        assert (await finished(sandbox)).out == b"alive\n"
        await sandbox.destroy()


@both
async def test_a_name_is_taken_over(kind: str) -> None:
    name = f"test-{uuid.uuid4().hex[:8]}"
    async with bench(kind) as b:
        first = await b.create(name)
        second = await b.create(name)
        assert first.id != second.id
        with pytest.raises(SandboxGone):
            await first.wait()
        await second.destroy()


@both
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.08, 0.2])
async def test_a_cancelled_creation_leaves_nothing(kind: str, delay: float) -> None:
    async with bench(kind) as b:
        making = asyncio.create_task(b.create())
        await asyncio.sleep(delay)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        await b.engine._background.close()


@both
async def test_a_destroyed_sandbox_leaves_no_process(kind: str) -> None:
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.launch(Launch(("/bin/sh", "-c", "trap '' TERM; sleep 100 & sleep 100")))
        await sandbox.destroy()
        assert [one for one in orphans.serving() if one.container == sandbox.id] == []
        with pytest.raises(SandboxGone):
            await sandbox.wait()


@pytest.mark.gvisor
async def test_a_start_that_fails_leaves_no_process() -> None:
    async with bench("gvisor") as b:
        runtimes = (await b.engine._client.call(lambda api: api.info()))["Runtimes"]
    if "runsc-plain" not in runtimes:
        pytest.skip("no runtime here is known to fail")
    before = {one.container for one in orphans.serving()}
    async with bench("gvisor", runtime="runsc-plain") as b:
        with pytest.raises(EngineUnavailable, match="runtime does not start") as caught:
            await b.create()
        assert "quickstart" in caught.value.hint
    # Others use the engine at the same time: what is left must be known to it, or go by itself.
    for _ in range(50):
        new = {one.container for one in orphans.serving()} - before
        known = {item["Id"] for item in await containers()}
        if new <= known:
            break
        await asyncio.sleep(0.1)
    assert new <= known


@pytest.mark.gvisor
async def test_only_orphans_are_killed() -> None:
    def leaked(root: str, container: str) -> subprocess.Popen[bytes]:
        """What a failed start leaves, by its looks."""
        words = ["runsc-sandbox", "-c", "sleep 60; true", f"--root={root}", "boot", container]
        return subprocess.Popen(words, executable="/bin/sh")

    async with bench("gvisor") as b:
        sandbox = await b.create()
        orphan = leaked("/var/run/docker/runtime-runc/moby", "f" * 64)
        other = leaked("/run/other/runtime-runc/moby", "e" * 64)
        client = Client(Address.parse(None), 1)
        try:
            assert await Remover(client, local=True, young=0).reap_orphans() >= 1
            orphan.wait(5)
            assert other.poll() is None
            await sandbox.launch(Launch(("echo", "alive")))
            assert (await finished(sandbox)).out == b"alive\n"
        finally:
            client.close()
            for process in (orphan, other):
                process.kill()
                process.wait()
            await sandbox.destroy()


@both
async def test_a_sandbox_that_died_waiting_says_so(kind: str) -> None:
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.kill()
        await sandbox.wait()
        await sandbox.kill()
        with pytest.raises(SandboxGone):
            await sandbox.launch(Launch(("true",)))
        await sandbox.destroy()


@asynccontextmanager
async def crashed(kind: Any) -> AsyncIterator[DockerEngine]:
    """An engine that is closed in the middle, as a crash closes its connections."""
    engine = DockerEngine(kind)
    try:
        yield engine
    finally:
        await engine.close()


async def containers() -> list[dict[str, str]]:
    client = Client(Address.parse(None), 1)
    try:
        found: list[dict[str, str]] = await client.call(lambda api: api.containers(all=True))
        return found
    finally:
        client.close()


async def collect(sandbox: object) -> bytes:
    return b"".join([data async for data in sandbox.artifacts()])  # type: ignore[attr-defined]
