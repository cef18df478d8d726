"""An environment of which the names can be told and the values cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from evalbox.errors import InvalidInput


class Withheld(Mapping[str, str]):
    """What a specification that was read back has for an environment: its values may be secrets.

    Asking for a value raises ``InvalidInput``, so that a specification submitted again as it was
    read fails rather than runs without its secrets.
    """

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        raise InvalidInput(
            f"the value of {name} is withheld",
            hint="give the environment anew; only the attempt itself is handed its values",
            field="env",
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Withheld):
            return self._names == other._names
        return not self._names and other == {}

    def __hash__(self) -> int:
        return hash(self._names)

    def __repr__(self) -> str:
        return f"Withheld({', '.join(self._names)})"
