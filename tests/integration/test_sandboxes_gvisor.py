"""Sandboxes that are kept, on real gVisor: programs, files, crashes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from docker_support import BASE, bench
from recovery_support import settings_in, until

from evalbox.domain.limits import MIB, Limits
from evalbox.domain.sandbox import (
    MAX_FILE,
    BoxSandbox,
    ExecSpec,
    SandboxEnd,
    SandboxFilter,
    SandboxSpec,
    SandboxState,
)
from evalbox.errors import EngineError, SandboxGone
from evalbox.host.attaching import attach
from evalbox.service.box import Box
from evalbox.service.local import LocalBox

pytestmark = [pytest.mark.gvisor, pytest.mark.timeout(170)]

_ENVIRONMENT = {
    "EVALBOX_SLOTS": "1",
    "EVALBOX_WARM": "0",
    "EVALBOX_MEMORY_PERCENT": "100",
    "EVALBOX_LOAD_PER_CORE": "1000",
    "EVALBOX_DISK_FREE": "1m",
    "EVALBOX_PORT": "0",
    "EVALBOX_CONFIG": os.devnull,
}
#: Tells how many processes have a word in their command, but for those that look.
COUNT = (
    "import os, sys\n"
    "lines = [open(f'/proc/{pid}/cmdline', 'rb').read() for pid in os.listdir('/proc')"
    " if pid.isdigit()]\n"
    "print(sum(line.startswith(b'sleep\\0' + sys.argv[1].encode()) for line in lines))"
)


@asynccontextmanager
async def local(directory: Path) -> AsyncIterator[LocalBox]:
    """A box of this process; it must leave nothing behind that has ended."""
    settings = replace(settings_in(directory), engine="gvisor", image=BASE)
    async with bench("gvisor"):
        box = await LocalBox.open(settings, work=True)
        try:
            yield box
        finally:
            for one in await box.sandboxes.list(SandboxFilter()):
                await box.sandboxes.remove(one.id)
            await box.close(drain=0)


class Service:
    """``evalbox --serve`` on a data directory, and a box attached to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.directory / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "evalbox", "--data-dir", self.directory / "box", "--serve"],
                env={**os.environ, **_ENVIRONMENT},
                stdout=log,
                stderr=log,
            )

    async def end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        await asyncio.to_thread(self._process.wait, 60)

    @asynccontextmanager
    async def box(self) -> AsyncIterator[Box]:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(60):
                while (found := await attach(self.directory / "box", stack)) is None:
                    await asyncio.sleep(0.05)
            yield found


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with bench("gvisor"):
        made = Service(tmp_path)
        made.start()
        try:
            yield made
            async with made.box() as box:
                for one in await box.sandboxes.list(SandboxFilter()):
                    await box.sandboxes.remove(one.id)
        finally:
            await made.end(signal.SIGKILL)


async def ended(box: Box, sandbox_id: str, *, within: float = 30.0) -> BoxSandbox:
    async def over() -> bool:
        return (await box.sandboxes.get(sandbox_id)).state is SandboxState.ENDED

    await until(over, within=within)
    return await box.sandboxes.get(sandbox_id)


async def shell(box: Box, sandbox: str, script: str, **fields: object) -> bytes:
    spec = replace(ExecSpec(("/bin/sh", "-c", script)), **fields)  # type: ignore[arg-type]
    report = await box.sandboxes.run(sandbox, spec)
    assert report.end.exit_code == 0, report
    return report.stdout


async def left(box: Box, sandbox: str, seconds: str) -> int:
    report = await box.sandboxes.run(sandbox, ExecSpec(("python3", "-c", COUNT, seconds)))
    return int(report.stdout)


async def test_life(tmp_path: Path):
    async with local(tmp_path) as box:
        spec = SandboxSpec(
            name="mine", env={"GREETING": "hi"}, limits=Limits(memory=256 * MIB), workdir="/tmp/w"
        )
        made = await box.sandboxes.create(spec)
        assert await shell(box, "mine", "echo $GREETING; pwd; id -u") == b"hi\n/tmp/w\n1000\n"
        # Root without rights.
        assert await shell(box, "mine", "id -u", user="root") == b"0\n"
        await shell(box, "mine", "! chown 1000 /etc/passwd 2>/dev/null", user="0:0")
        # State stays from program to program, and what they leave behind is waited for.
        await shell(box, "mine", "for i in 1 2 3 4 5 6 7 8; do (true &) ; done; echo x >state")
        assert await shell(box, "mine", "cat state") == b"x\n"
        zombies = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ' || true"

        async def clean() -> bool:
            return await shell(box, "mine", zombies) == b"0\n"

        await until(clean)
        await box.sandboxes.remove("mine")
        assert (await box.sandboxes.get(made.id)).end is SandboxEnd.REMOVED


async def test_time_is_up_for_all_that_was_started(tmp_path: Path):
    script = (
        "trap '' TERM HUP INT\n"
        "sleep 7101 & (setsid sleep 7101 >/dev/null 2>&1 &) ; nohup sleep 7101 >/dev/null 2>&1 &\n"
        "echo begun; while :; do sleep 7101; done"
    )
    async with local(tmp_path) as box:
        made = await box.sandboxes.create(SandboxSpec())
        bystander = await box.sandboxes.exec(made.id, ExecSpec(("sleep", "7102")))
        began = time.monotonic()
        report = await box.sandboxes.run(made.id, ExecSpec(("/bin/sh", "-c", script), timeout=1.0))
        assert time.monotonic() - began < 1.0 + 2.0
        assert (report.end.timed_out, report.stdout) == (True, b"begun\n")
        assert await left(box, made.id, "7101") == 0
        assert await left(box, made.id, "7102") == 1
        await bystander.close()
        assert await left(box, made.id, "7102") == 0


async def test_what_multiplies_is_ended_in_time(tmp_path: Path):
    bomb = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"
    async with local(tmp_path) as box:
        made = await box.sandboxes.create(SandboxSpec(limits=Limits(pids=48)))
        running = await box.sandboxes.exec(made.id, ExecSpec(("python3", "-c", bomb), timeout=2.0))
        began = time.monotonic()
        with suppress(SandboxGone):
            await running.wait()
        await running.close()
        assert time.monotonic() - began < 30

        async def over() -> bool:
            found = await box.sandboxes.get(made.id)
            if found.state is SandboxState.ENDED:
                return True
            with suppress(EngineError):
                return await left(box, made.id, "none") == 0
            return False

        await until(over, within=30)


async def test_too_much_memory_is_told(tmp_path: Path):
    async with local(tmp_path) as box:
        made = await box.sandboxes.create(SandboxSpec(limits=Limits(memory=128 * MIB)))
        hungry = ExecSpec(("python3", "-c", "x = bytearray(b'x') * (1 << 29); input()"))
        with pytest.raises(SandboxGone):
            await box.sandboxes.run(made.id, hungry)
        assert (await ended(box, made.id)).end is SandboxEnd.OUT_OF_MEMORY


async def test_too_much_disk_is_told(tmp_path: Path):
    async with local(tmp_path) as box:
        made = await box.sandboxes.create(SandboxSpec(limits=Limits(disk=20 * MIB)))
        spec = ExecSpec(
            ("/bin/sh", "-c", "for i in 1 2 3 4; do head -c 10m /dev/zero >$i; done; sleep 60")
        )
        with pytest.raises(SandboxGone):
            await box.sandboxes.run(made.id, spec)
        assert (await ended(box, made.id)).end is SandboxEnd.DISK_LIMIT


async def test_a_crash_of_the_service_harms_no_sandbox(service: Service):
    async with service.box() as box:
        kept = await box.sandboxes.create(SandboxSpec(name="kept", env={"A": "secret"}))
        doomed = await box.sandboxes.create(SandboxSpec(name="doomed", lifetime=3.0))
        await shell(box, "kept", "echo state >state; setsid sleep 7103 >/dev/null 2>&1 &")
        running = await box.sandboxes.exec("kept", ExecSpec(("sleep", "7104")))
        await service.end(signal.SIGKILL)
        await running.close()
    until_then = time.time() + 3.0
    await asyncio.sleep(max(0.0, doomed.deadline - time.time()))
    assert time.time() < until_then + 60
    service.start()
    async with service.box() as box:
        assert await shell(box, "kept", "cat state; echo $A") == b"state\nsecret\n"
        assert (await box.sandboxes.get("kept")).id == kept.id
        assert await left(box, "kept", "7103") == 1
        gone = await ended(box, doomed.id)
        assert gone.end is SandboxEnd.DEADLINE
        # An orderly end leaves it running, too.
        await service.end(signal.SIGTERM)
    service.start()
    async with service.box() as box:
        assert await shell(box, "kept", "cat state") == b"state\n"
        await box.sandboxes.remove("kept")
        assert not await box.sandboxes.list(SandboxFilter())


async def test_a_client_that_goes_ends_its_program(service: Service):
    async with service.box() as box:
        await box.sandboxes.create(SandboxSpec(name="x"))
        running = await box.sandboxes.exec("x", ExecSpec(("sleep", "7105"), stdin=True))
        assert await left(box, "x", "7105") == 1
        await running.close()

        async def gone() -> bool:
            return await left(box, "x", "7105") == 0

        await until(gone)


async def test_large_files_over_the_api(service: Service):
    piece = os.urandom(MIB)
    digest = hashlib.sha256(piece * (MAX_FILE // MIB)).hexdigest()

    async def content() -> AsyncIterator[bytes]:
        for _ in range(MAX_FILE // MIB):
            yield piece

    async with service.box() as box:
        await box.sandboxes.create(SandboxSpec(name="x"))
        await box.sandboxes.write("x", "/home/agent/large", content())
        assert (await shell(box, "x", "sha256sum large")).split()[0].decode() == digest
        found = hashlib.sha256()
        async for data in box.sandboxes.read("x", "/home/agent/large"):
            found.update(data)
        assert found.hexdigest() == digest


async def test_many_programs_at_once(service: Service):
    async with service.box() as box:
        await box.sandboxes.create(SandboxSpec(name="x"))
        outputs = await asyncio.gather(
            *(shell(box, "x", f"cat /dev/null; echo {number}") for number in range(30))
        )
        assert outputs == [b"%d\n" % number for number in range(30)]
