"""Waits, prints, waits and ends: MiB, seconds before and seconds after are its arguments."""

import sys
import time

print("ready", flush=True)
time.sleep(float(sys.argv[2]))
for _ in range(int(sys.argv[1])):
    sys.stdout.write("x" * 63 + "\n" * 1)
    sys.stdout.write(("y" * 63 + "\n") * ((1 << 14) - 1))
    sys.stdout.flush()
time.sleep(float(sys.argv[3]))
print("all printed", flush=True)
