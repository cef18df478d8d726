"""Options that several commands share. Their values are read by ``evalbox.requests.values``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


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
