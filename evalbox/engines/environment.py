"""Variables that pass through a shell, and those that do not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Variables that one shell or another holds read-only, takes for numbers or changes.
_SHELLS_OWN = frozenset({
    "_", "BASHOPTS", "BASHPID", "BASH_ARGV0", "BASH_SUBSHELL", "BASH_VERSINFO", "DIRSTACK",
    "EPOCHREALTIME", "EPOCHSECONDS", "EUID", "FUNCNAME", "GROUPS", "HISTCMD", "IFS", "LINENO",
    "OLDPWD", "OPTIND", "PPID", "PWD", "RANDOM", "SECONDS", "SHELLOPTS", "SHLVL", "SRANDOM", "UID",
})  # fmt: skip


def exportable(name: str) -> bool:
    """Whether a shell passes the variable on as it is."""
    return _NAME.fullmatch(name) is not None and name not in _SHELLS_OWN


def with_odd_variables(command: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """The command, preceded by what sets those variables that a shell cannot, such as "a.b"."""
    odd = [f"{name}={value}" for name, value in env.items() if not exportable(name)]
    return [*(["/usr/bin/env", "--", *odd] if odd else []), *command]
