"""Asks for as many bytes at once as the argument says."""

import sys

try:
    block = bytearray(int(sys.argv[1]))
except MemoryError:
    print("refused")
else:
    print("granted", len(block))
