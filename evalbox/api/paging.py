"""Pages of long lists: a cursor is the last item of the page before, and stays valid for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from typing_extensions import TypedDict

from evalbox.domain.evaluation import Evaluation
from evalbox.wire import document
from evalbox.wire.shapes import EvaluationDocument

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """``next`` is the cursor of the page that follows, null on the last one."""

    items: list[T]
    next: str | None


Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]


def page(found: Sequence[Evaluation], limit: int | None = None) -> Page[EvaluationDocument]:
    """``limit`` is how many were asked for at most; None where ``found`` is all there is."""
    return {
        "items": [document.evaluation(item) for item in found],
        "next": found[-1].id if len(found) == limit else None,
    }
