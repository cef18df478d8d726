"""Forks in every process for ever; the first one tells of the first refusal."""

import os

first = os.getpid()
told = False
while True:
    try:
        os.fork()
    except OSError as error:
        if os.getpid() == first and not told:
            print(f"refused: {error.strerror}", flush=True)
            told = True
