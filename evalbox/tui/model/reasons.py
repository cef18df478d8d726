"""Why evaluations wait, asked for those that are seen, and again as it grows old."""

from __future__ import annotations

import time
from collections.abc import Sequence

from evalbox.errors import EvalboxError, NotFound
from evalbox.service.box import Box

#: Seconds after which an answer is asked for anew, and so many times what a round of asking took.
_OLD, _RATIO = 2.0, 20.0
#: Seconds before a question that failed is asked again.
_AGAIN = 5.0


class Reasons:
    """Knows of those that were wanted last, and of no others."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._told: dict[str, tuple[str, float]] = {}
        self._wanted: Sequence[str] = ()
        self._next = 0.0
        self._quiet_until = 0.0

    def get(self, evaluation_id: str) -> str:
        """In words; empty as long as it has not been told."""
        return self._told.get(evaluation_id, ("", 0.0))[0]

    def due(self, wanted: Sequence[str], now: float) -> bool:
        """Whether there is anything to ask for at ``now``, in seconds of the monotonic clock.

        What has not been told yet is asked for at once, what is old when that is cheap.
        """
        self._wanted = wanted
        if now < self._quiet_until:
            return False
        return any(one not in self._told for one in wanted) or (bool(wanted) and now >= self._next)

    async def ask(self) -> None:
        """About each in its turn, those first that nothing is known of.

        What fails is tried again later: that the box does not answer is told elsewhere.
        """
        try:
            await self._ask(time.monotonic())
        except EvalboxError:
            self._quiet_until = time.monotonic() + _AGAIN

    async def _ask(self, began: float) -> None:
        wanted = sorted(self._wanted, key=lambda one: self._told.get(one, ("", 0.0))[1])
        for one in wanted:
            text, at = self._told.get(one, ("", 0.0))
            if text and began - at < _OLD:
                continue
            try:
                text = await self._box.explain(one)
            except NotFound:
                text = "is gone"
            self._told[one] = (_short(text), time.monotonic())
        kept = set(self._wanted) | set(wanted)
        self._told = {one: told for one, told in self._told.items() if one in kept}
        now = time.monotonic()
        self._next = now + max(_OLD, (now - began) * _RATIO)


def _short(text: str) -> str:
    """Without what all of them are."""
    return text.removeprefix("queued").lstrip(", ")
