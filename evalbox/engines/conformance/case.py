"""One thing that an engine must do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from evalbox.engines.conformance.lab import Lab
from evalbox.engines.conformance.traits import NAMES

Body = Callable[[Lab], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """``about`` says in one line what must hold; ``needs`` are names of ``Traits``."""

    name: str
    about: str
    needs: frozenset[str]
    body: Body


def case(*needs: str) -> Callable[[Body], Case]:
    """Makes a case of a function; its docstring is what the case is about."""
    unknown = set(needs) - NAMES
    if unknown:
        raise ValueError(f"no such traits: {unknown}")

    def make(body: Body) -> Case:
        name = getattr(body, "__name__", "")
        return Case(name, (body.__doc__ or "").strip(), frozenset(needs), body)

    return make
