"""Options that several commands share, and how their values are read.

Values are read by evalbox itself, not by click: what is out of range is invalid input with a
remedy, whichever way it came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evalbox.domain.text import plain_text as text_of_field
from evalbox.errors import InvalidInput

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

ENGINES = ("gvisor", "runc", "process", "fake")


def apply(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """One decorator out of several, applied so that the first comes first in the help."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def complete_ids(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The short ids of the newest evaluations that begin so; nothing where they cannot be read."""
    from evalbox.cli.completion import evaluation_ids

    return evaluation_ids(context, incomplete)


def id_argument(*, required: bool = True) -> Callable[[F], F]:
    return click.argument("reference", metavar="ID", required=required, shell_complete=complete_ids)


def ids_argument(*, required: bool) -> Callable[[F], F]:
    return click.argument(
        "references", metavar="ID...", nargs=-1, required=required, shell_complete=complete_ids
    )


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
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"--{field}: {text!r} is not a number", field=field) from None


def plain_text(text: str, *, field: str) -> str:
    """The value of an option that people will see in tables. Raises ``InvalidInput``."""
    return text_of_field(text, field=field, flag=True)


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


def engine_name(text: str) -> str:
    """Raises ``InvalidInput`` where there is no such engine."""
    if text not in ENGINES:
        raise InvalidInput(
            f"--engine: there is no engine {text!r}", hint=f"known: {', '.join(ENGINES)}"
        )
    return text
