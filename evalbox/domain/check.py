"""What came of trying something that evalbox needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried. ``level`` is ``ok``, ``warning`` or ``failure``."""

    name: str
    level: str
    detail: str
    remedy: str = ""
