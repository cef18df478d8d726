"""What lies on the desk: begun, and not submitted yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalbox.tui.form.draft import Draft


@dataclass(slots=True)
class Desk:
    """``draft`` is the evaluation that the form was left with."""

    draft: Draft | None = None
