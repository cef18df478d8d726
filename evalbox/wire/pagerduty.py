"""Messages as events of PagerDuty's Events API v2, but for the routing key, which is a secret.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalbox.domain.alert import Severity
from evalbox.domain.outcome import Outcome
from evalbox.wire.webhooks import MessageDocument

#: Characters that PagerDuty takes.
_SUMMARY, _DEDUP_KEY = 1024, 255

_SEVERITIES: Mapping[Outcome, Severity] = {
    Outcome.INFRA_ERROR: Severity.ERROR,
    Outcome.TASK_ERROR: Severity.ERROR,
}
_HARMLESS = frozenset({Outcome.OK, Outcome.CANCELLED})


def event(message: MessageDocument) -> dict[str, Any]:
    """An alert triggers and is resolved; an evaluation that went wrong triggers, one that ended
    well resolves what an earlier ending of it had triggered; all else is of severity ``info``.
    """
    if message["alert"] is not None:
        found = message["alert"]
        action = "resolve" if message["kind"] == "alert.resolved" else "trigger"
        return _event(message, action, f"alert:{found['key']}", found["severity"], found["text"])
    evaluation = message["evaluation"]
    identifier = message["event"]["evaluation_id"]
    if identifier is not None:
        outcome = Outcome(message["event"]["data"].get("outcome", Outcome.CANCELLED))
        name = evaluation["name"] if evaluation is not None else identifier
        reason = message["event"]["data"].get("reason") or ""
        return _event(
            message,
            "resolve" if outcome in _HARMLESS else "trigger",
            f"evaluation:{identifier}",
            _SEVERITIES.get(outcome, Severity.WARNING),
            f"evaluation {name}: {outcome}" + (f" ({reason})" if reason else ""),
        )
    batch = message["event"]["batch"]
    if batch is not None:
        summary = f"batch {batch} has finished"
        return _event(message, "trigger", f"batch:{batch}", Severity.INFO, summary)
    return _event(message, "trigger", "test", Severity.INFO, "a test of the webhook")


def _event(
    message: MessageDocument, action: str, key: str, severity: Severity, summary: str
) -> dict[str, Any]:
    return {
        "event_action": action,
        "dedup_key": f"evalbox:{message['box']}:{key}"[:_DEDUP_KEY],
        "payload": {
            "summary": summary[:_SUMMARY],
            "source": f"evalbox:{message['box']}",
            "severity": severity,
            "timestamp": message["event"]["at"],
            "component": "evalbox",
            "class": message["kind"],
            "custom_details": _details(message),
        },
        "client": "evalbox",
    }


def _details(message: MessageDocument) -> dict[str, Any]:
    found: dict[str, Any] = {"seq": message["event"]["seq"], **message["event"]["data"]}
    evaluation, batch = message["evaluation"], message["batch"]
    if evaluation is not None:
        kept = ("id", "name", "state", "outcome", "exit_code", "reason", "batch", "labels")
        found.update({key: value for key, value in evaluation.items() if key in kept})
    if batch is not None:
        found.update(batch)
    return found
