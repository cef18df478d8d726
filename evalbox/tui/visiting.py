"""A shell beside a job, on the terminal that else shows the screen."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import App, SuspendNotSupported

from evalbox.domain.ids import short
from evalbox.domain.inert import inert_line
from evalbox.domain.sandbox import ExecSpec
from evalbox.errors import EvalboxError, InvalidInput
from evalbox.service.box import Box
from evalbox.service.interactive import interact, shell_spec, to_descriptor
from evalbox.service.sandbox_box import SandboxExec
from evalbox.service.terminal import STDOUT, Terminal

_CLEAR = "\x1b[H\x1b[2J"


async def visit(
    app: App[object],
    box: Box,
    evaluation_id: str,
    name: str,
    shell: Callable[[Terminal], ExecSpec] = shell_spec,
) -> str:
    """Opens a shell in its sandbox, and gives in words how that ended.

    Meanwhile nothing else is drawn, while the box goes on. Raises ``InvalidInput`` where there is
    no terminal for it, and what ``Box.shell`` raises.
    """
    terminal = Terminal.of_this_process()
    if terminal is None:
        raise InvalidInput("a shell needs a terminal", hint="evalbox shell ID, on one")
    running = await box.shell(evaluation_id, shell(terminal))
    try:
        return await _instead_of(
            app, running, terminal, f"{inert_line(name)} {short(evaluation_id)}"
        )
    finally:
        await running.close()


async def _instead_of(
    app: App[object], running: SandboxExec, terminal: Terminal, where: str
) -> str:
    told = ""
    try:
        # Suspended, the screen still draws what its loop brings; in a batch it does not.
        with app.batch_update(), app.suspend():
            hello = f"{_CLEAR}A shell beside {where}. It ends with: exit\r\n"
            to_descriptor(STDOUT, hello.encode(errors="replace"))
            # What is raised in here would leave the screen suspended.
            try:
                end = await interact(running, terminal)
                told = "killed: its time was up" if end.timed_out else f"exit {end.exit_code}"
            except EvalboxError as error:
                told = error.message
            except OSError as error:
                told = (error.strerror or str(error)).lower()
    except SuspendNotSupported:
        raise InvalidInput("this terminal cannot be lent to a shell") from None
    app.refresh()
    return f"shell beside {where}: {told}"
