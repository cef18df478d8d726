"""A sorting function, tested on what the agent may not read: as the agent, in the group protected.

evalbox run sample_tasks/families/heldout/sort --agent sample_tasks/families/heldout/solve.yaml
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path("/protected/tests.json")
SCORER = Path("/home/agent/score.py")
LOG = Path("/protected/score.log")


class TaskFamily:
    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {"sort": {"tests": [[3, 1, 2], [], [5, 5, -1], list(range(100, 0, -1))]}}

    @staticmethod
    def get_instructions(t: dict) -> str:
        return (
            "Write /home/agent/solution.py with a function sort(numbers) that gives a sorted list. "
            f"{SCORER} tests it, with tests that you cannot see."
        )

    @staticmethod
    def start(t: dict) -> None:
        TESTS.write_text(json.dumps(t["tests"]))
        shutil.copy("/root/assets/score.py", SCORER)
        for path, mode in ((TESTS, 0o640), (SCORER, 0o644)):
            # What belongs to the group is not given to the agent after start().
            shutil.chown(path, "root", "protected")
            path.chmod(mode)

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        subprocess.run(
            [
                "runuser", "agent", "--group=protected", "--login",
                f"--command={sys.executable} {SCORER}",
            ],
            check=True,
            timeout=60,
        )  # fmt: skip
        last = LOG.read_text().splitlines()[-1]
        return json.loads(last)["score"]
