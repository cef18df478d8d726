"""The form itself: a draft shown in widgets, and what is typed into them brought to the draft."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, TextArea

from evalbox.errors import EvalboxError
from evalbox.tui.form.code import CodeEditor
from evalbox.tui.form.draft import LANGUAGES, Draft, Mode
from evalbox.tui.form.entry import Choose, Problem, entry, headed
from evalbox.tui.form.fields import GROUPS, Field, Kind
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Picture, Span, ends, measure

_UNCONFINED = "confines nothing: the program runs as the user who runs the box, on its machine"
_LANGUAGE_HINT = "choose one above, or start it with a #! line"
_MODE = Field("mode", "run", kind=Kind.CHOICE, choices=(Mode.SCRIPT, Mode.COMMAND))
_LANGUAGE = Field("language", "language", kind=Kind.CHOICE, choices=LANGUAGES)
_ARGUMENTS = Field("arguments", "arguments", "none", Kind.SEVERAL)
_COMMAND = Field("command", "command", "PROGRAM ARGUMENT ...", Kind.SEVERAL)


class Sheet(Widget):
    """Keeps ``draft`` as what is typed, and tells of every change."""

    class Changed(Message):
        """Something else is typed."""

    def __init__(self, draft: Draft, glyphs: Glyphs) -> None:
        super().__init__()
        self.draft = draft
        self._glyphs = glyphs
        self.editor = CodeEditor(glyphs, id="code")
        self.problem = Problem()
        self.origin = Picture(self._origin, id="origin")
        self.as_it_is = Picture(self._as_it_is, id="as-it-is")
        self.mode, self.language = entry(_MODE), entry(_LANGUAGE)
        self.command, self.arguments = entry(_COMMAND), entry(_ARGUMENTS)
        self.entries = {
            field.option: entry(field) for group in GROUPS for field in group.fields
        }  # fmt: skip

    def compose(self) -> ComposeResult:
        with Vertical(id="program"):
            yield self.mode
            yield self.language
            yield self.command
            yield self.origin
            yield self.editor
            yield self.as_it_is
            yield self.arguments
            yield self.problem
        with VerticalScroll(id="fields", can_focus=False):
            for group in GROUPS:
                yield headed(group.title)
                for field in group.fields:
                    yield self.entries[field.option]

    def on_mount(self) -> None:
        self.show(self.draft)
        self.begin()

    def begin(self) -> None:
        """Puts the cursor where typing begins."""
        match self.draft.mode:
            case Mode.COMMAND:
                self.command.focus()
            case Mode.FILE:
                self.arguments.focus()
            case _:
                self.editor.focus()

    def show(self, draft: Draft) -> None:
        """Fills the widgets anew."""
        self.draft = draft
        self.editor.load_text(draft.text)
        self.mode.fill(Mode.COMMAND if draft.mode is Mode.COMMAND else Mode.SCRIPT)
        self.language.fill(draft.language)
        self.command.fill(draft.command)
        self.arguments.fill(draft.arguments)
        for option, one in self.entries.items():
            one.fill(draft.values.get(option, ""))
        self._arrange()

    def _arrange(self) -> None:
        """Shows what the mode needs."""
        mode = self.draft.mode
        self.command.display = mode is Mode.COMMAND
        self.arguments.display = self.language.display = mode is not Mode.COMMAND
        self.origin.display = mode is not Mode.COMMAND
        self.editor.display = mode is Mode.SCRIPT
        self.as_it_is.display = mode is Mode.FILE
        self.as_it_is.look()
        self._read()

    def _read(self) -> None:
        self.editor.read_as(self.draft.tongue)
        self.origin.look()

    # --- what is typed ---

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        option = event.input.id or ""
        if option == "command":
            self.draft.command = event.value
        elif option == "arguments":
            self.draft.arguments = event.value
        else:
            self.draft.values[option] = event.value
        self.post_message(self.Changed())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def on_choose_changed(self, event: Choose.Changed) -> None:
        event.stop()
        option, value = event.choose.id or "", event.choose.value
        if option == "mode":
            self._change_mode(Mode(value))
        elif option == "language":
            self.draft.language = value
            self._read()
        else:
            self.draft.values[option] = self.entries[option].said
        self.post_message(self.Changed())

    def _change_mode(self, mode: Mode) -> None:
        """A file that is run as it is comes back with the other scripts."""
        draft = self.draft
        unread = draft.path and not draft.opened and not draft.text
        draft.mode = Mode.FILE if mode is Mode.SCRIPT and unread else mode
        self._arrange()

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if self.draft.mode is not Mode.FILE:
            before, self.draft.text = self.draft.tongue, self.editor.text
            if self.draft.tongue != before:
                self._read()
            self.origin.look()
        self.post_message(self.Changed())

    # --- what is told ---

    def tell(self, problems: Mapping[str, EvalboxError]) -> None:
        """Shows each where it belongs."""
        for option, one in self.entries.items():
            error = problems.get(option)
            one.say("" if error is None else told(option, error))
        engine = self.entries["engine"]
        if "engine" not in problems and engine.said == "process":
            engine.say(_UNCONFINED, Tone.WARN)
        rest = [told(option, error) for option, error in problems.items()
                if option not in self.entries]  # fmt: skip
        self.problem.say("; ".join(rest), Tone.BAD if self.draft.changed else Tone.MUTED)

    def go_to(self, option: str) -> None:
        """Puts the cursor where that is put right."""
        if option in self.entries:
            self.entries[option].focus()
        else:
            self.begin()

    def _origin(self, width: int) -> list[Line]:
        draft = self.draft
        name = PurePath(draft.path).name or "a new script"
        left: list[Span] = [(f" {steady(name)}", Tone.STRONG)]
        if draft.path and draft.mode is Mode.SCRIPT and draft.text != draft.opened:
            left.append((", changed", Tone.WARN))
        language = draft.tongue if draft.mode is Mode.SCRIPT else ""
        right = [(f"  {steady(language)} ", Tone.ACCENT)]
        if draft.path:
            room = max(0, width - measure(left) - measure(right) - 3)
            left.append((f"  {fit(draft.path, room)}", Tone.FAINT))
        return [ends(left, right, width)]

    def _as_it_is(self, _width: int) -> list[Line]:
        words = "is run as it is: a family, or no plain text of a length to type on"
        return [[], [(f" {steady(self.draft.path)}", Tone.TEXT)], [(f" {words}", Tone.MUTED)]]


def told(option: str, error: EvalboxError) -> str:
    """What is wrong, in words that stand under the field: without its name in front."""
    words = error.message
    for prefix in _prefixes(option):
        if words.startswith(prefix):
            words = words.removeprefix(prefix)
            break
    hint = _LANGUAGE_HINT if getattr(error, "field", "") == "language" else error.hint
    return f"{words}: {hint}" if hint else words


def _prefixes(option: str) -> Iterator[str]:
    flag = option.replace("_", "-")
    names = (flag, {"after": "in", "output_limit": "output"}.get(option, option))
    for name in names:
        yield from (f"--{name}: ", f"limit {name}: ", f"{name}: ", f"{name}s: ")
    yield "standard input: "
