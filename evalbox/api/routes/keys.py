"""``/keys``: who may use the box."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.models import Body, Flag, Items, Text, example
from evalbox.api.moments import moment
from evalbox.domain.access import Scope
from evalbox.wire import access
from evalbox.wire.access import KeyDocument, NewKeyDocument

router = APIRouter(prefix="/keys", tags=["keys"], dependencies=[requires(Scope.ADMIN)])


class KeyBody(Body):
    """``expires_at`` is ISO 8601, null for never. ``signing``: see docs/security.md."""

    model_config = example({"name": "ci", "scopes": ["submit"]})

    name: Text
    scopes: Items[Scope] = Field(min_length=1, max_length=3)
    expires_at: str | None = None
    signing: Flag = False


@router.post("", status_code=201)
async def create_key(body: KeyBody, box: TheBox, response: Response) -> NewKeyDocument:
    """Makes a key. Its token is told this once: the box keeps only a digest of it."""
    key, token = await box.keys.create(
        body.name,
        body.scopes,
        expires_at=moment(body.expires_at, "expires_at"),
        signing=body.signing,
    )
    response.headers["Location"] = "/api/v1/keys"
    return access.new_key(key, token)


@router.get("")
async def list_keys(box: TheBox) -> list[KeyDocument]:
    """All keys, the newest first, those that are not in force any more included."""
    return [access.key(key) for key in await box.keys.list()]


@router.post("/{key}/revoke")
async def revoke_key(
    key: Annotated[str, Path(min_length=1, max_length=200, description="Its id, or its name")],
    box: TheBox,
) -> KeyDocument:
    """Ends a key for good, from the next request on."""
    return access.key(await box.keys.revoke(key))
