"""What can be done to several evaluations alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from evalbox.service.box import Box
from evalbox.tui.model.row import Row

#: Evaluations that a question names; ids in one request.
_NAMED, _AT_ONCE = 8, 1000

Do = Callable[[Sequence[str]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Deed:
    """``question`` asks before it with a ``{}`` for what it is done to; ``done`` tells of it.

    ``nothing`` is told where it ``fits`` none. ``lightly``: one by itself is not asked about.
    """

    fits: Callable[[Row], bool]
    nothing: str
    question: str
    yes: str
    done: str
    do: Callable[[Box], Do]
    lightly: bool = False


CANCEL = Deed(
    lambda row: not row.over, "nothing to cancel: it has ended",
    "Cancel {}?", "cancel", "asked to cancel", lambda box: box.cancel,
)  # fmt: skip
RETRY = Deed(
    lambda row: row.over, "nothing to try again: it has not ended",
    "Queue {} again?", "queue again", "queued again", lambda box: box.retry, lightly=True,
)  # fmt: skip
REMOVE = Deed(
    lambda row: row.over, "nothing to remove: it has not ended",
    "Remove {}, with output and artifacts?", "remove", "removed", lambda box: box.remove,
)  # fmt: skip


def named(rows: Sequence[Row]) -> list[str]:
    """The first of them by name, as a question shows them."""
    lines = [f"{row.short_id}  {row.name}" for row in rows[:_NAMED]]
    if len(rows) > _NAMED:
        lines.append(f"and {len(rows) - _NAMED:,} more")
    return lines


async def in_turns(do: Do, ids: Sequence[str]) -> None:
    """``do`` for all of them, as many at once as one request takes."""
    for start in range(0, len(ids), _AT_ONCE):
        await do(ids[start : start + _AT_ONCE])
