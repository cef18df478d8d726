from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from evalbox.errors import ConfigError
from evalbox.telemetry import logs
from evalbox.telemetry.sink import LONGEST

log = logs.get_logger("part")


@pytest.fixture(autouse=True)
def _silence():
    yield
    logs.close()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    logs.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_silent_and_cheap_before_it_is_configured():
    code = (
        "import sys; from evalbox.telemetry.logs import get_logger;"
        "get_logger('x').error('nothing'); sys.exit('structlog' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_json_lines(stream):
    logs.configure(level="info", form="json", stream=stream)
    log.debug("left out")
    log.info("it happened", count=3, path=Path("/x"), nothing=None)
    (line,) = lines(stream)
    assert line.pop("timestamp")
    assert line == {
        "event": "it happened", "level": "info", "logger": "part",
        "count": 3, "path": "/x", "nothing": None,
    }  # fmt: skip


def test_human_lines(stream):
    logs.configure(level="warning", form="human", stream=stream)
    log.info("left out")
    log.warning("it happened", count=3)
    logs.close()
    assert "it happened" in stream.getvalue()
    assert "count=3" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


async def test_ids_are_on_every_line_of_a_context(stream):
    logs.configure(level="info", form="json", stream=stream)

    async def work(number: int) -> None:
        logs.bind(attempt=number)
        await asyncio.sleep(0)
        log.info("worked")

    with logs.bound(evaluation="abc"):
        await asyncio.gather(work(1), work(2))
        log.info("between")
    log.info("after")
    found = [(line.get("evaluation"), line.get("attempt")) for line in lines(stream)]
    assert found == [("abc", 1), ("abc", 2), ("abc", None), (None, None)]


class Spec:
    def __repr__(self) -> str:
        return "Spec(env={'TOKEN': 'hunter2'})"


def test_secrets_are_never_logged(stream):
    logs.configure(level="info", form="json", stream=stream)
    secret = "hunter2"
    log.info("it", env={"A": secret}, token=secret, spec=Spec(), data={"Password": secret})
    log.info("it", many=[Spec(), {"env": secret}], raw=secret.encode())
    try:
        local = secret
        raise ValueError(len(local))
    except ValueError:
        log.exception("broke")
    logs.close()
    assert secret not in stream.getvalue()
    assert "[hidden]" in stream.getvalue()
    assert "ValueError: 7" in stream.getvalue()


@pytest.mark.parametrize("form", logs.FORMATS)
def test_nothing_that_a_terminal_would_obey(stream, form):
    logs.configure(level="info", form=form, stream=stream)
    hostile = "\x1b[31m\x9b2J\r\n\x00"
    log.info("it", text=hostile, many=[hostile], path=Path(hostile.strip("\0")))
    try:
        raise ValueError(hostile)
    except ValueError:
        log.exception("broke")
    logs.close()
    assert not set(stream.getvalue()) & {"\x1b", "\x9b", "\r", "\0"}


def test_long_text_is_cut(stream):
    logs.configure(level="info", form="json", stream=stream)
    log.info("it", text="x" * 100_000)
    (line,) = lines(stream)
    assert len(str(line["text"])) == LONGEST + 1


def test_what_libraries_log_goes_the_same_way(stream):
    logs.configure(level="info", form="json", stream=stream)
    logging.getLogger("library").warning("from %s", "there")
    (line,) = lines(stream)
    assert (line["logger"], line["event"], line["level"]) == ("library", "from there", "warning")
    assert not [item for item in logging.getLogger().handlers if "evalbox" in type(item).__module__]


def test_files_rotate(tmp_path: Path):
    file = tmp_path / "box.log"
    logs.configure(level="info", form="json", file=file, max_bytes=2000, backups=1)
    for number in range(100):
        log.info("it", number=number)
    logs.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.log", "box.log.1"]
    assert json.loads(file.read_text().splitlines()[-1])["number"] == 99
    assert file.stat().st_size <= 2000


def test_a_reader_that_has_stopped_holds_up_nobody():
    go_on = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            go_on.wait(10)
            return super().write(text)

    stream = Stuck()
    logs.configure(level="info", form="json", stream=stream)
    for number in range(10_100):
        log.info("it", number=number)
    go_on.set()
    *written, last = lines(stream)
    assert len(written) in {10_000, 10_001}
    assert (last["event"], last["count"]) == ("log lines left out", 10_100 - len(written))


def test_a_stream_that_is_gone_is_no_error():
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    logs.configure(level="info", stream=Gone())
    log.info("it")
    logs.close()


def test_settings_that_cannot_be(tmp_path: Path):
    with pytest.raises(ConfigError, match="loud"):
        logs.configure(level="loud")
    with pytest.raises(ConfigError, match="xml"):
        logs.configure(form="xml")
    with pytest.raises(ConfigError, match="no-dir"):
        logs.configure(file=tmp_path / "no-dir" / "log")
    log.error("still silent")
