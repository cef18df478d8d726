"""Two batches, or two evaluations, beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from evalbox.domain import comparing
from evalbox.domain.comparison import Change, Comparison, Pair, compare
from evalbox.domain.difference import Difference, asked, became
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.records import EvaluationFilter
from evalbox.export.reading import GENTLE, matching
from evalbox.tui import wording
from evalbox.tui.context import Context
from evalbox.tui.model.few import Few, R
from evalbox.tui.model.row import row_of
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line, Picture

_TONES = {Change.REGRESSION: Tone.BAD, Change.FIX: Tone.GOOD, Change.SAME: Tone.FAINT}
_LABEL, _VALUE = 12, 22


class Compared(TablePage[R]):
    """``NAME`` is the page that it was come from. What is the same in both is shown on demand."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "same", "all", id="compare.same", tooltip="Also what is the same, or not"),
        Binding("escape", "clear", "back", id="compare.back",
                tooltip="Forget the marks, then the filter, then go back"),
    ]  # fmt: skip
    EMPTY = "comparing"

    def __init__(self, context: Context, page: str) -> None:
        self.NAME = page
        self._every: Sequence[R] = ()
        self._whole = False
        super().__init__(context)
        self._few: Few[R] = Few()
        self.view = self._few

    def make_view(self) -> Few[R]:
        return Few()

    def on_mount(self) -> None:
        self.begin(self.load)

    async def load(self) -> None:
        """Asks for the two, and has ``put`` show them."""
        raise NotImplementedError

    def differs(self, row: R) -> bool:
        raise NotImplementedError

    def put(self, rows: Sequence[R]) -> None:
        self._every = rows
        self._put()

    def action_same(self) -> None:
        self._whole = not self._whole
        self._put()

    def _put(self) -> None:
        self.table.empty = "They differ in nothing."
        self._few.put([row for row in self._every if self._whole or self.differs(row)])
        self.renew()

    def back(self) -> None:
        self.app.pop_screen()


class BatchesCompared(Compared[Pair]):
    NOUNS = ("pair", "pairs")
    HINT = "word  !word  change:regression  task:..."

    def __init__(self, context: Context, page: str, before: str, after: str) -> None:
        self._names = (before, after)
        self._found: Comparison | None = None
        super().__init__(context, page)
        self.head = Picture(self._head, id="overview")

    def body(self) -> Iterable[Widget]:
        yield self.head
        yield from super().body()

    def make_columns(self) -> Sequence[Column[Pair]]:
        changes = list(Change)
        return [
            Column("change", "CHANGE", 10,
                   lambda pair: Cell(pair.change, _TONES.get(pair.change, Tone.WARN)),
                   sort=lambda pair: changes.index(pair.change)),
            Column("task", "TASK", 14, lambda pair: Cell(pair.key.name, Tone.STRONG), flex=True,
                   sort=lambda pair: pair.key.name),
            Column("agent", "AGENT", 10, lambda pair: Cell(pair.key.agent), rank=4,
                   needed=lambda: self._has(lambda pair: pair.key.agent),
                   sort=lambda pair: pair.key.agent),
            Column("sample", "SAMPLE", 9, lambda pair: Cell(pair.key.sample), rank=5,
                   needed=lambda: self._has(lambda pair: pair.key.sample),
                   sort=lambda pair: pair.key.sample),
            Column("before", "BEFORE", 13, lambda pair: _outcome(pair.before)),
            Column("after", "AFTER", 13, lambda pair: _outcome(pair.after)),
            Column("score", "SCORE", 16, lambda pair: Cell(comparing.gain(pair), _gained(pair)),
                   needed=lambda: self._has(comparing.gain), rank=1,
                   sort=lambda pair: pair.gain or 0.0),
            Column("error", "ERROR", 14, lambda pair: Cell(
                   pair.after.error or pair.after.reason if pair.after else "", Tone.MUTED),
                   flex=True, rank=2),
        ]  # fmt: skip

    def _has(self, value: Callable[[Pair], object]) -> bool:
        return any(value(pair) for pair in self.view.rows[:1000])

    def identify(self, row: Pair) -> str:
        return repr(row.key)

    def copied(self, row: Pair) -> str:
        return "\n".join(item.id for item in (row.before, row.after) if item is not None)

    def fields(self) -> Mapping[str, Callable[[Pair], str]]:
        return {
            "change": lambda pair: pair.change,
            "task": lambda pair: pair.key.name,
            "agent": lambda pair: pair.key.agent,
            "sample": lambda pair: pair.key.sample,
            "before": lambda pair: _word(pair.before),
            "after": lambda pair: _word(pair.after),
        }

    def differs(self, row: Pair) -> bool:
        return row.change is not Change.SAME

    async def load(self) -> None:
        box = self.context.box
        before, after = [
            [item async for item in matching(box, EvaluationFilter(batch=name), page=GENTLE)]
            for name in self._names
        ]
        self._found = await asyncio.to_thread(compare, before, after)
        self.put(self._found.pairs)
        self.head.look()

    def _head(self, width: int) -> list[Line]:
        if self._found is None:
            return [[(" comparing", Tone.MUTED)]]
        lines = [_told(("", *self._names, "difference"), Tone.MUTED)]
        plain = self.context.options.ascii
        for row in comparing.totals(self._found):
            lines.append(_told((*row[:3], row[3].replace("±", "+-") if plain else row[3])))
        return [*lines, [(f" {comparing.counts(self._found)}", Tone.STRONG)], []]

    def open(self, row: Pair) -> None:
        item = row.after or row.before
        if item is not None:
            from evalbox.tui.screens.evaluation import EvaluationScreen

            self.app.push_screen(EvaluationScreen(self.context, row_of(item)))


class EvaluationsCompared(Compared[Difference]):
    NOUNS = ("fact", "facts")
    HINT = "word  !word  fact:limit"

    def __init__(self, context: Context, page: str, before: str, after: str) -> None:
        self._ids = (before, after)
        self._items: Sequence[Evaluation] = ()
        super().__init__(context, page)

    def make_columns(self) -> Sequence[Column[Difference]]:
        return [
            Column("fact", "FACT", 20, lambda one: Cell(one.field, Tone.MUTED),
                   sort=lambda one: one.field),
            Column("before", "BEFORE", 20, lambda one: Cell(one.before, _differing(one)),
                   flex=True, sort=lambda one: one.before),
            Column("after", "AFTER", 20, lambda one: Cell(one.after, _differing(one)),
                   flex=True, sort=lambda one: one.after),
        ]  # fmt: skip

    def identify(self, row: Difference) -> str:
        return row.field

    def copied(self, row: Difference) -> str:
        return f"{row.field}\t{row.before}\t{row.after}"

    def fields(self) -> Mapping[str, Callable[[Difference], str]]:
        return {
            "fact": lambda one: one.field,
            "before": lambda one: one.before,
            "after": lambda one: one.after,
        }

    def differs(self, row: Difference) -> bool:
        return row.differs

    def aside(self) -> Line:
        if not self._items:
            return []
        one, other = self._items
        told = f"{one.spec.name} {one.short_id}  {other.spec.name} {other.short_id}"
        return [(f"{steady(told)} ", Tone.MUTED)]

    async def load(self) -> None:
        box, (one, other) = self.context.box, self._ids
        items = await asyncio.gather(box.get(one), box.get(other))
        tried = await asyncio.gather(box.attempts(one), box.attempts(other))
        newest = [attempts[-1] if attempts else None for attempts in tried]
        self._items = items
        self.put([*asked(*items), *became(*items, newest[0], newest[1])])


def _told(words: tuple[str, str, str, str], tone: Tone = Tone.TEXT) -> Line:
    label, before, after, difference = words
    return [
        (f" {fit(label, _LABEL)}", Tone.MUTED),
        (f"{fit(before, _VALUE)} ", tone),
        (f"{fit(after, _VALUE)} ", tone),
        (difference, Tone.STRONG if tone is Tone.TEXT else tone),
    ]


def _word(item: Evaluation | None) -> str:
    return str(item.outcome or item.state) if item is not None else ""


def _outcome(item: Evaluation | None) -> Cell:
    if item is None:
        return Cell("")
    tone = wording.outcome_tone(item.outcome) if item.outcome else Tone.MUTED
    return Cell(_word(item), tone)


def _gained(pair: Pair) -> Tone:
    gain = pair.gain or 0.0
    return Tone.TEXT if not gain else Tone.GOOD if gain > 0 else Tone.BAD


def _differing(one: Difference) -> Tone:
    return Tone.STRONG if one.differs else Tone.MUTED
