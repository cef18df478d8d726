"""Takes memory, 8 MiB at a time, for ever; with "child", in a child while the parent ends well."""

import os
import sys


def hoard():
    blocks = []
    while True:
        blocks.append(b"x" * (8 << 20))


if sys.argv[1:] != ["child"]:
    hoard()
child = os.fork()
if child == 0:
    hoard()
os.waitpid(child, 0)
print("the parent ends well", flush=True)
