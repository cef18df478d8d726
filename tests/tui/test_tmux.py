"""Inside tmux, where most sessions on eval boxes live."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pseudo import PATIENCE


class Tmux:
    """A server of its own, with one session that runs the screen over ``data``."""

    def __init__(self, data: Path) -> None:
        self._socket = str(data.parent / "tmux")
        self.environ = {
            "PATH": os.environ["PATH"], "HOME": str(data.parent), "TMPDIR": str(data.parent),
            "TERM": "xterm-256color", "LANG": "C.UTF-8", "EVALBOX_DATA_DIR": str(data),
            "EVALBOX_ENGINE": "fake", "EVALBOX_LOAD_PER_CORE": "1000", "EVALBOX_PORT": "0",
        }  # fmt: skip
        command = shlex.join([sys.executable, "-m", "evalbox"])
        self("-f", os.devnull, "new-session", "-d", "-s", "box", "-x", "100", "-y", "30", command)

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments],
            env=self.environ, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, holds: Callable[[str], bool]) -> str:
        end = time.monotonic() + PATIENCE
        while not holds(screen := self("capture-pane", "-p", "-t", "box")):
            assert time.monotonic() < end, screen
            time.sleep(0.05)
        return screen

    def evalbox(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "evalbox", *arguments],
            env=self.environ, capture_output=True, text=True, timeout=PATIENCE, check=True,
            stdin=subprocess.DEVNULL,
        ).stdout  # fmt: skip

    def kill(self) -> None:
        subprocess.run(
            ["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False
        )


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    one = Tmux(tmp_path / "box")
    yield one
    one.kill()


def test_it_draws_follows_a_resize_and_copies(tmux: Tmux) -> None:
    tmux.until(lambda screen: "Nothing has been submitted yet" in screen)
    tmux.evalbox("submit", "--name", "seen-in-tmux", "--", "true")
    screen = tmux.until(lambda screen: "seen-in-tmux" in screen and "completed" in screen)
    assert max(map(len, screen.splitlines())) <= 100
    tmux("resize-window", "-t", "box", "-x", "70", "-y", "20")
    screen = tmux.until(lambda screen: len(screen.splitlines()) == 20 and "seen-in" in screen)
    assert max(map(len, screen.splitlines())) <= 70
    tmux("send-keys", "-t", "box", "y")
    tmux.until(lambda screen: "copied" in screen)
    copied = tmux("show-buffer")
    assert f'"{copied}"' in tmux.evalbox("ls", "--all", "--json")
    tmux("send-keys", "-t", "box", "q")
    end = time.monotonic() + PATIENCE
    while Path(f"{tmux.environ['EVALBOX_DATA_DIR']}/evalbox.sock").exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_when_tmux_is_killed_the_work_goes_on(tmux: Tmux) -> None:
    tmux.until(lambda screen: "Nothing has been submitted yet" in screen)
    tmux.evalbox("submit", "--name", "outlives", "--", "sleep", "4")
    tmux.until(lambda screen: "running" in screen)
    tmux.kill()
    # Whoever asks next attaches to the process that has no terminal any more.
    assert '"state": "completed"' in tmux.evalbox("wait", "--json", _id(tmux))


def _id(tmux: Tmux) -> str:
    import json

    return str(json.loads(tmux.evalbox("ls", "--all", "--json"))[0]["id"])
