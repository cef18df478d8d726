"""``evalbox show`` and ``explain``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

import click

from evalbox.cli import render
from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.events import event_line
from evalbox.cli.options import id_argument, json_option
from evalbox.cli.reports import report_pairs
from evalbox.cli.session import Session
from evalbox.domain.attempt import Attempt
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.inert import inert_line
from evalbox.domain.moments import local
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.report import TaskReport
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import FINAL
from evalbox.service.box import Box
from evalbox.tasks.registry import judge_of
from evalbox.wire import document
from evalbox.wire.reports import report as report_document

_LABEL_WIDTH = 12


@click.command("show", cls=Command)
@id_argument()
@json_option
@with_session
async def show_command(session: Session, reference: str, as_json: bool) -> None:
    """Show all that is known of an evaluation."""
    async with session.box() as box:
        evaluation_id = await box.resolve(reference)
        item = await box.get(evaluation_id)
        attempts = list(await box.attempts(evaluation_id))
        artifacts = list(await box.artifacts(evaluation_id)) if item.attempts else []
        explained = await box.explain(evaluation_id)
        events = [event async for event in box.events(evaluation_id=evaluation_id)]
        reports = await _reports(box, item, attempts)
    console = session.console
    if as_json:
        result = document.full(item, attempts)
        for told, of in zip(result["attempts"], attempts, strict=True):
            found = reports.get(of.number)
            told["report"] = None if found is None else report_document(found)
        result["kept_artifacts"] = [document.artifact(record) for record in artifacts]
        result["explained"] = explained
        result["events"] = [document.event(event) for event in events]
        console.json(result)
        return
    console.data("\n".join(_lines(console, item, explained)))
    for attempt in attempts:
        report = reports.get(attempt.number)
        console.data("\n" + "\n".join(_attempt_lines(console, attempt, report)))
    if artifacts:
        console.data("\nartifacts")
        for record in artifacts:
            what = record.reason if record.kind != "file" else format_size(record.size)
            console.data(f"  {inert_line(record.path)}  {inert_line(what)}")
    console.data("\nevents")
    for event in events:
        console.data(f"  {event_line(event, short=False)}")


async def _reports(
    box: Box, item: Evaluation, attempts: Sequence[Attempt]
) -> dict[int, TaskReport]:
    """By the number of the attempt, of those that have one."""
    if judge_of(item.spec.kind) is None:
        return {}
    found = [(one.number, await box.report(item.id, attempt=one.number)) for one in attempts]
    return {number: report for number, report in found if report is not None}


@click.command("explain", cls=Command)
@id_argument()
@json_option
@with_session
async def explain_command(session: Session, reference: str, as_json: bool) -> None:
    """Say why an evaluation waits, or how it stands."""
    async with session.box() as box:
        evaluation_id = await box.resolve(reference)
        text = await box.explain(evaluation_id)
    if as_json:
        session.console.json({"id": evaluation_id, "explained": text})
    else:
        session.console.data(inert_line(text))


def _pairs(console: Console, item: Evaluation, explained: str) -> Iterator[tuple[str, str]]:
    yield from _standing_pairs(console, item, explained)
    yield from _asked_pairs(item.spec)
    yield "created", local(item.created_at)
    if item.not_before is not None and item.started_at is None:
        yield "not before", local(item.not_before)
    if item.started_at is not None:
        yield "started", local(item.started_at)
    if item.finished_at is not None:
        yield "finished", local(item.finished_at)


def _standing_pairs(
    console: Console, item: Evaluation, explained: str
) -> Iterator[tuple[str, str]]:
    yield "id", f"{item.short_id}  ({item.id})"
    yield "name", inert_line(item.spec.name)
    yield "state", render.state(console, item)
    if item.outcome is not None:
        why = f": {inert_line(item.reason)}" if item.reason else ""
        yield "outcome", render.outcome(console, item.outcome) + why
    if item.error:
        yield "error", inert_line(item.error)
    if item.score is not None:
        yield "score", render.scored(console, item.score)
    if item.state not in FINAL:
        yield "that is", inert_line(explained)
    if item.exit_code is not None:
        yield "exit", str(item.exit_code)


def _asked_pairs(spec: EvaluationSpec) -> Iterator[tuple[str, str]]:
    limits = spec.limits
    yield "command", inert_line(shlex.join(spec.command))
    yield "engine", f"{spec.engine}, image {inert_line(spec.image)}, network {spec.network}"
    yield "user", f"{inert_line(spec.user)} in {inert_line(spec.workdir)}"
    yield (
        "limits",
        (
            f"{limits.cpus:g} cpus, {format_size(limits.memory)} memory, "
            f"{format_duration(limits.timeout)}, {format_size(limits.disk)} disk, "
            f"{limits.pids} pids, {format_size(limits.output)} output"
        ),
    )
    if spec.env:
        yield "env", ", ".join(sorted(spec.env))
    for file in spec.inputs:
        yield "file", f"{inert_line(file.path)}  {format_size(file.size)}"
    if spec.stdin is not None:
        yield "stdin", format_size(spec.stdin.size)
    if spec.artifacts:
        yield "keeps", ", ".join(map(inert_line, spec.artifacts))
    if spec.score is not None:
        yield "score from", inert_line(spec.score)
    yield "priority", spec.priority.name.lower()
    yield "retries", f"{spec.retry.retries}, and {spec.retry.infra_retries} for infra errors"
    if spec.batch is not None:
        yield "batch", inert_line(spec.batch)
    for key, value in sorted(spec.labels.items()):
        yield "label", inert_line(f"{key}={value}")


def _attempt_pairs(console: Console, attempt: Attempt) -> Iterator[tuple[str, str]]:
    verdict, usage = attempt.verdict, attempt.usage
    if verdict is not None:
        code = "" if verdict.exit_code is None else f", exit {verdict.exit_code}"
        why = f": {inert_line(verdict.reason)}" if verdict.reason else ""
        yield "outcome", render.outcome(console, verdict.outcome) + code + why
        if verdict.error:
            yield "error", inert_line(verdict.error)
        if verdict.score is not None:
            yield from _score_pairs(console, verdict.score)
    start = attempt.started_at or attempt.claimed_at
    yield "started", local(start)
    if attempt.finished_at is not None:
        yield "took", format_duration(max(0.0, attempt.finished_at - start))
    if attempt.first_output_at is not None:
        yield "first output", f"after {format_duration(max(0.0, attempt.first_output_at - start))}"
    yield (
        "used",
        (
            f"{usage.cpu_seconds:.2f} s CPU, {format_size(usage.memory_peak)} memory at the peak, "
            f"{format_size(usage.disk)} disk"
        ),
    )
    cut = " (cut)" if attempt.truncated else ""
    yield "output", format_size(attempt.output_bytes) + cut
    if attempt.sandbox_id is not None:
        warm = {True: ", warm", False: ", cold", None: ""}[attempt.warm]
        yield "sandbox", f"{attempt.sandbox_id[:12]} ({attempt.engine}{warm})"
    if attempt.image_digest is not None:
        yield "image", attempt.image_digest


def _score_pairs(console: Console, score: Score) -> Iterator[tuple[str, str]]:
    yield "score", render.scored(console, score)
    if score.by and score.at is not None:
        yield "given by", f"{inert_line(score.by)}, {local(score.at)}"
    if score.kind is ScoreKind.INVALID and score.raw:
        yield "that was", render.cell(score.raw)
    for check in score.checks:
        parts = [render.cell(check.name)]
        if check.passed is not None:
            style = "green" if check.passed else "red"
            parts.append(console.style("passed" if check.passed else "failed", style))
        if check.value is not None:
            parts.append(f"{check.value:g}")
        if check.detail:
            parts.append(inert_line(check.detail))
        yield "check", "  ".join(parts)


def _lines(console: Console, item: Evaluation, explained: str) -> Sequence[str]:
    return [f"{key:<{_LABEL_WIDTH}}  {text}" for key, text in _pairs(console, item, explained)]


def _attempt_lines(console: Console, attempt: Attempt, report: TaskReport | None) -> Sequence[str]:
    pairs = [*_attempt_pairs(console, attempt), *(report_pairs(console, report) if report else ())]
    return [
        f"attempt {attempt.number}",
        *(f"  {key:<{_LABEL_WIDTH}}  {text}" for key, text in pairs),
    ]
