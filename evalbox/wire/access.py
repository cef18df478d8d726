"""API keys and the audit log as JSON documents, and back."""

from __future__ import annotations

from typing import Any

# Pydantic needs this one before Python 3.12.
from typing_extensions import TypedDict

from evalbox.domain.access import ApiKey, Scope
from evalbox.domain.audit import AuditEntry, AuditReport, Pruned
from evalbox.wire.moments import iso, iso_or_none, seconds, seconds_or_none

#: How many entries of the audit log one page holds at most.
MOST_ENTRIES = 1000


class KeyDocument(TypedDict):
    """An API key without its token. ``last_used_at`` is kept to the minute."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    signing: bool


class NewKeyDocument(KeyDocument):
    """``token`` is told this once."""

    token: str


class AuditEntryDocument(TypedDict):
    """``at`` is exact: it is in the hash. ``time`` is the same for people."""

    seq: int
    at: float
    time: str
    actor: str
    source: str
    action: str
    target: str
    result: str
    request_id: str | None
    detail: dict[str, Any]
    previous: str
    hash: str


class AuditReportDocument(TypedDict):
    """``entries`` were sound, the last with the hash ``head``; ``broken_at`` is the next.

    Those up to ``pruned`` were taken out, as an entry tells.
    """

    sound: bool
    entries: int
    head: str
    broken_at: int | None
    problem: str
    pruned: int


class PrunedDocument(TypedDict):
    """``removed`` entries are gone, up to ``through``, which had the hash ``head``."""

    removed: int
    through: int
    head: str


def key(item: ApiKey) -> KeyDocument:
    return {
        "id": item.id,
        "name": item.name,
        "scopes": [scope for scope in Scope if scope in item.scopes],
        "created_at": iso(item.created_at),
        "expires_at": iso_or_none(item.expires_at),
        "revoked_at": iso_or_none(item.revoked_at),
        "last_used_at": iso_or_none(item.last_used_at),
        "signing": item.signing,
    }


def new_key(item: ApiKey, token: str) -> NewKeyDocument:
    return {**key(item), "token": token}


def key_from(document: KeyDocument) -> ApiKey:
    return ApiKey(
        id=document["id"],
        name=document["name"],
        scopes=frozenset(Scope(text) for text in document["scopes"]),
        created_at=seconds(document["created_at"]),
        expires_at=seconds_or_none(document["expires_at"]),
        revoked_at=seconds_or_none(document["revoked_at"]),
        last_used_at=seconds_or_none(document["last_used_at"]),
        signing=document["signing"],
    )


def entry(item: AuditEntry) -> AuditEntryDocument:
    return {
        "seq": item.seq,
        "at": item.at,
        "time": iso(item.at),
        "actor": item.actor,
        "source": item.source,
        "action": item.action,
        "target": item.target,
        "result": item.result,
        "request_id": item.request_id,
        "detail": dict(item.detail),
        "previous": item.previous,
        "hash": item.hash,
    }


def entry_from(document: AuditEntryDocument) -> AuditEntry:
    return AuditEntry(
        seq=document["seq"],
        at=document["at"],
        actor=document["actor"],
        source=document["source"],
        action=document["action"],
        target=document["target"],
        result=document["result"],
        request_id=document["request_id"],
        detail=document["detail"],
        previous=document["previous"],
        hash=document["hash"],
    )


def report(item: AuditReport) -> AuditReportDocument:
    return {
        "sound": item.sound,
        "entries": item.entries,
        "head": item.head,
        "broken_at": item.broken_at,
        "problem": item.problem,
        "pruned": item.pruned,
    }


def report_from(document: AuditReportDocument) -> AuditReport:
    return AuditReport(
        document["entries"],
        document["head"],
        document["broken_at"],
        document["problem"],
        # A box of an earlier release has none.
        document.get("pruned", 0),
    )


def pruned(item: Pruned) -> PrunedDocument:
    return {"removed": item.removed, "through": item.through, "head": item.head}


def pruned_from(document: PrunedDocument) -> Pruned:
    return Pruned(**document)
