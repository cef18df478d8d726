"""What becomes of the work of this process when its screen is left."""

from __future__ import annotations

from evalbox.tui.ending import Ending
from evalbox.tui.model.standing import Standing
from evalbox.tui.screens.choice import Answer, Choice
from evalbox.tui.wording import count


def leaving(standing: Standing) -> Choice[Ending]:
    running = count(standing.active, "evaluation")
    answers = [Answer("l", "leave it running", Ending.LEAVE, "evalbox attaches again")]
    if standing.active:
        answers += [
            Answer("d", "drain", Ending.DRAIN, "what runs ends, what waits stays queued"),
            Answer("c", "cancel", Ending.CANCEL, "what runs is cancelled, what waits stays"),
        ]
    else:
        answers.append(Answer("d", "quit", Ending.DRAIN, "what waits stays queued"))
    return Choice(
        f"This process runs the queue: {running} under way, {standing.queued:,} waiting.", answers
    )
