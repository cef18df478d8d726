"""What the image is made of that families of the METR Task Standard are built upon.

Those were written for ``python:3.11`` on bookworm and its tools, with some more that the standard
promises. A family's ``install`` may call pip and apt as it is used to: nothing may keep pip from
installing for everybody, and the lists of packages stay. ``pytest`` is there for families' tests.
"""

from __future__ import annotations

from evalbox.engines.docker import recipe

#: Goes up with every change of what follows.
VERSION = "2"
PACKAGES = (
    "build-essential", "curl", "git", "gnupg", "iproute2", "iptables", "iputils-ping", "less",
    "openssh-server", "python-is-python3", "python3-dev", "python3-pip", "python3-pytest",
    "python3-venv", "unzip", "vim-tiny", "wget", "xz-utils",
)  # fmt: skip
_SETUP = (
    "rm -f /usr/lib/python3*/EXTERNALLY-MANAGED",
    "ln -sf vim.tiny /usr/bin/vim",
    "mkdir -p /run/sshd",
    "rm -rf /var/cache/apt/archives/*.deb /var/log/*.log /var/log/apt",
    "chmod 700 /root",
)


def dockerfile(parent: str, version: str) -> bytes:
    """Upon the base image; ``version`` is told by the result."""
    packages = " ".join(PACKAGES)
    install = (
        "export DEBIAN_FRONTEND=noninteractive && apt-get update && "
        f"apt-get install --yes --no-install-recommends {packages}"
    )
    steps = " && ".join((install, *_SETUP))
    return f'FROM {parent}\nRUN {steps}\nLABEL {recipe.LABEL}="{version}"\n'.encode()
