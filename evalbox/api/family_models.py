"""What clients send to have tasks of a family attempted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from evalbox.api.models import (
    AskedBody,
    Body,
    ContentBody,
    Flag,
    Items,
    Text,
    Whole,
    example,
)
from evalbox.domain.limits import BOUNDS

MAX_REPEAT = 10_000
Seconds = Annotated[float, Strict(), Field(gt=0, le=BOUNDS["timeout"][1])]
#: A family of one file, sums/sums.py, with one task: what two and two are.
_SUMS = (
    "H4sIAAAAAAACA+3QzYrCMBAH8Jz7FENOKUqNpSoIRU8+geBxydaowX5IZnIo4rs7W0FhBT3tXuzvkAnD8B8YDBWO"
    "kJ/k1Io/otk0y7rKfled6en93/XHOp1NBGjxDwKS8bxefKaiNIiwNnhcmcqV7TwCtuSjkCsqS4dm23W2dgd7S1/E"
    "k6ji29gPbyn4Gs7SGmzlHM6XS/Qmw9VIPhTkmhoVPWfJzcEQOIQUBpAu5Ks8LBpvFQ0Bw3flEDnzOXBXNobUYyLh"
    "/e6kYshzkJmMI9Hr9Xof5wr03HK9AAgAAA=="
)


class StepBody(Body):
    """One step of a replay; exactly one of ``run``, ``score`` and ``submit``.

    ``run`` is a line for bash; where it may not fail, the rest is left out. ``score`` asks for a
    score in between. ``submit`` comes last, and is the submission.
    """

    run: str | None = None
    may_fail: Flag | None = None
    score: Literal[True] | None = None
    submit: str | None = None


class AgentBody(Body):
    """Who attempts the task: exactly one of these.

    ``submission`` is what is scored, and nobody works. ``command`` is a line for bash. ``replay``
    are steps. ``directory`` is a tar archive, plain or in gzip, with the agent's program: what its
    ``agent.yaml`` says, or ``agent``, ``main.py`` or ``main.sh``. With ``human``, somebody works in
    a shell of the sandbox.
    """

    submission: ContentBody | None = None
    command: str | None = None
    replay: Items[StepBody] | None = Field(None, min_length=1, max_length=10_000)
    directory: ContentBody | None = None
    human: Literal[True] | None = None


class FamilyEvaluationsBody(AskedBody):
    """Attempts at tasks of a METR Task Standard family.

    ``archive`` is a tar archive, plain or in gzip, of the family's directory, or of what is in it
    with the family's name in ``family``. Without ``tasks``, which are names or globs, all of its
    tasks are attempted, ``repeat`` times each. ``secrets`` are variables, of which each part of the
    family sees what it may; ``deadlines`` are seconds for a phase, as in ``start``. The family's
    permissions decide the network.
    """

    model_config = example(
        {
            "family": "sums",
            "archive": {"base64": _SUMS},
            "tasks": ["easy"],
            "agent": {"submission": {"text": "4"}},
        }
    )

    archive: ContentBody
    family: Text | None = None
    tasks: Items[Text] = Field(default_factory=list, max_length=1000)
    agent: AgentBody
    agent_name: Text | None = None
    secrets: dict[str, str] = Field(default_factory=dict)
    deadlines: dict[str, Seconds] = Field(default_factory=dict)
    repeat: Whole = Field(1, ge=1, le=MAX_REPEAT)
