"""The service as a user starts it, and the three ways in which commands reach a box."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from cli_harness import PATIENCE, Cli, Ended


class Service:
    """``evalbox --serve`` on the data directory of ``cli``."""

    def __init__(self, cli: Cli, *options: str) -> None:
        self.process = cli.start("--serve", *options)
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._said.append(line.decode())

    @property
    def said(self) -> str:
        return "".join(self._said)

    def until_it_says(self, text: str) -> Self:
        end = time.monotonic() + PATIENCE
        while text not in self.said:
            assert self.process.poll() is None or text in self.said, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.02)
        return self

    @property
    def url(self) -> str:
        found = re.search(r"serves on (\S+)", self.until_it_says("serves on").said)
        assert found is not None
        return found[1]

    def stop(self, number: int | None = None) -> Ended:
        """Sends a signal, if any, and waits for the end."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return Ended(code, b"", self.said.encode())


@contextmanager
def serving(cli: Cli, *options: str) -> Iterator[Service]:
    """A service that answers; killed at the end where it has not ended."""
    service = Service(cli, *options)
    try:
        service.until_it_says("serves on")
        yield service
    finally:
        if service.process.poll() is None:
            service.process.kill()
        if service.process.stdout is not None and not service.process.stdout.closed:
            service.stop()


def elsewhere(cli: Cli, service: Service, directory: Path) -> Cli:
    """Commands that know only the URL of a box, and a key for all."""
    key = cli("-q", "keys", "create", "tests", "--scope", "admin").text.strip()
    directory.mkdir()
    far = Cli(directory)
    far.env |= {"EVALBOX_URL": service.url, "EVALBOX_KEY": key}
    far.env["EVALBOX_DATA_DIR"] = "/proc/there/is/none"
    return far
