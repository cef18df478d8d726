"""What a person who attempts a task is told, as lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evalbox.service.human import Undertaking
from evalbox.tui import wording
from evalbox.tui.screens.evaluation.pane import fact, wrap
from evalbox.tui.text import steady, wrapped
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line

_TAB = 4


def worth(answer: Mapping[str, Any]) -> str:
    """An answer out of the sandbox, where anybody may have written it."""
    parts = [f"score {answer['score']}"] if "score" in answer else []
    message = answer.get("message")
    if isinstance(message, dict) and message:
        parts.append(json.dumps(message, ensure_ascii=False))
    return "  ".join(parts) or "not told"


def drawn_scores(
    asked: Sequence[tuple[float, Mapping[str, Any]]], given: Undertaking | None, width: int
) -> list[Line]:
    """What it was worth when somebody asked, the newest first."""
    if not asked:
        hidden = given is not None and not given.visible
        words = "none was asked for" + (": this task does not tell numbers" if hidden else "")
        return [fact("so far", (words, Tone.MUTED))]
    lines: list[Line] = [[(" what it was worth", Tone.STRONG)]]
    for at, answer in reversed(asked):
        lines += wrap(wording.clock(at), steady(worth(answer)), width, rows=12)
    return lines


def paragraphs(text: str, width: int) -> list[Line]:
    room = max(8, width - 3)
    return [
        [(f"  {stretch}", Tone.TEXT)]
        for line in text.splitlines()
        for stretch in wrapped(steady(line.expandtabs(_TAB)), room)
    ]
