"""What lies on the desk: begun, and not submitted yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalbox.tui.form.draft import Draft


@dataclass(slots=True)
class Desk:
    """``draft`` is the evaluation that the form was left with.

    ``scores`` are, by the id of an evaluation, what a person was told that it was worth, and when.
    """

    draft: Draft | None = None
    scores: dict[str, list[tuple[float, Mapping[str, Any]]]] = field(default_factory=dict)
