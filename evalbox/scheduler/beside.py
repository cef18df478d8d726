"""Programs that are run beside the main process of one sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evalbox.domain.sandbox import MAX_EXECS
from evalbox.errors import Busy


class Beside:
    """Counts them. ``what`` is the sandbox's name for people."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.count = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """For one of them. Raises ``Busy`` where too many run already."""
        if self.count >= MAX_EXECS:
            raise Busy(
                f"{MAX_EXECS} programs run in {self._what} already", hint="wait for one to end"
            )
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
