"""Images that are built, as JSON documents and back."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from evalbox.domain.building import BuildRecord, BuildState, Built, ImageBuild
from evalbox.wire.moments import iso, seconds
from evalbox.wire.specification import image_build


class BuiltDocument(TypedDict):
    """An image that was made. ``cached``: it was there already. ``description`` is JSON."""

    image: str
    key: str
    description: str
    cached: bool
    seconds: float
    created_at: str


class BuildDocument(TypedDict):
    """A build. ``reason`` says why it failed; ``seconds`` is what it took, ``size`` in bytes."""

    key: str
    image: str
    state: BuildState
    base: str
    engine: str
    created_at: str
    used_at: str
    seconds: float
    size: int
    reason: str
    description: str


def wanted(build: ImageBuild, *, base: str, engine: str, env: dict[str, str]) -> dict[str, Any]:
    """The body that asks a box to prepare an image."""
    return {**image_build(build), "base": base, "engine": engine or None, "env": env}


def built(item: Built) -> BuiltDocument:
    return {
        "image": item.image,
        "key": item.key,
        "description": item.description,
        "cached": item.cached,
        "seconds": item.seconds,
        "created_at": iso(item.created_at),
    }


def built_from(document: BuiltDocument) -> Built:
    return Built(
        image=document["image"],
        key=document["key"],
        description=document["description"],
        cached=document["cached"],
        seconds=document["seconds"],
        created_at=seconds(document["created_at"]),
    )


def build(item: BuildRecord) -> BuildDocument:
    return {
        "key": item.key,
        "image": item.image,
        "state": item.state,
        "base": item.base,
        "engine": item.engine,
        "created_at": iso(item.created_at),
        "used_at": iso(item.used_at),
        "seconds": item.seconds,
        "size": item.size,
        "reason": item.reason,
        "description": item.description,
    }


def build_from(document: BuildDocument) -> BuildRecord:
    return BuildRecord(
        key=document["key"],
        state=BuildState(document["state"]),
        base=document["base"],
        engine=document["engine"],
        created_at=seconds(document["created_at"]),
        used_at=seconds(document["used_at"]),
        seconds=document["seconds"],
        size=document["size"],
        reason=document["reason"],
        description=document["description"],
    )
