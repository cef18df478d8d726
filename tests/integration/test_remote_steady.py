"""A box that is talked to goes on where the service behind it is exchanged."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from recovery_support import settings_in, spec, until

from evalbox.config.settings import Settings
from evalbox.domain.records import QueueStatus
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.engines.fake.host import FakeHost
from evalbox.errors import ServiceUnreachable
from evalbox.host.attaching import attach
from evalbox.host.opening import open_box
from evalbox.host.serving import Serving
from evalbox.host.sockets import NAME
from evalbox.service.box import Box
from evalbox.service.local import LocalBox
from evalbox.service.remote.steady import SteadyBox
from evalbox.store.lock import DataDirectoryLock

T = TypeVar("T")


@asynccontextmanager
async def service(settings: Settings, host: FakeHost) -> AsyncIterator[LocalBox]:
    """A service that leaves at its end what it runs; the sandboxes of ``host`` outlive it."""
    engine = FakeEngine(host=host)
    box = await LocalBox.open(settings, work=True, engines=[engine])
    try:
        async with Serving(box, settings):
            yield box
    finally:
        await box.close(drain=0)
        await engine.close()


@asynccontextmanager
async def steady(settings: Settings, notes: list[str]) -> AsyncIterator[Box]:
    async with open_box(settings, work=False, on_note=notes.append) as box:
        assert isinstance(box, SteadyBox)
        yield box


async def test_output_and_events_go_on_behind_what_came_last(tmp_path: Path) -> None:
    settings, host, notes = settings_in(tmp_path), FakeHost(), list[str]()
    async with AsyncExitStack() as stack:
        async with service(settings, host):
            box = await stack.enter_async_context(steady(settings, notes))
            steps = "; ".join(f"echo {number} ; sleep 0.1 " for number in range(40))
            (made,) = await box.submit([spec(*steps.split())])
            printed, seqs = bytearray(), list[int]()
            following = asyncio.create_task(follow(box, made.id, printed))
            feeding = asyncio.create_task(feed(box, made.id, seqs))
            await until(lambda: has(printed, 20))
        async with service(settings, host):
            await until(lambda: has(printed, 60))
        async with service(settings, host):
            async with asyncio.timeout(30):
                await asyncio.gather(following, feeding)
                assert (await box.wait(made.id)).state is State.COMPLETED
            assert bytes(printed) == b"".join(b"%d\n" % number for number in range(40))
            every = [event.seq async for event in box.events(evaluation_id=made.id)]
            assert seqs == every
            assert len(await box.attempts(made.id)) == 1
    assert 1 <= notes.count("the service went away: looking for another") <= 2


async def follow(box: Box, evaluation_id: str, printed: bytearray) -> None:
    async for piece in box.output(evaluation_id, follow=True):
        printed.extend(piece.data)


async def feed(box: Box, evaluation_id: str, seqs: list[int]) -> None:
    async for event in box.events(follow=True, evaluation_id=evaluation_id):
        seqs.append(event.seq)
        if event.kind == "evaluation.completed":
            return


async def has(printed: bytearray, size: int) -> bool:
    return len(printed) >= size


async def test_calls_wait_for_the_next_service(tmp_path: Path) -> None:
    settings, host = settings_in(tmp_path), FakeHost()
    async with AsyncExitStack() as stack:
        async with service(settings, host):
            box = await stack.enter_async_context(steady(settings, []))
            (first,) = await box.submit([spec("sleep", "inf")])
            waiting = asyncio.create_task(box.wait(first.id))
        asked = asyncio.gather(
            box.submit([spec("true"), spec("true")]), box.get(first.id), box.queue()
        )
        async with service(settings, host), asyncio.timeout(30):
            made, found, queue = await asked
            assert len({item.id for item in made}) == 2
            assert found.id == first.id
            assert queue.working
            await box.cancel([first.id])
            assert (await waiting).state is State.CANCELLED


async def test_without_another_service_the_directory_itself_is_opened(tmp_path: Path) -> None:
    settings, notes = settings_in(tmp_path), list[str]()
    async with AsyncExitStack() as stack:
        async with service(settings, FakeHost()):
            box = await stack.enter_async_context(
                open_box(settings, work=True, on_note=notes.append)
            )
        async with asyncio.timeout(60):
            (made,) = await box.submit([spec("echo", "hi")])
            assert (await box.wait(made.id)).state is State.COMPLETED
        assert (await box.queue()).here
    assert any("this command runs the queue" in note for note in notes)


class Lost:
    """Asks, and loses the answer so many times: what stands for a connection that breaks."""

    def __init__(self, times: int, *, begun: bool) -> None:
        self.asked = 0
        self._times = times
        self._begun = begun

    async def queue(self) -> QueueStatus:
        return await self._answer(QueueStatus(False, 1, {}, 0, "", True, False))

    async def remove(self, ids: list[str]) -> None:
        await self._answer(None)

    async def _answer(self, answer: T) -> T:
        self.asked += 1
        if self.asked <= self._times:
            raise ServiceUnreachable("gone", begun=self._begun)
        return answer


@pytest.mark.parametrize(("begun", "asked"), [(True, 1), (False, 2)])
async def test_what_may_have_happened_is_not_done_twice(begun: bool, asked: int) -> None:
    lost = Lost(1, begun=begun)
    box = SteadyBox(lost, lambda error: same(lost))  # type: ignore[arg-type,return-value]
    if begun:
        with pytest.raises(ServiceUnreachable):
            await box.remove(["x"])
    else:
        await box.remove(["x"])
    assert lost.asked == asked


async def test_a_box_that_keeps_going_away_is_given_up() -> None:
    lost = Lost(1000, begun=True)
    box = SteadyBox(lost, lambda error: same(lost))  # type: ignore[arg-type,return-value]
    with pytest.raises(ServiceUnreachable):
        await box.queue()
    assert lost.asked < 50


async def same(box: object) -> object:
    return box


async def test_the_lock_is_held_until_the_socket_is_gone(tmp_path: Path) -> None:
    """Else a successor's socket could be removed in place of our own."""
    settings = settings_in(tmp_path)
    engine = FakeEngine()
    box = await LocalBox.open(settings, work=True, engines=[engine])
    lock = DataDirectoryLock(settings.data_dir)
    async with Serving(box, settings):
        await box.stop_working(drain=0)
        assert lock.holder() is not None
        assert not lock.try_acquire()
        assert (settings.data_dir / NAME).is_socket()
    assert not (settings.data_dir / NAME).exists()
    assert not lock.try_acquire()
    await box.close(drain=0)
    assert lock.try_acquire()
    lock.release()
    await engine.close()


async def test_what_a_killed_service_left_is_no_service(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        assert await attach(tmp_path, stack) is None
        (tmp_path / NAME).touch()
        assert await attach(tmp_path, stack) is None
        (tmp_path / NAME).unlink()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / NAME))
        assert await attach(tmp_path, stack) is None


async def test_a_deep_directory_is_attached_to(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    settings = settings_in(deep)
    async with service(settings, FakeHost()), steady(settings, []) as box:
        assert (await box.queue()).working
