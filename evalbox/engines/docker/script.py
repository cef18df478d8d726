"""The shell script that turns a waiting sandbox into its command.

The first process of a sandbox is a shell that reads its script from standard input. It executes
nothing before the script is whole (all of it is one ``{ }`` group), and after it has become the
command nobody reads that input again: so sending the same script twice does no more than once.

Files travel within the script where they are few and small, which needs no call to the engine.
What does not fit, or belongs where the user may not write, is *staged*: put in through the engine
beforehand. Which of the two is a matter of the ``Launch`` and its files alone, so that a later
process that launches again sends the same script.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evalbox.engines.base import Launch, SourceFile
from evalbox.engines.environment import exportable, with_odd_variables
from evalbox.errors import InvalidInput

#: Largest sum of sizes that is tried inline, and largest script that is sent: a pipe's capacity,
#: so that it is delivered as a whole or not at all.
INLINE_LIMIT = 48 * 1024
SCRIPT_LIMIT = 60 * 1024
#: File systems in memory, which the engine cannot put files into.
MEMORY_MOUNTS = ("/tmp", "/dev/shm")  # noqa: S108 - paths in the sandbox
STAGE = "/.evalbox"
#: In memory, since gVisor remembers what it did not find on the host's disk.
LAUNCHED = "/tmp/.evalbox-launched"  # noqa: S108
_DONE = "/tmp/.evalbox-done"  # noqa: S108
_RELEASE = "/tmp/.evalbox-release"  # noqa: S108
_STDIN = "/tmp/.evalbox-stdin"  # noqa: S108
_STAGED_STDIN = STAGE + "/stdin"
_STAGED_SCRIPT = STAGE + "/script"

_PLAIN = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A}
_ESCAPES = {
    **{byte: b"\\%03o" % byte for byte in range(256) if byte not in _PLAIN},
    ord("\\"): b"\\\\",
    ord("%"): b"%%",
    ord("'"): b"'\\''",
}
_TABLE = [_ESCAPES.get(byte, bytes([byte])) for byte in range(256)]

#: Streams paths as a tar, once the command has ended, between two lines that hold a nonce: where a
#: reader cannot be started, or is killed, they are missing. Then it waits for a line that says that
#: everything has arrived, and lets the sandbox end. Where its input just ends, the one who listened
#: has crashed, and another reader may be at work.
#: Its arguments are the nonce, how many bytes are wanted, the working directory and the paths.
#: tar's own complaints are of no use: what it cannot read is left out.
READER = f"""
until [ -p {_DONE} ]; do sleep 0.05 || sleep 1; done
: <{_DONE}
nonce=$1 wanted=$2
cd "$3" && shift 3 || set --
for path; do
  shift
  if [ -e "$path" ] || [ -L "$path" ]; then set -- "$@" "$path"; fi
done
echo "$nonce"
if [ $# -eq 0 ]; then head -c 1024 /dev/zero
else tar -cf - -- "$@" 2>/dev/null | head -c "$wanted"; fi
echo "$nonce"
read -r _ && : >{_RELEASE}
"""
#: Lets the sandbox end where the reader was lost.
RELEASER = f"[ ! -p {_RELEASE} ] || : >{_RELEASE}"


@dataclass(frozen=True, slots=True)
class Staged:
    """A file to put in: ``content`` of the host's file, or the bytes themselves."""

    path: str
    content: SourceFile | bytes
    mode: int


@dataclass(frozen=True, slots=True)
class Plan:
    """``script`` is what is sent to the waiting shell, after ``staged`` has been put in."""

    script: bytes
    staged: tuple[Staged, ...] = ()


def may_inline(launch: Launch) -> bool:
    """Whether the files of ``launch`` could travel inline, as far as sizes and places tell."""
    sources = [*launch.files, *([launch.stdin] if launch.stdin else [])]
    homes = (launch.workdir, *MEMORY_MOUNTS)
    return sum(source.size for source in sources) <= INLINE_LIMIT and all(
        any(beneath(file.path, home) for home in homes) for file in launch.files
    )


def plan(launch: Launch, *, root: bool, contents: Mapping[str, bytes] | None) -> Plan:
    """How ``launch`` is carried out.

    ``contents`` are the files by their path and the standard input by the empty path, where
    ``may_inline``; else None. ``root``: whether the sandbox's user is root. Raises ``InvalidInput``
    for what no process can be given.
    """
    _check(launch)
    if contents is not None:
        script = _script(launch, root, [*_inline_files(launch, contents)], _inline_stdin(contents))
        if len(script) <= SCRIPT_LIMIT:
            return Plan(script)
    staged: list[Staged] = []
    steps = [f": >{LAUNCHED}".encode()]
    for number, file in enumerate(launch.files):
        path = posixpath.normpath(file.path)
        if any(beneath(path, mount) for mount in MEMORY_MOUNTS):
            stage = f"{STAGE}/{number}"
            staged.append(Staged(stage, file, 0o600))
            steps += [*_parent(path, launch), b"cat <%s >%s" % (quote(stage), quote(path))]
            steps += [b"rm -f %s" % quote(stage), b"chmod %o %s" % (file.mode, quote(path))]
        else:
            staged.append(Staged(path, file, file.mode))
    stdin = b""
    if launch.stdin:
        staged.append(Staged(_STAGED_STDIN, launch.stdin, 0o600))
        stdin = b"exec 4<%s; rm -f %s" % (quote(_STAGED_STDIN), quote(_STAGED_STDIN))
    script = _script(launch, root, steps, stdin)
    if len(script) > SCRIPT_LIMIT:
        staged.append(Staged(_STAGED_SCRIPT, script, 0o600))
        script = b". %s\n" % quote(_STAGED_SCRIPT)
    return Plan(script, tuple(staged))


def quote(text: str | bytes) -> bytes:
    """One word of the shell."""
    data = text.encode(errors="surrogateescape") if isinstance(text, str) else text
    return b"'" + data.replace(b"'", b"'\\''") + b"'"


def printf(content: bytes) -> bytes:
    """The command of a shell that prints ``content``: built in, so that it costs no process."""
    escaped = b"".join(map(_TABLE.__getitem__, content))
    if escaped.startswith(b"-"):
        escaped = b"\\055" + escaped[1:]
    return b"printf '" + escaped + b"'"


def beneath(path: str, directory: str) -> bool:
    """Whether ``path`` lies in ``directory`` or below it."""
    prefix = posixpath.normpath(directory).rstrip("/") + "/"
    return posixpath.normpath(path).startswith(prefix)


def _check(launch: Launch) -> None:
    if not launch.command or not launch.command[0]:
        raise InvalidInput("the command is empty", field="command")
    words = (*launch.command, *launch.env, *launch.env.values(), *launch.artifacts)
    paths = (launch.workdir, *(file.path for file in launch.files))
    if any("\0" in word for word in (*words, *paths)):
        raise InvalidInput("a NUL byte in the command, the environment or a path")
    if any(not name or "=" in name for name in launch.env):
        raise InvalidInput("a variable's name must not be empty or contain =", field="env")
    for path in paths:
        if not path.startswith("/"):
            raise InvalidInput(f"{path!r} is not an absolute path", field="path")


def _script(launch: Launch, root: bool, files: list[bytes], stdin: bytes) -> bytes:
    workdir = quote(launch.workdir)
    lines = [b"{ set -e", b"[ -d %s ] || mkdir -p %s" % (workdir, workdir), *files]
    if stdin:
        lines.append(stdin)
    if launch.artifacts:
        lines.append(f"mkfifo -m 600 {_DONE} {_RELEASE}".encode())
    lines += [b"cd %s" % workdir, *_exports(launch, root), b"set +e"]
    lines += _kept(launch, bool(stdin)) if launch.artifacts else [_become(launch, bool(stdin))]
    return b"\n".join([*lines, b"}", b""])


def _exports(launch: Launch, root: bool) -> Iterator[bytes]:
    if not root and "HOME" not in launch.env:
        yield b"export HOME=%s" % quote(launch.workdir)
    for name, value in launch.env.items():
        if exportable(name):
            yield b"export %s=%s" % (name.encode(), quote(value))


def _become(launch: Launch, stdin: bool) -> bytes:
    words = with_odd_variables(launch.command, launch.env)
    source = b"<&4 4<&-" if stdin else b"</dev/null"
    return b"exec %s %s" % (b" ".join(map(quote, words)), source)


def _kept(launch: Launch, stdin: bool) -> list[bytes]:
    """The command as a child, whose end opens the door to the readers of artifacts.

    It stays open: a reader whose listener crashed may have gone through it, and then comes another.

    The shell's own remarks, such as "Killed", are not the command's to print.
    """
    return [
        b"exec 3>&2 2>/dev/null",
        b"( %s 2>&3 3>&- )" % _become(launch, stdin),
        b"_evalbox=$?",
        f"exec 5<>{_DONE}".encode(),
        f"read -r _ <{_RELEASE}".encode(),
        b'exit "$_evalbox"',
    ]


def _inline_files(launch: Launch, contents: Mapping[str, bytes]) -> Iterator[bytes]:
    umask = None
    for file in launch.files:
        path = posixpath.normpath(file.path)
        wanted = 0o666 & ~file.mode
        if wanted != umask:
            umask = wanted
            yield b"umask %03o" % umask
        yield from _parent(path, launch)
        yield b"%s >%s" % (printf(contents[file.path]), quote(path))
        if file.mode & ~0o666:
            yield b"chmod %o %s" % (file.mode, quote(path))
    if umask is not None:
        yield b"umask 022"


def _parent(path: str, launch: Launch) -> Iterator[bytes]:
    parent = posixpath.dirname(path)
    if parent not in (posixpath.normpath(launch.workdir), *MEMORY_MOUNTS):
        word = quote(parent)
        yield b"[ -d %s ] || ( umask 022; mkdir -p %s )" % (word, word)


def _inline_stdin(contents: Mapping[str, bytes]) -> bytes:
    if "" not in contents:
        return b""
    path = _STDIN.encode()
    return b"%s >%s; exec 4<%s; rm -f %s" % (printf(contents[""]), path, path, path)
