"""Evaluations as one JSON array, a line each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from evalbox.domain.evaluation import Evaluation
from evalbox.wire import document

#: Evaluations that are written at once.
_TURN = 50


async def render(items: AsyncIterator[Evaluation]) -> AsyncIterator[bytes]:
    held: list[str] = []
    before = "["
    async for item in items:
        line = json.dumps(document.evaluation(item), ensure_ascii=False, allow_nan=False)
        held.append(f"{before}\n{line}")
        before = ","
        if len(held) == _TURN:
            yield "".join(held).encode()
            held = []
    held.append("[]\n" if before == "[" else "\n]\n")
    yield "".join(held).encode()
