"""Which line tells what went wrong."""

from __future__ import annotations

import pytest

from evalbox.domain.complaint import MAX_LINE, complaint
from evalbox.domain.outcome import Outcome

_PYTHON = """starting
Traceback (most recent call last):
  File "/home/agent/x.py", line 1, in <module>
    1 / 0
    ~~^~~
ZeroDivisionError: division by zero
"""
_CHAINED = (
    _PYTHON
    + """
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/home/agent/x.py", line 3, in <module>
    raise ValueError("second\\nline")
ValueError: second
line
"""
)
_GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/home/agent/x.py", line 1, in <module>
  |     raise ExceptionGroup("two", [ValueError(1)])
  | ExceptionGroup: two (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------
"""
_SYNTAX = """  File "/home/agent/x.py", line 1
    print(
         ^
SyntaxError: '(' was never closed
"""
_NODE = """/home/agent/x.js:1
throw new Error("boom")
^

Error: boom
    at Object.<anonymous> (/home/agent/x.js:1:7)

Node.js v20.1.0
"""
_GO = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
exit status 2
"""
_JAVA = """Exception in thread "main" java.lang.IllegalStateException: no luck
\tat Main.main(Main.java:5)
"""
_RUST = "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nnote: run with ...\n"
_CXX = "terminate called after throwing an instance of 'std::runtime_error'\n  what():  boom\n"
_PYTEST = """=================== FAILURES ===================
    def test_one():
>       assert 1 == 2
E       AssertionError: assert 1 == 2

test_one.py:2: AssertionError
"""
_COLOURED = (
    "\x1b[1;31mTraceback (most recent call last):\x1b[0m\n  File x\n\x1b[31mKeyError\x1b[0m: 1"
)


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (_PYTHON, "ZeroDivisionError: division by zero"),
        (_PYTHON.replace("\n", "\r\n"), "ZeroDivisionError: division by zero"),
        (_PYTHON + "goodbye\n", "ZeroDivisionError: division by zero"),
        (_CHAINED, "ValueError: second"),
        (_GROUP, "ExceptionGroup: two (1 sub-exception)"),
        (_SYNTAX, "SyntaxError: '(' was never closed"),
        (_COLOURED, "KeyError: 1"),
        (_NODE, "Error: boom"),
        (_GO, "panic: runtime error: index out of range [5] with length 3"),
        (_JAVA, 'Exception in thread "main" java.lang.IllegalStateException: no luck'),
        (_RUST, "index out of bounds"),
        (_RUST.splitlines()[0], "thread 'main' panicked at src/main.rs:2:5:"),
        (_CXX, "what():  boom"),
        (_PYTEST, "AssertionError: assert 1 == 2"),
        ("Uncaught TypeError [ERR_X]: no\n", "Uncaught TypeError [ERR_X]: no"),
        ("java.io.IOException: gone\n", "java.io.IOException: gone"),
        ("loading\n/bin/sh: 1: foo: not found\n", "/bin/sh: 1: foo: not found"),
        ("cat: x: No such file or directory\n\n", "cat: x: No such file or directory"),
        ("0 errors, no failures\n2 of 3 right\n", "2 of 3 right"),
        ("no error yet\nfatal: bad object\nbye", "fatal: bad object"),
        ("one\ntwo\n  \n", "two"),
        ("10%\r20%\r100% done\n", "100% done"),
        ("50%\r", "50%"),
        ("\x1b]0;title\x07only\x1b[2K words\n", "only words"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ broken", "link broken"),
        ("\x1b]0;never ended\nlast", "last"),
        ("bidi \u202e turned", "bidi <U+202E> turned"),
        ("\t\x00nul\x07\n", "nul"),
        ("", ""),
        ("\n\n", ""),
    ],
)
def test_the_best_line(printed: str, line: str) -> None:
    assert complaint(Outcome.FAILED, [printed.encode()]) == line


def test_long_lines_are_cut() -> None:
    line = complaint(Outcome.FAILED, [b"error: " + b"x" * 10_000])
    assert len(line) == MAX_LINE
    assert line.endswith("x…")
    wide = complaint(Outcome.FAILED, ["error: \u202e".encode() * 100])
    assert len(wide) == MAX_LINE


def test_bytes_that_are_no_text() -> None:
    assert complaint(Outcome.FAILED, [b"error: \xff\xfe"]) == "error: \ufffd\ufffd"


def test_half_a_line_is_none() -> None:
    head, tail = b"first\nsecond is cut", b"half an error: x\nlast\n"
    assert complaint(Outcome.FAILED, [head, tail]) == "last"
    assert complaint(Outcome.FAILED, [b"fatal: early\n..", b"..\nthe end"]) == "fatal: early"


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.CANCELLED, Outcome.INFRA_ERROR])
def test_where_the_output_is_not_the_cause(outcome: Outcome) -> None:
    assert complaint(outcome, [b"error: something"]) == ""


@pytest.mark.parametrize(
    "outcome",
    [Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY, Outcome.OUTPUT_LIMIT, Outcome.DISK_LIMIT],
)
def test_what_was_stopped_need_not_have_complained(outcome: Outcome) -> None:
    assert complaint(outcome, [b"working on it"]) == ""
    assert complaint(outcome, [b"MemoryError\nworking"]) == "MemoryError"


def test_standard_output_is_the_second_choice() -> None:
    assert complaint(Outcome.FAILED, [b"\n"], [b"FAILED: 1 of 2\n"]) == "FAILED: 1 of 2"
    assert complaint(Outcome.FAILED, [b"a word"], [b"error: x"]) == "a word"
