"""The sockets that a service listens on."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from evalbox.errors import ConfigError

NAME = "evalbox.sock"
_BACKLOG = 2048


@contextlib.contextmanager
def short_path(directory: Path) -> Iterator[str]:
    """The path of the socket in ``directory``, however deep that lies.

    The kernel takes 107 bytes; by way of an open descriptor any directory is near.
    """
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


def listen_unix(directory: Path) -> socket.socket:
    """Listens in the data directory, for its owner alone; takes the place of what is there.

    To be called by the process that holds the lock of the directory.
    """
    (directory / NAME).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        with short_path(directory) as path:
            # Nobody may get in between binding and the change of mode.
            os.fchmod(listener.fileno(), 0o600)
            listener.bind(path)
            Path(path).chmod(0o600)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def listen_tcp(host: str, port: int) -> socket.socket:
    """Raises ``ConfigError`` where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, or asyncio would not turn off Nagle's algorithm: every answer would take 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {reason}",
            hint="choose another with --host and --port",
        ) from error
    return listener
