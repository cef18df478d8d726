"""The audit log: each entry carries the hash of the one before it.

So what was changed, taken out, put in or moved shows, as long as the newest hash is known from
elsewhere; and without that, unless everything after the change was written anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: What the first entry follows.
GENESIS = "0" * 64
OK = "ok"
#: The action that takes the oldest entries out.
PRUNE = "audit.prune"

_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
).encode


def canonical(value: Any) -> str:
    """The one JSON text of a value, in plain ASCII."""
    return _encode(value)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, and how it went. ``at`` is seconds since 1970.

    ``action`` is ``noun.verb``; ``result`` is ``ok`` or the code of the error; ``source`` is where
    the actor came in: ``local``, ``socket`` or an address. ``detail`` holds no secrets.
    """

    seq: int
    at: float
    actor: str
    source: str
    action: str
    target: str
    result: str
    request_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    previous: str = GENESIS
    hash: str = ""


def entry_hash(entry: AuditEntry) -> str:
    """The hash that an entry must carry: over the one before it and all that the entry says."""
    content = canonical(
        {
            "seq": entry.seq,
            "at": entry.at,
            "actor": entry.actor,
            "source": entry.source,
            "action": entry.action,
            "target": entry.target,
            "result": entry.result,
            "request_id": entry.request_id,
            "detail": dict(entry.detail),
        }
    )
    return hashlib.sha256(f"{entry.previous}\n{content}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was taken out of the log: ``removed`` entries, so that those up to ``through`` are gone.

    ``head`` is the hash of the last that is gone: what is left follows it.
    """

    removed: int
    through: int
    head: str


#: Nothing was ever taken out.
UNPRUNED = Pruned(0, 0, GENESIS)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a look through the whole log found.

    ``entries`` were sound, the last with the hash ``head``. ``broken_at`` is the seq of the first
    that is not, and ``problem`` says why; None and empty where all is well. The entries up to
    ``pruned`` were taken out, as an entry tells.
    """

    entries: int
    head: str
    broken_at: int | None = None
    problem: str = ""
    pruned: int = 0

    @property
    def sound(self) -> bool:
        return self.broken_at is None


class Chain:
    """Follows the log from its first entry on. ``expect`` is a hash that must be in it.

    ``base`` is the last pruning that the log itself tells of: its first entry must follow that.
    The entry that tells of it is in the chain as all are, so it cannot be made up later.
    """

    def __init__(self, expect: str | None = None, base: Pruned = UNPRUNED) -> None:
        self._base = base.through
        self._seq = base.through
        self._head = base.head
        self._expect = expect
        self._seen = expect in (None, GENESIS, base.head)
        self._report: AuditReport | None = None

    @property
    def broken(self) -> bool:
        return self._report is not None

    def follow(self, entries: Iterable[AuditEntry]) -> None:
        """Takes in the next entries, in order, up to the first that is not sound."""
        for entry in entries:
            if self._report is not None:
                return
            problem = self._problem(entry)
            if problem:
                self.fail(self._seq + 1, problem)
                return
            self._seq, self._head = entry.seq, entry.hash
            self._seen = self._seen or entry.hash == self._expect

    def fail(self, seq: int, problem: str) -> None:
        """The entry ``seq`` is not sound, for a reason found elsewhere."""
        self._report = AuditReport(self._sound, self._head, seq, problem, self._base)

    def report(self, given: int) -> AuditReport:
        """The result; ``given`` is the newest seq that the log ever gave out."""
        if self._report is None and given != self._seq:
            self.fail(self._seq + 1, f"entries up to {given} were written, and are not there")
        if self._report is None and not self._seen:
            lost = "the expected hash is not in the log: it was cut short, or written anew"
            pruned = f", or is among the {self._base} that were pruned" if self._base else ""
            self.fail(self._seq + 1, lost + pruned)
        return self._report or AuditReport(self._sound, self._head, pruned=self._base)

    @property
    def _sound(self) -> int:
        return self._seq - self._base

    def _problem(self, entry: AuditEntry) -> str:
        if entry.seq != self._seq + 1:
            return f"entry {self._seq + 1} is missing: {entry.seq} comes next"
        if entry.previous != self._head:
            return "it does not follow the entry before it"
        try:
            sound = entry_hash(entry) == entry.hash
        except ValueError:
            sound = False
        return "" if sound else "its content was changed"
