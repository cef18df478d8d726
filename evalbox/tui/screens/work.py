"""A task that a person attempts: what is to be done, how long there is, what it is worth so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.quantity import format_size
from evalbox.domain.state import FINAL, State
from evalbox.errors import EvalboxError, EvaluationNotFound, InvalidTransition, TaskError
from evalbox.service import human
from evalbox.tui import wording
from evalbox.tui.acting import Acting
from evalbox.tui.context import Context
from evalbox.tui.form.draft import editable
from evalbox.tui.model.row import Row, row_of
from evalbox.tui.model.subject import Subject
from evalbox.tui.screens.choice import confirm
from evalbox.tui.screens.evaluation.pane import Scroll, told, wrap
from evalbox.tui.screens.evaluation.score import drawn_score
from evalbox.tui.screens.evaluation.summary import head
from evalbox.tui.screens.submission import Submission
from evalbox.tui.screens.worksheet import drawn_scores, paragraphs, worth
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Picture

#: Seconds that are left from which on they are told in another tone.
_SOON = 300.0
#: Bytes of a submission that are shown to be typed on.
_SHOWN = 200_000


class WorkScreen(Acting):
    """What is asked for between lies on the desk, for whoever comes back to it."""

    NAME = "Evaluations"
    ATTENDS = True
    DIGITS = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "shell", "shell", id="work.shell",
                tooltip="Open a shell, as the agent, in its home"),
        Binding("enter", "shell", "shell", show=False, id="work.shell_too",
                tooltip="Open a shell, as the agent, in its home"),
        Binding("s", "score", "score", id="work.score",
                tooltip="See what the work is worth so far"),
        Binding("S", "submit", "submit", id="work.submit",
                tooltip="Be done: the task is scored and ends"),
        Binding("ctrl+s", "submit", "submit", show=False, id="work.submit_too",
                tooltip="Be done: the task is scored and ends"),
        Binding("x", "give_up", "give up", id="work.give_up",
                tooltip="End it without a submission"),
        Binding("l", "whole", "log", id="work.log", tooltip="Its log, and all else about it"),
        Binding("escape", "back", "back", id="work.back", tooltip="Leave it as it is"),
    ]  # fmt: skip
    CHANGING: ClassVar[frozenset[str]] = Acting.CHANGING | {"score", "submit", "give_up"}

    def __init__(self, context: Context, row: Row) -> None:
        super().__init__(context)
        self._row = row
        self.subject = Subject(context.box, row.id)
        self._given: human.Undertaking | None = None
        self._asked_for = ""
        self._instructions: str | None = None
        self._attempt = 0
        self._renewing = False
        self._trouble = ""
        self._head = Picture(self._draw_head, id="head")
        self._turn = Picture(self._draw_turn, id="status")
        self._sheet = Picture(self._draw)
        self._scroll = Scroll(self._sheet, id="work")

    def body(self) -> Iterable[Widget]:
        yield self._head
        yield self._turn
        yield self._scroll

    def on_mount(self) -> None:
        self._scroll.focus()
        self.redraw()

    # --- what is known of it ---

    def redraw(self) -> None:
        super().redraw()
        if not self._renewing and not self.subject.over:
            self._renewing = True
            self.begin(self._renew)
        self._draw_all()

    def _draw_all(self) -> None:
        for picture in (self._head, self._turn, self._sheet):
            picture.look()

    async def _renew(self) -> None:
        try:
            await self.subject.renew()
            await self._learn()
            self._trouble = ""
            self._draw_all()
        except EvaluationNotFound:
            self.tell("it is not there any more")
            if self.is_current:
                self.dismiss()
        except EvalboxError as error:
            # Tried again and again, and told once.
            if self._trouble != error.message:
                self._trouble = error.message
                self.tell_error(error)
        finally:
            self._renewing = False

    async def _learn(self) -> None:
        """What does not change: what was asked for, and once in each attempt, the instructions."""
        item, subject = self.subject.item, self.subject
        if item is not None and self._given is None:
            self._given = await human.undertaking(subject.box, item)
        if subject.newest != self._attempt:
            self._attempt, self._instructions = subject.newest, None
        if self._instructions is None and self._open:
            try:
                content = await human.read(subject.box, subject.id, human.INSTRUCTIONS)
            except InvalidTransition:
                return
            self._instructions = content.decode("utf-8", "replace")

    @property
    def _open(self) -> bool:
        """Whether it can be worked on now."""
        activity = self.context.standing.activity.get(self.subject.id)
        item = self.subject.item
        running = item is not None and item.state is State.RUNNING
        return running and activity is not None and activity.phase == human.TURN

    # --- doing ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "work" and super().check_action(action, parameters)

    def chosen(self) -> Sequence[Row]:
        item = self.subject.item
        return [self._row if item is None else row_of(item)]

    def acted(self) -> None:
        self.look()

    def action_back(self) -> None:
        self.dismiss()

    def action_whole(self) -> None:
        from evalbox.tui.screens.evaluation import EvaluationScreen

        self.app.push_screen(EvaluationScreen(self.context, self.chosen()[0]))

    def _may(self) -> bool:
        """Tells where it cannot be worked on."""
        if not self._open:
            over = self.subject.over
            self.tell("it has ended" if over else "it is not open yet: it is being made ready")
        return self._open

    def action_shell(self) -> None:
        if self._may():
            self.begin(partial(self._visit, self.chosen()[0]))

    async def _visit(self, row: Row) -> None:
        from evalbox.tui.visiting import visit

        box = self.context.box
        self.tell(await visit(self.app, box, row.id, row.name, human.agent_shell))

    def action_score(self) -> None:
        if self._may():
            self.begin(self._score)

    async def _score(self) -> None:
        answer = await human.score(self.context.box, self.subject.id)
        asked = self.context.desk.scores.setdefault(self.subject.id, [])
        asked.append((self.context.clock.now(), answer))
        self._draw_all()
        self.tell(f"so far {worth(answer)}")

    def action_submit(self) -> None:
        if self._may():
            self.begin(self._ask_for_submission)

    async def _ask_for_submission(self) -> None:
        """Text of no great length is looked at and typed on, all else is taken as it is."""
        content = await human.read(self.context.box, self.subject.id, human.SUBMISSION)
        text = editable(content) if len(content) < _SHOWN else None

        def written(submission: bytes) -> None:
            self.begin(partial(self._submit, None if submission == content else submission))

        def answered(sure: bool) -> None:
            if sure:
                self.begin(partial(self._submit, None))

        if text is not None:
            self.ask(Submission(text, self.context.glyphs), written)
            return
        size = format_size(len(content)) if len(content) < _SHOWN else "over 200 kB"
        question = f"Submit what is in submission.txt ({size}, not to be shown here)?"
        self.ask(confirm(question, yes="submit: it is scored, and that is the end"), answered)

    async def _submit(self, content: bytes | None) -> None:
        await human.submit(self.context.box, self.subject.id, content)
        self.tell("submitted")

    def action_give_up(self) -> None:
        if self.subject.over:
            self.tell("it has ended")
            return

        def answered(sure: bool) -> None:
            if sure:
                self.begin(self._give_up)

        self.ask(confirm("Give it up? Nothing is submitted or scored.", yes="give up"), answered)

    async def _give_up(self) -> None:
        await self.context.box.cancel([self.subject.id])
        self.tell("given up")

    # --- drawing ---

    def _draw_head(self, width: int) -> Sequence[Line]:
        return head(self.subject, self._row, self.context, width)

    def _draw_turn(self, width: int) -> Sequence[Line]:
        item = self.subject.item
        if item is None:
            return [[(" looking", Tone.MUTED)]]
        if item.state in FINAL:
            return [[(" it has ended", Tone.MUTED)]]
        if not self._open:
            return [[(" being made ready: it is your turn when it comes to the agent", Tone.MUTED)]]
        return [[(" it is your turn", Tone.GOOD), *self._left(item)]]

    def _left(self, item: Evaluation) -> Line:
        activity = self.context.standing.activity.get(item.id)
        if self._given is None or activity is None:
            return []
        left = activity.since + self._given.seconds - self.context.clock.now()
        tone = Tone.BAD if left < _SOON else Tone.STRONG
        return [(", ", Tone.MUTED), (wording.span(left), tone), (" left", Tone.MUTED)]

    def _draw(self, width: int) -> Sequence[Line]:
        item = self.subject.item
        if item is None:
            return told("looking")
        lines: list[Line] = [[]]
        if item.score is not None and item.state in FINAL:
            lines += [*drawn_score(item.score, self.context.glyphs, width), []]
        elif item.state in FINAL and item.reason:
            lines += [*wrap("why", steady(item.reason), width), []]
        if self._instructions is not None:
            lines.append([(" what is to be done", Tone.STRONG)])
            lines += paragraphs(self._instructions, width)
        asked = self.context.desk.scores.get(self.subject.id, ())
        return [*lines, [], *drawn_scores(asked, self._given, width)]


async def work(page: Acting, row: Row) -> None:
    """Goes to work on it. Raises ``TaskError`` where it is not a person who attempts it."""
    box = page.context.box
    if await human.undertaking(box, await box.get(row.id)) is None:
        raise TaskError(
            "nobody attempts it by hand",
            hint="begin one on the screen of tasks, or in the form with human as its agent",
        )
    page.app.push_screen(WorkScreen(page.context, row))
