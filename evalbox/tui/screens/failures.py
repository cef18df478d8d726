"""What failed, by how it ended and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.state import State
from evalbox.tui import wording
from evalbox.tui.acting import Acting
from evalbox.tui.glyphs import bar, sparkline
from evalbox.tui.model import failures
from evalbox.tui.model.derived import Derived
from evalbox.tui.model.failures import STRETCHES, Group
from evalbox.tui.model.row import Row
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line

_BAR = 8
_LABEL = 8
_POINTLESS = frozenset({"cancel", "prioritize", "hasten", "shell", "compare", "work"})


class FailuresScreen(Acting, TablePage[Group]):
    NAME = "Failures"
    EMPTY = "Nothing has failed."
    HINT = "word  !word  outcome:timeout  task:..."
    NOUNS = ("cause", "causes")
    DETAILED = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "queue again", id="failures.retry",
                tooltip="Queue all of the group again"),
        Binding("D", "remove", "remove", id="failures.remove",
                tooltip="Remove all of the group, with their files"),
        Binding("y", "copy", "copy", id="failures.copy", tooltip="Copy the cause"),
    ]  # fmt: skip

    def make_view(self) -> Derived[Group]:
        return Derived(self.context.book, failures.groups)

    def identify(self, row: Group) -> str:
        return row.key

    def fields(self) -> Mapping[str, Callable[[Group], str]]:
        return {
            "outcome": lambda group: group.outcome,
            "error": lambda group: group.cause,
            "task": lambda group: "\n".join(name for name, _ in group.tasks),
            "agent": lambda group: "\n".join(name for name, _ in group.agents),
        }

    def make_columns(self) -> Sequence[Column[Group]]:
        context = self.context
        glyphs, now = context.glyphs, context.clock.now
        return [
            Column("count", "COUNT", 7, lambda group: Cell(f"{group.count:,}", Tone.STRONG),
                   right=True, sort=lambda group: group.count, falling=True),
            Column("share", "SHARE", _BAR + 6, lambda group: Cell(
                   f"{bar(group.share, _BAR, glyphs)[0]:<{_BAR}} {100 * group.share:3.0f} %",
                   Tone.BAD), rank=3),
            Column("outcome", "OUTCOME", 13, lambda group: Cell(
                   group.outcome, wording.outcome_tone(group.outcome)),
                   sort=lambda group: group.outcome),
            Column("error", "ERROR", 20, lambda group: Cell(group.cause or "-"), flex=True,
                   sort=lambda group: group.cause),
            Column("tasks", "TASKS", 5, lambda group: Cell(f"{group.task_count:,}"), right=True,
                   rank=4, sort=lambda group: group.task_count, falling=True),
            Column("agents", "AGENTS", 6, lambda group: Cell(f"{group.agent_count or ''}"),
                   right=True, rank=5, needed=lambda: context.book.led > 0,
                   sort=lambda group: group.agent_count, falling=True),
            Column("when", "WHEN", STRETCHES, lambda group: Cell(
                   sparkline(group.times, STRETCHES, max(group.times), glyphs), Tone.BUSY),
                   rank=2),
            Column("newest", "NEWEST", 6, lambda group: Cell(
                   wording.age(now() - group.newest), Tone.MUTED), right=True, rank=1,
                   sort=lambda group: group.newest, falling=True),
        ]  # fmt: skip

    def aside(self) -> Line:
        states = self.context.book.states
        total = states[State.FAILED] + states[State.DEAD]
        if not total:
            return []
        told = f"{wording.count(total, 'evaluation')} failed "
        if len(self.view.every) == failures.MOST:
            told = f"the {failures.MOST:,} greatest; {told}"
        return [(told, Tone.MUTED)]

    def detail_of(self, row: Group, width: int) -> Sequence[Line]:
        group, now = row, self.context.clock.now()
        when = f"first {wording.span(now - group.oldest)} ago"
        when += f", last {wording.span(now - group.newest)} ago"
        if group.dead:
            when += f"; {group.dead:,} of them dead letters"
        lines = [
            _labelled("error", group.cause or "nothing is told"),
            _labelled("tasks", _names(group.tasks, group.task_count)),
            _labelled("when", when),
        ]
        if group.agents:
            lines.insert(2, _labelled("agents", _names(group.agents, group.agent_count)))
        return lines

    # --- doing ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # What has failed neither runs nor waits.
        return False if action in _POINTLESS else super().check_action(action, parameters)

    def chosen(self) -> Sequence[Row]:
        """All that are still in the groups that were chosen."""
        rows = [row for group in self.picked() for row in group.members if group.holds(row)]
        return sorted(rows, key=lambda row: row.id, reverse=True)

    def acted(self) -> None:
        self.table.clear_marks()
        self.look()

    def copied(self, row: Group) -> str:
        return f"{row.outcome}: {steady(row.cause)} ({row.count:,})"

    def action_copy(self) -> None:
        TablePage.action_copy(self)

    def open(self, row: Group) -> None:
        from evalbox.tui.screens.within import Within

        title = f"{row.outcome}: {row.cause}" if row.cause else str(row.outcome)
        self.app.push_screen(Within(self.context, page=self.NAME, title=title, belongs=row.holds))


def _labelled(label: str, text: str) -> Line:
    return [(f" {label:<{_LABEL}}", Tone.MUTED), (steady(text), Tone.TEXT)]


def _names(names: Sequence[tuple[str, int]], count: int) -> str:
    told = ", ".join(f"{name} ({times:,})" for name, times in names)
    return f"{told} and {count - len(names):,} more" if count > len(names) else told
