"""Cancels what has not ended, whatever ends meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.state import FINAL
from evalbox.errors import InvalidTransition
from evalbox.service.box import Box


async def cancel_unfinished(box: Box, ids: Sequence[str]) -> Sequence[Evaluation]:
    """Cancels those that have not ended, and minds those that end meanwhile."""
    while ids := [one for one in ids if (await box.get(one)).state not in FINAL]:
        try:
            return await box.cancel(ids)
        except InvalidTransition:
            continue
    return []
