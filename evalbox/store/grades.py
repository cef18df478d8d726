"""Scores that people give to what has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.grading import GRADABLE
from evalbox.domain.score import Score
from evalbox.store.access import Access
from evalbox.store.codec import decode_score, encode_score
from evalbox.store.evaluations import load, refuse, standing
from evalbox.store.events import add_event
from evalbox.store.sqlite import Connection

#: The event of a score that a person gave.
SCORED = "evaluation.scored"


class Grades(Access):
    async def set_score(self, evaluation_id: str, score: Score, now: float) -> Evaluation:
        """Gives the last attempt a score in place of the one that it has, if any.

        Its checks and its text stay; the score before is told by the event.

        Raises ``EvaluationNotFound``, and ``InvalidTransition`` where it did not end by itself.
        """

        def work(conn: Connection) -> Evaluation:
            one = standing(conn, evaluation_id)
            refuse(
                [] if one.state in GRADABLE else [one],
                "scored",
                hint="what is completed or failed can be; the rest was never there to be judged",
            )
            key = (evaluation_id, one.attempts)
            (text,) = conn.execute(
                "SELECT score FROM attempts WHERE evaluation_id = ? AND number = ?", key
            ).fetchone()
            before = None if text is None else decode_score(text)
            given = (
                score if before is None else replace(score, raw=before.raw, checks=before.checks)
            )
            conn.execute(
                "UPDATE attempts SET score = ? WHERE evaluation_id = ? AND number = ?",
                (encode_score(given), *key),
            )
            conn.execute(
                "UPDATE evaluations SET score_kind = ?, score = ?, score_reason = ?, updated_at = ?"
                " WHERE id = ?",
                (given.kind, given.value, given.reason, now, evaluation_id),
            )
            add_event(
                conn,
                SCORED,
                now,
                evaluation_id=evaluation_id,
                attempt=one.attempts,
                batch=one.batch,
                data={
                    "score": {"kind": given.kind, "value": given.value},
                    "by": given.by,
                    "note": given.reason,
                    "before": None if before is None else _told(before),
                },
            )
            return load(conn, [evaluation_id])[0]

        return await self._write(work)


def _told(score: Score) -> dict[str, Any]:
    return {
        "kind": score.kind,
        "value": score.value,
        "reason": score.reason,
        "by": score.by,
        "at": score.at,
    }
