"""How many evaluations a second go through the whole scheduler when they do nothing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from evalbox.bench.report import Figure, Goal
from evalbox.bench.unhindered import unhindered_box
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.state import State
from evalbox.service.local import LocalBox

_SUBMIT_AT_ONCE = 5000


async def no_ops(
    settings: Settings,
    directory: Path,
    *,
    depths: Sequence[int],
    measured: int,
    rounds: int,
    progress: Callable[[str], None],
) -> list[Figure]:
    """For each depth, the rate while that many more wait in the queue."""
    rates: dict[int, list[float]] = {depth: [] for depth in depths}
    for number in range(rounds):
        for depth in depths:
            progress(f"no-op evaluations, {depth:,} queued, round {number + 1} of {rounds}")
            where = directory / f"queue-{depth}-{number}"
            rates[depth].append(await _rate(settings, where, depth, measured))
    figures = [
        Figure(
            f"no-op evaluations, {depth:,} queued",
            statistics.median(found),
            "/s",
            rounds,
            Goal(">=", 3000),
        )
        for depth, found in rates.items()
    ]
    ratios = [
        deep / shallow for deep, shallow in zip(rates[depths[-1]], rates[depths[0]], strict=True)
    ]
    figures.append(
        Figure(
            f"{depths[-1]:,} queued / {depths[0]:,} queued",
            statistics.median(ratios),
            "",
            rounds,
            Goal(">=", 0.8),
        )
    )
    return figures


async def _rate(settings: Settings, directory: Path, depth: int, measured: int) -> float:
    async with unhindered_box(settings, directory) as box:
        await box.pause()
        spec = EvaluationSpec(name="no-op", command=("true",), image="none", engine="fake")
        made: list[Evaluation] = []
        for start in range(0, depth + measured, _SUBMIT_AT_ONCE):
            made += await box.submit([spec] * min(_SUBMIT_AT_ONCE, depth + measured - start))
        began = time.perf_counter()
        await box.resume()
        # They end about in order. Counting meanwhile would be a part of what is measured.
        await box.wait(made[measured - 1].id)
        seconds = time.perf_counter() - began
        return await _completed(box) / seconds


async def _completed(box: LocalBox) -> int:
    return (await box.queue()).states.get(State.COMPLETED, 0)
