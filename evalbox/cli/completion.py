"""``evalbox completion``, and what a shell is offered for an id."""

from __future__ import annotations

import asyncio

import click
from click.shell_completion import CompletionItem, get_completion_class

from evalbox.cli.command import Command, with_session
from evalbox.cli.session import Session
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.inert import inert_line
from evalbox.domain.records import EvaluationFilter

_OFFERED = 50


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@with_session
async def completion_command(session: Session, shell: str) -> None:
    """Print the script that makes a shell complete.

    \b
      bash:  eval "$(evalbox completion bash)"         in ~/.bashrc
      zsh:   eval "$(evalbox completion zsh)"          in ~/.zshrc
      fish:  evalbox completion fish | source          in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"No completion for {shell}.")
    root = click.get_current_context().find_root().command
    session.console.data(kind(root, {}, "evalbox", "_EVALBOX_COMPLETE").source())


def evaluation_ids(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Short ids of the newest evaluations that begin so, with what they are."""
    session = context.ensure_object(Session)
    try:
        found = asyncio.run(_newest(session))
    except Exception:
        return []
    return [
        CompletionItem(item.short_id, help=f"{inert_line(item.spec.name)}, {item.state}")
        for item in found
        if item.short_id.startswith(incomplete)
    ]


async def _newest(session: Session) -> list[Evaluation]:
    async with session.box() as box:
        return list(await box.list(EvaluationFilter(), limit=_OFFERED))
