"""What every route has at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.service.box import Box


@dataclass(frozen=True, slots=True)
class Context:
    """One for the application: the box, and what the service was started with."""

    box: Box
    settings: Settings
    clock: Clock


def context_of(connection: HTTPConnection) -> Context:
    found: Context = connection.app.state.context
    return found


def box_of(connection: HTTPConnection) -> Box:
    return context_of(connection).box


TheContext = Annotated[Context, Depends(context_of)]
TheBox = Annotated[Box, Depends(box_of)]
