"""What came of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord
from evalbox.domain.score import Score


@dataclass(frozen=True, slots=True)
class Result:
    """An evaluation that has ended, with what its last attempt printed and which files it left.

    ``stdout`` and ``stderr`` are bytes as they were kept, at most as many as the limit ``output``.
    """

    evaluation: Evaluation
    stdout: bytes
    stderr: bytes
    artifacts: tuple[ArtifactRecord, ...]

    @property
    def id(self) -> str:
        return self.evaluation.id

    @property
    def outcome(self) -> Outcome:
        """How it ended; ``cancelled`` where no attempt was begun."""
        return self.evaluation.outcome or Outcome.CANCELLED

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def exit_code(self) -> int | None:
        return self.evaluation.exit_code

    @property
    def reason(self) -> str:
        """In words, where the outcome does not say it all."""
        return self.evaluation.reason

    @property
    def score(self) -> Score | None:
        """What the score file said; None where none was asked for, or the job was stopped."""
        return self.evaluation.score

    @property
    def error(self) -> str:
        """The line of what it printed that tells best what went wrong."""
        return self.evaluation.error

    @property
    def text(self) -> str:
        """Standard output; what is not UTF-8 in it is replaced."""
        return self.stdout.decode(errors="replace")

    @property
    def error_text(self) -> str:
        """Standard error, likewise."""
        return self.stderr.decode(errors="replace")
