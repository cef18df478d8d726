"""The lines above and below every screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from textual.binding import ActiveBinding, Binding
from textual.screen import Screen
from textual.widgets import Input

from evalbox.domain.state import State
from evalbox.tui.context import Context
from evalbox.tui.glyphs import sparkline
from evalbox.tui.text import steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span, ends, measure
from evalbox.tui.wording import level

_SPARK = 12


def top(
    context: Context,
    pages: Sequence[str],
    current: str,
    width: int,
    *,
    digits: bool = True,
    frozen: bool = False,
) -> Sequence[Line]:
    """The name, the screens by the ``digits`` that go to them, and how the box stands.

    Where room is short first the machine goes, then the names of other screens. ``frozen``: what is
    shown stands still.
    """
    machine = [*_machine(context), (" ", Tone.TEXT)]
    left = _pages(pages, current, named=True, digits=digits)
    if measure(left) > width:
        left = _pages(pages, current, named=False, digits=digits)
    for right in (machine, machine[-3:]):
        if measure(left) + measure(right) < width:
            break
    else:
        right = []
    return [ends(left, right, width), _line_of_counts(context, width, frozen=frozen)]


def _pages(pages: Sequence[str], current: str, *, named: bool, digits: bool) -> list[Span]:
    line: list[Span] = [(" evalbox ", Tone.ACCENT)]
    for number, page in enumerate(pages, start=1):
        here = page == current
        if digits:
            line.append((f" {number}", Tone.ACCENT if here else Tone.FAINT))
        if here or named:
            line.append((f" {page} ", Tone.STRONG if here else Tone.MUTED))
    return line


def _machine(context: Context) -> list[Span]:
    standing = context.standing
    latest = standing.host.latest if standing.host else None
    if latest is None:
        return []
    percents = [sample.cpu for sample in standing.history]
    spark = sparkline(percents, _SPARK, 100.0, context.glyphs)
    memory = latest.memory_percent
    return [
        ("cpu ", Tone.FAINT), (spark, Tone.BUSY), (f"{latest.cpu:4.0f} %", level(latest.cpu)),
        ("  mem ", Tone.FAINT), (f"{memory:.0f} %", level(memory)),
    ]  # fmt: skip


_COUNTED = (
    (State.QUEUED, "queued", Tone.TEXT),
    (State.COMPLETED, "completed", Tone.GOOD),
    (State.FAILED, "failed", Tone.BAD),
    (State.DEAD, "dead", Tone.BAD),
    (State.CANCELLED, "cancelled", Tone.WARN),
)


def _line_of_counts(context: Context, width: int, *, frozen: bool) -> Line:
    standing, dot = context.standing, f" {context.glyphs.dot} "
    queue = standing.queue
    if standing.trouble:
        return [(f" {steady(standing.trouble)}", Tone.BAD)]
    if queue is None:
        return [(" looking at the box", Tone.MUTED)]
    line: list[Span] = [
        (f" {standing.active}", Tone.BUSY if standing.active else Tone.TEXT),
        (f" of {queue.slots} running", Tone.MUTED),
    ]
    if frozen:
        line += [(dot, Tone.FAINT), ("display paused", Tone.WARN)]
    for state, word, tone in _COUNTED:
        if number := queue.states.get(state, 0):
            more = [(dot, Tone.FAINT), (f"{number:,}", tone), (f" {word}", Tone.MUTED)]
            if measure([*line, *more]) <= width:
                line += more
    return ends(line, _told(context, width - measure(line) - 2), width)


def _told(context: Context, room: int) -> Line:
    """What keeps the queue, where something does."""
    standing = context.standing
    held = standing.queue is not None and (standing.queue.holding or standing.queue.paused)
    words = steady(standing.admission) if held or not _works(context) else ""
    if context.options.read_only:
        words = f"{words}  read-only" if words else "read-only"
    return [(f"{words[:room]} ", Tone.WARN)] if words else []


def _works(context: Context) -> bool:
    queue = context.standing.queue
    return queue is not None and queue.working and not queue.draining


def shown_bindings(screen: Screen[Any]) -> list[Binding]:
    """What can be done now and is to be told: what is done only here comes first.

    After the focus's own come those of the screen, from its class to the most general, and those
    that are the same everywhere.
    """
    shown = [one for one in screen.active_bindings.values() if one.enabled and one.binding.show]
    places = _places(type(screen))
    general = len(places)

    def place(active: ActiveBinding) -> int:
        if active.node is screen:
            return places.get((active.binding.key, active.binding.action), general)
        return general if active.node is screen.app else -1

    return [active.binding for active in sorted(shown, key=place)]


@cache
def _places(kind: type[Screen[Any]]) -> dict[tuple[str, str], int]:
    """Its bindings, by key and action, with their places: its own, then those it inherits."""
    every = (
        (binding.key, binding.action)
        for one in kind.__mro__
        for binding in Binding.make_bindings(one.__dict__.get("BINDINGS", ()))
    )
    return {binding: place for place, binding in enumerate(dict.fromkeys(every))}


def keys(screen: Screen[Any], width: int) -> Sequence[Line]:
    """The keys that count here; what does not fit is in the help, and the way there is told."""
    if isinstance(screen.focused, Input) and screen.focused.id == "filter":
        return [_keys([("enter", "keep"), ("esc", "clear")])]
    told = [
        (screen.app.get_key_display(binding), binding.description)
        for binding in shown_bindings(screen)
    ]
    last = [pair for pair in told if pair[1] == "help"]
    first = [pair for pair in told if pair not in last]
    while first and measure(_keys(first + last)) > width:
        first.pop()
    return [_keys(first + last)]


def _keys(told: Sequence[tuple[str, str]]) -> list[Span]:
    line: list[Span] = []
    for key, words in told:
        line += [(f" {key}", Tone.ACCENT), (f" {words}  ", Tone.MUTED)]
    return line
