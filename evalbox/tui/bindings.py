"""All that keys do on any screen, and whether keys of the user's own fit in."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode

import evalbox.tui
from evalbox.tui.screens.page import Page
from evalbox.tui.screens.table_page import TablePage
from evalbox.tui.widgets.table import Table


@dataclass(frozen=True, slots=True)
class Known:
    """A binding: ``keys`` are its own, parted by commas, ``where`` the class that has it."""

    id: str
    keys: str
    text: str
    where: str


@cache
def nodes() -> tuple[type[DOMNode], ...]:
    """Every screen and widget of ours. Imports all of them."""
    modules = pkgutil.walk_packages(evalbox.tui.__path__, f"{evalbox.tui.__name__}.")
    return tuple(
        value
        for module in modules
        for value in vars(import_module(module.name)).values()
        if isinstance(value, type)
        and issubclass(value, DOMNode)
        and value.__module__ == module.name
    )


def known() -> list[Known]:
    """By id. What several classes have under one id is told once for each."""
    found = [
        Known(one.id, one.key, one.tooltip or one.description, node.__name__)
        for node in nodes()
        for one in node.__dict__.get("BINDINGS", ())
        if isinstance(one, Binding) and one.id
    ]
    return sorted(found, key=lambda one: (one.id, one.where))


def problems(keymap: Mapping[str, str]) -> list[str]:
    """In words, what is wrong with keys of the user's own."""
    ids = {one.id for one in known()}
    told = [_unknown(name, ids) for name in keymap if name not in ids]
    clashes = dict.fromkeys(clash for node in nodes() for clash in _clashes(node, keymap))
    return told + list(clashes)


def _unknown(name: str, ids: set[str]) -> str:
    close = get_close_matches(name, ids, n=1)
    return f"no binding {name}" + (f" (is it {close[0]}?)" if close else "")


def _clashes(node: type[DOMNode], keymap: Mapping[str, str]) -> Iterator[str]:
    """What the same key would do where ``node`` is, in so far as it is the user's."""
    taken: dict[str, Binding] = {}
    for listed in _in_reach(node):
        mapped = listed.with_key(keymap.get(listed.id or "", listed.key))
        for one in Binding.make_bindings([mapped]):
            before = taken.setdefault(one.key, one)
            changed = before.id in keymap or one.id in keymap
            if before.action != one.action and changed:
                yield f"{one.key} is both {before.id} and {one.id}"


def _in_reach(node: type[DOMNode]) -> Iterator[Binding]:
    """What is nearer comes first."""
    if issubclass(node, TablePage):
        yield from _bindings(Table)
    yield from _bindings(node)
    if issubclass(node, Page):
        for one in nodes():
            if issubclass(one, App):
                yield from _bindings(one)


def _bindings(node: type[DOMNode]) -> Iterator[Binding]:
    for listed in node._merge_bindings().key_to_bindings.values():
        yield from (one for one in listed if one.id)
