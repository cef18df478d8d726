"""The shapes of the documents: what ``--json`` prints and what the API answers.

Times are ISO 8601 in UTC, durations seconds, sizes bytes. The API's schema is made from these
types, so they are also what its documentation says.
"""

from __future__ import annotations

from typing import Any

# Pydantic needs this one before Python 3.12.
from typing_extensions import TypedDict

from evalbox.domain.evaluation import Network
from evalbox.domain.outcome import Outcome
from evalbox.domain.reduction import ReductionState
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import State


class InputFileDocument(TypedDict):
    """A file in the sandbox; ``blob`` is the SHA-256 of its content."""

    path: str
    blob: str
    size: int
    mode: int


class ImageBuildDocument(TypedDict):
    """How an image is made upon another: ``files`` are put in and ``command`` is run, by root and
    for at most ``timeout`` seconds. ``description`` is the path of a file of JSON in the result.
    """

    files: list[InputFileDocument]
    command: list[str]
    timeout: float
    description: str


class LimitsDocument(TypedDict):
    """``cpus`` in cores, ``timeout`` in seconds, ``pids`` a count, all else in bytes."""

    cpus: float
    memory: int
    timeout: float
    disk: int
    pids: int
    output: int
    artifacts: int


class RetryDocument(TypedDict):
    """The wait grows from ``base`` by ``factor`` up to ``cap`` seconds."""

    retries: int
    infra_retries: int
    base: float
    factor: float
    cap: float


class ScoreDocument(TypedDict):
    """``value`` is there for a ``number`` alone. ``reason`` says why a score is ``invalid``; with
    another it is the message that came along, if any.
    """

    kind: ScoreKind
    value: float | None
    reason: str


class ScoreCheckDocument(TypedDict):
    """One thing that was looked at; null is no verdict, or no value, of its own."""

    name: str
    passed: bool | None
    value: float | None
    detail: str


class FullScoreDocument(ScoreDocument):
    """``raw`` is the text that it was read from, as far as it is kept. ``by`` names the person who
    gave it, if one did, and ``at`` is when.
    """

    raw: str
    checks: list[ScoreCheckDocument]
    by: str
    at: str | None


class EvaluationDocument(TypedDict):
    """One evaluation. Of ``env`` only the names are told: values may be secrets.

    ``error`` is the line of its output that tells best what went wrong. ``score_file`` is the path
    that the score is read from; the checks behind it are told with the attempt. With a ``build``,
    ``image`` is what the image is built upon.
    """

    id: str
    short_id: str
    name: str
    kind: str
    state: State
    outcome: Outcome | None
    exit_code: int | None
    reason: str
    error: str
    score: ScoreDocument | None
    cancel_requested: bool
    attempt_count: int
    failures: int
    infra_failures: int
    created_at: str
    updated_at: str
    not_before: str | None
    started_at: str | None
    finished_at: str | None
    engine: str
    image: str
    command: list[str]
    user: str
    workdir: str
    env: list[str]
    inputs: list[InputFileDocument]
    stdin: InputFileDocument | None
    artifacts: list[str]
    score_file: str | None
    build: ImageBuildDocument | None
    capabilities: list[str]
    network: Network
    limits: LimitsDocument
    priority: str
    retry: RetryDocument
    batch: str | None
    labels: dict[str, str]
    idempotency_key: str | None


class ExplanationDocument(TypedDict):
    """Words for people; nothing in them is to be relied on."""

    explanation: str


class UsageDocument(TypedDict):
    """Totals and peaks; ``cpu_seconds`` in core-seconds."""

    cpu_seconds: float
    memory: int
    memory_peak: int
    pids: int
    disk: int
    read_bytes: int
    written_bytes: int


class AttemptDocument(TypedDict):
    """One try, in one fresh sandbox."""

    number: int
    outcome: Outcome | None
    exit_code: int | None
    signal: int | None
    reason: str
    error: str
    score: FullScoreDocument | None
    oom_killed: bool
    engine: str
    sandbox_id: str | None
    image_digest: str | None
    warm: bool | None
    claimed_at: str
    started_at: str | None
    first_output_at: str | None
    finished_at: str | None
    usage: UsageDocument
    output_bytes: int
    truncated: bool


class ActivityDocument(TypedDict):
    """What an attempt under way is at. ``phase`` is in words for people, since ``since``.

    ``cpu`` is in cores, over the last second; it and the sizes are null before they are measured.
    """

    evaluation_id: str
    attempt: int
    phase: str
    since: str
    limits: LimitsDocument
    cpu: float | None
    memory: int | None
    disk: int | None
    pids: int | None
    output_bytes: int
    last_output_at: str | None


class SampleDocument(UsageDocument):
    """What a sandbox had used at one moment."""

    at: str


class ArtifactDocument(TypedDict):
    """``kind`` is ``file``, or ``skipped`` with the ``reason``."""

    path: str
    size: int
    mode: int
    kind: str
    reason: str


class PieceDocument(TypedDict):
    """A stretch of output. ``data`` is base64, ``offset`` counts the bytes of both streams."""

    offset: int
    stream: str
    at: str
    data: str


class ReductionDocument(TypedDict):
    """``evaluation`` is the id of the step that reduces a batch, once it has been made."""

    state: ReductionState
    evaluation: str | None
    reason: str


class BatchDocument(TypedDict):
    """``concurrency`` null means no limit but the pool's.

    ``attempts`` counts those begun, ``spent`` is the seconds that they took, ``respent`` the part
    of it that went into what was tried again; ``recent`` counts what ended in the last ten minutes.
    ``passed`` ended ``ok``, of the ``judged``: those that were neither cancelled nor lost to the
    box, nor are ``unsettled``, which is to have ended ``ok`` with a score that is invalid or left
    to a person. ``pass_interval`` holds the true rate with 95 % confidence (Wilson). ``scored``
    have a number for a score. ``fail_fast`` and ``reduction`` are what is planned for it.
    """

    name: str
    created_at: str
    concurrency: int | None
    total: int
    states: dict[State, int]
    outcomes: dict[Outcome, int]
    started_at: str | None
    finished_at: str | None
    attempts: int
    spent: float
    respent: float
    recent: int
    passed: int
    judged: int
    unsettled: int
    pass_rate: float | None
    pass_interval: list[float] | None
    scored: int
    mean_score: float | None
    fail_fast: bool
    reduction: ReductionDocument | None


class EventDocument(TypedDict):
    """``seq`` grows by the order of commits; ``kind`` is ``noun.verb``."""

    seq: int
    at: str
    kind: str
    evaluation_id: str | None
    batch: str | None
    attempt: int | None
    data: dict[str, Any]


class QueueDocument(TypedDict):
    """``holding`` says in words why nothing more starts, else is empty; ``draining`` that the
    process which runs the queue is about to end.
    """

    paused: bool
    slots: int
    states: dict[State, int]
    warm: int
    holding: str
    working: bool
    draining: bool


class ImageDocument(TypedDict):
    """``id`` is immutable; ``digest`` is what attempts record."""

    id: str
    digest: str
    names: list[str]
    size: int
    created_at: str | None


class CheckDocument(TypedDict):
    """One thing that was tried; ``level`` is ``ok``, ``warning`` or ``failure``."""

    name: str
    level: str
    detail: str
    remedy: str


class HostSampleDocument(TypedDict):
    """Percentages from 0 to 100; rates in bytes a second; ``load`` over 1, 5 and 15 minutes."""

    at: str
    cpu: float
    cores: list[float]
    memory_total: int
    memory_used: int
    swap_total: int
    swap_used: int
    disk_total: int
    disk_used: int
    disk_free: int
    load: list[float]
    received_rate: float
    sent_rate: float
    uptime: float


class HostDocument(TypedDict):
    """The machine of the box. ``running`` counts the attempts under way."""

    version: str
    box: str
    engine: str
    slots: int
    running: int
    warm: int
    latest: HostSampleDocument | None
    history: list[HostSampleDocument]


class BlobDocument(TypedDict):
    """An uploaded content: its SHA-256 in hexadecimal, and its size."""

    blob: str
    size: int


class HealthDocument(TypedDict):
    """``status`` is ``ok``, or else says what is wrong."""

    status: str
    version: str
    working: bool
