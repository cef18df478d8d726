"""The values of options, read from what was typed.

They are named as flags: what is out of range is invalid input with a remedy, whichever way it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalbox.domain import text as domain
from evalbox.domain.evaluation import Network, Priority
from evalbox.domain.moments import parse_moment
from evalbox.domain.quantity import parse_duration
from evalbox.errors import InvalidInput


def whole(text: str, *, field: str, low: int, high: int) -> int:
    """A whole number between ``low`` and ``high``. Raises ``InvalidInput``."""
    try:
        number = int(text)
    except ValueError:
        raise InvalidInput(f"--{field}: {text!r} is not a whole number", field=field) from None
    if not low <= number <= high:
        raise InvalidInput(
            f"--{field}: {number} is out of range",
            hint=f"give between {low} and {high}",
            field=field,
        )
    return number


def number(text: str, *, field: str) -> float:
    """Raises ``InvalidInput``."""
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"--{field}: {text!r} is not a number", field=field) from None


def plain_text(text: str, *, field: str) -> str:
    """The value of an option that people will see in tables. Raises ``InvalidInput``."""
    return domain.plain_text(text, field=field, flag=True)


def labels(pairs: Sequence[str]) -> Mapping[str, str]:
    """``K=V`` pairs. Raises ``InvalidInput``."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInput(f"--label: {pair!r} is not KEY=VALUE", field="label")
        plain_text(key, field="label")
        if value:
            plain_text(value, field="label")
        found[key] = value
    return found


def network(value: Network | str) -> Network:
    """Raises ``InvalidInput``."""
    try:
        return Network(value)
    except ValueError:
        raise InvalidInput(
            f"network: {value!r} is not known", hint=f"known: {', '.join(Network)}", field="network"
        ) from None


def priority(value: Priority | str) -> Priority:
    """One, or its name in any case. Raises ``InvalidInput``."""
    try:
        return Priority[value.upper()] if isinstance(value, str) else Priority(value)
    except (KeyError, ValueError):
        raise InvalidInput(
            f"priority: {value!r} is not known", hint="known: high, normal, low", field="priority"
        ) from None


def start_time(at: str | None, after: str | None, *, now: float) -> float | None:
    """When an evaluation may start, from ``--at`` and ``--in``. Raises ``InvalidInput``."""
    if at is not None and after is not None:
        raise InvalidInput("--at and --in exclude each other", field="at")
    if after is not None:
        return now + parse_duration(after, field="--in")
    if at is None:
        return None
    moment = parse_moment(at, now=now, field="at")
    if moment < now:
        raise InvalidInput(f"--at: {at} is past", hint="leave it out to start at once", field="at")
    return moment
