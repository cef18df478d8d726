"""The application: its screens, and what every one of them can do."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, ClassVar

from textual._compositor import CompositorUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender

from evalbox.domain.clock import Clock, SystemClock
from evalbox.errors import EvalboxError
from evalbox.service.box import Box
from evalbox.tui import memory, theme
from evalbox.tui.context import Context
from evalbox.tui.ending import Ending
from evalbox.tui.environment import Options
from evalbox.tui.frame import Frame
from evalbox.tui.glyphs import ASCII, BLOCK
from evalbox.tui.keymap import NAME
from evalbox.tui.model.book import Book
from evalbox.tui.model.keeper import Keeper
from evalbox.tui.model.standing import Standing
from evalbox.tui.screens.choice import Choice
from evalbox.tui.screens.help import Help
from evalbox.tui.screens.leaving import leaving
from evalbox.tui.screens.page import PAGES, Page, page_class
from evalbox.tui.screens.palette import Command, Palette, commands, elsewhere

#: Seconds after the first screen has been seen.
_LATER = 2.0
_KEYS = {"escape": "esc", "delete": "del", "pageup": "pgup", "pagedown": "pgdn"}


class _PlainScrollBar(ScrollBarRender):
    """Ends on whole cells."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


class MissionControl(App[Ending]):
    """Shows ``box``, which stays the caller's. Gives how it was left."""

    CSS_PATH = "app.tcss"
    TITLE = "evalbox"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"page('{name}')", name, show=False,
                    id=f"screen.{name.lower()}", tooltip=f"Go to {name}")
            for number, name in enumerate(PAGES, start=1)
        ),
        Binding("question_mark", "help", "help", id="app.help", tooltip="This help"),
        Binding("f1", "help", "help", show=False, id="app.help_too", tooltip="This help"),
        Binding("ctrl+p", "palette", "actions", id="app.palette",
                tooltip="Every action by its name"),
        Binding("colon", "palette", "actions", show=False, id="app.palette_too",
                tooltip="Every action by its name"),
        Binding("ctrl+t", "theme", "theme", show=False, id="app.theme", tooltip="Light or dark"),
        Binding("n", "new", "new", id="app.new", tooltip="A new evaluation"),
        Binding("ctrl+l", "repaint", "repaint", show=False, id="app.repaint",
                tooltip="Draw all anew, where something else has drawn over it"),
        Binding("q", "leave", "quit", id="app.quit", tooltip="Quit"),
        Binding("ctrl+q,ctrl+c", "leave", "quit", show=False, id="app.quit_too", tooltip="Quit"),
    ]  # fmt: skip

    def __init__(
        self, box: Box, options: Options, *, clock: Clock | None = None, where: str = ""
    ) -> None:
        super().__init__(ansi_color=None if options.colour else True)
        for one in theme.themes():
            self.register_theme(one)
        self.theme = theme.theme_name(options.theme, colour=options.colour)
        self._scheme = options.theme
        if options.ascii:
            self.add_class("-ascii")
        # A matter of the class, so that it is said either way.
        ScrollBar.renderer = _PlainScrollBar if options.ascii else ScrollBarRender
        self.context = Context(
            box=box,
            book=Book(),
            standing=Standing(),
            options=options,
            glyphs=ASCII if options.ascii else BLOCK,
            clock=clock or SystemClock(),
            where=where,
        )
        self.keeper = Keeper(
            box,
            self.context.book,
            self.context.standing,
            interval=options.interval,
            attending=self._attending,
            on_change=self._look_soon,
        )
        for name in PAGES:
            self.add_mode(name, partial(_page, name, self.context))
        self._looking = False
        self._frame = Frame()

        self.set_keymap(options.keymap)

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self._frame.forget())
        self.switch_mode(PAGES[0])
        self.run_worker(self.keeper.run, name="keeper", group="keeper")  # type: ignore[arg-type]
        self.set_interval(self.context.options.interval, self._look)
        self.set_timer(_LATER, partial(self.run_worker, _load_pages, name="pages", thread=True))
        if self.context.options.keymap:
            self.call_after_refresh(self.run_worker, self._check_keys, name="keymap")

    async def _check_keys(self) -> None:
        """Behind the first screen, since every other one has to be known for it."""
        from evalbox.tui.bindings import problems

        for problem in await asyncio.to_thread(problems, self.context.options.keymap):
            self.notify(f"{NAME}: {problem}", severity="warning", markup=False, timeout=15)

    def _look_soon(self) -> None:
        """Once, however many ask before it is done."""
        if not self._looking:
            self._looking = True
            self.call_later(self._look)

    def _look(self) -> None:
        self._looking = False
        stack = self.screen_stack if self.is_running and not self._exit else []
        if stack and isinstance(stack[-1], Page):
            stack[-1].look()

    def _attending(self) -> bool:
        stack = self.screen_stack if self.is_running else []
        return any(isinstance(screen, Page) and screen.ATTENDS for screen in stack)

    def note(self, text: str) -> None:
        """Shows a line of narration."""
        self.notify(text, markup=False, timeout=6)

    # --- actions ---

    def action_page(self, name: str) -> None:
        if isinstance(self.screen, Page):
            self.switch_mode(name)

    async def action_theme(self) -> None:
        options = self.context.options
        if options.colour:
            self._scheme = "light" if self._scheme == "dark" else "dark"
            self.theme = theme.theme_name(self._scheme, colour=True)
            if options.memory is not None:
                await asyncio.to_thread(memory.keep, options.memory, self._scheme)

    def action_new(self) -> None:
        from evalbox.tui.screens.new import NewEvaluation

        if isinstance(self.screen, Page):
            self.push_screen(NewEvaluation(self.context))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "new":
            stack = self.screen_stack
            return not self.context.options.read_only and not (stack and stack[-1].id == "new")
        return super().check_action(action, parameters)

    def action_help(self) -> None:
        screen = self.screen
        if isinstance(screen, Page):
            self.push_screen(Help(screen))

    def action_palette(self) -> None:
        screen = self.screen
        if isinstance(screen, Page):
            found = commands(screen, self.get_key_display)
            more = partial(elsewhere, screen, self.get_key_display, found)
            self.push_screen(Palette(self.context, found, more), self._do)

    def _do(self, command: Command | None) -> None:
        if command is not None:
            self.call_later(self._perform, command)

    async def _perform(self, command: Command) -> None:
        """On the screen that it is of, which is gone to first."""
        if command.page:
            await self.switch_mode(command.page)
            while len(self.screen_stack) > 1:
                await self.pop_screen()
        await self.run_action(command.action, command.node or self.screen)

    async def action_open(self, reference: str) -> None:
        """The evaluation of an id, or of the beginning of one."""
        screen = self.screen
        if isinstance(screen, Page):
            screen.begin(partial(self._open, reference))

    async def _open(self, reference: str) -> None:
        from evalbox.tui.model.row import row_of
        from evalbox.tui.screens.evaluation import EvaluationScreen

        box = self.context.box
        item = await box.get(await box.resolve(reference))
        self.push_screen(EvaluationScreen(self.context, row_of(item)))

    async def action_leave(self) -> None:
        """Asks where this process runs what would be touched by it."""
        if isinstance(self.screen, Choice):
            return
        if self.context.options.passing:
            self.exit(Ending.QUIT)
            return
        try:
            queue = await self.context.box.queue()
        except EvalboxError:
            self.exit(Ending.QUIT)
            return
        standing = self.context.standing
        standing.queue = queue
        if not queue.here or not (standing.active or standing.queued):
            self.exit(Ending.QUIT)
            return
        self.push_screen(leaving(standing), self._leave)

    def _leave(self, ending: Ending | None) -> None:
        if ending is not None:
            self.exit(ending)

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable = self._frame.difference(renderable, self.size)
        super()._display(screen, renderable)

    def action_repaint(self) -> None:
        self._frame.forget()
        self.refresh()

    def get_key_display(self, binding: Binding) -> str:
        """In words where Textual has a picture that not every font has."""
        shown = super().get_key_display(binding)
        return shown if shown.isascii() else _KEYS.get(binding.key, binding.key)

    def get_default_screen(self) -> Screen[None]:
        return Screen(id="blank")


def _load_pages() -> None:
    """So that going to one for the first time is not felt."""
    for name in PAGES:
        page_class(name)


def _page(name: str, context: Context) -> Page:
    """Loaded when it is first gone to, since the first screen is to be seen at once."""
    return page_class(name)(context)
