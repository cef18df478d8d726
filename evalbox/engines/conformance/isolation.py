"""What commands must not be able to do."""

from __future__ import annotations

import json
import os

from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import Lab, expect, expect_that

_REACH_OUT = """
import json, socket
def tcp(*address):
    with socket.create_connection(address, timeout=3): pass
def udp(*address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(3); s.connect(address); s.send(b'x'); s.recv(1)
def name(text):
    socket.getaddrinfo(text, 80)
tries = {
    'tcp': (tcp, '1.1.1.1', 80), 'metadata': (tcp, '169.254.169.254', 80),
    'gateway': (tcp, '172.17.0.1', 22), 'udp': (udp, '1.1.1.1', 53), 'dns': (name, 'example.com'),
}
reached = []
for what, (how, *where) in tries.items():
    try: how(*where)
    except OSError: continue
    reached.append(what)
with socket.socket() as server:
    server.bind(('127.0.0.1', 0)); server.listen()
    tcp(*server.getsockname())
print(json.dumps(reached))
"""

_RIGHTS = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
status = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)
def errno(result): return ctypes.get_errno() if result else 0
print(json.dumps({
    'capabilities': int(status['CapEff'], 16),
    'no_new_privileges': libc.prctl(39, 0, 0, 0, 0),
    'mount': errno(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)),
    'chroot': errno(libc.chroot(b'/tmp')),
    'uid': [os.getuid(), os.geteuid(), os.getgid(), os.getegid()],
}))
"""


@case("isolates")
async def no_way_out(lab: Lab) -> None:
    """Without a network nothing can be reached but the sandbox itself."""
    ran = await lab.python(_REACH_OUT)
    expect((ran.stderr, ran.exit.code), (b"", 0), "standard error and exit status")
    expect(json.loads(ran.stdout), [], "reached")


@case("isolates")
async def no_rights(lab: Lab) -> None:
    """The command is user 1000, without capabilities, and cannot gain any."""
    ran = await lab.python(_RIGHTS)
    rights = json.loads(ran.stdout)
    expect(rights["uid"], [1000] * 4, "user and group ids")
    expect(rights["capabilities"], 0, "effective capabilities")
    expect(rights["no_new_privileges"], 1, "no_new_privs")
    expect_that(rights["mount"] in {1, 13}, f"errno of mount: {rights['mount']}")
    expect_that(rights["chroot"] in {1, 13}, f"errno of chroot: {rights['chroot']}")


@case("isolates")
async def no_secret_of_the_host(lab: Lab) -> None:
    """Nothing of the host's environment or sockets is within."""
    script = "cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; ls /var/run/docker.sock; hostname"
    ran = await lab.shell(script)
    printed = ran.stdout.decode(errors="replace")
    expect_that("docker.sock" not in printed, "the engine's socket is within")
    expect_that(os.uname().nodename not in printed.splitlines(), "the host's name is told")
    for name, value in os.environ.items():
        # Short values and those that every system has say nothing.
        if len(value) >= 12 and not name.startswith(("PATH", "LANG", "LC_")):
            expect_that(f"{name}={value}" not in printed, f"the host's {name} is within")


@case("isolates")
async def a_home_of_its_own(lab: Lab) -> None:
    """The command can write to its home, /tmp and /dev/shm, and not to the system."""
    script = (
        'for place in "$HOME" /tmp /dev/shm; do echo x >"$place/mark" || echo no: $place; done;'
        "for place in / /etc /usr/bin; do (echo x >$place/mark) 2>&- && echo yes: $place; done"
    )
    ran = await lab.shell(script)
    expect((ran.stdout, ran.stderr), (b"", b""), "output")


@case("isolates")
async def no_traces(lab: Lab) -> None:
    """Nothing that a command left in /tmp, /dev/shm or its home is there for the next."""
    script = 'ls -d /tmp/mark /dev/shm/mark "$HOME/mark"; touch /tmp/mark /dev/shm/mark ~/mark'
    for _ in range(2):
        ran = await lab.shell(script)
        expect(ran.stdout, b"", "marks of another command")


@case("isolates")
async def processes_of_its_own(lab: Lab) -> None:
    """The command sees no process but those of its sandbox."""
    ran = await lab.python("import os; print(sum(name.isdigit() for name in os.listdir('/proc')))")
    expect_that(int(ran.stdout) <= 3, f"{int(ran.stdout)} processes within")
