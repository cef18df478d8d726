"""``evalbox run`` and ``evalbox submit``."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evalbox.cli import render, status
from evalbox.cli.command import pass_session
from evalbox.cli.console import Console
from evalbox.cli.interrupt import on_interrupt
from evalbox.cli.program import BEHIND, WHAT, ProgramCommand, evaluation_options
from evalbox.cli.session import Session
from evalbox.cli.watch import Watch, conclude
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.inert import inert_line
from evalbox.domain.quantity import format_duration, format_size
from evalbox.export.artifacts import Copied, copy_all
from evalbox.requests.prepared import Asked
from evalbox.requests.request import Defaults, Request
from evalbox.service.box import Box
from evalbox.service.cancelling import cancel_unfinished
from evalbox.wire import document

_DEFAULT_PLACE = Path("evalbox-artifacts")


@click.command(
    "run",
    cls=ProgramCommand,
    help=f"Run a script or a command in a fresh sandbox, and watch it.\n{WHAT.format('run')}",
    epilog=status.HELP,
)
@evaluation_options
@click.option(
    "--artifacts-dir", metavar="DIR", type=click.Path(),
    help="Where artifacts are copied to.  [default: evalbox-artifacts/ID]",
)  # fmt: skip
@click.option("--detach", "-d", is_flag=True, help="Do not wait: the same as submit.")
@click.option("--raw", is_flag=True, help="Let the terminal obey the program's output.")
@pass_session
def run_command(
    session: Session,
    *,
    artifacts_dir: str | None,
    detach: bool,
    raw: bool,
    as_json: bool,
    **given: Any,
) -> int | None:
    session.raw = raw
    prepared = _prepare(session, given)
    if detach:
        asyncio.run(_submit(session, prepared, as_json=as_json))
        return None
    # What a family leaves for evalbox is copied only for who asks for it.
    place = _DEFAULT_PLACE if given["artifact"] else None
    if artifacts_dir is not None:
        place = Path(artifacts_dir)
    return asyncio.run(_run(session, prepared, place, as_json=as_json))


@click.command(
    "submit",
    cls=ProgramCommand,
    help=f"Queue a script or a command without waiting; prints the id.\n{WHAT.format('submit')}",
)
@evaluation_options
@pass_session
def submit_command(session: Session, as_json: bool, **given: Any) -> None:
    """Reads all input before there is a loop: Ctrl-C ends a read from a terminal."""
    asyncio.run(_submit(session, _prepare(session, given), as_json=as_json))


def _prepare(session: Session, given: dict[str, Any]) -> Asked:
    context = click.get_current_context()
    request = Request(command=context.meta.get(BEHIND, ()), **given)
    if request.path is None and not request.command:
        raise click.UsageError("Name a script, or a command behind --.", context)
    prepared = request.prepare(defaults(session.settings), now=time.time(), read_input=_read_input)
    if prepared.spec.engine == "process":
        session.console.warn(
            "--engine process confines nothing: the program runs as you, on this machine"
        )
    return prepared


def _read_input(most: int) -> bytes:
    return sys.stdin.buffer.read(most)


def defaults(settings: Settings) -> Defaults:
    """A box elsewhere has its own."""
    return Defaults() if settings.url else Defaults(settings.engine, settings.image)


async def _run(session: Session, prepared: Asked, place: Path | None, *, as_json: bool) -> int:
    async with session.box(work=True) as box:
        # Who waits in front of a terminal is told at once that no engine answers.
        await box.require_engine(prepared.spec.engine)
        specs = await prepared.specs(box, session.console.build)
        submitted: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

        async def cancel() -> None:
            ids = await submitted
            session.console.note("cancelling (again to leave at once)")
            await cancel_unfinished(box, ids)

        async with on_interrupt(cancel):
            evaluations = await box.submit(specs)
            submitted.set_result([item.id for item in evaluations])
            if len(evaluations) > 1:
                return await _run_many(session, box, evaluations, place, as_json=as_json)
            return await _run_one(session, box, evaluations[0], place, as_json=as_json)


async def _submit(session: Session, prepared: Asked, *, as_json: bool) -> None:
    async with session.box() as box:
        specs = await prepared.specs(box, session.console.build)
        evaluations = await box.submit(specs)
        working = (await box.queue()).working
    if as_json:
        documents = [document.evaluation(item) for item in evaluations]
        session.console.json(documents if len(documents) > 1 else documents[0])
    else:
        for item in evaluations:
            session.console.data(item.id)
    if not working:
        session.console.note(
            "queued; no process runs the queue: start one with evalbox --serve, or evalbox wait ID"
        )


async def _run_one(
    session: Session, box: Box, evaluation: Evaluation, place: Path | None, *, as_json: bool
) -> int:
    console = session.console
    console.note(f"submitted {evaluation.short_id} ({inert_line(evaluation.spec.name)})")
    watch = Watch(box, console, evaluation.id, keep=as_json)
    ended, attempts = await watch.to_the_end()
    if place is _DEFAULT_PLACE:
        place /= ended.short_id
    copied = await _copy(box, ended, place)
    if as_json:
        result = document.full(ended, attempts)
        result |= document.output(bytes(watch.kept[1]), "stdout")
        result |= document.output(bytes(watch.kept[2]), "stderr")
        result["artifacts_dir"] = str(copied.directory) if copied and copied.files else None
        console.json(result)
    _tell_copied(session, copied)
    conclude(console, ended, attempts)
    return status.of_evaluation(ended)


async def _run_many(
    session: Session,
    box: Box,
    evaluations: Sequence[Evaluation],
    place: Path | None,
    *,
    as_json: bool,
) -> int:
    console = session.console
    console.note(f"submitted {len(evaluations)} evaluations")
    ended: list[Evaluation] = []
    began = time.monotonic()
    for item in evaluations:
        console.status(f"{len(ended)} of {len(evaluations)} have ended")
        final = await box.wait(item.id)
        ended.append(final)
        await _copy(box, final, place and place / final.short_id)
        if not as_json:
            console.data(_line(console, final))
    if as_json:
        console.json([document.evaluation(item) for item in ended])
    if place is not None and evaluations[0].spec.artifacts:
        console.note(f"artifacts are in {place}/")
    console.note(_summary(ended, time.monotonic() - began))
    return status.worst(ended)


def _line(console: Console, item: Evaluation) -> str:
    code = "-" if item.exit_code is None else str(item.exit_code)
    shown = render.outcome(console, item.outcome)
    line = f"{item.short_id}  {shown}  exit {code}  {render.elapsed(item, time.time())}"
    return line if item.score is None else f"{line}  score {render.score(console, item.score)}"


def _summary(ended: Sequence[Evaluation], seconds: float) -> str:
    counts: dict[str, int] = {}
    for item in ended:
        key = str(item.outcome or item.state)
        counts[key] = counts.get(key, 0) + 1
    listed = ", ".join(f"{count} {key}" for key, count in sorted(counts.items()))
    return f"{len(ended)} evaluations in {format_duration(seconds)}: {listed}"


async def _copy(box: Box, evaluation: Evaluation, place: Path | None) -> Copied | None:
    if place is None or not evaluation.spec.artifacts or not evaluation.attempts:
        return None
    return await copy_all(box, evaluation.id, place)


def _tell_copied(session: Session, copied: Copied | None) -> None:
    if copied is None:
        return
    for record in copied.skipped:
        session.console.warn(f"artifact {inert_line(record.path)} was not kept: {record.reason}")
    if copied.files:
        count = f"{len(copied.files)} artifact{'s' if len(copied.files) > 1 else ''}"
        session.console.note(f"{count}, {format_size(copied.size)}, in {copied.directory}/")
    else:
        session.console.warn("nothing was found at the paths given with --artifact")
