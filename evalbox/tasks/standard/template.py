"""A family to begin with: it runs as it is, has a score, and tests of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from evalbox.errors import InvalidInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
#: Is put in the place of the family's name.
_MARK = "FAMILY"

_MODULE = '''"""Says what is asked for, backwards."""


class TaskFamily:
    @staticmethod
    def install() -> None:
        """Run once, by root and with the internet, when the image is built: pip, apt, downloads."""

    @staticmethod
    def get_tasks() -> dict[str, dict]:
        return {
            "word": {"text": "stressed"},
            "sentence": {"text": "never odd or even"},
        }

    @staticmethod
    def get_permissions(t: dict) -> list[str]:
        return []  # or ["full_internet"]

    @staticmethod
    def get_instructions(t: dict) -> str:
        return f"Write {t['text']!r} backwards into /home/agent/submission.txt."

    @staticmethod
    def start(t: dict) -> None:
        """Run by root before the agent: puts files into /home/agent, starts servers."""

    @staticmethod
    def score(t: dict, submission: str) -> float | None:
        """From 0 to 1; None leaves it to a person: evalbox score ID VALUE --by NAME."""
        return 1.0 if submission.strip() == t["text"][::-1] else 0.0
'''

_MANIFEST = """version: 0.1.0
tasks:
  word:
    resources:
      cpus: 1
      memory_gb: 0.5
  sentence: {}
"""

_TEST = """from FAMILY import TaskFamily


def test_what_is_right_scores_one() -> None:
    for task in TaskFamily.get_tasks().values():
        assert TaskFamily.score(task, task["text"][::-1] + "\\n") == 1.0


def test_what_is_wrong_scores_nought() -> None:
    for task in TaskFamily.get_tasks().values():
        assert TaskFamily.score(task, "") == 0.0
        assert TaskFamily.score(task, task["text"] + "?") == 0.0
"""

_SOLUTION = """# What an agent might do, the same every time.
- run: python3 -c "print(open('instructions.txt').read().split(chr(39))[1][::-1])" > submission.txt
"""

_README = """# FAMILY

A family of the METR Task Standard.

    evalbox tasks check FAMILY --agent FAMILY/solve.yaml    all of its life, and its tests
    evalbox run FAMILY/word --submission desserts           one task, one submission
    evalbox run FAMILY --agent FAMILY/solve.yaml            every task, by a replay
    evalbox task start FAMILY/word                          every step by hand

| file | what it is |
|---|---|
| `FAMILY.py` | the tasks: what they say, how they start, what they are worth |
| `FAMILY_test.py` | tests of it, run by pytest |
| `manifest.yaml` | its version, and what each task needs |
| `solve.yaml` | a replay that solves it; agents never see it |
"""

_FILES = {
    "FAMILY.py": _MODULE,
    "FAMILY_test.py": _TEST,
    "manifest.yaml": _MANIFEST,
    "solve.yaml": _SOLUTION,
    "README.md": _README,
}


def write_template(directory: Path) -> tuple[Path, ...]:
    """Makes the family that ``directory`` names, which must not be there or be empty.

    Raises ``InvalidInput``, and ``OSError``.
    """
    name = directory.name
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} is no name for a family",
            hint="lower-case letters, digits and _, beginning with a letter",
            field="name",
        )
    if name in sys.stdlib_module_names:
        raise InvalidInput(
            f"Python has a module {name} itself", hint=f"as in {name}_tasks", field="name"
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InvalidInput(f"{directory}: is there already", hint="choose another name")
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for file, text in _FILES.items():
        path = directory / file.replace(_MARK, name)
        path.write_text(text.replace(_MARK, name), encoding="utf-8")
        written.append(path)
    return tuple(written)
