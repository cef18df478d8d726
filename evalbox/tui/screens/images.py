"""What sandboxes are made from: the images of the engine."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.image import BASE, Image
from evalbox.domain.paths import expanded
from evalbox.domain.quantity import format_size
from evalbox.errors import EvalboxError
from evalbox.tui import wording
from evalbox.tui.context import Context
from evalbox.tui.model.derived import Made
from evalbox.tui.model.few import Few
from evalbox.tui.model.tally import Tally, tallies
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.prompt import Prompt
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.screens.whole import Whole
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.picture import Line
from evalbox.tui.wording import count

#: Seconds between looks at what the engine has.
_LOOK = 5.0
_DIGEST = 12
_NAMED = 8

Work = Callable[[Callable[[str], None]], Awaitable[str]]


class ImagesScreen(TablePage[Image]):
    NAME = "Images"
    EMPTY = "The engine has no images. b builds the base image, P pulls one."
    HINT = "word  !word  name:python  digest:..."
    NOUNS = ("image", "images")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("P", "pull", "pull", id="images.pull", tooltip="Pull an image from its registry"),
        Binding("b", "build", "build base", id="images.build",
                tooltip="Make the base image, where it is missing or old"),
        Binding("l", "load", "load", show=False, id="images.load",
                tooltip="Load images from a file that docker save wrote"),
        Binding("D", "remove", "remove", id="images.remove", tooltip="Remove the image"),
        Binding("delete", "remove", "remove", show=False, id="images.remove_too",
                tooltip="Remove the image"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = frozenset({"pull", "build", "load", "remove"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.found: Few[Image] = Few()
        self.view = self.found
        self.uses: Made[Mapping[str, Tally]] = Made(
            context.book, lambda rows: tallies(rows, lambda row: row.image), {}
        )
        self._due = 0.0
        self._looked = False
        self._trouble = ""
        self._doing = ""

    def make_view(self) -> Few[Image]:
        return Few()

    def identify(self, row: Image) -> str:
        return row.id

    def make_columns(self) -> Sequence[Column[Image]]:
        now = self.context.clock.now
        return [
            Column("name", "NAME", 24, _name, flex=True, sort=lambda row: row.names),
            Column("base", "", 4, lambda row: Cell("base" if BASE in row.names else "", Tone.GOOD),
                   rank=3),
            Column("size", "SIZE", 10, lambda row: Cell(format_size(row.size)), right=True,
                   sort=lambda row: row.size, falling=True),
            Column("age", "AGE", 4, lambda row: _age(row, now()), right=True, rank=1,
                   sort=lambda row: row.created_at or 0.0, falling=True),
            Column("used", "USED BY", 7, self._uses, right=True,
                   sort=lambda row: self._tally(row).count, falling=True),
            Column("running", "RUNNING", 7, self._under_way, right=True, rank=2,
                   sort=lambda row: self._tally(row).active, falling=True),
            Column("digest", "DIGEST", _DIGEST, lambda row: Cell(_digest(row), Tone.FAINT), rank=4),
        ]  # fmt: skip

    def fields(self) -> Mapping[str, Callable[[Image], str]]:
        return {
            "name": lambda row: " ".join(row.names),
            "digest": lambda row: row.digest,
            "id": lambda row: row.id,
        }

    def _tally(self, row: Image) -> Tally:
        """Of all evaluations that name it by any of its names."""
        total = Tally(row.id)
        for name in _references(row):
            if (one := self.uses.value.get(name)) is not None:
                total.count += one.count
                total.active += one.active
        return total

    def _uses(self, row: Image) -> Cell:
        number = self._tally(row).count
        return Cell(f"{number:,}" if number else "", Tone.TEXT)

    def _under_way(self, row: Image) -> Cell:
        number = self._tally(row).active
        return Cell(f"{number:,}" if number else "", Tone.BUSY)

    # --- what is shown ---

    def redraw(self) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _LOOK
            self.begin(self._look_at_images, group="images")
        if self.uses.due(now):
            self.begin(self._count)
        super().redraw()

    async def _count(self) -> None:
        await self.uses.renew()
        self.table.look()

    async def _look_at_images(self) -> None:
        try:
            found = await self.context.box.images.list()
        except EvalboxError as error:
            self._trouble = error.message
        else:
            self._trouble, self._looked = "", True
            if list(found) != list(self.found.every):
                self.found.put(found)
        self.look()

    def aside(self) -> Line:
        if self._doing:
            return [(f"{steady(self._doing)} ", Tone.BUSY)]
        if self._trouble:
            return [(f"{steady(self._trouble)} ", Tone.BAD)]
        if not self._looked:
            return [("looking ", Tone.MUTED)]
        size = sum(image.size for image in self.found.every)
        return [(f"{format_size(size)} together ", Tone.MUTED)]

    # --- doing ---

    def action_pull(self) -> None:
        def given(reference: str) -> None:
            self._work(f"pulling {reference}", partial(self._pull, reference))

        self.ask(Prompt("Pull which image?", detail=["as in python:3.12-slim"]), given)

    async def _pull(self, reference: str, progress: Callable[[str], None]) -> str:
        await self.context.box.images.pull(reference, progress)
        return f"pulled {reference}"

    def action_load(self) -> None:
        def given(path: str) -> None:
            self._work(f"loading {path}", partial(self._load, path))

        detail = ["the path of a tar file here that docker save wrote"]
        self.ask(Prompt("Load which file?", detail=detail), given)

    async def _load(self, path: str, _progress: Callable[[str], None]) -> str:
        loaded = await self.context.box.images.load(expanded(path))
        return f"loaded {', '.join(_shown(image) for image in loaded)}"

    def action_build(self) -> None:
        def answered(sure: bool) -> None:
            if sure:
                self._work("building the base image", self._build)

        detail = ["From a registry, or else from Debian's packages: minutes.",
                  "Nothing is done where it is there and up to date."]  # fmt: skip
        self.ask(confirm("Make the base image?", detail=detail, yes="build"), answered)

    async def _build(self, progress: Callable[[str], None]) -> str:
        image = await self.context.box.images.build_base(progress)
        return f"{_shown(image)} is there"

    def _work(self, doing: str, work: Work) -> None:
        """One at a time, told of as it goes on."""
        if self._doing:
            self.tell(f"not now: {self._doing}")
            return
        self._doing = doing
        self.begin(partial(self._worked, doing, work))
        self.look()

    async def _worked(self, doing: str, work: Work) -> None:
        def progress(line: str) -> None:
            self._doing = f"{doing}: {line}"
            self.status.look()

        try:
            self.tell(await work(progress))
        finally:
            self._doing = ""
            self._look_again()

    def _look_again(self) -> None:
        self._due = 0.0
        self.look()

    def action_remove(self) -> None:
        rows = self.picked()
        if not rows:
            return
        detail = [_shown(row) for row in rows[:_NAMED]]
        if len(rows) > _NAMED:
            detail.append(f"and {len(rows) - _NAMED:,} more")
        if used := sum(self._tally(row).count for row in rows):
            detail.append(f"{count(used, 'evaluation')} here could not be run again without")

        def answered(sure: bool) -> None:
            if sure:
                self.begin(partial(self._remove, rows))

        question = f"Remove {count(len(rows), 'image')}?"
        self.ask(confirm(question, detail=detail, yes="remove"), answered)

    async def _remove(self, rows: Sequence[Image]) -> None:
        try:
            for row in rows:
                for name in row.names or (row.id,):
                    await self.context.box.images.remove(name)
            self.table.clear_marks()
            self.tell(f"{count(len(rows), 'image')} removed")
        finally:
            self._look_again()

    def copied(self, row: Image) -> str:
        return row.names[0] if row.names else row.id

    def open(self, row: Image) -> None:
        tally = self._tally(row)
        created = wording.moment(row.created_at) if row.created_at is not None else ""
        facts = [
            *(("name" if not place else "", name) for place, name in enumerate(row.names)),
            ("id", row.id), ("digest", row.digest),
            ("size", f"{format_size(row.size)} ({row.size:,} bytes)"), ("created", created),
            ("used by", f"{count(tally.count, 'evaluation')}, {tally.active:,} of them running"),
        ]  # fmt: skip
        self.app.push_screen(Whole(_shown(row), facts, copy=self.copy))


def _shown(row: Image) -> str:
    return row.names[0] if row.names else row.id


def _name(row: Image) -> Cell:
    return Cell(", ".join(row.names) or row.id, Tone.STRONG)


def _age(row: Image, now: float) -> Cell:
    return Cell("" if row.created_at is None else wording.age(now - row.created_at), Tone.MUTED)


def _digest(row: Image) -> str:
    return row.digest.rpartition(":")[2][:_DIGEST]


def _references(row: Image) -> set[str]:
    untagged = {name.removesuffix(":latest") for name in row.names}
    return {row.id, row.digest, *row.names, *untagged}
