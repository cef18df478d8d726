"""Leaves artifacts that are too much, in the way that the argument says."""

import os
import sys
import time

os.mkdir("out")


def sparse():
    with open("out/sparse", "wb") as file:
        os.truncate(file.fileno(), 10 << 30)
    with open("out/small", "w") as file:
        file.write("small")


def crowd():
    for number in range(20_000):
        os.close(os.open(f"out/{number:05}", os.O_CREAT | os.O_WRONLY))


def daemon():
    """Something goes on behind the back of the collector."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            return True
        os._exit(0)
    os.wait()
    return False


def growing():
    if daemon():
        number = 0
        while True:
            with open(f"out/{number % 5000}", "ab", buffering=0) as file:
                file.write(b"x" * 65536)
            number += 1


def killing():
    if daemon():
        while True:
            try:
                os.kill(-1, 9)
            except OSError:
                time.sleep(0)


def stopping():
    """Stops every process but itself, again and again."""
    if daemon():
        while True:
            for name in os.listdir("/proc"):
                if name.isdigit() and int(name) not in (1, os.getpid()):
                    try:
                        os.kill(int(name), 19)
                    except OSError:
                        continue


def early():
    """Says by itself that the command has ended, and goes on."""
    with open("/tmp/.evalbox-done", "w"):
        pass
    while True:
        time.sleep(1)


def unplugged():
    for name in os.listdir("/tmp"):
        os.unlink(f"/tmp/{name}")


def replaced():
    for name in os.listdir("/tmp"):
        os.unlink(f"/tmp/{name}")
        os.mkdir(f"/tmp/{name}")


def held():
    """Nobody else gets a process any more."""
    if daemon():
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(1000)
            except OSError:
                time.sleep(1000)
    time.sleep(0.5)


with open("out/kept", "w") as file:
    file.write("kept")
globals()[sys.argv[1]]()
print("done", flush=True)
sys.exit(7)
