"""Sandboxes of the service: what they are, and until when they are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import Network
from evalbox.domain.ids import LENGTH, SHORT_LENGTH, is_reference
from evalbox.domain.limits import Limits
from evalbox.domain.sandbox import BoxSandbox, SandboxEnd, SandboxFilter, SandboxSpec, SandboxState
from evalbox.errors import AmbiguousId, Conflict, SandboxNotFound
from evalbox.store.access import Access
from evalbox.store.events import add_event
from evalbox.store.rows import Row
from evalbox.store.sqlite import Connection

_COLUMNS = """
    id, name, spec, state, created_at, deadline, last_used_at, engine_id, ended_at, "end", reason
"""
_CANDIDATES = 10
_HINT = "list them with: evalbox sandbox ls"
Found = list[BoxSandbox]


class Sandboxes(Access):
    async def add_sandbox(self, spec: SandboxSpec, now: float) -> BoxSandbox:
        """Records one that is about to be started. Raises ``Conflict`` where its name is taken."""
        made = BoxSandbox(
            id=self._ids.new(now),
            spec=replace(spec, env=Withheld(spec.env)),
            state=SandboxState.STARTING,
            created_at=now,
            deadline=now + spec.lifetime,
            last_used_at=now,
        )

        def work(conn: Connection) -> BoxSandbox:
            if (
                spec.name
                and conn.execute(
                    "SELECT 1 FROM sandboxes WHERE name = ? AND state != 'ended'", (spec.name,)
                ).fetchone()
            ):
                raise Conflict(
                    f"there is a sandbox named {spec.name!r} already",
                    hint="choose another name, or remove that one first",
                )
            sealed = None
            if spec.env:
                content = json.dumps(dict(spec.env)).encode()
                sealed = self.vault.seal(content, _context(made.id))
            conn.execute(
                "INSERT INTO sandboxes (id, name, spec, env, state, created_at, deadline,"
                " last_used_at) VALUES (?, ?, ?, ?, 'starting', ?, ?, ?)",
                (made.id, spec.name, _encoded(spec), sealed, now, made.deadline, now),
            )
            return made

        return await self._write(work)

    async def sandbox_started(self, sandbox_id: str, engine_id: str, now: float) -> BoxSandbox:
        """Records that it runs. Raises ``SandboxNotFound`` where it has been ended meanwhile."""

        def work(conn: Connection) -> BoxSandbox:
            changed = conn.execute(
                "UPDATE sandboxes SET state = 'running', engine_id = ?"
                " WHERE id = ? AND state = 'starting'",
                (engine_id, sandbox_id),
            ).rowcount
            if not changed:
                raise SandboxNotFound(f"sandbox {sandbox_id} has been removed")
            found = _load(conn, sandbox_id)
            _tell(conn, "sandbox.created", now, found, {"engine": found.spec.engine})
            return found

        return await self._write(work)

    async def sandbox_ended(
        self, sandbox_id: str, end: SandboxEnd, reason: str, now: float
    ) -> BoxSandbox:
        """Records its end, and forgets its secrets. The first end counts."""

        def work(conn: Connection) -> BoxSandbox:
            changed = conn.execute(
                "UPDATE sandboxes SET state = 'ended', ended_at = ?, \"end\" = ?, reason = ?,"
                " env = NULL WHERE id = ? AND state != 'ended'",
                (now, end, reason, sandbox_id),
            ).rowcount
            found = _load(conn, sandbox_id)
            if changed:
                _tell(conn, "sandbox.removed", now, found, {"end": end, "reason": reason})
            return found

        return await self._write(work)

    async def set_sandbox_deadline(
        self, sandbox_id: str, deadline: float, now: float
    ) -> BoxSandbox:
        """Raises ``SandboxNotFound`` where it has ended."""

        def work(conn: Connection) -> BoxSandbox:
            changed = conn.execute(
                "UPDATE sandboxes SET deadline = ?, last_used_at = max(last_used_at, ?)"
                " WHERE id = ? AND state != 'ended'",
                (deadline, now, sandbox_id),
            ).rowcount
            if not changed:
                raise SandboxNotFound(f"sandbox {sandbox_id} has ended", hint=_HINT)
            return _load(conn, sandbox_id)

        return await self._write(work)

    async def touch_sandboxes(self, used: Mapping[str, float]) -> None:
        """Records when sandboxes were last used."""
        rows = [(at, sandbox_id, at) for sandbox_id, at in used.items()]
        query = "UPDATE sandboxes SET last_used_at = ? WHERE id = ? AND last_used_at < ?"
        await self._write(lambda conn: conn.executemany(query, rows).rowcount)

    async def sandbox(self, reference: str) -> BoxSandbox:
        """By id, a beginning of it or of its short form, or the name of one that lives.

        Raises ``SandboxNotFound`` and ``AmbiguousId``.
        """
        return await self._read(lambda conn: _find(conn, reference))

    async def sandbox_environment(self, sandbox_id: str) -> Mapping[str, str]:
        """The variables with their values. Raises ``StoreError`` where they cannot be opened."""

        def work(conn: Connection) -> dict[str, str]:
            query = "SELECT env FROM sandboxes WHERE id = ?"
            row = conn.execute(query, (sandbox_id,)).fetchone()
            if row is None or row[0] is None:
                return {}
            found: dict[str, str] = json.loads(self.vault.open(bytes(row[0]), _context(sandbox_id)))
            return found

        return await self._read(work)

    async def sandboxes(
        self, query: SandboxFilter, *, limit: int = 100, after: str | None = None
    ) -> Found:
        """The newest first; ``after`` is the last id of the page before."""
        where, values = ["id < ?"] if after else [], [after] if after else []
        if not query.ended:
            where.append("state != 'ended'")
        for key, value in query.labels.items():
            where.append(
                "EXISTS (SELECT 1 FROM json_each(spec, '$.labels') AS label"
                " WHERE label.key = ? AND label.value = ?)"
            )
            values += [key, value]
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        text = f"SELECT {_COLUMNS} FROM sandboxes {condition} ORDER BY id DESC LIMIT ?"
        rows = await self._read(lambda conn: conn.execute(text, [*values, limit]).fetchall())
        return [_sandbox(row) for row in rows]

    async def forget_sandboxes(self, before: float) -> None:
        """Removes the records of those that ended before that time."""
        query = "DELETE FROM sandboxes WHERE state = 'ended' AND ended_at < ?"
        await self._write(lambda conn: conn.execute(query, (before,)).rowcount)


def _find(conn: Connection, reference: str) -> BoxSandbox:
    named = conn.execute(
        f"SELECT {_COLUMNS} FROM sandboxes WHERE name = ? AND state != 'ended'", (reference,)
    ).fetchone()
    if named is not None and reference:
        return _sandbox(named)
    text = reference.strip().lower()
    rows: list[Row] = []
    if is_reference(text):
        # A few at most live; those that have ended are only found by their whole id.
        rows = conn.execute(
            f"SELECT {_COLUMNS} FROM sandboxes WHERE id = :text OR (state != 'ended' AND ("
            " substr(id, 1, length(:text)) = :text"
            f" OR substr(id, {LENGTH - SHORT_LENGTH + 1}, length(:text)) = :text))"
            f" ORDER BY id LIMIT {_CANDIDATES}",
            {"text": text},
        ).fetchall()
    if not rows:
        rows = conn.execute(
            f"SELECT {_COLUMNS} FROM sandboxes WHERE state = 'ended'"
            f" AND substr(id, {LENGTH - SHORT_LENGTH + 1}) = ?",
            (text,),
        ).fetchall()
    if not rows:
        raise SandboxNotFound(f"no sandbox {reference[:80]!r}", hint=_HINT)
    if len(rows) > 1:
        raise AmbiguousId(
            f"several sandboxes begin with {reference!r}",
            candidates=tuple(row[0] for row in rows),
            hint="type more of the id",
        )
    return _sandbox(rows[0])


def _load(conn: Connection, sandbox_id: str) -> BoxSandbox:
    query = f"SELECT {_COLUMNS} FROM sandboxes WHERE id = ?"
    row = conn.execute(query, (sandbox_id,)).fetchone()
    if row is None:
        raise SandboxNotFound(f"no sandbox {sandbox_id}", hint=_HINT)
    return _sandbox(row)


def _tell(
    conn: Connection, kind: str, now: float, sandbox: BoxSandbox, data: Mapping[str, Any]
) -> None:
    add_event(conn, kind, now, data={"sandbox": sandbox.id, "name": sandbox.spec.name, **data})


def _encoded(spec: SandboxSpec) -> str:
    document = {
        "engine": spec.engine,
        "image": spec.image,
        "user": spec.user,
        "workdir": spec.workdir,
        "network": spec.network,
        "limits": asdict(spec.limits),
        "env": list(spec.env),
        "labels": dict(spec.labels),
        "lifetime": spec.lifetime,
        "idle_timeout": spec.idle_timeout,
    }
    return json.dumps(document, separators=(",", ":"))


def _sandbox(row: Row) -> BoxSandbox:
    document: dict[str, Any] = json.loads(row[2])
    spec = SandboxSpec(
        **document
        | {
            "name": row[1],
            "network": Network(document["network"]),
            "limits": Limits(**document["limits"]),
            "env": Withheld(document["env"]),
        }
    )
    return BoxSandbox(
        id=row[0],
        spec=spec,
        state=SandboxState(row[3]),
        created_at=row[4],
        deadline=row[5],
        last_used_at=row[6],
        engine_id=row[7],
        ended_at=row[8],
        end=None if row[9] is None else SandboxEnd(row[9]),
        reason=row[10],
    )


def _context(sandbox_id: str) -> str:
    return f"environment of sandbox {sandbox_id}"
