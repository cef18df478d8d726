"""Looks for what an earlier run has left, then leaves it."""

import glob
import os
import pathlib

PLACES = ("/tmp", "/dev/shm", str(pathlib.Path.home()), "/var/tmp", "/run/lock", "/mqueue")
NAME = "i-was-here"

for place in PLACES:
    path = os.path.join(place, NAME)
    print("found" if os.path.lexists(path) else "clean", place)
    try:
        with open(path, "w") as file:
            file.write(NAME)
        print("left", place)
    except OSError:
        print("refused", place)
print("others", [path for path in glob.glob("/proc/[0-9]*") if path != f"/proc/{os.getpid()}"])
