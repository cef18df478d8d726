"""The service comes before its sandboxes where every core is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

#: As ``nice`` counts: ten steps make a weight of about ten.
_PREFERRED = -10


@contextlib.contextmanager
def preferred(autogroup: Path = Path("/proc/self/autogroup")) -> Iterator[None]:
    """Prefers the session of this process for the length of a block, where that may be done.

    Outside of a control group of its own, Linux weighs a session as a whole (sched(7)), and
    against a hundred busy sandboxes one of ordinary weight was seen to wait for seconds. Where it
    is a unit of systemd, the unit's weight does the same.
    """
    try:
        before = int(autogroup.read_text().rpartition("nice")[2])
        autogroup.write_text(str(min(before, _PREFERRED)))
    except (OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            autogroup.write_text(str(before))
