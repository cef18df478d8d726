"""What clients send. Unknown fields are refused; numbers are numbers, not text or truth values."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from evalbox.domain.admissible import MAX_ARTIFACTS, MAX_AT_ONCE, MAX_INPUTS
from evalbox.domain.evaluation import Network
from evalbox.domain.limits import BOUNDS
from evalbox.domain.retry import MAX_RETRIES
from evalbox.domain.text import MAX_TEXT

Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PriorityName = Literal["high", "normal", "low"]


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: object) -> object:
        """JSON does not tell 2 from 2.0."""
        if not isinstance(data, dict):
            return data
        return {name: _plain(value) for name, value in data.items()}


class LimitsBody(Body):
    """What one attempt may use; what is left out has a finite default."""

    cpus: Number | None = Field(None, ge=BOUNDS["cpus"][0], le=BOUNDS["cpus"][1])
    memory: Whole | None = Field(None, ge=BOUNDS["memory"][0], le=BOUNDS["memory"][1])
    timeout: Number | None = Field(None, ge=BOUNDS["timeout"][0], le=BOUNDS["timeout"][1])
    disk: Whole | None = Field(None, ge=BOUNDS["disk"][0], le=BOUNDS["disk"][1])
    pids: Whole | None = Field(None, ge=BOUNDS["pids"][0], le=BOUNDS["pids"][1])
    output: Whole | None = Field(None, ge=BOUNDS["output"][0], le=BOUNDS["output"][1])
    artifacts: Whole | None = Field(None, ge=BOUNDS["artifacts"][0], le=BOUNDS["artifacts"][1])


class RetryBody(Body):
    """How often an evaluation is tried again, and after what wait in seconds."""

    retries: Whole | None = Field(None, ge=0, le=MAX_RETRIES)
    infra_retries: Whole | None = Field(None, ge=0, le=MAX_RETRIES)
    base: Number | None = Field(None, ge=0, le=86400)
    factor: Number | None = Field(None, ge=1, le=1000)
    cap: Number | None = Field(None, ge=0, le=86400)


class ContentBody(Body):
    """The content of a file: uploaded before (``blob`` with its ``size``), or given here.

    Exactly one of ``blob``, ``text`` and ``base64``.
    """

    blob: Sha256 | None = None
    size: Whole | None = Field(None, ge=0)
    text: str | None = None
    base64: str | None = None


class InputBody(ContentBody):
    """A file that is put into the sandbox; ``path`` is absolute, or beneath /home/agent."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    mode: Whole = Field(0o644, ge=0, le=0o777)


class ScriptBody(Body):
    """A program in a language that the image has an interpreter for.

    ``language`` is ``py``, ``js`` or ``sh``; without it the ``#!`` line decides.
    """

    source: str
    language: Text | None = None
    name: Text = "script"
    arguments: list[str] = Field(default_factory=list, max_length=4096)


class EvaluationBody(Body):
    """What is to be run: a ``script``, or a ``command`` that the image has.

    ``delay`` in seconds or ``not_before`` put the start off. What is left out has the box's own
    default.
    """

    script: ScriptBody | None = None
    command: list[str] | None = Field(None, min_length=1, max_length=4096)
    name: Text | None = None
    kind: Text | None = None
    image: Text | None = None
    engine: Text | None = None
    user: Text | None = None
    workdir: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    env: dict[str, str] = Field(default_factory=dict)
    inputs: list[InputBody] = Field(default_factory=list, max_length=MAX_INPUTS)
    stdin: ContentBody | None = None
    artifacts: list[str] = Field(default_factory=list, max_length=MAX_ARTIFACTS)
    network: Network = Network.NONE
    limits: LimitsBody = LimitsBody()
    priority: PriorityName = "normal"
    retry: RetryBody = RetryBody()
    not_before: datetime | None = None
    delay: Number | None = Field(None, ge=0, le=366 * 86400)
    batch: Text | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    idempotency_key: Text | None = None


class EvaluationsBody(Body):
    """All are queued, or none."""

    evaluations: list[EvaluationBody] = Field(min_length=1, max_length=MAX_AT_ONCE)


class IdsBody(Body):
    """Full ids, or unambiguous beginnings of ids."""

    ids: list[Text] = Field(min_length=1, max_length=10_000)


class BatchBody(Body):
    """``concurrency`` null means no limit but the pool's."""

    concurrency: Whole | None = Field(ge=1, le=100_000)


class SlotsBody(Body):
    slots: Whole = Field(ge=1, le=1024)
