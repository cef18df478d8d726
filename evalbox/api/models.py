"""What clients send. Unknown fields are refused; numbers are numbers, not text or truth values."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from evalbox.domain.admissible import MAX_ARTIFACTS, MAX_AT_ONCE, MAX_INPUTS
from evalbox.domain.building import HOUR, LONGEST
from evalbox.domain.evaluation import Network
from evalbox.domain.grading import MAX_BY, MAX_NOTE
from evalbox.domain.limits import BOUNDS
from evalbox.domain.retry import MAX_RETRIES
from evalbox.domain.text import MAX_TEXT

Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
T = TypeVar("T")
#: Of a list only the first item that is wrong is told: a million would take seconds to list.
Items = Annotated[list[T], Field(fail_fast=True)]
PriorityName = Literal["high", "normal", "low"]


def example(value: dict[str, Any]) -> ConfigDict:
    """What the documentation shows, and the tests of hostile input begin with."""
    return ConfigDict(json_schema_extra={"examples": [value]})


def _plain(name: str, value: object) -> object:
    """JSON does not tell 2 from 2.0, and can say text that no encoding can."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case str():
            _check_text(name, value)
        case list():
            _check_text(name, *value)
        case dict():
            _check_text(name, *value, *value.values())
    return value


def _check_text(name: str, *values: object) -> None:
    if not all(text.isascii() or _is_text(text) for text in values if isinstance(text, str)):
        raise ValueError(f"{name}: there is half of a surrogate pair in it")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {name: _plain(name, value) for name, value in data.items()}


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
    arguments: Items[str] = Field(default_factory=list, max_length=4096)


class ImageBuildBody(Body):
    """How an image is made upon another: ``files`` are put in, ``command`` is run by root with the
    internet, and what is there is kept. ``timeout`` in seconds. ``description`` is the path of a
    file of JSON that it leaves, and that is told of the image.
    """

    files: Items[InputBody] = Field(default_factory=list, max_length=MAX_INPUTS)
    command: Items[str] = Field(min_length=1, max_length=4096)
    timeout: Number = Field(HOUR, gt=0, le=LONGEST)
    description: Annotated[str, Field(max_length=4096)] = ""


class AskedBody(Body):
    """What is said of an evaluation whatever is run.

    ``delay`` in seconds or ``not_before`` put the start off. What is left out has the box's own
    default.
    """

    name: Text | None = None
    image: Text | None = None
    engine: Text | None = None
    env: dict[str, str] = Field(default_factory=dict)
    inputs: Items[InputBody] = Field(default_factory=list, max_length=MAX_INPUTS)
    artifacts: Items[str] = Field(default_factory=list, max_length=MAX_ARTIFACTS)
    network: Network = Network.NONE
    limits: LimitsBody = LimitsBody()
    priority: PriorityName = "normal"
    retry: RetryBody = RetryBody()
    not_before: datetime | None = None
    delay: Number | None = Field(None, ge=0, le=366 * 86400)
    batch: Text | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    idempotency_key: Text | None = None


class EvaluationBody(AskedBody):
    """What is to be run: a ``script``, or a ``command`` that the image has.

    ``delay`` in seconds or ``not_before`` put the start off. ``score`` is the path, absolute or
    beneath the working directory, of a file that holds the score at the end. With a ``build``, the
    image is what that makes upon ``image``. ``capabilities`` are what root keeps of its own, as in
    ``CHOWN``. What is left out has the box's own default.
    """

    model_config = example(
        {
            "script": {"source": "print(6 * 7)", "language": "py"},
            "limits": {"memory": 536870912, "timeout": 60},
            "labels": {"model": "mine-2"},
        }
    )

    script: ScriptBody | None = None
    command: Items[str] | None = Field(None, min_length=1, max_length=4096)
    kind: Text | None = None
    user: Text | None = None
    workdir: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    stdin: ContentBody | None = None
    score: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    build: ImageBuildBody | None = None
    capabilities: Items[Text] = Field(default_factory=list, max_length=16)


class EvaluationsBody(Body):
    """All are queued, or none."""

    model_config = example(
        {
            "evaluations": [
                {"command": ["python3", "-c", f"print({number})"], "batch": "squares"}
                for number in (1, 4, 9)
            ]
        }
    )

    evaluations: Items[EvaluationBody] = Field(min_length=1, max_length=MAX_AT_ONCE)


class IdsBody(Body):
    """Full ids, or unambiguous beginnings of ids."""

    model_config = example({"ids": ["01m8cgee79000099zkrrhq"]})

    ids: Items[Text] = Field(min_length=1, max_length=10_000)


class ScoreBody(Body):
    """``by`` names the person who gives the score."""

    model_config = example({"value": 0.8, "by": "ann", "note": "all but the last step"})

    value: Number
    by: Annotated[str, Field(min_length=1, max_length=MAX_BY)]
    note: Annotated[str, Field(max_length=MAX_NOTE)] = ""


class PriorityBody(IdsBody):
    """Where in the line all of them are to stand."""

    model_config = example({"ids": ["01m8cgee79000099zkrrhq"], "priority": "high"})

    priority: PriorityName


class BatchBody(Body):
    """``concurrency`` null means no limit but the pool's."""

    model_config = example({"concurrency": 4})

    concurrency: Whole | None = Field(ge=1, le=100_000)


class BatchPlanBody(Body):
    """What the box does with a batch by itself. ``fail_fast``: the first that fails has all that
    have not ended cancelled. ``reduce`` is run when all have ended and none was cancelled.
    """

    model_config = example({"fail_fast": False, "reduce": {"command": ["cat", "/in/results.json"]}})

    fail_fast: Flag = False
    reduce: EvaluationBody | None = None


class SlotsBody(Body):
    """How many evaluations run at once."""

    model_config = example({"slots": 16})

    slots: Whole = Field(ge=1, le=1024)
