"""Names that a job gave its files, made safe to use and to show."""

from __future__ import annotations

import unicodedata

_COMPONENT_BYTES = 255
_PATH_BYTES = 1024
#: Control and format characters, lone surrogates, line and paragraph separators.
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class Unusable(Exception):
    """No file can be kept under this name; the text says why."""


def printable(name: str) -> str:
    """``name`` with all that could upset a terminal or a database written as an escape."""
    return "".join(_escape(character) for character in name[: 4 * _PATH_BYTES])


def _escape(character: str) -> str:
    if unicodedata.category(character) not in _ESCAPED:
        return character
    # How tarfile hands on a byte that is not UTF-8.
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


class Names:
    """Gives each name in an archive a path of its own, also where case does not count."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}
        self._copies: dict[str, int] = {}

    def place(self, name: str) -> tuple[str, str]:
        """A relative path for ``name``, and a remark where the two differ in more than form.

        The same name gets the same path again. Raises ``Unusable``.
        """
        path = _clean(name)
        key = _key(path)
        owner = self._taken.setdefault(key, path)
        if owner == path:
            remark = "the name held characters that are not safe" if "\\" in path else ""
            return path, remark if path != "/".join(_parts(name)) else ""
        return self._beside(path, key), f"the name differs from {owner} only in case"

    def _beside(self, path: str, key: str) -> str:
        while True:
            self._copies[key] = self._copies.get(key, 0) + 1
            other = f"{path}~{self._copies[key]}"
            _check_length(other)
            if self._taken.setdefault(_key(other), other) == other:
                return other


def _clean(name: str) -> str:
    parts = _parts(name)
    if not parts:
        raise Unusable("the name is empty")
    if ".." in parts:
        raise Unusable("the name leads out of the directory")
    path = "/".join(printable(part) for part in parts)
    _check_length(path)
    return path


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _check_length(path: str) -> None:
    too_long = any(len(part.encode()) > _COMPONENT_BYTES for part in path.split("/"))
    if too_long or len(path.encode()) > _PATH_BYTES:
        raise Unusable("the name is too long")


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
