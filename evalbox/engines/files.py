"""Files of a sandbox, in and out through programs that run in it.

All that is asked of an image is a POSIX shell and the simplest tools, those of busybox included.
Everything happens inside, with the rights of a user of the sandbox: there is no path that could
lead to a file of the host.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
import secrets
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from evalbox.domain.sandbox import Entry, EntryKind
from evalbox.engines.base import Stream
from evalbox.engines.execution import Exec, Execution, is_text
from evalbox.errors import EngineError, EvalboxError, FileMissing, InvalidInput

#: The most that is read of a listing, and of a complaint: bytes.
LISTING_LIMIT = 8 << 20
_COMPLAINT_LIMIT = 400

_MISSING, _DIRECTORY, _SPECIAL, _UNREADABLE, _FAILED = 40, 41, 42, 43, 44
#: Killed by SIGXFSZ.
_TOO_LARGE = 153
_TESTS = f"""
if [ ! -e "$1" ]; then
  up=${{1%/*}}
  if [ -d "${{up:-/}}" ] && [ ! -x "${{up:-/}}" ]; then exit {_UNREADABLE}; fi
  exit {_MISSING}
fi
"""
_READ = f"""{_TESTS}
[ ! -d "$1" ] || exit {_DIRECTORY}
[ -f "$1" ] || exit {_SPECIAL}
[ -r "$1" ] || exit {_UNREADABLE}
exec cat -- "$1"
"""
#: Under a name of its own beside the target: it becomes the target only when it is whole.
_RECEIVE = f"""
umask 022
[ ! -d "$1" ] || exit {_DIRECTORY}
mkdir -p -- "${{2%/*}}/" || exit {_FAILED}
cat >"$2"
case $? in 0) ;; {_TOO_LARGE}) exit {_TOO_LARGE} ;; *) exit {_FAILED} ;; esac
"""
_COMMIT = f"""
[ ! -d "$1" ] || {{ rm -f -- "$2"; exit {_DIRECTORY}; }}
chmod -- "$3" "$2" && mv -f -- "$2" "$1" && exit 0
rm -f -- "$2"
exit {_FAILED}
"""
_DISCARD = 'rm -f -- "$2"'
#: A name holds no slash, so that one closes it, whatever else it holds.
_LIST = f"""{_TESTS}
[ -d "$1" ] || exit {_SPECIAL}
cd -- "$1" && [ -r . ] || exit {_UNREADABLE}
# What goes away meanwhile is no failure.
find . -mindepth 1 -maxdepth 1 -exec stat -c '%f %s %Y %n/' -- {{}} + 2>/dev/null
exit 0
"""
_ENTRY = re.compile(rb"([0-9a-f]+) (\d+) (-?\d+) \./([^/]+)/\n")
_KINDS = {
    stat.S_IFREG: EntryKind.FILE,
    stat.S_IFDIR: EntryKind.DIRECTORY,
    stat.S_IFLNK: EntryKind.LINK,
}


@dataclass(frozen=True, slots=True)
class Files:
    """``exec`` starts a program in the sandbox; ``locate`` says where a path is for it.

    ``finish`` sees to it that what it is given is done, also where the caller is cancelled.
    """

    exec: Callable[[Exec], Awaitable[Execution]]
    finish: Callable[[Coroutine[Any, Any, None]], Awaitable[None]]
    locate: Callable[[str], str] = str

    async def read(self, path: str, user: str | None = None) -> AsyncGenerator[bytes, None]:
        program = self._program(_READ, path, user=user)
        async with aclosing(self._printed(program, path)) as pieces:
            async for piece in pieces:
                yield piece

    async def write(
        self,
        path: str,
        content: AsyncIterator[bytes],
        mode: int = 0o644,
        user: str | None = None,
    ) -> None:
        where = check_path(path)
        if where == "/":
            raise InvalidInput("/ is a directory", field="path")
        temporary = f"{posixpath.dirname(where).rstrip('/')}/.evalbox-{secrets.token_hex(8)}"
        whole = False
        try:
            await self._receive(where, temporary, content, user)
            commit = self._program(_COMMIT, where, temporary, f"{mode:o}", user=user)
            await self.finish(self._done(commit, path))
            whole = True
        finally:
            if not whole:
                await self.finish(self._discard(where, temporary, user))

    async def list(self, path: str, user: str | None = None) -> Sequence[Entry]:
        listing = bytearray()
        async with aclosing(self._printed(self._program(_LIST, path, user=user), path)) as pieces:
            async for piece in pieces:
                listing += piece
                if len(listing) > LISTING_LIMIT:
                    raise InvalidInput(
                        f"{path} holds too many names to be listed",
                        hint="list it with a program in the sandbox",
                        field="path",
                    )
        return sorted((_entry(found) for found in _ENTRY.finditer(listing)), key=_name)

    def _program(self, script: str, *words: str, user: str | None, stdin: bool = False) -> Exec:
        path, *rest = words
        where = [self.locate(check_path(path))]
        if rest:
            where += [self.locate(rest[0]), *rest[1:]]
        return Exec(("/bin/sh", "-c", script, "sh", *where), workdir="/", user=user, stdin=stdin)

    async def _receive(
        self, path: str, temporary: str, content: AsyncIterator[bytes], user: str | None
    ) -> None:
        execution = await self.exec(self._program(_RECEIVE, path, temporary, user=user, stdin=True))
        # What takes it in may end before it has all of it.
        feeding = asyncio.ensure_future(_feed(execution, content))
        reading = asyncio.ensure_future(_complaint(execution))
        try:
            await asyncio.wait((feeding, reading), return_when=asyncio.FIRST_COMPLETED)
            if feeding.done():
                feeding.result()
            complaint = await reading
            _judge(await execution.wait(), path, complaint)
            if not feeding.done():
                raise EngineError(f"{path}: the sandbox did not take it whole")
        finally:
            for task in (feeding, reading):
                task.cancel()
            await asyncio.gather(feeding, reading, return_exceptions=True)
            await execution.close()

    async def _discard(self, path: str, temporary: str, user: str | None) -> None:
        try:
            await self._done(self._program(_DISCARD, path, temporary, user=user), path)
        except EvalboxError:
            # The sandbox has gone, and the file with it; or there was nothing to discard.
            return

    async def _done(self, program: Exec, path: str) -> None:
        async with aclosing(self._printed(program, path)) as pieces:
            async for _ in pieces:
                pass

    async def _printed(self, program: Exec, path: str) -> AsyncGenerator[bytes, None]:
        """The standard output of a program that must end well."""
        execution = await self.exec(program)
        complaint = bytearray()
        try:
            async for chunk in execution.output():
                if chunk.stream is Stream.STDOUT:
                    yield chunk.data
                elif len(complaint) < _COMPLAINT_LIMIT:
                    complaint += chunk.data
            _judge(await execution.wait(), path, bytes(complaint))
        finally:
            await execution.close()


def check_path(path: str) -> str:
    """The path without detours. Raises ``InvalidInput``."""
    if not path.startswith("/"):
        raise InvalidInput(f"{path!r} is not an absolute path", field="path")
    if "\0" in path:
        raise InvalidInput("a NUL byte in the path", field="path")
    if not is_text(path):
        raise InvalidInput("the path is not UTF-8", field="path")
    if len(path.encode()) > 4095:
        raise InvalidInput("the path is longer than 4,095 bytes", field="path")
    # Not normpath: ``..`` after a link leads elsewhere, and that is the sandbox's to say.
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


async def _feed(execution: Execution, content: AsyncIterator[bytes]) -> None:
    async for piece in content:
        await execution.write(piece)
    await execution.close_stdin()


async def _complaint(execution: Execution) -> bytes:
    said = bytearray()
    async for chunk in execution.output():
        if len(said) < _COMPLAINT_LIMIT:
            said += chunk.data
    return bytes(said)


def _judge(status: int, path: str, complaint: bytes) -> None:
    """Raises what an exit status of the scripts above means."""
    match status:
        case 0:
            return
        case 40:
            raise FileMissing(f"there is no {path} in the sandbox")
        case 41:
            raise InvalidInput(f"{path} is a directory", field="path")
        case 42:
            raise InvalidInput(f"{path} is of another kind than was asked for", field="path")
        case 43:
            raise InvalidInput(
                f"{path} may not be read by this user of the sandbox",
                hint="name another user",
                field="path",
            )
        case 153:
            raise InvalidInput(
                f"{path} would be larger than the sandbox's limit of disk space", field="path"
            )
        case 44 | 1 | 2:
            raise InvalidInput(f"{path}: {_said(complaint)}", field="path")
    raise EngineError(f"{path}: a tool of the sandbox ended with {status}: {_said(complaint)}")


def _said(complaint: bytes) -> str:
    """The last line, with nothing in it that a terminal might obey."""
    lines = complaint[:_COMPLAINT_LIMIT].decode(errors="replace").strip().splitlines()
    line = lines[-1] if lines else "no reason was given"
    return "".join(character if character.isprintable() else "?" for character in line)


def _entry(found: re.Match[bytes]) -> Entry:
    raw = int(found[1], 16)
    kind = _KINDS.get(stat.S_IFMT(raw), EntryKind.OTHER)
    name = found[4].decode(errors="surrogateescape")
    return Entry(name, kind, int(found[2]), stat.S_IMODE(raw), float(found[3]))


def _name(entry: Entry) -> str:
    return entry.name
