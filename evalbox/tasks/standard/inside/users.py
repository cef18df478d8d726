"""Who owns what in the sandbox, and which processes are whose."""

from __future__ import annotations

import grp
import os
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .family import Mistake

AGENT_HOME = "/home/agent"
AGENT_ID = 1000
_PROTECTED = "protected"
PROTECTED = Path("/protected")
SCORE_LOG = PROTECTED / "score.log"


def _protected() -> int:
    try:
        return grp.getgrnam(_PROTECTED).gr_gid
    except KeyError:
        raise Mistake(f"the image has no group {_PROTECTED}, as the standard's has") from None


def prepare() -> None:
    """The places that the standard promises, where the image lacks them."""
    group = _protected()
    PROTECTED.mkdir(mode=0o770, exist_ok=True)
    os.chown(PROTECTED, 0, group)
    PROTECTED.chmod(0o770)
    if not SCORE_LOG.exists():
        SCORE_LOG.touch()
        SCORE_LOG.chmod(0o660)
        os.chown(SCORE_LOG, 0, group)
    Path("/root").chmod(0o700)


def give_home_to_agent() -> None:
    """As the standard's drivers do after ``start``.

    Not what belongs to the group ``protected``, and no hidden directory at the top nor what is in
    it; ``.ssh`` is given. Links are given themselves, never what they lead to.
    """
    protected = _protected()
    home = Path(AGENT_HOME)
    os.chown(home, AGENT_ID, AGENT_ID)
    for entry in os.scandir(home):
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith(".") or entry.name == ".ssh":
                _give_tree(entry.path, protected)
        else:
            _give(entry.path, protected)


def _give_tree(top: str, protected: int) -> None:
    for directory, names, files in os.walk(top):
        _give(directory, protected)
        for name in (*files, *names):
            _give(os.path.join(directory, name), protected)


def _give(path: str, protected: int) -> None:
    with suppress(FileNotFoundError):
        if os.lstat(path).st_gid != protected:
            os.chown(path, AGENT_ID, AGENT_ID, follow_symlinks=False)


def processes_of_agent() -> set[int]:
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == AGENT_ID:
                    found.add(int(name))
    return found


def end_processes_of_agent(before: set[int]) -> None:
    """Kills what the agent has begun; the daemons that ``start`` left under its name live on."""
    kill_all(lambda: processes_of_agent() - before)


def kill_all(find: Callable[[], set[int]]) -> None:
    """Kills what is found, until nothing is any more: what is killed may just have forked."""
    for _ in range(20):
        found = find()
        if not found:
            return
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def read_submission(path: str, most: int) -> bytes:
    """The content, as it is, of a file that the agent has written.

    Raises ``FileNotFoundError``, and ``ValueError`` that says what is wrong with it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path} is no regular file")
    with open(descriptor, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} is longer than {most >> 20} MiB")
    return content


def write_for_agent(path: str, content: bytes) -> None:
    """Puts a file of the agent's own there; a link that is there is replaced, not followed."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "wb") as file:
        file.write(content)
        os.fchown(descriptor, AGENT_ID, AGENT_ID)
