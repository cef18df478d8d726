"""A box that is served from a thread of its own, for clients that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from api_support import Served, served

T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """``key`` is a token of scope admin."""

    box: Served
    key: str
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return self.box.url

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it where the box lives."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)


@contextmanager
def standing(directory: Path, **options: Any) -> Iterator[Standing]:
    """``options`` are those of ``served``."""
    ready: Future[Standing] = Future()
    end = asyncio.Event()

    async def serve() -> None:
        async with served(directory, **options) as box:
            ready.set_result(Standing(box, await box.key(), asyncio.get_running_loop()))
            await end.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="box")
    thread.start()
    made = ready.result(60)
    try:
        yield made
    finally:
        made.loop.call_soon_threadsafe(end.set)
        thread.join(60)
        assert not thread.is_alive()
