"""Prints every byte, NUL and what is no UTF-8 among them, and half a character at the end."""

import os

for _ in range(16):
    os.write(1, bytes(range(256)))
os.write(1, b"\xff\xfe\xed\xa0\x80\xf0\x9f\x98")
os.write(2, b"\0\xc3")
