"""What every route has at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from evalbox.api.watch import Watch
from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.service.box import Box


@dataclass(frozen=True, slots=True)
class Context:
    """One for the application: the box, and what the service was started with."""

    box: Box
    settings: Settings
    clock: Clock
    watch: Watch


def context_of(connection: HTTPConnection) -> Context:
    found: Context = connection.app.state.context
    return found


def box_of(connection: HTTPConnection) -> Box:
    return context_of(connection).box


# Coroutines: FastAPI takes a thread for each plain function.
async def _context(connection: HTTPConnection) -> Context:
    return context_of(connection)


async def _box(connection: HTTPConnection) -> Box:
    return box_of(connection)


TheContext = Annotated[Context, Depends(_context)]
TheBox = Annotated[Box, Depends(_box)]
