"""What every screen is given."""

from __future__ import annotations

from dataclasses import dataclass, field

from evalbox.domain.clock import Clock
from evalbox.service.box import Box
from evalbox.tui.environment import Options
from evalbox.tui.form.desk import Desk
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.model.book import Book
from evalbox.tui.model.standing import Standing
from evalbox.tui.undoing import Undoing


@dataclass(frozen=True, slots=True)
class Context:
    """``where`` names the box for people."""

    box: Box
    book: Book
    standing: Standing
    options: Options
    glyphs: Glyphs
    clock: Clock
    where: str = ""
    desk: Desk = field(default_factory=Desk)
    undoing: Undoing = field(default_factory=Undoing)
