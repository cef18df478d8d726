"""What the driver of a task left of its life, read from where an attempt's files lie."""

from __future__ import annotations

import asyncio

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.report import TaskReport
from evalbox.store.store import Store
from evalbox.tasks.judging import MAX_REPORT
from evalbox.tasks.registry import judge_of


async def read_report(store: Store, evaluation: Evaluation, attempt: int) -> TaskReport | None:
    """None where the attempt left none that could be understood. Raises ``StoreError``."""
    judge = judge_of(evaluation.spec.kind)
    if judge is None:
        return None
    content = await store.read_whole(evaluation.id, attempt, judge.report, MAX_REPORT)
    # It may be long.
    return None if content is None else await asyncio.to_thread(judge.read, content)
