"""Pages of long lists: a cursor is the last item of the page before, and stays valid for ever."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from typing_extensions import TypedDict

T = TypeVar("T")


class Page(TypedDict, Generic[T]):
    """``next`` is the cursor of the page that follows, null on the last one."""

    items: list[T]
    next: str | None


Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]
