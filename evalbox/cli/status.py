"""Exit statuses: the one place that says what each means.

``run``, ``wait`` and ``submit``'s kin exit with the program's own status where it had one. What is
below stands for everything else. The numbers above 63 are those of ``sysexits.h``.
"""

from __future__ import annotations

from collections.abc import Iterable

from evalbox import errors
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.outcome import Outcome

OK = 0
WARNING = 1
USAGE = 2
INTERNAL = 70
NOT_YET = 75
INTERRUPTED = 130
BROKEN_PIPE = 141

#: How an evaluation ended, where that is not the program's own exit status.
OUTCOMES: dict[Outcome, int] = {
    Outcome.OK: 0,
    Outcome.FAILED: 1,
    Outcome.TASK_ERROR: 120,
    Outcome.OUT_OF_MEMORY: 121,
    Outcome.OUTPUT_LIMIT: 122,
    Outcome.DISK_LIMIT: 123,
    Outcome.TIMEOUT: 124,
    Outcome.INFRA_ERROR: 125,
    Outcome.CANCELLED: 130,
    Outcome.KILLED: 137,
}

#: What went wrong with the command itself. The first class that fits counts.
ERRORS: tuple[tuple[type[errors.EvalboxError], int], ...] = (
    (errors.InvalidInput, 65),
    (errors.AmbiguousId, 65),
    (errors.Conflict, 65),
    (errors.NotFound, 66),
    (errors.TooLarge, 65),
    (errors.Unauthenticated, 77),
    (errors.Forbidden, 77),
    (errors.Busy, 75),
    (errors.ServiceUnreachable, 69),
    (errors.ServiceError, 76),
    (errors.EngineError, 69),
    (errors.TaskError, 120),
    (errors.StoreReadOnly, 73),
    (errors.StoreLocked, 75),
    (errors.StoreTooNew, 78),
    (errors.StoreError, 74),
    (errors.ConfigError, 78),
)

#: From harmless to what most needs a look.
_SEVERITY = (
    Outcome.OK,
    Outcome.CANCELLED,
    Outcome.FAILED,
    Outcome.KILLED,
    Outcome.TIMEOUT,
    Outcome.OUTPUT_LIMIT,
    Outcome.DISK_LIMIT,
    Outcome.OUT_OF_MEMORY,
    Outcome.TASK_ERROR,
    Outcome.INFRA_ERROR,
)

HELP = """\
\b
Exit status:
  0..255  the program's own
  120     task_error: the task's set-up or scoring broke
  121     out_of_memory
  122     output_limit
  123     disk_limit
  124     timeout
  125     infra_error: the engine, the image or the host, not the program
  130     cancelled, also by Ctrl-C
  128+N   killed by signal N
\b
  2       wrong usage        65  invalid input       66  nothing by that name
  69      no engine or box   70  internal error      73, 74  cannot write or read
  75      locked or busy     76  the box failed      77  not allowed
  78      configuration     141  nobody reads the output
"""


def of_error(error: errors.EvalboxError) -> int:
    """The exit status for an error that ended the command."""
    for kind, status in ERRORS:
        if isinstance(error, kind):
            return status
    return INTERNAL


def of_evaluation(evaluation: Evaluation) -> int:
    """The exit status for an evaluation that has ended."""
    outcome = evaluation.outcome
    if outcome is None:
        return OUTCOMES[Outcome.CANCELLED]
    if outcome in (Outcome.FAILED, Outcome.KILLED) and evaluation.exit_code is not None:
        # A program cannot have failed with 0, and a shell sees only the low byte.
        return evaluation.exit_code & 0xFF or OUTCOMES[outcome]
    return OUTCOMES[outcome]


def worst(evaluations: Iterable[Evaluation]) -> int:
    """The exit status of the evaluation that ended worst; of equals, the largest."""

    def severity(evaluation: Evaluation) -> tuple[int, int]:
        outcome = evaluation.outcome or Outcome.CANCELLED
        return _SEVERITY.index(outcome), of_evaluation(evaluation)

    return of_evaluation(max(evaluations, key=severity))
