"""Tries to reach the addresses in the arguments, and all that is usual; prints JSON.

An argument is tcp:HOST:PORT, udp:HOST:PORT, unix:PATH, abstract:NAME, or name:HOST.
"""

import json
import os
import socket
import sys
import time

TIMEOUT = 1.0


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect(address)
        sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return sock.recv(100).decode(errors="replace")


def datagram(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((host, port))
        sock.send(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1")
        return sock.recv(100).hex()


def reach(target):
    kind, _, rest = target.partition(":")
    host, _, port = rest.rpartition(":")
    match kind:
        case "tcp":
            return connect(socket.AF_INET, (host, int(port)))
        case "udp":
            return datagram(host, int(port))
        case "unix":
            return connect(socket.AF_UNIX, rest)
        case "abstract":
            return connect(socket.AF_UNIX, "\0" + rest)
        case "name":
            return socket.gethostbyname(rest)
        case "raw":
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
        case "packet":
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).close()
        case "netlink":
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
                sock.bind((0, 0))
        case "path":
            return os.listdir(rest) if os.path.isdir(rest) else open(rest, "rb").read(10).hex()
    return "done"


found = {"interfaces": [name for _, name in socket.if_nameindex()]}
for target in sys.argv[1:]:
    began = time.monotonic()
    try:
        result = {"reached": True, "said": reach(target)}
    except OSError as error:
        result = {"reached": False, "said": error.strerror or str(error)}
    found[target] = {**result, "took": round(time.monotonic() - began, 2)}
print(json.dumps(found, indent=1))
