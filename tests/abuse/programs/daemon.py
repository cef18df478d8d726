"""Leaves a daemon behind that holds the output open, and ends at once with status 0."""

import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for _ in range(600):
            print("still here", flush=True)
            time.sleep(0.1)
    os._exit(0)
os.wait()
print("parent is done", flush=True)
