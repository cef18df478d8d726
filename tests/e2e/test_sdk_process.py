"""The SDK in a program of its own: interrupted, and left without a word."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from cli_harness import PATIENCE, Cli

OPEN = "Box(engine='fake', memory_percent=100, disk_free=0, load_per_core=1000)"


def program(cli: Cli, text: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text], env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def states(cli: Cli) -> list[str]:
    return [entry["state"] for entry in cli("ls", "--json").json]


def test_an_interruption_cancels_what_was_called(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    text = (
        f"from evalbox import Box\nwith {OPEN} as box:\n"
        " import threading, time\n"
        " def tell():\n"
        "  while not any(e.state == 'running' for e in box.list()): time.sleep(0.01)\n"
        "  print('running', flush=True)\n"
        " threading.Thread(target=tell, daemon=True).start()\n"
        " box.run(command=['sleep', '600'])\n"
    )
    with program(cli, text) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGINT
    assert err.strip().endswith("KeyboardInterrupt")
    assert states(cli) == ["cancelled"]


def test_a_program_that_does_not_close_its_box_still_ends(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    text = (
        f"from evalbox import Box\nbox = {OPEN}.open()\n"
        "results = box.map([{'command': ['true']}, {'command': ['true']}])\n"
        "result = next(results)\n"
        "print(result.ok)\n"
    )
    with program(cli, text) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "True\n", "")


def test_a_box_can_be_opened_again_and_not_be_used_between(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    text = (
        "from evalbox import Box\nfrom evalbox.errors import InvalidInput\n"
        f"box = {OPEN}\n"
        "for number in range(2):\n"
        " with box:\n"
        "  print(box.run(command=['echo', str(number)]).text, end='')\n"
        " try:\n  box.queue()\n except InvalidInput as error:\n  print(error.message)\n"
    )
    with program(cli, text) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert out == "0\nthe box is not open\n1\nthe box is not open\n", err
    assert (process.returncode, err) == (0, "")
