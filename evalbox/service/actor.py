"""Who acts: what the audit log writes down, carried by the context of each task."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Actor:
    """``source`` is ``local`` in the process itself, ``socket``, or the address of the peer."""

    name: str
    source: str
    request_id: str | None = None


_acting: ContextVar[Actor | None] = ContextVar("actor", default=None)


def current() -> Actor:
    """Who acts here: who was said to, else the user that the process runs as."""
    return _acting.get() or _process_owner()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """What is done within is done by ``actor``, also in the tasks begun in it."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


@cache
def _process_owner() -> Actor:
    return Actor(user_name(os.getuid()), "local")


def user_name(uid: int) -> str:
    """The name of a user of this machine, or ``uid N`` for one without."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
