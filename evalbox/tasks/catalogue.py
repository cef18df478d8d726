"""What can be run: the tasks in directories that a user has, and those that come with evalbox."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import evalbox
from evalbox.domain.limits import KIB
from evalbox.tasks.base import Describer, Description, head
from evalbox.tasks.registry import FORMATS
from evalbox.tasks.standard.format import FamilyFormat
from evalbox.tasks.summary import heading_of

#: Directories below each other that are looked into, entries that are looked at, tasks listed.
MAX_DEPTH = 6
MAX_LOOKED = 20_000
MAX_TASKS = 2_000
#: Looked into where it is in the directory that evalbox was started in.
HERE = "tasks"

#: What is listed; the first that recognises a path tells of it.
_LISTED: tuple[Describer, ...] = (FamilyFormat(), *FORMATS)
_SAMPLES = "sample_tasks"
_README = "README.md"
_HEAD = 4 * KIB
#: What programs are made of, and no programs themselves.
_SKIPPED = frozenset({"__pycache__", "node_modules", "venv", "site-packages"})


@dataclass(frozen=True, slots=True)
class Listed:
    """A task that was found. ``name`` is its path beneath ``root``, ``size`` bytes of a file.

    ``language`` and ``summary`` are the task's own words, and may be empty.
    """

    name: str
    path: Path
    root: Path
    kind: str
    language: str
    summary: str
    size: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``problems`` say in words what could not be looked at, or was left out."""

    tasks: tuple[Listed, ...] = ()
    problems: tuple[str, ...] = ()


def samples() -> Path | None:
    """Where the sample tasks are: in the package as it is installed, or beside its source."""
    package = Path(evalbox.__file__).parent
    for place in (package / _SAMPLES, package.parent / _SAMPLES):
        if place.is_dir():
            return place
    return None


def places(directories: Iterable[Path], here: Path) -> tuple[Path, ...]:
    """Where tasks are looked for: ``tasks`` beneath ``here``, the directories, the samples."""
    near = here / HERE
    found = [*([near] if near.is_dir() else []), *directories]
    if (shipped := samples()) is not None:
        found.append(shipped)
    return tuple(dict.fromkeys(found))


def catalogue(roots: Sequence[Path], formats: Sequence[Describer] = _LISTED) -> Catalogue:
    """Looks through ``roots``, in their order. A root that is a link is followed, no other is.

    Blocks for as long as the file system takes.
    """
    walk = _Walk(formats)
    for root in roots:
        walk.look_into(root)
    return Catalogue(tuple(walk.tasks), tuple(walk.problems))


@dataclass(slots=True)
class _Walk:
    formats: Sequence[Describer]
    tasks: list[Listed] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    looked: int = 0
    seen: set[Path] = field(default_factory=set)

    def look_into(self, root: Path) -> None:
        try:
            real = root.expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            self.problems.append(f"{root}: {_reason(error)}")
            return
        if real.is_dir() and self._described(real) is None:
            for path in self._files(real, 0):
                self._add(path, root, str(path.relative_to(real)))
        elif not self._add(real, root, real.name):
            self.problems.append(f"{root}: is no kind of task that evalbox knows")

    def _add(self, path: Path, root: Path, name: str) -> bool:
        if path in self.seen or len(self.tasks) >= MAX_TASKS:
            return True
        found = self._described(path)
        if found is None:
            return False
        kind, description = found
        self.seen.add(path)
        self.tasks.append(
            Listed(
                name=name,
                path=path,
                root=root,
                kind=kind,
                language=description.language,
                summary=description.summary or _of_readme(path),
                size=_size(path),
            )
        )
        if len(self.tasks) == MAX_TASKS:
            self.problems.append(f"{root}: only the first {MAX_TASKS:,} tasks are listed")
        return True

    def _described(self, path: Path) -> tuple[str, Description] | None:
        for form in self.formats:
            if form.recognises(path) and (found := form.describe(path)) is not None:
                return form.kind, found
        return None

    def _files(self, directory: Path, depth: int) -> Iterator[Path]:
        """Files, and directories that are tasks themselves, in the order of their names."""
        for entry in self._entries(directory):
            path = Path(entry.path)
            if entry.is_file(follow_symlinks=False):
                yield path
            elif entry.is_dir(follow_symlinks=False) and entry.name not in _SKIPPED:
                if self._described(path) is not None:
                    yield path
                elif depth < MAX_DEPTH:
                    yield from self._files(path, depth + 1)

    def _entries(self, directory: Path) -> list[os.DirEntry[str]]:
        found: list[os.DirEntry[str]] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if self.looked >= MAX_LOOKED:
                        self._enough(directory)
                        break
                    self.looked += 1
                    if not entry.name.startswith("."):
                        found.append(entry)
        except OSError as error:
            self.problems.append(f"{directory}: {_reason(error)}")
        return sorted(found, key=lambda entry: entry.name)

    def _enough(self, directory: Path) -> None:
        if self.looked == MAX_LOOKED:
            self.looked += 1
            self.problems.append(
                f"{directory}: over {MAX_LOOKED:,} files, of which the rest is not looked at"
            )


def _of_readme(path: Path) -> str:
    """What the directory of a task says of it, where the task does not."""
    readme = (path if path.is_dir() else path.parent) / _README
    return heading_of(head(readme, _HEAD).decode("utf-8", "replace"))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _reason(error: Exception) -> str:
    return ((isinstance(error, OSError) and error.strerror) or str(error)).lower()
