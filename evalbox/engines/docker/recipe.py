"""What the base image is made of, whichever tool makes it."""

from __future__ import annotations

import shlex

#: Goes up with every change of what follows: an image of another recipe is built anew.
VERSION = "1"
LABEL = "evalbox.recipe"
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PARENT = "debian:bookworm-slim"
WORKDIR = "/home/agent"

#: Beside the smallest Debian. ``ps`` is what tasks and tests look at processes with.
PACKAGES = ("ca-certificates", "nodejs", "procps", "python3")
_LEFT_OUT = ("man", "info", "locale", "doc")

#: What Docker is told about the image, in the words of a Dockerfile.
CHANGES = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    f"WORKDIR {WORKDIR}",
    f"LABEL {LABEL}={VERSION}",
    'CMD ["/bin/bash"]',
)

#: Run by root in the new root file system: the user 1000, and the group whose files a task may
#: keep from it.
SETUP = f"""
set -e
getent group agent >/dev/null || groupadd --gid 1000 agent
getent passwd agent >/dev/null || \
  useradd --uid 1000 --gid 1000 --create-home --home-dir {WORKDIR} --shell /bin/bash agent
getent group protected >/dev/null || groupadd --system protected
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt
"""
#: What building has left of the host; Docker mounts its own over them.
_HOST_TRACES = "rm -f etc/resolv.conf etc/hostname && : >etc/machine-id"


def dockerfile(parent: str = PARENT) -> bytes:
    """The image on top of one that holds a small Debian."""
    packages = " ".join(PACKAGES)
    install = (
        "export DEBIAN_FRONTEND=noninteractive && apt-get update && "
        f"apt-get install --yes --no-install-recommends {packages}"
    )
    setup = f"RUN {install} && sh -c {shlex.quote('; '.join(SETUP.strip().splitlines()))}"
    return "\n".join([f"FROM {parent}", setup, *CHANGES, ""]).encode()


def mmdebstrap(mirror: str) -> list[str]:
    """The command that writes the root file system to its standard output, as a tar."""
    keep_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--include=" + ",".join(PACKAGES),
        *keep_out,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        f'--customize-hook=chroot "$1" /bin/sh -c {shlex.quote(SETUP)}',
        f'--customize-hook=cd "$1" && {_HOST_TRACES}',
        SUITE,
        "-",
        mirror,
    ]


def debootstrap(mirror: str) -> list[str]:
    """The same with the older tool, which fills a directory."""
    include = "--include=" + ",".join(PACKAGES)
    unwanted = " ".join(f"usr/share/{name}" for name in _LEFT_OUT if name != "doc")
    return [
        "/bin/sh",
        "-c",
        f"""
set -e
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 1' TERM INT
debootstrap --variant=minbase {include} {SUITE} "$root" {shlex.quote(mirror)} >&2
chroot "$root" /bin/sh -c {shlex.quote(SETUP)} >&2
cd "$root"
{_HOST_TRACES}
rm -rf var/cache/apt/archives/*.deb debootstrap {unwanted}
tar --one-file-system --numeric-owner -cf - .
""",
    ]
