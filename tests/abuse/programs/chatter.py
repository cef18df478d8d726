"""Prints for ever, or what the argument says."""

import os
import sys

KINDS = {
    "lines": b"all work and no play\n" * 1000,
    "line": b"x" * 65536,
    "empty": b"\n" * 65536,
    "errors": b"!" * 4096,
}
kind = sys.argv[1]
target = 2 if kind == "errors" else 1
while True:
    os.write(target, KINDS[kind])
    if kind == "empty":
        os.write(2, b"\n")
