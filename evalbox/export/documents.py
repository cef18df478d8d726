"""Evaluations as one JSON array, a line each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from evalbox.domain.evaluation import Evaluation
from evalbox.wire import document


async def render(items: AsyncIterator[Evaluation]) -> AsyncIterator[bytes]:
    before = "["
    async for item in items:
        line = json.dumps(document.evaluation(item), ensure_ascii=False, allow_nan=False)
        yield f"{before}\n{line}".encode()
        before = ","
    yield b"[]\n" if before == "[" else b"\n]\n"
