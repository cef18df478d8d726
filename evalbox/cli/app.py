"""``evalbox``: the program, its commands, and how every one of them ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evalbox import __version__
from evalbox.cli.command import LazyGroup, program_flags, screen_flags, serve_flags
from evalbox.cli.console import Console
from evalbox.cli.session import Session
from evalbox.errors import EvalboxError

COMMANDS = {
    "Run": {
        "run": ("evalbox.cli.run", "Run a script or a command in a fresh sandbox, and watch it."),
        "submit": ("evalbox.cli.run", "Queue the same without waiting for it."),
        "wait": ("evalbox.cli.wait", "Wait until evaluations have ended."),
        "task": ("evalbox.cli.task", "Attempt a task yourself: open it, work, score, submit."),
        "cancel": ("evalbox.cli.control", "Stop evaluations, or take them out of the queue."),
        "retry": ("evalbox.cli.control", "Queue evaluations again that have ended."),
        "prioritize": ("evalbox.cli.control", "Put what is queued elsewhere in the line."),
    },
    "Keep": {
        "sandbox": (
            "evalbox.cli.sandbox",
            "Keep sandboxes to run programs in and copy files to and from.",
        ),
    },
    "Look": {
        "ls": ("evalbox.cli.listing", "List evaluations, the newest first."),
        "show": ("evalbox.cli.show", "Show all that is known of an evaluation."),
        "logs": ("evalbox.cli.logs", "Print what an evaluation printed."),
        "artifacts": ("evalbox.cli.artifacts", "List or fetch the files that an evaluation left."),
        "explain": ("evalbox.cli.show", "Say why an evaluation waits, or how it stands."),
        "shell": ("evalbox.cli.shell", "Open a shell beside a job that runs, in its sandbox."),
        "events": ("evalbox.cli.events", "Print what happened, in order."),
        "compare": (
            "evalbox.cli.compare",
            "Say what differs between two batches, by name, or two evaluations, by id.",
        ),
        "export": (
            "evalbox.cli.export",
            "Write evaluations as JSON, CSV, JUnit XML or logs of Inspect.",
        ),
    },
    "Manage": {
        "batch": ("evalbox.cli.batch", "Run, see and steer groups of evaluations."),
        "queue": ("evalbox.cli.queue", "See, pause, resume or resize the queue."),
        "score": ("evalbox.cli.score", "Say what an evaluation is worth that is left to a person."),
        "rm": ("evalbox.cli.control", "Remove evaluations that have ended, with their files."),
        "tasks": ("evalbox.cli.tasks", "List what can be run, check it, begin something new."),
        "images": ("evalbox.cli.images", "List, build, load, pull and remove images."),
        "backup": ("evalbox.cli.backup", "Write everything into one file, while it is in use."),
        "restore": ("evalbox.cli.backup", "Bring a backup back into an empty data directory."),
        "keys": ("evalbox.cli.keys", "Create, list and revoke the keys of the API."),
        "audit": ("evalbox.cli.audit", "See who did what, and check the record of it."),
        "webhooks": (
            "evalbox.cli.webhooks",
            "Tell other programs what happens: create, test and watch webhooks.",
        ),
    },
    "Set up": {
        "demo": ("evalbox.cli.demo", "Show a box full of made-up evaluations that come and go."),
        "doctor": ("evalbox.cli.doctor", "Check this machine, with the remedy for what is wrong."),
        "bench": (
            "evalbox.cli.bench",
            "Measure this machine, side by side with a bare Engine API loop.",
        ),
        "config": ("evalbox.cli.config", "Print the settings in force and where each is from."),
        "keymap": (
            "evalbox.cli.keymap",
            "Print the keys of the screen, by the ids that keymap.toml knows them by.",
        ),
        "completion": ("evalbox.cli.completion", "Print the script that makes a shell complete."),
    },
}

_HELP = """Untrusted programs, one command away, in gVisor sandboxes, from a durable queue.

\b
  evalbox run hello.py            run a script and watch it
  evalbox run --memory 1g -- ls   run a command
  evalbox ls                      what has been run, and how it ended
"""


_COMPLETE = "_EVALBOX_COMPLETE"


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"evalbox {__version__}")
        context.exit()


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    name="evalbox",
    help=_HELP,
    invoke_without_command=True,
    params=[
        click.Option(
            ["--serve"],
            is_flag=True,
            help="Serve the box until SIGTERM or Ctrl-C, headless.",
        ),
        *serve_flags(),
        *screen_flags(),
        *program_flags(hidden=False),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version and exit.",
        ),
    ],
)
@click.pass_context
def cli(
    context: click.Context,
    /,
    serve: bool,
    ascii: bool,  # noqa: A002 - as the flag
    no_mouse: bool,
    read_only: bool,
    **of_service: Any,
) -> int | None:
    given = {name: value for name, value in of_service.items() if value is not None}
    if given and not serve:
        name = next(iter(given)).replace("_", "-")
        raise click.UsageError(f"--{name} goes with --serve")
    if context.invoked_subcommand is not None:
        if serve:
            raise click.UsageError("--serve stands alone, without a command")
        return None
    if serve:
        from evalbox.cli.serve import serve_until_stopped

        session = context.ensure_object(Session)
        session.overrides |= given
        return serve_until_stopped(session)
    from evalbox.service.terminal import Terminal

    if Terminal.of_this_process() is not None:
        from evalbox.cli.tui import show_screen
        from evalbox.tui.environment import Options

        session = context.ensure_object(Session)
        return show_screen(session, Options(ascii=ascii, mouse=not no_mouse, read_only=read_only))
    if ascii or no_mouse or read_only:
        raise click.UsageError("The screen needs a terminal for its input and output.")
    click.echo(context.get_help())
    return None


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the program."""
    _open_closed_streams()
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "evalbox", _COMPLETE, instruction))
    code = invoke(sys.argv[1:] if arguments is None else arguments, Session())
    sys.exit(_flush(code))


def _open_closed_streams() -> None:
    """A caller may have closed them; then Python has none, and files would get their numbers."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))


def invoke(arguments: Sequence[str], session: Session) -> int:
    """Runs one command line; returns its exit status. Only ``EVALBOX_DEBUG=1`` lets a traceback
    be seen.
    """
    try:
        return _invoke(arguments, session)
    except click.exceptions.Exit as end:
        return end.exit_code
    except BaseException as error:
        if isinstance(error, SystemExit) or os.environ.get("EVALBOX_DEBUG") == "1":
            raise
        return _end(_innermost(error), session)


def _invoke(arguments: Sequence[str], session: Session) -> int:
    with cli.make_context("evalbox", list(arguments), obj=session) as context:
        return cli.invoke(context) or 0


def _end(error: BaseException, session: Session) -> int:
    """Says on standard error why the command ended; returns its exit status."""
    from asyncio import CancelledError

    from evalbox.cli import status

    match error:
        case click.exceptions.Abort() | KeyboardInterrupt() | CancelledError():
            return status.INTERRUPTED
        case click.ClickException():
            session.console.error(EvalboxError(error.format_message(), hint=_usage_hint(error)))
            return status.USAGE
        case EvalboxError():
            session.console.error(error)
            return status.of_error(error)
        case BrokenPipeError():
            return status.BROKEN_PIPE
        case OSError():
            return _end_of_system_error(error, session)
        case _:
            return _end_unexpected(error, session.console)


def _end_of_system_error(error: OSError, session: Session) -> int:
    where = f"{error.filename}: " if error.filename else ""
    session.console.error(EvalboxError(f"{where}{(error.strerror or str(error)).lower()}"))
    return 74


def _end_unexpected(error: BaseException, console: Console) -> int:
    import tempfile
    import time
    import traceback

    from evalbox.cli import status

    text = "".join(traceback.format_exception(error))
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"evalbox-{stamp}-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"evalbox {__version__}\n{text}")
        hint = f"this is a mistake in evalbox; what is known of it is in {name}"
    except OSError:
        hint = "this is a mistake in evalbox; EVALBOX_DEBUG=1 shows more"
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    console.error(EvalboxError(f"unexpected: {reason}", hint=hint))
    return status.INTERNAL


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "evalbox"
    return f"{path} --help"


def _innermost(error: BaseException) -> BaseException:
    """The one error of a group that holds no other."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _flush(code: int) -> int:
    """What is still to be written may fail too: a pipe without a reader, a full disk."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            # Python would try again at exit, and complain.
            os.dup2(os.open(Path(os.devnull), os.O_WRONLY), stream.fileno())
            if code == 0:
                code = 141 if isinstance(error, BrokenPipeError) else 74
    return code
