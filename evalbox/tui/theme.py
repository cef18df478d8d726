"""Colours. All are colours of the 256 that every terminal has, so that none turns into another
where a terminal, as over SSH, is not known to have more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from rich.style import Style
from textual.theme import Theme


class Tone(Enum):
    """What a piece of text means."""

    TEXT = auto()
    MUTED = auto()
    FAINT = auto()
    STRONG = auto()
    GOOD = auto()
    BAD = auto()
    WARN = auto()
    BUSY = auto()
    SPECIAL = auto()
    ACCENT = auto()
    LINE = auto()
    HIT = auto()


class Surface(Enum):
    """What it stands on."""

    BASE = auto()
    BAR = auto()
    CURSOR = auto()
    CURSOR_AWAY = auto()


@dataclass(frozen=True, slots=True)
class Colours:
    """``#rrggbb`` each. ``away`` is the cursor of a list that is not being used.

    Light greys are one or two of 255 above those of the 256 that they become: Rich rounds them
    down, and the exact ones would become the next darker.
    """

    background: str
    bar: str
    cursor: str
    away: str
    text: str
    muted: str
    faint: str
    strong: str
    good: str
    bad: str
    warn: str
    busy: str
    special: str
    accent: str
    line: str
    hit: str
    hit_text: str


DARK = Colours(
    background="#121212",
    bar="#1c1c1c",
    cursor="#303030",
    away="#262626",
    text="#d2d2d2",
    muted="#8a8a8a",
    faint="#585858",
    strong="#f0f0f0",
    good="#5faf5f",
    bad="#d75f5f",
    warn="#d7af5f",
    busy="#5f87ff",
    special="#af87d7",
    accent="#5fd7ff",
    line="#303030",
    hit="#d7af5f",
    hit_text="#121212",
)

LIGHT = Colours(
    background="#ffffff",
    bar="#f0f0f0",
    cursor="#dcdcdc",
    away="#e6e6e6",
    text="#303030",
    muted="#626262",
    faint="#9f9f9f",
    strong="#121212",
    good="#008700",
    bad="#af0000",
    warn="#875f00",
    busy="#005fd7",
    special="#8700af",
    accent="#005f87",
    line="#d2d2d2",
    hit="#ffd75f",
    hit_text="#121212",
)

_SCHEMES = {"dark": DARK, "light": LIGHT}
_PLAIN = "evalbox-plain"

_BOLD = {Tone.STRONG, Tone.ACCENT}


class Palette:
    """Every tone on every surface, as a style that is made once."""

    def __init__(self, styles: dict[tuple[Tone, Surface], Style]) -> None:
        self._styles = styles

    def style(self, tone: Tone = Tone.TEXT, surface: Surface = Surface.BASE) -> Style:
        return self._styles[tone, surface]


def _coloured(colours: Colours) -> Palette:
    grounds = {
        Surface.BASE: colours.background,
        Surface.BAR: colours.bar,
        Surface.CURSOR: colours.cursor,
        Surface.CURSOR_AWAY: colours.away,
    }
    styles = {
        (tone, surface): Style(
            color=getattr(colours, tone.name.lower()), bgcolor=ground, bold=tone in _BOLD
        )
        for tone in Tone
        for surface, ground in grounds.items()
    }
    hit = Style(color=colours.hit_text, bgcolor=colours.hit, bold=True)
    return Palette(styles | {(Tone.HIT, surface): hit for surface in Surface})


def _uncoloured() -> Palette:
    """What colours say is said by weight and by reversal; words say it anyway."""

    def style(tone: Tone, surface: Surface) -> Style:
        return Style(
            color="default",
            bgcolor="default",
            bold=tone in _BOLD or tone is Tone.BAD,
            dim=tone in {Tone.FAINT, Tone.LINE},
            underline=tone is Tone.HIT or surface is Surface.CURSOR_AWAY,
            reverse=surface is Surface.CURSOR,
        )

    return Palette({(tone, surface): style(tone, surface) for tone in Tone for surface in Surface})


def theme_name(scheme: str, *, colour: bool) -> str:
    """The name by which Textual knows a theme of ours. ``scheme`` is ``dark`` or ``light``."""
    return f"evalbox-{scheme}" if colour else _PLAIN


def themes() -> list[Theme]:
    """All of ours, for Textual."""
    return [*(_theme(name, colours) for name, colours in _SCHEMES.items()), _plain()]


PALETTES: dict[str, Palette] = {
    **{theme_name(name, colour=True): _coloured(one) for name, one in _SCHEMES.items()},
    _PLAIN: _uncoloured(),
}


def _theme(name: str, colours: Colours) -> Theme:
    return Theme(
        name=theme_name(name, colour=True),
        primary=colours.busy,
        secondary=colours.special,
        warning=colours.warn,
        error=colours.bad,
        success=colours.good,
        accent=colours.accent,
        foreground=colours.text,
        background=colours.background,
        surface=colours.background,
        panel=colours.bar,
        boost=colours.bar,
        dark=name == "dark",
        variables=_variables(colours),
    )


def _variables(colours: Colours) -> dict[str, str]:
    """Textual would mix those that are not named, and a mixture is none of the 256."""
    return {
        "muted": colours.muted,
        "line": colours.line,
        "strong": colours.strong,
        "cursor": colours.cursor,
        "away": colours.away,
        "border": colours.line,
        "border-blurred": colours.line,
        "foreground-muted": colours.muted,
        "text": colours.text,
        "text-muted": colours.muted,
        "text-disabled": colours.faint,
        "scrollbar": colours.faint,
        "scrollbar-hover": colours.muted,
        "scrollbar-active": colours.busy,
        "scrollbar-background": colours.background,
        "scrollbar-background-hover": colours.background,
        "scrollbar-background-active": colours.background,
        "scrollbar-corner-color": colours.background,
        "input-cursor-background": colours.strong,
        "input-cursor-foreground": colours.background,
        "input-cursor-text-style": "none",
        "input-selection-background": colours.cursor,
        "screen-selection-background": colours.cursor,
        "screen-selection-foreground": colours.strong,
    }


def _plain() -> Theme:
    default = "ansi_default"
    names = [*_variables(DARK), "ansi-background", "ansi-foreground"]
    names += ["block-cursor-background", "block-cursor-foreground", "block-hover-background"]
    names += ["input-selection-foreground"]
    styles = {name: "reverse" for name in names if name.endswith("text-style")}
    return Theme(
        name=_PLAIN,
        primary=default,
        foreground=default,
        background=default,
        surface=default,
        panel=default,
        boost=default,
        ansi=True,
        variables=dict.fromkeys(names, default) | styles,
    )
