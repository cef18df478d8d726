"""What hostile clients may leave behind: nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
from standing import Standing

from evalbox.telemetry import logs

#: Seconds within which what was begun has ended.
WITHIN = 20.0
#: Seconds within which a service answers that is not held up, on a machine that is busy.
SOON = 5.0
_OF_A_REQUEST = "run_asgi"


@contextmanager
def unharmed(standing: Standing, directory: Path) -> Iterator[None]:
    """Afterwards nothing runs or lies about that was not there before, and nobody saw a mistake.

    ``directory`` is for the log.
    """
    log = directory / "hostile.log"
    logs.configure(level="warning", form="json", file=log)
    _answers(standing)
    tasks, files = _tasks(standing), _descriptors()
    try:
        yield
        _answers(standing)
        _until(lambda: not _extra(standing, tasks), lambda: str(_extra(standing, tasks)))
        _until(lambda: _descriptors() <= files, lambda: f"left open: {_descriptors() - files}")
        _until(lambda: not _connections(standing), lambda: "connections were not let go")
        assert not _scratch(standing.box.settings.data_dir)
    finally:
        logs.close()
    told = log.read_text() if log.exists() else ""
    assert "Traceback" not in told, told[-3000:]
    assert '"level":"error"' not in told.replace('": "', '":"'), told[-3000:]


def _answers(standing: Standing) -> None:
    start = time.monotonic()
    with httpx.Client(base_url=standing.url, headers=standing.headers, timeout=30) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/v1/evaluations").status_code == 200
    assert time.monotonic() - start < SOON


def _tasks(standing: Standing) -> Counter[str]:
    """What runs, by the names of the coroutines."""

    async def names() -> Counter[str]:
        return Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())  # type: ignore[union-attr]

    return standing.call(names())


def _extra(standing: Standing, before: Counter[str]) -> Counter[str]:
    """What runs besides, but for what is begun once, when it is first wanted."""
    return Counter(
        {
            name: count
            for name, count in _tasks(standing).items()
            if count > max(before[name], 0 if _OF_A_REQUEST in name else 1)
        }
    )


def _descriptors() -> Counter[str]:
    """What is open, by kind or name."""
    found: Counter[str] = Counter()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found[str(link.readlink()).partition("[")[0]] += 1
    # SQLite keeps those of closed connections for the next ones, while others hold locks; the pool
    # of connections to a container engine is kept, too: of sockets _connections has those of ours.
    kept = (".db", "socket:")
    return Counter({name: count for name, count in found.items() if not name.endswith(kept)})


def _connections(standing: Standing) -> int:
    """Those of clients that the service has not let go."""
    return sum(
        connection.laddr.port == standing.box.port and connection.status != "LISTEN"
        for connection in psutil.Process().net_connections("tcp")
    )


def _scratch(data_dir: Path) -> list[Path]:
    return [
        path
        for pattern in (".scratch-*", "tmp*", "*.part", "**/.*.part")
        for path in data_dir.glob(pattern)
    ]


def _until(condition: Callable[[], bool], told: Callable[[], str]) -> None:
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.05)
