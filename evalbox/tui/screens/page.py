"""What all screens have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from importlib import import_module
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget

from evalbox.errors import EvalboxError
from evalbox.tui.clipboard import copy
from evalbox.tui.context import Context
from evalbox.tui.text import fit
from evalbox.tui.theme import Surface, Tone
from evalbox.tui.widgets import bars
from evalbox.tui.widgets.picture import Line, Picture

T = TypeVar("T")
Work = Callable[[], Awaitable[None]]

#: Cells of an error's message, and of its hint, that are told.
_MOST_TOLD = 240

#: The screens that have a digit, in their order.
PAGES = (
    "Evaluations",
    "Queue",
    "Batches",
    "Failures",
    "Host",
    "Events",
    "Images",
    "Tasks",
)


def page_class(name: str) -> type[Page]:
    """The screen of that name among ``PAGES``, which is imported now."""
    module = import_module(f"evalbox.tui.screens.{name.lower()}")
    found: type[Page] = getattr(module, f"{name}Screen")
    return found


class Page(Screen[None]):
    """``look`` is called twice a second or so, and ``redraw`` sends what has changed.

    Of the handlers of messages Textual calls those of every class, the most derived first.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "freeze", "pause", show=False, id="page.freeze",
                tooltip="Have what is shown stand still, or go on"),
    ]  # fmt: skip
    #: Its name among ``PAGES``, and the actions that change something.
    NAME = ""
    #: Whether it shows what the attempts under way are at.
    ATTENDS = False
    #: Whether digits go to other screens from here.
    DIGITS = True
    CHANGING: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, context: Context) -> None:
        super().__init__()
        # What is new is made by the styles in force: Textual would read them all twice again.
        self._css_update_count = self.app._css_update_count
        self.context = context
        self.top_bar = Picture(self._top, surface=Surface.BAR, id="top")
        self.key_bar = Picture(lambda width: bars.keys(self, width), surface=Surface.BAR, id="keys")
        self._ready = False
        self._frozen = False

    def compose(self) -> ComposeResult:
        with Vertical(id="frame"):
            yield self.top_bar
            yield from self.body()
            yield self.key_bar
        yield Picture(self._too_small, id="too-small")

    def body(self) -> Iterable[Widget]:
        """What is between the bars."""
        return ()

    def _top(self, width: int) -> list[Line]:
        return list(
            bars.top(self.context, PAGES, self.NAME, width,
                     digits=self.DIGITS, frozen=self._frozen)
        )  # fmt: skip

    def _too_small(self, width: int) -> list[Line]:
        size = self.app.size
        return [
            [("This terminal is too small.", Tone.STRONG)],
            [(f"It has {size.width}x{size.height}, 60x16 is needed.", Tone.MUTED)],
            [("q", Tone.ACCENT), (" quit", Tone.MUTED)],
        ]

    def look(self) -> None:
        if self._ready and not self._frozen:
            self.redraw()

    def action_freeze(self) -> None:
        self._frozen = not self._frozen
        self.top_bar.look()
        self.look()

    def redraw(self) -> None:
        self.top_bar.look()

    def on_screen_resume(self) -> None:
        self.look()

    def on_mount(self) -> None:
        self._ready = True
        self.bindings_updated_signal.subscribe(self, lambda _: self._keys_changed())

    def _keys_changed(self) -> None:
        if self.is_current:
            self.key_bar.look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.context.options.read_only and action in self.CHANGING:
            return False
        return super().check_action(action, parameters)

    # --- doing ---

    def begin(self, work: Work, *, group: str = "") -> None:
        """Does something with the box beside the screen; what fails is told.

        In a ``group`` the newest work ends what was begun before.
        """
        self.run_worker(
            partial(self._told_where_it_fails, work),  # type: ignore[arg-type]
            group=group or "doing",
            exclusive=bool(group),
        )

    async def _told_where_it_fails(self, work: Work) -> None:
        try:
            await work()
        except EvalboxError as error:
            self.tell_error(error)

    def tell(self, text: str) -> None:
        self.notify(text, markup=False, timeout=4)

    def tell_error(self, error: EvalboxError) -> None:
        # What a job printed may be in it, of any length; the rest of it is in a log.
        told = [fit(one.partition("\n")[0], _MOST_TOLD).rstrip()
                for one in (error.message, error.hint) if one]  # fmt: skip
        self.notify("\n".join(told), severity="error", markup=False, timeout=10)

    def copy(self, text: str) -> None:
        """Into the clipboard; where it is then is told."""
        self.begin(partial(self._copied, text))

    async def _copied(self, text: str) -> None:
        driver = self.app._driver
        self.tell(await copy(text, driver.write if driver is not None else lambda _: None))

    def ask(self, screen: Screen[T], answered: Callable[[T], None]) -> None:
        """Shows a dialog; ``answered`` gets what it gives, unless that is nothing."""

        def done(answer: T | None) -> None:
            if answer is not None:
                answered(answer)

        self.app.push_screen(screen, done)
