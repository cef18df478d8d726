"""Commands and groups of commands: what click's own do not have.

Subcommands are imported when they are used, so that ``evalbox --version`` costs nothing; the flags
of the whole program are taken before and after the name of a command; every ending that is meant
becomes an exit status.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from evalbox.cli.session import Session


def _override(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def store(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            context.ensure_object(Session).overrides[name] = value

    return store


def _no_colour(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).colour = False


def _quiet(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).quiet = True


def program_flags(*, hidden: bool) -> list[click.Parameter]:
    """The flags of the whole program."""
    return [
        click.Option(
            ["--data-dir"], metavar="DIR", hidden=hidden, expose_value=False,
            callback=_override("data_dir"), type=click.Path(),
            help="Where the database, outputs and artifacts are.",
        ),
        click.Option(
            ["--url"], metavar="URL", hidden=hidden, expose_value=False,
            callback=_override("url"), help="A box elsewhere, as in http://box:8420.",
        ),
        click.Option(
            ["--key"], metavar="KEY", hidden=hidden, expose_value=False,
            callback=_override("key"),
            help="The API key for it. Other users see it in ps: better EVALBOX_KEY.",
        ),
        click.Option(
            ["--log-level"], metavar="LEVEL", hidden=hidden, expose_value=False,
            callback=_override("log_level"), help="debug, info, warning (default) or error.",
        ),
        click.Option(
            ["--log-format"], metavar="FORMAT", hidden=hidden, expose_value=False,
            callback=_override("log_format"), help="human (default) or json.",
        ),
        click.Option(
            ["--no-color"], is_flag=True, hidden=hidden, expose_value=False, callback=_no_colour,
            help="No colours, as with NO_COLOR set.",
        ),
        click.Option(
            ["-q", "--quiet"], is_flag=True, hidden=hidden, expose_value=False, callback=_quiet,
            help="Only data and errors, no narration.",
        ),
    ]  # fmt: skip


def serve_flags() -> list[click.Parameter]:
    """The settings that only a service has. None where one is not given."""
    return [
        click.Option(["--host"], metavar="ADDR", help="Listen here.  [default: 127.0.0.1]"),
        click.Option(["--port"], metavar="PORT", help="And on this port.  [default: 8420]"),
        click.Option(
            ["--drain"], metavar="TIME",
            help="How long what runs may go on after SIGTERM.  [default: 30s]",
        ),
        click.Option(["--tls-cert"], metavar="FILE", help="The certificate for HTTPS, in PEM."),
        click.Option(["--tls-key"], metavar="FILE", help="Its key, in PEM."),
        click.Option(
            ["--insecure"], is_flag=True, default=None,
            help="Listen beyond this machine without TLS, as behind a proxy that has it.",
        ),
    ]  # fmt: skip


def screen_flags() -> list[click.Parameter]:
    """How the screen uses the terminal."""
    return [
        click.Option(["--ascii"], is_flag=True, help="The screen draws with plain characters."),
        click.Option(["--no-mouse"], is_flag=True, help="The screen leaves the mouse alone."),
        click.Option(["--read-only"], is_flag=True, help="The screen shows and changes nothing."),
        click.Option(
            ["--task-dirs"], metavar="DIR[:DIR]", expose_value=False,
            callback=_override("task_dirs"), help="The screen finds tasks in these, too.",
        ),
    ]  # fmt: skip


#: What people type who know other tools.
_ALIASES = {"list": "ls", "remove": "rm"}


class Command(click.Command):
    """Takes the program's flags after its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(program_flags(hidden=True))


class Group(click.Group):
    """A command with subcommands; without one it does what ``default`` does."""

    command_class = Command

    def __init__(self, *args: Any, default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(program_flags(hidden=True))
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Completing a shell's line parses as little as it can, and must end up in the group.
        if not ctx.resilient_parsing and (not args or args[0] == "--json"):
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))


class LazyGroup(click.Group):
    """``lazy`` maps each name to the module of its command and to its one-line help.

    The command is the attribute of the module named after it, with ``_command`` behind.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, Mapping[str, tuple[str, str]]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._sections = lazy
        self._lazy = {name: entry for section in lazy.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = _ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in self._lazy:
            return None
        module = import_module(self._lazy[cmd_name][0])
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and Path(args[0]).is_file():
            raise click.UsageError(f"No such command: {args[0]}. To run it: evalbox run {args[0]}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in section.items()])


def pass_session(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Gives a function the session in front."""

    @functools.wraps(function)
    def call(**given: Any) -> int | None:
        return function(click.get_current_context().ensure_object(Session), **given)

    return call


def with_session(
    function: Callable[..., Coroutine[Any, Any, int | None]],
) -> Callable[..., int | None]:
    """Makes a coroutine function with a session in front into what click calls."""

    @functools.wraps(function)
    def call(**given: Any) -> int | None:
        import asyncio

        session = click.get_current_context().ensure_object(Session)
        return asyncio.run(function(session, **given))

    return call
