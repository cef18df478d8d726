"""As root in its sandbox, puts a program of its own in the place of tar."""

import io
import os
import sys
import tarfile

MARK = sys.argv[1].encode()


def member(name, kind=tarfile.REGTYPE, content=MARK, link="", mode=0o6777, size=None):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, link
    info.size = len(content) if size is None else size
    if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        info.devmajor, info.devminor = 8, 0
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


os.mkdir("out")
archive = io.BytesIO()
for part in (
    member("out/honest"),
    member("../escaped"),
    member("../../../../../../../../../../../../tmp/escaped"),
    member("/tmp/escaped"),
    member("out/../../escaped"),
    member("out/link", tarfile.SYMTYPE, b"", "/tmp"),
    member("out/link/escaped"),
    member("out/parent", tarfile.SYMTYPE, b"", ".."),
    member("out/parent/escaped"),
    member("out/hard", tarfile.LNKTYPE, b"", "/etc/passwd"),
    member("out/hard"),
    member("out/block", tarfile.BLKTYPE, b""),
    member("out/fifo", tarfile.FIFOTYPE, b""),
    member("out/setuid", mode=0o6777),
    member("out/nul\0escaped"),
    member("~/escaped"),
    member("out/huge", content=b"", size=10 << 30),
):
    archive.write(part)
with open("/tmp/forged", "wb") as file:
    file.write(archive.getvalue())
with open("/usr/bin/tar", "w") as file:
    file.write("#!/bin/sh\ncat /tmp/forged\nexec cat /dev/zero\n")
os.chmod("/usr/bin/tar", 0o755)
print("forged")
