"""Values of environments: sealed beside the specifications, opened for the attempt alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from evalbox.domain.evaluation import Evaluation
from evalbox.store.access import Access
from evalbox.store.sqlite import Connection, Error
from evalbox.store.vault import Vault

_PAGE = 500


class Environments(Access):
    async def environment(self, evaluation: Evaluation) -> Mapping[str, str]:
        """The variables with their values. Raises ``StoreError`` where they cannot be opened."""
        if not evaluation.spec.env:
            return {}
        return await self._read(lambda conn: open_environment(conn, self.vault, evaluation.id))


def seal_environment(
    conn: Connection, vault: Vault, evaluation_id: str, env: Mapping[str, str]
) -> None:
    sealed = vault.seal(json.dumps(dict(env)).encode(), _context(evaluation_id))
    conn.execute("INSERT OR REPLACE INTO environments VALUES (?, ?)", (evaluation_id, sealed))


def open_environment(conn: Connection, vault: Vault, evaluation_id: str) -> dict[str, str]:
    row = conn.execute(
        "SELECT sealed FROM environments WHERE evaluation_id = ?", (evaluation_id,)
    ).fetchone()
    if row is None:
        return {}
    found: dict[str, str] = json.loads(vault.open(bytes(row[0]), _context(evaluation_id)))
    return found


def seal_what_is_clear(conn: Connection, vault: Vault) -> None:
    """Seals what an evalbox before schema 2 left in specifications, and wipes the clear text.

    Costs a look where there is nothing to do. Cut off in the middle, it goes on the next time.
    """
    if not conn.execute("SELECT 1 FROM meta WHERE key = 'unsealed'").fetchone():
        return
    last: str | None = ""
    while last is not None:
        conn.execute("BEGIN IMMEDIATE")
        try:
            last = _seal_page(conn, vault, last)
            conn.execute("COMMIT")
        except BaseException:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise
    # Freed pages, and the log, still hold what stood in them. Where there is no room to write the
    # database anew, the next opening tries again.
    with suppress(Error):
        conn.execute("VACUUM")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        conn.execute("DELETE FROM meta WHERE key = 'unsealed'")


def _seal_page(conn: Connection, vault: Vault, after: str) -> str | None:
    rows = conn.execute(
        "SELECT evaluation_id, body FROM specs WHERE evaluation_id > ?"
        " ORDER BY evaluation_id LIMIT ?",
        (after, _PAGE),
    ).fetchall()
    for evaluation_id, body in rows:
        document = json.loads(body)
        env = document["env"]
        if isinstance(env, dict):
            document["env"] = list(env)
            if env:
                seal_environment(conn, vault, evaluation_id, env)
            conn.execute(
                "UPDATE specs SET body = ? WHERE evaluation_id = ?",
                (json.dumps(document, separators=(",", ":")), evaluation_id),
            )
    return rows[-1][0] if rows else None


def _context(evaluation_id: str) -> str:
    return f"environment of {evaluation_id}"
