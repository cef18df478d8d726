"""Ids as people type them: in a path, any unambiguous beginning serves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Path, Query

from evalbox.api.context import TheBox
from evalbox.domain.ids import LENGTH
from evalbox.service.box import Box

_Reference = Annotated[str, Path(alias="id", min_length=1, max_length=LENGTH)]


async def _resolved(box: TheBox, reference: _Reference) -> str:
    return await box.resolve(reference)


async def resolved(box: Box, references: Iterable[str]) -> list[str]:
    """The full ids. Raises ``EvaluationNotFound`` and ``AmbiguousId``."""
    return [await box.resolve(reference) for reference in references]


#: The full id that stands in the path as ``{id}``.
EvaluationId = Annotated[str, Depends(_resolved)]
#: Which attempt; the newest where none is named.
AttemptNumber = Annotated[int, Path(ge=1, le=1 << 31)]
MaybeAttempt = Annotated[int | None, Query(ge=1, le=1 << 31)]
