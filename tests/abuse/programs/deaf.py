"""Ignores every signal that can be ignored."""

import signal
import time

for number in range(1, signal.NSIG):
    if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            continue
print("deaf", flush=True)
while True:
    time.sleep(60)
