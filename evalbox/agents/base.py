"""An agent as it is sent along with a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalbox.tasks.base import TaskFile

#: Where its own files are in the sandbox: it may read them and not change them.
DIRECTORY = "/opt/agent"


@dataclass(frozen=True, slots=True)
class Agent:
    """``plan`` is what the driver gets; see ``tasks.standard.inside.agents`` for its kinds.

    ``works``: it takes time of its own.
    """

    name: str
    plan: Mapping[str, Any]
    files: tuple[TaskFile, ...] = ()
    works: bool = True
