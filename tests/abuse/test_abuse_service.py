"""What befalls the service and its sandboxes from outside: rows 19 and 20."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import traces
from aftermath import LAG, Aftermath, Lag, settings
from terminal import EVALBOX

from evalbox.domain.limits import MIB
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import FINAL, State
from evalbox.errors import StoreFull
from evalbox.service.local import LocalBox

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

LINES = 20
WHOLE = b"".join(b"line %d\n" % number for number in range(LINES))


@contextmanager
def service(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the queue; killed at the end, if it has not been."""
    process = subprocess.Popen(
        [*EVALBOX, "--data-dir", str(data_dir), "--serve", "--port", "0"],
        env={**os.environ, "EVALBOX_WARM": "0", "EVALBOX_DISK_FREE": "1m", "EVALBOX_SLOTS": "4"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def observed(data_dir: Path) -> AsyncIterator[Aftermath]:
    """A box that only looks on."""
    box = await LocalBox.open(settings(data_dir), work=False)
    try:
        yield Aftermath(box, box._store.box_id, data_dir)
    finally:
        await box.close()
        for container in traces.containers(box._store.box_id):
            with suppress(Exception):
                traces.docker().remove_container(container, force=True)


async def until_it_prints(aftermath: Aftermath, evaluation_id: str) -> None:
    async with asyncio.timeout(20):
        async for _ in aftermath.box.output(evaluation_id, follow=True):
            return


async def until_it_starts(aftermath: Aftermath, evaluation_id: str) -> None:
    async with asyncio.timeout(20):
        while (await aftermath.box.get(evaluation_id)).state is State.QUEUED:
            await asyncio.sleep(0.005)


async def until_it_has_a_sandbox(aftermath: Aftermath, evaluation_id: str) -> None:
    async with asyncio.timeout(20):
        while not traces.containers(aftermath.box_id):
            await asyncio.sleep(0.005)


async def until_it_ends(aftermath: Aftermath, evaluation_id: str) -> None:
    async with asyncio.timeout(20):
        while b"line %d\n" % (LINES - 1) not in (await aftermath.ordeal(evaluation_id)).stdout:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "moment", [until_it_starts, until_it_has_a_sandbox, until_it_prints, until_it_ends]
)
async def test_row_19_service_is_killed(tmp_path: Path, moment: object) -> None:
    assert callable(moment)
    async with observed(tmp_path / "box") as aftermath:
        with service(aftermath.data_dir) as first:
            specs = [await aftermath.spec("count.py", str(LINES), timeout=8.0) for _ in range(2)]
            evaluations = await aftermath.box.submit(specs)
            await moment(aftermath, evaluations[0].id)
            first.send_signal(signal.SIGKILL)
            first.wait()
        with service(aftermath.data_dir):
            for number, evaluation in enumerate(evaluations):
                async with asyncio.timeout(30):
                    sandboxes, ended = await asyncio.gather(
                        aftermath.sandboxes(evaluation.id), aftermath.box.wait(evaluation.id)
                    )
                ordeal = await aftermath.ordeal(evaluation.id)
                assert ordeal.outcome is Outcome.OK, ordeal
                assert ordeal.stdout == WHOLE
                await aftermath.one_verdict(ordeal)
                await aftermath.tidy(sandboxes, since=ended.finished_at)
                if moment is until_it_prints and number == 0:
                    assert len(ordeal.attempts) == 1
            assert not traces.containers(aftermath.box_id)


async def test_row_19_limits_hold_for_what_is_adopted(tmp_path: Path) -> None:
    async with observed(tmp_path / "box") as aftermath:
        with service(aftermath.data_dir) as first:
            (evaluation,) = await aftermath.box.submit([await aftermath.spec("deaf.py")])
            await until_it_prints(aftermath, evaluation.id)
            first.send_signal(signal.SIGKILL)
            first.wait()
        with service(aftermath.data_dir):
            async with asyncio.timeout(30):
                sandboxes, ended = await asyncio.gather(
                    aftermath.sandboxes(evaluation.id), aftermath.box.wait(evaluation.id)
                )
            ordeal = await aftermath.ordeal(evaluation.id)
            assert ordeal.outcome is Outcome.TIMEOUT, ordeal
            await aftermath.one_verdict(ordeal)
            await aftermath.tidy(sandboxes, since=ended.finished_at)


async def test_row_20_sandbox_is_killed_from_the_host(aftermath: Aftermath) -> None:
    async def submit() -> list[str]:
        spec = await aftermath.spec("count.py", str(LINES), timeout=8.0)
        (evaluation,) = await aftermath.box.submit([spec])
        await until_it_prints(aftermath, evaluation.id)
        (attempt,) = await aftermath.box.attempts(evaluation.id)
        serving = traces.serving(attempt.sandbox_id or "")
        (victim,) = [one for one in serving if one.cmdline()[0] == "runsc-sandbox"]
        victim.kill()
        return [evaluation.id]

    (ordeal,) = await aftermath.after(submit)
    first, *others = ordeal.attempts
    assert first.verdict is not None
    assert first.verdict.outcome is Outcome.INFRA_ERROR, first.verdict
    assert first.verdict.reason
    assert len(others) == 1
    assert ordeal.outcome is Outcome.OK, ordeal
    assert ordeal.stdout == WHOLE


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(place)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, *, leaving: int) -> Path:
    filler = place / "filler"
    free = os.statvfs(place)
    with filler.open("wb") as file:
        file.write(bytes(free.f_bavail * free.f_bsize - leaving))
    return filler


async def test_row_20_data_directory_is_full(tmp_path: Path) -> None:
    place = tmp_path / "box"
    with small_disk(place, 64 * MIB):
        box = await LocalBox.open(settings(place), work=True)
        aftermath = Aftermath(box, box._store.box_id, place)
        lag = Lag()
        try:
            async with lag.watched():
                spec = await aftermath.spec(
                    "flood.py", "8", "0.8", "2.5", output=32 * MIB, timeout=8.0
                )
                (evaluation,) = await box.submit([spec])
                await until_it_prints(aftermath, evaluation.id)
                filler = await asyncio.to_thread(fill, place, leaving=256 * 1024)
                sandboxes = asyncio.create_task(aftermath.sandboxes(evaluation.id))
                await asyncio.sleep(2.5)
                # It is neither lost nor said to have ended while that cannot be written.
                assert (await box.get(evaluation.id)).state not in FINAL
                began = time.perf_counter()
                with suppress(StoreFull):
                    await box.submit([await aftermath.spec(["true"])])
                assert time.perf_counter() - began < 2
                # Its sandbox is not left to run on all the same.
                (attempt,) = await box.attempts(evaluation.id)
                assert not list(traces.serving(attempt.sandbox_id or ""))
                filler.unlink()
                async with asyncio.timeout(20):
                    ended = await box.wait(evaluation.id)
                ordeal = await aftermath.ordeal(evaluation.id)
                first, second = ordeal.attempts
                assert first.verdict is not None
                assert first.verdict.outcome is Outcome.INFRA_ERROR
                assert "no space left" in first.verdict.reason
                assert second.number == 2
                assert ordeal.outcome is Outcome.OK, ordeal
                assert ordeal.stdout.endswith(b"all printed\n")
                assert len(ordeal.stdout) > 8 * MIB
                await aftermath.tidy(await sandboxes, since=ended.finished_at)
                assert lag.worst < LAG
        finally:
            await box.close(drain=0)
            for container in traces.containers(box._store.box_id):
                traces.docker().remove_container(container, force=True)
