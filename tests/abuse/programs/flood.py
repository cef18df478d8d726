"""Waits until told to go, then prints as much as the argument says, in MiB."""

import sys
import time

print("ready", flush=True)
time.sleep(float(sys.argv[2]))
for _ in range(int(sys.argv[1])):
    sys.stdout.write("x" * 63 + "\n" * 1)
    sys.stdout.write(("y" * 63 + "\n") * ((1 << 14) - 1))
    sys.stdout.flush()
print("all printed", flush=True)
