"""What is made of an attempt at a task whose life a driver in the sandbox leads."""

from __future__ import annotations

from typing import Protocol

from evalbox.domain.attempt import Verdict
from evalbox.domain.limits import MIB
from evalbox.domain.report import TaskReport

#: Bytes of a report that are looked at; a larger one is none.
MAX_REPORT = 16 * MIB


class Judge(Protocol):
    """For one kind of task. Nothing that comes out of a sandbox makes it raise."""

    @property
    def report(self) -> str:
        """The absolute path of the driver's report in the sandbox."""
        ...

    @property
    def phases(self) -> tuple[str, ...]:
        """What the driver may say on standard error that it is at, a line ``==> NAME`` for each."""
        ...

    @property
    def scoring(self) -> str:
        """The phase with which the scoring begins."""
        ...

    def read(self, content: bytes) -> TaskReport | None:
        """None for what is no report."""
        ...

    def verdict(self, given: Verdict, content: bytes | None) -> Verdict:
        """``given`` is what the sandbox alone tells, ``content`` the report, if there is one."""
        ...
