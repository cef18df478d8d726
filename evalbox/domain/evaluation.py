"""An evaluation: what was asked for, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from evalbox.domain.building import ImageBuild
from evalbox.domain.ids import short
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score
from evalbox.domain.state import State

#: The label that names who attempts it.
AGENT = "agent"


class Priority(IntEnum):
    """Smaller is sooner."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class Network(StrEnum):
    """What a sandbox can reach: only itself, or also the world beyond the host."""

    NONE = "none"
    INTERNET = "internet"


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that is put into the sandbox before the start.

    ``path`` is absolute in the sandbox, ``blob`` the SHA-256 (hex) of its content in the store,
    ``size`` in bytes, ``mode`` its permission bits.
    """

    path: str
    blob: str
    size: int
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class EvaluationSpec:
    """What a user asks for: a task, the surroundings it runs in, its limits, its place in line.

    ``command`` is the argument vector that the task becomes; ``stdin`` the blob of its standard
    input (default: empty); ``artifacts`` the paths, absolute or beneath ``workdir``, that are kept
    after it ends; ``not_before`` seconds since 1970; ``user`` is ``uid:gid`` or a name that the
    sandbox resolves. ``idempotency_key``: a second submission with the same key gives the first
    one's evaluation. ``trace`` is the W3C traceparent of what asked for it, if that is traced; it
    makes no difference to what is asked for. ``score`` is the path, absolute or beneath
    ``workdir``, of the file that holds the score at the end. With a ``build``, ``image`` is what
    the image is built upon. ``capabilities`` are those of ``CAPABILITIES`` that root keeps.
    """

    name: str
    command: tuple[str, ...]
    image: str
    kind: str = "script"
    engine: str = "gvisor"
    user: str = "1000:1000"
    workdir: str = "/home/agent"
    # Values may be secrets: what prints a specification must not tell them.
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    inputs: tuple[InputFile, ...] = ()
    stdin: InputFile | None = None
    artifacts: tuple[str, ...] = ()
    network: Network = Network.NONE
    limits: Limits = field(default_factory=Limits)
    priority: Priority = Priority.NORMAL
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    not_before: float | None = None
    batch: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    score: str | None = None
    build: ImageBuild | None = None
    capabilities: tuple[str, ...] = ()
    trace: str = field(default="", compare=False)

    def files(self) -> Iterator[InputFile]:
        """All whose content it needs."""
        yield from self.inputs
        if self.stdin is not None:
            yield self.stdin
        if self.build is not None:
            yield from self.build.files


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation as the store has it. Times are seconds since 1970.

    ``attempts`` counts those begun; ``failures`` and ``infra_failures`` those of the current retry
    budget. ``outcome``, ``exit_code``, ``reason``, ``error`` and ``score`` are the last ended
    attempt's; of the score the summary, as only the attempt's verdict tells the checks.
    """

    id: str
    spec: EvaluationSpec
    state: State
    created_at: float
    updated_at: float
    attempts: int = 0
    failures: int = 0
    infra_failures: int = 0
    outcome: Outcome | None = None
    exit_code: int | None = None
    reason: str = ""
    not_before: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    cancel_requested: bool = False
    error: str = ""
    score: Score | None = None

    @property
    def short_id(self) -> str:
        return short(self.id)
