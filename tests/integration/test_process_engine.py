"""What only the process engine does; the rest is in the conformance suite."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from evalbox.domain.limits import MIB, Limits
from evalbox.engines.base import LABEL_BOX, Launch, Profile, Sandbox, SourceFile
from evalbox.engines.process import ProcessEngine, processes
from evalbox.errors import EngineUnavailable, InvalidInput, SandboxGone

PROFILE = Profile(image="host")
LABELS = {LABEL_BOX: "test"}


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
async def engine(state_dir: Path) -> AsyncIterator[ProcessEngine]:
    made = ProcessEngine(state_dir)
    yield made
    await made.reap("test", frozenset())
    await made.close()
    assert len(asyncio.all_tasks()) == 1


async def start(engine: ProcessEngine, *command: str, profile: Profile = PROFILE) -> Sandbox:
    sandbox = await engine.create(profile, labels=LABELS)
    await sandbox.launch(Launch(command))
    return sandbox


async def first_word(sandbox: Sandbox) -> str:
    async for chunk in sandbox.output():
        return chunk.data.decode().split()[0]
    raise AssertionError("no output")


def alive(pid: str) -> bool:
    try:
        return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_the_check_says_what_it_means(engine):
    isolation, tried = await engine.check("anything")
    assert (isolation.level, tried.level) == ("warning", "ok")
    assert "no isolation" in isolation.detail


async def test_a_host_without_prlimit(engine, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(EngineUnavailable, match="prlimit"):
        await engine.create(PROFILE, labels=LABELS)
    assert [check.level for check in await engine.check()] == ["warning", "failure"]


async def test_a_state_directory_that_is_a_trap(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    engine = ProcessEngine(tmp_path / "state")
    with pytest.raises(EngineUnavailable, match="somebody else"):
        await engine.ping()
    await engine.close()


async def test_what_a_crash_leaves_is_found_and_reaped(engine, state_dir):
    before = ProcessEngine(state_dir)
    sandbox = await start(before, "/bin/sh", "-c", "echo $$; trap '' PIPE; sleep 300")
    idle = await before.create(PROFILE, labels=LABELS)
    pid = await first_word(sandbox)
    await before.close()
    assert alive(pid)
    listed = {info.id: info.running for info in await engine.list("test")}
    assert listed == {sandbox.id: True, idle.id: False}
    with pytest.raises(SandboxGone):
        await engine.adopt(sandbox.id)
    assert await engine.reap("test", frozenset({idle.id})) == 1
    assert not alive(pid)
    assert [info.id for info in await engine.list("test")] == [idle.id]
    assert [path.name for path in state_dir.iterdir()] == [idle.id]


async def test_its_own_sandbox_is_adopted_as_it_is(engine):
    sandbox = await start(engine, "true")
    assert await engine.adopt(sandbox.id) is sandbox


@pytest.mark.parametrize("hiding", ["env -i sleep 300", "setsid sleep 300", "setsid -f sleep 300"])
async def test_who_leaves_the_group_is_killed(engine, hiding):
    sandbox = await start(engine, "/bin/sh", "-c", f"{hiding} & sleep 0.1; echo $$; sleep 300")
    session = int(await first_word(sandbox))
    while len(found := processes.find(sandbox.id, session)) < 3:
        await asyncio.sleep(0.01)
    await sandbox.kill()
    assert not [pid for pid in found if alive(str(pid))]


async def test_daemons_end_with_the_main_process(engine):
    sandbox = await start(engine, "/bin/sh", "-c", "(setsid sleep 300 >&- 2>&- &); exit 3")
    assert (await sandbox.wait()).code == 3
    assert processes.find(sandbox.id, None) == []


async def test_memory_is_watched_as_a_sum(engine):
    code = (
        "import os, time\n"
        "for _ in range(3):\n"
        "  if not os.fork(): x = bytearray(b'x') * (40 << 20); time.sleep(300)\n"
        "time.sleep(300)"
    )
    profile = Profile(image="host", limits=Limits(memory=96 * MIB))
    sandbox = await start(engine, "python3", "-c", code, profile=profile)
    async with asyncio.timeout(20):
        how = await sandbox.wait()
    assert (how.code, how.oom_killed) == (137, True)
    assert "memory" in how.error
    usage = await sandbox.usage()
    assert usage is not None
    assert usage.memory_peak > 96 * MIB


async def test_shared_memory_is_counted_once(engine):
    code = (
        "import os, time\nx = bytearray(b'x') * (60 << 20)\n"
        "pids = [os.fork() or (time.sleep(1.5), os._exit(0)) for _ in range(3)]\n"
        "for pid in pids: os.waitpid(pid, 0)"
    )
    profile = Profile(image="host", limits=Limits(memory=160 * MIB))
    sandbox = await start(engine, "python3", "-c", code, profile=profile)
    how = await sandbox.wait()
    assert (how.code, how.oom_killed) == (0, False)


@pytest.mark.parametrize("command", [(), ("a\0b",)])
async def test_commands_that_cannot_be(engine, command):
    with pytest.raises(InvalidInput):
        await start(engine, *command)


async def test_files_cannot_be_put_outside(engine, tmp_path, state_dir):
    source = tmp_path / "source"
    source.write_text("x")
    sandbox = await engine.create(PROFILE, labels=LABELS)
    file = SourceFile("/../../../escaped", source, 1)
    await sandbox.launch(Launch(("true",), files=(file,)))
    assert (state_dir / sandbox.id / "root" / "escaped").exists()


async def test_a_tree_that_is_hard_to_remove(engine, state_dir):
    code = (
        "import os\n"
        "for _ in range(3000): os.mkdir('d'); os.chdir('d')\n"
        "os.chdir(os.environ['HOME']); os.mkdir('locked'); open('locked/x', 'w'); "
        "os.chmod('locked', 0)"
    )
    sandbox = await start(engine, "python3", "-c", code)
    assert (await sandbox.wait()).code == 0
    assert await sandbox.usage()
    await sandbox.destroy()
    assert list(state_dir.iterdir()) == []


async def test_what_a_crash_leaves_of_a_creation_is_reaped(engine, state_dir):
    await engine.ping()
    old, new = state_dir / ".unfinished-old", state_dir / ".unfinished-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (time.time() - 3600,) * 2)
    await engine.reap("test", frozenset())
    assert [path.name for path in state_dir.iterdir()] == [new.name]


async def test_nothing_is_left_open(engine):
    async def cycle() -> None:
        sandbox = await engine.create(PROFILE, labels=LABELS)
        launch = Launch(("/bin/sh", "-c", "echo x >kept; echo y"), artifacts=("kept",))
        await sandbox.launch(launch)
        async for _ in sandbox.output():
            pass
        async for _ in sandbox.artifacts():
            pass
        await sandbox.destroy()

    await cycle()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        await cycle()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


async def test_a_launch_that_nobody_waits_for_is_ended_with_its_sandbox(engine):
    sandbox = await engine.create(PROFILE, labels=LABELS)
    launching = asyncio.create_task(sandbox.launch(Launch(("sleep", "300"))))
    await asyncio.sleep(0)
    launching.cancel()
    await sandbox.destroy()
    assert processes.find(sandbox.id, None) == []
    with pytest.raises(SandboxGone):
        await sandbox.launch(Launch(("true",)))


async def test_a_creation_that_is_cancelled_leaves_nothing(engine, state_dir, monkeypatch):
    making, go_on = asyncio.Event(), threading.Event()
    loop, make = asyncio.get_running_loop(), engine._make

    def slowly(record: object) -> Path:
        loop.call_soon_threadsafe(making.set)
        go_on.wait(10)
        return make(record)

    monkeypatch.setattr(engine, "_make", slowly)
    creating = asyncio.create_task(engine.create(PROFILE, labels=LABELS))
    await making.wait()
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    go_on.set()
    await engine.close()
    assert list(state_dir.iterdir()) == []


async def test_the_environment_is_small(engine, monkeypatch):
    monkeypatch.setenv("A_SECRET", "hunter2")
    sandbox = await start(engine, "env")
    output = b"".join([chunk.data async for chunk in sandbox.output()]).decode()
    names = {line.partition("=")[0] for line in output.splitlines()}
    assert names == {"PATH", "HOME", "LANG", "TMPDIR", "EVALBOX_ROOT", "EVALBOX_SANDBOX"}
