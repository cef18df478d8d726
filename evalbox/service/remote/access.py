"""The keys and the audit log of a box elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import quote

from evalbox.domain.access import ApiKey, Scope
from evalbox.domain.audit import AuditEntry, AuditReport, Pruned
from evalbox.service.remote.client import Client
from evalbox.wire import access
from evalbox.wire.moments import iso, iso_or_none


class RemoteKeys:
    """Implements ``Keys`` over the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(
        self,
        name: str,
        scopes: Collection[Scope],
        *,
        expires_at: float | None = None,
        signing: bool = False,
    ) -> tuple[ApiKey, str]:
        body = {
            "name": name,
            "scopes": sorted(scopes),
            "expires_at": iso_or_none(expires_at),
            "signing": signing,
        }
        answer = await self._client.post("/keys", body)
        return access.key_from(answer), str(answer["token"])

    async def list(self) -> Sequence[ApiKey]:
        return [access.key_from(item) for item in await self._client.get("/keys")]

    async def revoke(self, reference: str) -> ApiKey:
        answer = await self._client.post(f"/keys/{quote(reference, safe='')}/revoke")
        return access.key_from(answer)


class RemoteAudit:
    """Implements ``Audit`` over the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list(self, *, after: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        found: list[AuditEntry] = []
        while True:
            query = {"after": after, "limit": min(limit - len(found), access.MOST_ENTRIES)}
            answer = await self._client.get("/audit", query)
            found += [access.entry_from(item) for item in answer["items"]]
            if after is None or answer["next"] is None or len(found) >= limit:
                return found
            after = int(answer["next"])

    async def prune(self, before: float) -> Pruned:
        answer = await self._client.post("/audit/prune", {"before": iso(before)})
        return access.pruned_from(answer)

    async def verify(self, expect: str | None = None) -> AuditReport:
        return access.report_from(await self._client.get("/audit/verify", {"expect": expect}))
