"""What an evaluation of the demo does, in the small language of the fake engine."""

from __future__ import annotations

import json
from random import Random

from evalbox.demo.cast import Agent, Benchmark
from evalbox.domain.limits import MIB

#: Where a scene leaves its score.
SCORE = "score.json"

_OPENINGS = (
    "Let me look at what is here before I change anything.",
    "I will read the task, then the tests.",
    "First I want to see it fail.",
)
_DOINGS = (
    ("ls -la", "total 28, README.md  src  tests  pyproject.toml"),
    ("sed -n 1,80p src/core.py", "(80 lines)"),
    ("grep -rn deadline src", "src/core.py:41:    deadline = now() + self.timeout"),
    ("pytest -q tests", "F..F.....  2 failed, 7 passed in 1.84s"),
    ("git diff --stat", "src/core.py | 9 +++++----"),
    ("python3 probe.py --verbose", "candidate 3 of 12 holds for n < 4096"),
    ("cat notes.md", "the second case is the one that matters"),
    ("make check", "ok   core   ok   parse   ok   emit"),
)
_THOUGHTS = (
    "The second failure is the cause of the first.",
    "That is off by one, and only where the list is empty.",
    "I had this the wrong way round. Trying the other.",
    "One more check before I submit.",
    "The bound is tight, so the search can stop here.",
)
_TRACEBACKS = (
    ("tests/test_core.py", "AssertionError: expected 3 retries, saw 2"),
    ("src/core.py", "KeyError: 'deadline'"),
    ("src/parse.py", "ValueError: not enough values to unpack (expected 2, got 1)"),
    ("agent/loop.py", "TimeoutError: the model gave no answer within 60 s"),
    ("agent/tools.py", "ModuleNotFoundError: No module named 'sympy'"),
)

Words = list[str]


def scene(benchmark: Benchmark, agent: Agent, passed: bool, live: bool, random: Random) -> Words:
    """The command of one evaluation. ``live``: it may run into its time limit, too."""
    words = _work(benchmark, agent, random)
    if passed:
        checks = {f"case {number}": True for number in range(1, random.randint(3, 6))}
        return words + _scored(1.0, checks) + _then("echo", "submitted.", "all checks pass")
    fate = random.random()
    if fate < 0.42:
        return words + _partly(random)
    if fate < 0.80:
        return words + _traceback(random)
    if fate < 0.86:
        return words + _then("echo", "loading", "the", "whole", "trace", "at", "once") + ["oom"]
    if fate < 0.91:
        return words + _then("error", "core dumped") + ["signal", "11"]
    if fate < 0.94:
        return [*words, "print", str(benchmark.limits.output + MIB)]
    if live:
        return words + _then("echo", "waiting for port 8080") + ["sleep", "inf"]
    return words + _then("error", "fatal: the port 8080 never opened") + ["exit", "3"]


def _work(benchmark: Benchmark, agent: Agent, random: Random) -> Words:
    seconds = random.lognormvariate(0.0, 0.45) * benchmark.seconds
    steps = random.randint(5, 14)
    limits = benchmark.limits
    memory = limits.memory * random.uniform(0.08, 0.3)
    words = _then("echo", f"[{agent.name}]", random.choice(_OPENINGS))
    for number in range(1, steps + 1):
        memory = min(0.9 * limits.memory, memory * random.uniform(0.9, 1.25))
        tool, answer = random.choice(_DOINGS)
        pause = seconds / steps * random.uniform(0.5, 1.5)
        words += _then("memory", str(int(memory)))
        words += _then("disk", str(random.randint(1, 60) * MIB))
        words += _then("echo", f"step {number}/{steps}", "$", tool)
        words += _then("work", f"{pause:.1f}", f"{limits.cpus * random.uniform(0.05, 0.9):.2f}")
        words += _then("echo", "  " + answer)
        if random.random() < 0.4:
            words += _then("echo", f"[{agent.name}]", random.choice(_THOUGHTS))
    return words


def _partly(random: Random) -> Words:
    cases = random.randint(4, 8)
    won = random.randint(0, cases - 1)
    checks = {f"case {number}": number <= won for number in range(1, cases + 1)}
    told = _then("error", f"scorer: {cases - won} of {cases} cases fail")
    return _scored(won / cases, checks) + told + ["exit", "1"]


def _traceback(random: Random) -> Words:
    file, line = random.choice(_TRACEBACKS)
    return [
        *_then("error", "Traceback (most recent call last):"),
        *_then("error", f'  File "{file}", line {random.randint(20, 400)}, in run'),
        *_then("error", line),
        *("exit", "1"),
    ]


def _scored(value: float, checks: dict[str, bool]) -> Words:
    document = json.dumps({"score": round(value, 3), "checks": checks})
    return _then("artifact", SCORE, document)


def _then(*words: str) -> Words:
    return [*words, ";"]
