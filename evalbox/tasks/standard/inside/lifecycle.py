"""Leads a task from its setup to its score, and reports what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .agents import Work, attempt
from .environ import exposing
from .family import FULL_INTERNET, Mistake, environment_for
from .narration import begin, note
from .plan import Plan
from .process import DESCRIPTION, STATE, Broken, make_state, operate
from .scoring import Desk, ScoreLog
from .users import AGENT_HOME, give_home_to_agent, prepare, write_for_agent

REPORT = STATE / "report.json"
_CLIENT = "client.py"
#: Characters of the instructions that are reported.
_MOST_INSTRUCTIONS = 32 * 1024


class Failed(Exception):
    """It ends here; ``outcome`` is one of the words of evalbox."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


class Lifecycle:
    """``run`` never raises; the report tells all. ``client`` is the agent's command."""

    def __init__(self, plan: Plan, client: bytes) -> None:
        self._plan = plan
        self._client = client
        self._environment: dict[str, str] = {}
        self._log: ScoreLog | None = None
        self._report: dict[str, Any] = {
            "version": 1, "outcome": "ok", "reason": "", "instructions": "", "phases": [],
            "score": None, "intermediate": [], "agent": None, "submission": None,
        }  # fmt: skip

    def run(self) -> int:
        try:
            self._live()
        except Failed as failure:
            self._fail(failure.outcome, str(failure))
        except Exception as error:
            self._fail("task_error", f"the task's driver failed: {error!r}")
        make_state()
        REPORT.write_text(json.dumps(self._report), encoding="utf-8")
        return 0 if self._report["outcome"] == "ok" else 1

    def _fail(self, outcome: str, reason: str) -> None:
        note(reason)
        self._report |= {"outcome": outcome, "reason": reason}

    @contextmanager
    def _phase(self, name: str) -> Iterator[float]:
        """Gives the seconds that it may take; what breaks in it is the task's error."""
        begin(name)
        seconds = self._plan.seconds(name)
        phase = {"name": name, "began": time.time(), "limit": seconds, "error": ""}
        self._report["phases"].append(phase)
        try:
            yield seconds
        except Failed as failure:
            phase["error"] = str(failure)
            raise
        except (Broken, Mistake) as error:
            phase["error"] = str(error)
            raise Failed("task_error", f"{name}: {error}") from None
        finally:
            phase["ended"] = time.time()

    def _operate(self, name: str, seconds: float, **asked: Any) -> Any:
        asked |= {"family": self._plan.family, "task": self._plan.task}
        return operate(name, asked, environment=self._environment, seconds=seconds)

    def _live(self) -> None:
        setup = self._setup()
        try:
            self._start(setup)
            work = self._agent(setup)
            self._score(work)
        finally:
            self._teardown()

    def _setup(self) -> dict[str, Any]:
        with self._phase("setup") as seconds:
            prepare()
            self._environment = environment_for(self._required(seconds))
            setup: dict[str, Any] = self._operate("setup", seconds)
            self._report["instructions"] = setup["instructions"][:_MOST_INSTRUCTIONS]
            if setup["machine"]:
                raise Mistake("the task needs a virtual machine beside it, which this box has not")
            if (FULL_INTERNET in setup["permissions"]) != self._plan.network:
                raise Mistake("get_permissions gives others now than when the image was built")
            return setup

    def _required(self, seconds: float) -> list[str]:
        """What was told when the image was built spares asking again."""
        try:
            told = json.loads(DESCRIPTION.read_bytes())["required"]
        except (OSError, ValueError, KeyError, TypeError):
            told = self._operate("required", seconds)
        return list(told)

    def _start(self, setup: dict[str, Any]) -> None:
        with self._phase("start") as seconds:
            self._operate("start", seconds)
            for pid, name in exposing(self._environment).items():
                note(f"start left process {pid} with {name}: under gVisor the agent can read it")
            if not setup["keeps_owners"]:
                give_home_to_agent()
            text = setup["instructions"].encode("utf-8", "replace")
            write_for_agent(f"{AGENT_HOME}/instructions.txt", text)

    def _agent(self, setup: dict[str, Any]) -> Work:
        if setup["intermediate"]:
            self._log = ScoreLog(self._intermediate, visible=self._plan.visible)
        desk = Desk(self._log, self._client)
        try:
            self._look_between()
            with self._phase("agent") as seconds:
                work = attempt(self._plan.agent, desk, seconds)
            kind = self._plan.agent.get("kind")
            self._report["agent"] = {"kind": kind, "status": work.status, "ran": work.ran}
            self._report["submission"] = len(work.submission)
            if work.status is None and not self._plan.score_on_limits:
                raise Failed("timeout", f"the agent took longer than {seconds:g} s")
            self._look_between()
        finally:
            desk.close()
            if self._log is not None:
                self._report["intermediate"] = list(self._log.entries)
        return work

    def _look_between(self) -> None:
        """A score that cannot be taken between is no reason to stop."""
        if self._log is not None:
            try:
                self._log.add()
            except Broken as error:
                note(f"intermediate score: {error}")

    def _intermediate(self) -> dict[str, Any]:
        given: dict[str, Any] = self._operate("intermediate", self._plan.seconds("intermediate"))
        return given

    def _score(self, work: Work) -> None:
        with self._phase("score") as seconds:
            path = STATE / "submission"
            path.write_bytes(work.submission)
            score = self._operate(
                "score", seconds, submission=str(path), log=self._report["intermediate"]
            )
            self._report["score"] = score
            if score["kind"] == "invalid":
                raise Mistake(score["reason"])

    def _teardown(self) -> None:
        """What fails in it is told, and changes nothing."""
        try:
            with self._phase("teardown") as seconds:
                self._operate("teardown", seconds)
        except Failed as failure:
            note(str(failure))


def client_of(archive: Path) -> bytes:
    """The agent's command, from where this program lies: in an archive, or in a directory."""
    if archive.is_dir():
        return (archive / _CLIENT).read_bytes()
    import zipfile

    with zipfile.ZipFile(archive) as bundle:
        return bundle.read(f"{__package__}/{_CLIENT}")
