"""YAML in which every key is known, so that what is wrong with it is told with its line."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from evalbox.domain.limits import MIB
from evalbox.errors import InvalidInput

MAX_SOURCE = 1 * MIB
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Node:
    """A value where it stands: ``origin`` is the file, ``where`` the keys that lead to it."""

    origin: str
    where: str
    _node: yaml.Node = field(repr=False)

    @property
    def line(self) -> int:
        return int(self._node.start_mark.line) + 1

    @property
    def is_mapping(self) -> bool:
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_nothing(self) -> bool:
        return self._node.tag == f"{_TAG}null"

    def wrong(self, message: str, *, hint: str = "") -> InvalidInput:
        """The error to raise about this value."""
        place = f" {self.where}:" if self.where else ""
        return InvalidInput(f"{self.origin}, line {self.line}:{place} {message}", hint=hint)

    def mapping(self, known: Collection[str] | None = None) -> dict[str, Node]:
        """By key, as it is written; nothing stands for none. Raises ``InvalidInput``.

        ``known`` are the keys that there may be; None for any.
        """
        if self.is_nothing:
            return {}
        if not isinstance(self._node, yaml.MappingNode):
            raise self.wrong("is to be a mapping, as in key: value")
        found: dict[str, Node] = {}
        for key, value in self._pairs(self._node):
            name = key._text()
            if known is not None and name not in known:
                raise key.wrong(f"unknown key {name!r}", hint=_known(name, known))
            if name in found:
                raise key.wrong(f"key {name!r} stands there twice")
            found[name] = Node(self.origin, f"{self.where}.{name}".lstrip("."), value)
        return found

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[Node, yaml.Node]]:
        """With what is merged into it by ``<<``, which what stands there itself goes over."""
        own = {key.value for key, _ in node.value if key.tag != f"{_TAG}merge"}
        for key, value in node.value:
            if key.tag != f"{_TAG}merge":
                yield Node(self.origin, self.where, key), value
                continue
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(merged, yaml.MappingNode) or merged is node:
                    raise Node(self.origin, self.where, value).wrong("<< is to merge a mapping")
                for inner, held in merged.value:
                    if inner.value not in own:
                        own.add(inner.value)
                        yield Node(self.origin, self.where, inner), held

    def items(self) -> list[Node]:
        """Raises ``InvalidInput`` where it is no list."""
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.wrong("is to be a list")
        return [
            Node(self.origin, f"{self.where}[{number}]", item)
            for number, item in enumerate(self._node.value, start=1)
        ]

    def text(self) -> str:
        """As it is written, also where it could be a number. Raises ``InvalidInput``."""
        if self.is_nothing:
            raise self.wrong("is empty")
        return self._text()

    def _text(self) -> str:
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.wrong("is to be text")
        return str(self._node.value)

    def flag(self) -> bool:
        value = self._scalar()
        if not isinstance(value, bool):
            raise self.wrong("is to be true or false")
        return value

    def number(self, *, low: float, high: float) -> float:
        """Between ``low`` and ``high``. Raises ``InvalidInput``."""
        value = self._scalar()
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong("is to be a number")
        # What is no number at all is in no range either.
        if not low <= value <= high:
            raise self.wrong(
                f"{value:g} is out of range", hint=f"give between {low:g} and {high:g}"
            )
        return float(value)

    def whole(self, *, low: int, high: int) -> int:
        value = self.number(low=low, high=high)
        if value != int(value):
            raise self.wrong("is to be a whole number")
        return int(value)

    def _scalar(self) -> Any:
        if not isinstance(self._node, yaml.ScalarNode):
            return None
        try:
            return yaml.constructor.SafeConstructor().construct_object(self._node)
        except (ValueError, OverflowError, yaml.YAMLError):
            raise self.wrong(f"{self._node.value[:40]!r} cannot be read") from None


def read_yaml(source: bytes, origin: str) -> Node | None:
    """The one document; None where there is nothing in it. Raises ``InvalidInput``.

    Nothing is made of it but values as they stand there: tags and aliases build nothing.
    """
    if len(source) > MAX_SOURCE:
        raise InvalidInput(f"{origin}: is longer than 1 MiB")
    try:
        node = yaml.compose(source.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise InvalidInput(f"{origin}: is not UTF-8 text", hint="save it as UTF-8") from None
    except RecursionError:
        raise InvalidInput(f"{origin}: is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"{origin}{place}: is no YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise InvalidInput(f"{origin}: is no YAML: {str(error).splitlines()[0]}") from None
    return None if node is None else Node(origin, "", node)


def near(name: str, known: Collection[str]) -> str:
    """A hint that tells what may have been meant; empty where nothing is like it."""
    found = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"is it {' or '.join(found)}?" if found else ""


def _known(name: str, known: Collection[str]) -> str:
    return near(name, known) or f"known: {', '.join(sorted(known))}"
