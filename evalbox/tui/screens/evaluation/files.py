"""The files that an attempt left: looked through, read and saved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import ClassVar

from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.widget import Widget

from evalbox.domain.quantity import format_size
from evalbox.domain.records import ArtifactRecord
from evalbox.tui import wording
from evalbox.tui.context import Context
from evalbox.tui.model.content import MOST, MOST_BINARY, as_log, is_binary
from evalbox.tui.model.log import Log
from evalbox.tui.model.subject import Subject
from evalbox.tui.model.tree import Leaf, tree
from evalbox.tui.saving import ask_where
from evalbox.tui.screens.evaluation.pane import Pane
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column
from evalbox.tui.widgets.reader import Reader
from evalbox.tui.widgets.table import Table


class Files(Pane):
    NAME = "files"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "save", "save", id="files.save", tooltip="Save the file, or the directory"),
        Binding("A", "save_all", "save all", id="files.save_all",
                tooltip="Save all files into a directory"),
        Binding("escape", "close", "close", show=False, id="files.close",
                tooltip="Back to the list of files"),
    ]  # fmt: skip

    def __init__(self, subject: Subject, context: Context) -> None:
        super().__init__(subject, context)
        self._folded: set[str] = set()
        self._drawn: tuple[Sequence[ArtifactRecord] | None, int] = (None, -1)
        self._read: ArtifactRecord | None = None
        self._about = ""
        self.table: Table[Leaf] = Table(
            self._columns(), identify=lambda leaf: leaf.path, glyphs=context.glyphs,
            empty="No files were kept: name them when it is submitted, with --artifact.",
        )  # fmt: skip
        self.reader = Reader(Log(), context.glyphs, empty="the file is empty")
        self.reader.display = False

    def content(self) -> Iterable[Widget]:
        yield self.table
        yield self.reader

    def settle(self) -> None:
        (self.table if self._read is None else self.reader.view).focus()

    async def renew(self) -> None:
        attempt = self.subject.shown
        # They are there, all at once, when the attempt has ended.
        if self.subject.artifacts is None or attempt is None or attempt.verdict is None:
            await self.subject.renew_artifacts()

    def look(self) -> None:
        super().look()
        if self._read is not None:
            self.reader.view.look()
            return
        state = (self.subject.artifacts, len(self._folded))
        if state != self._drawn:
            self._drawn = state
            self.table.show(tree(self.subject.artifacts or (), self._folded))

    def aside(self) -> str:
        if self._read is not None:
            return "  ".join([steady(self._read.path), self._about, *self.reader.told()[1:]])
        records = [one for one in self.subject.artifacts or () if one.kind == "file"]
        skipped = len(self.subject.artifacts or ()) - len(records)
        words = [self.about_attempt(), wording.count(len(records), "file"),
                 format_size(sum(one.size for one in records))]  # fmt: skip
        if skipped:
            words.append(f"{skipped:,} not kept")
        return "  ".join(filter(None, words))

    def _columns(self) -> list[Column[Leaf]]:
        return [
            Column("name", "NAME", 24, self._named, flex=True),
            Column("size", "SIZE", 10, _size, right=True),
            Column("mode", "MODE", 5, _mode, right=True, rank=2),
            Column("reason", "", 24, _reason, flex=True, rank=1,
                   needed=lambda: any(one.reason for one in self.subject.artifacts or ())),
        ]  # fmt: skip

    def _named(self, leaf: Leaf) -> Cell:
        indent, glyphs = "  " * leaf.depth, self.context.glyphs
        if leaf.record is None:
            sign = glyphs.opened if leaf.opened else glyphs.closed
            return Cell(f"{indent}{sign} {leaf.name}/", Tone.ACCENT)
        tone = Tone.TEXT if leaf.record.kind == "file" else Tone.MUTED
        return Cell(f"{indent}  {leaf.name}", tone)

    # --- looking into one ---

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        leaf = self.table.current
        if leaf is None:
            return
        if leaf.record is None:
            self._folded ^= {leaf.path}
            self.look()
        elif leaf.record.kind == "file":
            self.page.begin(partial(self._open, leaf.record), group="file")
        else:
            self.page.tell(f"it was not kept: {steady(leaf.record.reason)}")

    async def _open(self, record: ArtifactRecord) -> None:
        """Reads as much as is shown, however large it is."""
        data = bytearray()
        content = self._content(record)
        async with aclosing(content) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                data += piece[: MOST + 1 - len(data)]
                if len(data) > MOST or (is_binary(data) and len(data) > MOST_BINARY):
                    break
        log, whole = as_log(bytes(data))
        kind = "no text: its bytes" if is_binary(data) else wording.count(log.total, "line")
        cut = "" if whole else f"  the beginning of {format_size(record.size)}"
        self._about = f"{kind}{cut}" if cut else f"{kind}  {format_size(record.size)}"
        self._read = record
        self.table.display, self.reader.display = False, True
        self.reader.view.show(log, following=False)
        self.settle()
        self.call_after_refresh(self.look)

    def action_close(self) -> None:
        if self._read is None:
            raise SkipAction
        self._read = None
        self.table.display, self.reader.display = True, False
        self.settle()
        self.look()

    # --- saving ---

    def action_save(self) -> None:
        leaf = self.table.current
        record = self._read or (leaf.record if leaf else None)
        if record is None:
            self.action_save_all()
        elif record.kind != "file":
            self.page.tell(f"it was not kept: {steady(record.reason)}")
        else:
            name = steady(PurePosixPath(record.path).name)
            ask_where(self.page, f"Save {name} to", name, partial(self._save, record))

    async def _save(self, record: ArtifactRecord, place: Path, replace: bool) -> None:
        from evalbox.export.saving import save

        size = await save(self._content(record), place, replace=replace,
                          executable=bool(record.mode & 0o100))  # fmt: skip
        self.page.tell(f"{format_size(size)} in {place}")

    def action_save_all(self) -> None:
        if not any(one.kind == "file" for one in self.subject.artifacts or ()):
            self.page.tell("nothing to save: no files were kept")
            return
        name = f"evalbox-{self.subject.id[-8:]}-try{self.subject.attempt}"
        ask_where(self.page, "Save all files into the directory", name, self._save_all)

    async def _save_all(self, place: Path, _replace: bool) -> None:
        from evalbox.export.artifacts import copy_all

        subject = self.subject
        copied = await copy_all(subject.box, subject.id, place, attempt=subject.attempt)
        files = wording.count(len(copied.files), "file")
        words = f"{files}, {format_size(copied.size)}, in {place}"
        if copied.skipped:
            words += f"; {len(copied.skipped):,} had not been kept"
        self.page.tell(words)

    def _content(self, record: ArtifactRecord) -> AsyncIterator[bytes]:
        subject = self.subject
        return subject.box.read_artifact(subject.id, record.path, attempt=subject.attempt)


def _size(leaf: Leaf) -> Cell:
    if leaf.record is not None and leaf.record.kind != "file":
        return Cell("not kept", Tone.WARN)
    return Cell(format_size(leaf.size), Tone.MUTED if leaf.record is None else Tone.TEXT)


def _mode(leaf: Leaf) -> Cell:
    kept = leaf.record is not None and leaf.record.kind == "file"
    return Cell(f"{leaf.record.mode & 0o7777:o}" if leaf.record and kept else "", Tone.FAINT)


def _reason(leaf: Leaf) -> Cell:
    return Cell(leaf.record.reason if leaf.record else "", Tone.WARN)
