"""An evaluation that was submitted, for programs without asyncio."""

from __future__ import annotations

from collections.abc import Iterator

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.event import Event
from evalbox.domain.records import OutputPiece
from evalbox.sdk.async_handle import AsyncHandle
from evalbox.sdk.result import Result
from evalbox.sdk.thread import LoopThread


class Handle:
    """As ``AsyncHandle``, but its methods return when it is done."""

    def __init__(self, handle: AsyncHandle, thread: LoopThread) -> None:
        self._handle = handle
        self._thread = thread

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.evaluation.short_id} {self.evaluation.state}>"

    @property
    def id(self) -> str:
        return self._handle.id

    @property
    def evaluation(self) -> Evaluation:
        """How it stood when it was last looked at."""
        return self._handle.evaluation

    def refresh(self) -> Evaluation:
        """How it stands now."""
        return self._thread.call(self._handle.refresh())

    def wait(self, timeout: float | None = None) -> Evaluation:
        """Returns when it has ended. Raises ``TimeoutError``, after which it still goes on."""
        return self._thread.call(self._handle.wait(timeout))

    def result(self, timeout: float | None = None) -> Result:
        """What came of it, once it has ended. Raises ``TimeoutError``."""
        return self._thread.call(self._handle.result(timeout))

    def cancel(self) -> Evaluation:
        """Asks for its end; ``wait`` tells when that has come."""
        return self._thread.call(self._handle.cancel())

    def retry(self) -> Evaluation:
        """Queues it once more, when it has ended."""
        return self._thread.call(self._handle.retry())

    def remove(self) -> None:
        """Removes it with all its files, when it has ended."""
        self._thread.call(self._handle.remove())

    def explain(self) -> str:
        """In words, why it waits, or how it stands."""
        return self._thread.call(self._handle.explain())

    def logs(self, *, follow: bool = True, attempt: int | None = None) -> Iterator[OutputPiece]:
        """What it prints, as it comes, until it has ended; without ``follow`` what is there."""
        return self._thread.iterate(lambda: self._handle.logs(follow=follow, attempt=attempt))

    def events(self, *, after: int = 0, follow: bool = False) -> Iterator[Event]:
        """What happened to it, in order."""
        return self._thread.iterate(lambda: self._handle.events(after=after, follow=follow))

    def read_artifact(self, path: str) -> bytes:
        """A file that it left. Raises ``ArtifactNotFound``."""
        return self._thread.call(self._handle.read_artifact(path))
