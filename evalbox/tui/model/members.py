"""What is done to all evaluations that the box has of some kind at that moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from evalbox.domain.records import EvaluationFilter
from evalbox.errors import InvalidTransition, NotFound
from evalbox.export.reading import matching
from evalbox.service.box import Box

#: Evaluations in one request, and tries at what others change at the same time.
_AT_ONCE, _TRIES = 500, 5


async def do_to_all(
    box: Box, query: EvaluationFilter, do: Callable[[Sequence[str]], Awaitable[object]]
) -> int:
    """Does it to all that match, in parts that are done whole; gives how many they were.

    A box does it to all of a part or to none, so what changed meanwhile is left out by asking
    again.
    """
    done, tries = 0, 0
    while True:
        ids = [item.id async for item in matching(box, query)]
        try:
            for first in range(0, len(ids), _AT_ONCE):
                part = ids[first : first + _AT_ONCE]
                await do(part)
                done += len(part)
            return done
        except (InvalidTransition, NotFound):
            tries += 1
            if tries == _TRIES:
                raise
