"""Attempts at tasks of a family, as a Python program says them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evalbox.agents.base import Agent
from evalbox.agents.choosing import WAYS, choose
from evalbox.agents.simple import read_submission, submission
from evalbox.domain.evaluation import EvaluationSpec, Network
from evalbox.errors import InvalidInput
from evalbox.requests.attempts import PreparedFamily
from evalbox.requests.families import attempts
from evalbox.requests.secrets import read_secrets
from evalbox.sdk.job import Options, given_limits, seconds, sent
from evalbox.tasks.standard.format import Place

_DECIDED = ("command", "arguments", "language", "user", "workdir", "stdin", "score")


def attempts_of(place: Place, options: Options, spec: EvaluationSpec) -> PreparedFamily:
    """``spec`` is what is said of any evaluation. Raises ``InvalidInput`` and ``FileMissing``."""
    for name in _DECIDED:
        if name in options:
            raise InvalidInput(f"{name} is not for a family of tasks", field=name)
    secrets = options.get("secrets", {})
    deadlines = options.get("deadlines", {})
    return attempts(
        place,
        _agent(options),
        spec,
        name=options.get("agent_name"),
        limits=given_limits(options),
        deadlines={key: seconds(value, field="deadlines") for key, value in deadlines.items()},
        patterns=tuple(options.get("tasks", ())),
        secrets=dict(secrets) if isinstance(secrets, Mapping) else read_secrets(Path(secrets)),
        network=None if spec.network is Network.NONE else spec.network,
        files=sent(options),
    )


def _agent(options: Options) -> Agent:
    if ("agent" in options) == ("submission" in options):
        raise InvalidInput(
            "there is to be an agent or a submission, and not both",
            hint=f"on the command line: {WAYS}",
            field="agent",
        )
    if "agent" in options:
        return choose(str(options["agent"]))
    given = options["submission"]
    if isinstance(given, Path):
        return submission(read_submission(f"@{given}"))
    return submission(given.encode() if isinstance(given, str) else given)
