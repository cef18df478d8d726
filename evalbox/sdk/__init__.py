"""evalbox for Python programs: ``from evalbox import Box, AsyncBox``.

The same in embedded and remote use; what is asked for and what comes back are the values of
``evalbox.domain``, and errors are those of ``evalbox.errors``.
"""

from __future__ import annotations

from evalbox.domain.activity import Activity
from evalbox.domain.batch import Batch
from evalbox.domain.evaluation import Evaluation, Network, Priority
from evalbox.domain.event import Event
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord, OutputPiece, QueueStatus
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.sandbox import ExecEnd, ExecPiece, ExecReport
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import State
from evalbox.domain.webhook import is_signed
from evalbox.errors import EvalboxError
from evalbox.sdk.async_box import AsyncBox
from evalbox.sdk.async_handle import AsyncHandle
from evalbox.sdk.async_sandbox import AsyncSandbox, ExecOptions, SandboxOptions
from evalbox.sdk.box import Box
from evalbox.sdk.handle import Handle
from evalbox.sdk.job import Options
from evalbox.sdk.result import Result
from evalbox.sdk.sandbox import Program, Sandbox

__all__ = [
    "Activity",
    "ArtifactRecord",
    "AsyncBox",
    "AsyncHandle",
    "AsyncSandbox",
    "Batch",
    "Box",
    "EvalboxError",
    "Evaluation",
    "Event",
    "ExecEnd",
    "ExecOptions",
    "ExecPiece",
    "ExecReport",
    "Handle",
    "Network",
    "Options",
    "Outcome",
    "OutputPiece",
    "Priority",
    "Program",
    "QueueStatus",
    "Result",
    "RetryPolicy",
    "Sandbox",
    "SandboxOptions",
    "Score",
    "ScoreKind",
    "State",
    "is_signed",
]
