"""Runs beside the hostile jobs and says at every beat whether anything of theirs reaches it."""

import os
import pathlib
import time

home = pathlib.Path.home()
secret = home / "secret"
secret.write_text("mine")
began = time.monotonic()
last = began
for beat in range(100_000):
    now = time.monotonic()
    seen = {
        "processes": sorted(name for name in os.listdir("/proc") if name.isdigit()),
        "tmp": os.listdir("/tmp"),
        "shm": os.listdir("/dev/shm"),
        "home": sorted(os.listdir(home)),
        "secret": secret.read_text(),
    }
    if beat == 0:
        first = seen
    state = "well" if seen == first else f"disturbed {seen}"
    print(f"{beat} {now - last:.2f} {state}", flush=True)
    last = now
    time.sleep(0.25)
