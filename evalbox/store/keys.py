"""API keys, of which only a digest is kept."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from evalbox.domain.access import ApiKey, Scope, Token
from evalbox.errors import Conflict, KeyNotFound
from evalbox.store.access import Access
from evalbox.store.rows import Row
from evalbox.store.sqlite import Connection

_COLUMNS = """
    id, name, scopes, created_at, expires_at, revoked_at, last_used_at, signing IS NOT NULL
"""
_NO_DIGEST = bytes(32)


class Keys(Access):
    async def add_key(self, key: ApiKey, token: Token, signing_secret: bytes | None) -> None:
        """Raises ``Conflict`` where a key in force has that name."""

        def work(conn: Connection) -> None:
            sealed = None
            if signing_secret is not None:
                sealed = self.vault.seal(signing_secret, _context(key.id))
            if conn.execute(
                "SELECT 1 FROM keys WHERE name = ? AND revoked_at IS NULL", (key.name,)
            ).fetchone():
                raise Conflict(
                    f"there is a key named {key.name!r} already",
                    hint="choose another name, or revoke that one first",
                )
            conn.execute(
                "INSERT INTO keys (id, name, scopes, created_at, expires_at, digest, signing)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    key.id,
                    key.name,
                    _joined(key.scopes),
                    key.created_at,
                    key.expires_at,
                    token.digest(),
                    sealed,
                ),
            )

        await self._write(work)

    async def keys(self) -> list[ApiKey]:
        """All keys, the newest first."""
        query = f"SELECT {_COLUMNS} FROM keys ORDER BY created_at DESC, id"
        rows = await self._read(lambda conn: conn.execute(query).fetchall())
        return [_key(row) for row in rows]

    async def find_key(self, token: Token) -> ApiKey | None:
        """The key of a token, whether in force or not; None where the token is no key's.

        An id that is not there costs what one that is there does.
        """
        query = f"SELECT digest, {_COLUMNS} FROM keys WHERE id = ?"
        row = await self._read(lambda conn: conn.execute(query, (token.key_id,)).fetchone())
        stored = bytes(row[0]) if row else _NO_DIGEST
        same = hmac.compare_digest(stored, token.digest())
        return _key(row[1:]) if row and same else None

    async def signing_key(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        """The key of this id with the secret that its requests are signed with.

        None where there is none, or where it does not sign. Raises ``StoreError``.
        """
        query = f"SELECT signing, {_COLUMNS} FROM keys WHERE id = ? AND signing IS NOT NULL"

        def work(conn: Connection) -> tuple[ApiKey, bytes] | None:
            row = conn.execute(query, (key_id,)).fetchone()
            if row is None:
                return None
            return _key(row[1:]), self.vault.open(bytes(row[0]), _context(key_id))

        return await self._read(work)

    async def revoke_key(self, reference: str, now: float) -> ApiKey:
        """Revokes by id, or by the name of a key in force. Once revoked, it stays so.

        Raises ``KeyNotFound``.
        """

        def work(conn: Connection) -> ApiKey:
            row = conn.execute(
                "SELECT id FROM keys WHERE id = :it OR (name = :it AND revoked_at IS NULL)"
                " ORDER BY id = :it DESC",
                {"it": reference},
            ).fetchone()
            if row is None:
                raise KeyNotFound(f"no key {reference!r}", hint="list them with: evalbox keys ls")
            conn.execute(
                "UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", (now, row[0])
            )
            return _key(conn.execute(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", row).fetchone())

        return await self._write(work)

    async def touch_key(self, key_id: str, now: float) -> None:
        """Records that a key was used."""
        query = "UPDATE keys SET last_used_at = ? WHERE id = ?"
        await self._write(lambda conn: conn.execute(query, (now, key_id)).rowcount)

    async def use_nonce(self, key_id: str, nonce: str, *, now: float, until: float) -> bool:
        """Whether a key has not used this nonce before; it is remembered at least ``until`` then.

        Survives a restart: a request that was recorded is refused after it as well.
        """

        def work(conn: Connection) -> bool:
            conn.execute("DELETE FROM nonces WHERE until < ?", (now,))
            query = "INSERT INTO nonces VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            return conn.execute(query, (key_id, nonce, until)).rowcount == 1

        return await self._write(work)


def _key(row: Row) -> ApiKey:
    return ApiKey(
        id=row[0],
        name=row[1],
        scopes=frozenset(Scope(text) for text in row[2].split()),
        created_at=row[3],
        expires_at=row[4],
        revoked_at=row[5],
        last_used_at=row[6],
        signing=bool(row[7]),
    )


def _joined(scopes: Iterable[Scope]) -> str:
    return " ".join(scope for scope in Scope if scope in frozenset(scopes))


def _context(key_id: str) -> str:
    return f"signing secret of {key_id}"
