"""Sandboxes, and what is done in them, as JSON documents, and back."""

from __future__ import annotations

import base64
import codecs
from typing import Any, Literal

# Pydantic needs this one before Python 3.12.
from typing_extensions import TypedDict

from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import Network
from evalbox.domain.limits import Limits
from evalbox.domain.sandbox import (
    BoxSandbox,
    Entry,
    EntryKind,
    ExecEnd,
    ExecReport,
    ExecSpec,
    SandboxEnd,
    SandboxSpec,
    SandboxState,
)
from evalbox.wire.moments import iso, iso_or_none, seconds, seconds_or_none

STREAMS = {1: "stdout", 2: "stderr"}
_UTF8: Literal["utf-8"] = "utf-8"
_BASE64: Literal["base64"] = "base64"
Encoding = Literal["utf-8", "base64"]


class SandboxLimitsDocument(TypedDict):
    """``cpus`` in cores, ``pids`` a count, all else in bytes."""

    cpus: float
    memory: int
    disk: int
    pids: int


class SandboxDocument(TypedDict):
    """A sandbox. Of ``env`` only the names are told: values may be secrets.

    ``expires_at`` is when it is removed if nothing uses it until then. ``end`` and ``reason`` say
    why it has ended.
    """

    id: str
    short_id: str
    name: str
    state: SandboxState
    engine: str
    image: str
    user: str
    workdir: str
    network: Network
    limits: SandboxLimitsDocument
    env: list[str]
    labels: dict[str, str]
    lifetime: float
    idle_timeout: float | None
    created_at: str
    last_used_at: str
    deadline: str
    expires_at: str
    ended_at: str | None
    end: SandboxEnd | None
    reason: str


class ExecEndDocument(TypedDict):
    """``exit_code`` is 128 + N where signal N ended it; ``duration`` in seconds."""

    exit_code: int
    timed_out: bool
    duration: float


class ExecDocument(ExecEndDocument):
    """What came of a program. A stream is text where it is UTF-8, else base64.

    Of a stream that is truncated, the beginning is kept.
    """

    stdout: str
    stdout_encoding: Encoding
    stdout_truncated: bool
    stderr: str
    stderr_encoding: Encoding
    stderr_truncated: bool


class EntryDocument(TypedDict):
    """One name in a directory. ``mode`` is octal; bytes that are not UTF-8 are shown as U+FFFD."""

    name: str
    kind: EntryKind
    size: int
    mode: str
    modified: str


def sandbox(one: BoxSandbox) -> SandboxDocument:
    spec = one.spec
    return {
        "id": one.id,
        "short_id": one.short_id,
        "name": spec.name,
        "state": one.state,
        "engine": spec.engine,
        "image": spec.image,
        "user": spec.user,
        "workdir": spec.workdir,
        "network": spec.network,
        "limits": _limits(spec.limits),
        "env": sorted(spec.env),
        "labels": dict(spec.labels),
        "lifetime": spec.lifetime,
        "idle_timeout": spec.idle_timeout,
        "created_at": iso(one.created_at),
        "last_used_at": iso(one.last_used_at),
        "deadline": iso(one.deadline),
        "expires_at": iso(one.expires_at()),
        "ended_at": iso_or_none(one.ended_at),
        "end": one.end,
        "reason": one.reason,
    }


def sandbox_from(document: SandboxDocument) -> BoxSandbox:
    spec = SandboxSpec(
        name=document["name"],
        engine=document["engine"],
        image=document["image"],
        user=document["user"],
        workdir=document["workdir"],
        network=Network(document["network"]),
        limits=Limits(**document["limits"]),
        env=Withheld(document["env"]),
        labels=document["labels"],
        lifetime=document["lifetime"],
        idle_timeout=document["idle_timeout"],
    )
    return BoxSandbox(
        id=document["id"],
        spec=spec,
        state=SandboxState(document["state"]),
        created_at=seconds(document["created_at"]),
        deadline=seconds(document["deadline"]),
        last_used_at=seconds(document["last_used_at"]),
        ended_at=seconds_or_none(document["ended_at"]),
        end=None if document["end"] is None else SandboxEnd(document["end"]),
        reason=document["reason"],
    )


def specification(spec: SandboxSpec) -> dict[str, Any]:
    """The body that makes a box create it; what is empty is left to the box."""
    return {
        "name": spec.name or None,
        "engine": spec.engine or None,
        "image": spec.image or None,
        "user": spec.user,
        "workdir": spec.workdir,
        "network": spec.network,
        "limits": _limits(spec.limits),
        "env": dict(spec.env),
        "labels": dict(spec.labels),
        "lifetime": spec.lifetime,
        "idle_timeout": spec.idle_timeout,
    }


def program(spec: ExecSpec) -> dict[str, Any]:
    """What both ways of running a program take of it."""
    return {
        "command": list(spec.command),
        "workdir": spec.workdir or None,
        "env": dict(spec.env),
        "user": spec.user,
        "timeout": spec.timeout,
    }


def exec_end(end: ExecEnd) -> ExecEndDocument:
    return {"exit_code": end.exit_code, "timed_out": end.timed_out, "duration": end.duration}


def exec_end_from(document: ExecEndDocument) -> ExecEnd:
    return ExecEnd(document["exit_code"], document["timed_out"], document["duration"])


def exec_report(report: ExecReport) -> ExecDocument:
    stdout, stdout_encoding = _text(report.stdout, report.stdout_truncated)
    stderr, stderr_encoding = _text(report.stderr, report.stderr_truncated)
    return {
        **exec_end(report.end),
        "stdout": stdout,
        "stdout_encoding": stdout_encoding,
        "stdout_truncated": report.stdout_truncated,
        "stderr": stderr,
        "stderr_encoding": stderr_encoding,
        "stderr_truncated": report.stderr_truncated,
    }


def exec_report_from(document: ExecDocument) -> ExecReport:
    return ExecReport(
        end=exec_end_from(document),
        stdout=_bytes(document["stdout"], document["stdout_encoding"]),
        stderr=_bytes(document["stderr"], document["stderr_encoding"]),
        stdout_truncated=document["stdout_truncated"],
        stderr_truncated=document["stderr_truncated"],
    )


def entry(one: Entry) -> EntryDocument:
    return {
        "name": one.name.encode(errors="surrogateescape").decode(errors="replace"),
        "kind": one.kind,
        "size": one.size,
        "mode": f"{one.mode:04o}",
        "modified": iso(one.modified),
    }


def entry_from(document: EntryDocument) -> Entry:
    return Entry(
        name=document["name"],
        kind=EntryKind(document["kind"]),
        size=document["size"],
        mode=int(document["mode"], 8),
        modified=seconds(document["modified"]),
    )


def _limits(limits: Limits) -> SandboxLimitsDocument:
    return {
        "cpus": limits.cpus,
        "memory": limits.memory,
        "disk": limits.disk,
        "pids": limits.pids,
    }


def _text(data: bytes, truncated: bool) -> tuple[str, Encoding]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        # What was cut off in the middle of a character is cut off before it.
        return decoder.decode(data, final=not truncated), _UTF8
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), _BASE64


def _bytes(text: str, encoding: Encoding) -> bytes:
    return base64.b64decode(text) if encoding == _BASE64 else text.encode()
