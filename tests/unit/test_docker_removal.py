"""Removals that the engine refuses for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evalbox.engines.docker import removal
from evalbox.engines.docker.faults import CONFLICT, Refused
from evalbox.engines.docker.removal import Remover
from evalbox.errors import EngineError, SandboxGone


class Refusing:
    """A client whose engine refuses so many times, and has removed it then."""

    def __init__(self, status: int, times: int) -> None:
        self.status = status
        self.left = times

    async def call(self, _work: Callable[[Any], Any]) -> None:
        if not self.left:
            raise SandboxGone("no such container")
        self.left -= 1
        raise Refused("removal of container X is already in progress", status=self.status)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_PATIENCE", -1.0)
    monkeypatch.setattr(removal, "_PAUSE", 0.0)


async def test_what_is_being_removed_already_is_waited_for() -> None:
    client = Refusing(CONFLICT, 5)
    await Remover(client, local=False).remove("X")  # type: ignore[arg-type]
    assert client.left == 0


async def test_another_refusal_counts_once_patience_is_out() -> None:
    with pytest.raises(EngineError, match="cannot be removed"):
        await Remover(Refusing(500, 5), local=False).remove("X")  # type: ignore[arg-type]
