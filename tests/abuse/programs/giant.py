"""Asks for 1 TiB at once."""

try:
    block = bytearray(1 << 40)
except MemoryError:
    print("refused")
else:
    print("granted", len(block))
