"""Leaves among its artifacts all that is no ordinary file."""

import os
import socket
import sys

os.mkdir("out")
os.chdir("out")
with open("honest", "w") as file:
    file.write("plain content")
for name, target in {
    "shadow": "/etc/shadow",
    "hosts": "/etc/hosts",
    "up": "../../../../../../../../etc/passwd",
    "root": "/",
    "self": ".",
    "loop": "loop",
    "fd": "/proc/self/fd/0",
    "docker": "/var/run/docker.sock",
}.items():
    os.symlink(target, name)
os.symlink("/etc", "directory")
os.mkfifo("fifo")
sock = socket.socket(socket.AF_UNIX)
sock.bind("socket")
os.link("honest", "hard")
try:
    os.mknod("device", 0o666 | 0x2000, os.makedev(1, 5))
except OSError as error:
    print("device", error.strerror)
with open("setuid", "w") as file:
    file.write("#!/bin/sh\n")
os.chmod("setuid", 0o6755)
os.mkdir("locked")
with open("locked/inside", "w") as file:
    file.write("x")
os.chmod("locked", 0)
with open("secret", "w") as file:
    file.write("x")
os.chmod("secret", 0)
os.makedirs("/".join("d" * 100 for _ in range(20)))
with open("new\nline \x1b]0;title\x07 [red]", "w") as file:
    file.write("x")
with open(b"not-\xff-utf8", "w") as file:
    file.write("x")
if sys.argv[1:]:
    os.chdir("..")
    os.rename("out", "real")
    os.symlink(sys.argv[1], "out")
