"""An image that sandboxes are made from."""

from __future__ import annotations

from dataclasses import dataclass

#: The image that comes with evalbox, with an interpreter for each language of scripts.
BASE = "evalbox/base:latest"
#: What images of families of the METR Task Standard are built upon.
TASK_STANDARD = "evalbox/task-standard:latest"


@dataclass(frozen=True, slots=True)
class Image:
    """``id`` is the immutable reference that sandboxes are made from; ``digest`` what is recorded.

    ``size`` in bytes, ``created_at`` in seconds since 1970.
    """

    id: str
    digest: str
    names: tuple[str, ...]
    size: int
    created_at: float | None = None
