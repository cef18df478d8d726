"""Settings: built-in values < configuration file < environment < flags.

The file is TOML, ``config.toml`` in the user's configuration directory or where ``EVALBOX_CONFIG``
says, with one key for each field of ``Settings``. In the environment a field is ``EVALBOX_`` and
its name in capitals. A value cannot change after the start.
"""

from __future__ import annotations

import math
import os
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from evalbox.domain.image import BASE
from evalbox.domain.paths import expanded
from evalbox.domain.quantity import parse_duration, parse_size
from evalbox.domain.text import check_variable
from evalbox.errors import ConfigError, InvalidInput


def _default_slots() -> int:
    return max(2, os.cpu_count() or 2)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set for a box.

    ``data_dir``: where the database, outputs and artifacts are.
    ``engine``, ``image``: used where an evaluation names none.
    ``task_dirs``: directories in which tasks are looked for, parted as in ``PATH``; a list in TOML.
    ``slots``: how many evaluations run at once (default: one for each core, at least 2).
    ``warm``: how many sandboxes of the profile used last wait, started, for their command.
    ``sandboxes``: how many sandboxes are kept at once for ``evalbox sandbox``.
    ``memory_percent``: no evaluation starts while the host's memory is used above this.
    ``disk_free``: nor while less than this many bytes are free for the data directory.
    ``load_per_core``: nor while the one-minute load average per core is above this.
    ``cpu_overcommit``: how many cores of limits may be promised for each core of the host.
    ``memory_overcommit``: the same for memory.
    ``build_env``: variables of every image that is built for tasks, as ``HTTPS_PROXY`` and
    ``PIP_INDEX_URL``: a table in TOML, ``NAME=VALUE`` parted by spaces in the environment.
    ``build_ca``: a file in PEM, the authorities of TLS that such a build trusts.
    ``docker_host``: the engine's address; empty means ``DOCKER_HOST`` or Docker's own default.
    ``url``, ``key``: the box elsewhere that commands talk to, and the API key for it.
    ``tls_ca``: a file in PEM, the authority of its certificate where the world knows it not.
    ``host``, ``port``: where ``--serve`` listens for TCP, beside the socket in ``data_dir``.
    ``tls_cert``, ``tls_key``: files in PEM; with both, TCP is served by HTTPS.
    ``insecure``: TCP may be served beyond loopback without TLS, as behind a proxy that has it.
    ``drain``: how many seconds a service that is stopped lets its attempts go on.
    ``rate_limit``, ``rate_burst``: requests a second that a key may make, and how many at once.
    ``webhook_private``: webhooks may go to addresses that are not of the public internet.
    ``audit_keep``: for how many days the audit log keeps its entries; 0 (the default) is for ever.
    ``alert_after``: how many seconds an engine or the queue is held up before it is an alert.
    ``otlp_endpoint``: the OpenTelemetry collector that traces go to, as ``http://HOST:4318``.
    ``log_level``, ``log_format`` (``human`` or ``json``), ``log_file`` (empty: standard error).
    """

    data_dir: Path = field(default_factory=lambda: Path(platformdirs.user_data_dir("evalbox")))
    engine: str = "gvisor"
    image: str = BASE
    task_dirs: tuple[Path, ...] = ()
    slots: int = field(default_factory=_default_slots)
    warm: int = 2
    sandboxes: int = 16
    memory_percent: float = 92.0
    disk_free: int = 1 << 30
    load_per_core: float = 16.0
    cpu_overcommit: float = 4.0
    memory_overcommit: float = 2.0
    build_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    build_ca: str = ""
    docker_host: str = ""
    url: str = ""
    key: str = field(default="", repr=False)
    tls_ca: str = ""
    host: str = "127.0.0.1"
    port: int = 8420
    tls_cert: str = ""
    tls_key: str = ""
    insecure: bool = False
    drain: float = 30.0
    rate_limit: float = 100.0
    rate_burst: int = 400
    webhook_private: bool = False
    audit_keep: int = 0
    alert_after: float = 300.0
    otlp_endpoint: str = ""
    log_level: str = "warning"
    log_format: str = "human"
    log_file: str = ""


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the configuration file is looked for."""
    given = environ.get("EVALBOX_CONFIG")
    return Path(given) if given else Path(platformdirs.user_config_dir("evalbox")) / "config.toml"


def state_file() -> Path:
    """Where the screen keeps what it remembers."""
    return Path(platformdirs.user_state_dir("evalbox")) / "screen.json"


def load(
    *, environ: Mapping[str, str] = os.environ, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """The settings in force. Raises ``ConfigError`` that names the source and the key."""
    settings = Settings()
    path = config_file(environ)
    settings = _apply(settings, _read_file(path, required="EVALBOX_CONFIG" in environ), str(path))
    from_environment = {
        item.name: environ[f"EVALBOX_{item.name.upper()}"]
        for item in fields(Settings)
        if f"EVALBOX_{item.name.upper()}" in environ
    }
    settings = _apply(settings, from_environment, "environment")
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    return _apply(settings, given, "command line")


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        if required:
            raise ConfigError(
                f"{path}: no such configuration file", hint="unset EVALBOX_CONFIG or create it"
            ) from None
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}", hint="correct the file or move it away") from error


def _apply(settings: Settings, values: Mapping[str, Any], source: str) -> Settings:
    known = {item.name for item in fields(Settings)}
    changes = {}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(
                f"{source}: unknown setting {key!r}", hint=f"known: {', '.join(sorted(known))}"
            )
        try:
            changes[key] = _READERS[key](value)
        except (ValueError, TypeError, OverflowError, InvalidInput) as error:
            hint = error.hint if isinstance(error, InvalidInput) else ""
            raise ConfigError(f"{source}: {key}: {error}", hint=hint) from error
    return replace(settings, **changes)


def _number(low: float, high: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        number = float(value)
        if not (math.isfinite(number) and low <= number <= high):
            raise ValueError(f"{value} is not between {low:g} and {high:g}")
        return number

    return read


def _duration(low: float, high: float) -> Callable[[Any], float]:
    within = _number(low, high)

    def read(value: Any) -> float:
        return within(parse_duration(value) if isinstance(value, str) else value)

    return read


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = int(value)
        if isinstance(value, float) and value != number:
            raise ValueError(f"{value} is not a whole number")
        if not low <= number <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return number

    return read


def _size(value: Any) -> int:
    return value if isinstance(value, int) else parse_size(str(value))


def _paths(value: Any) -> tuple[Path, ...]:
    given = value.split(os.pathsep) if isinstance(value, str) else value
    return tuple(expanded(one).absolute() for one in given if one)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in ("1", "true", "yes", "on", "0", "false", "no", "off", ""):
        raise ValueError(f"{value!r} is neither true nor false")
    return text in ("1", "true", "yes", "on")


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{value!r} is not one of {', '.join(choices)}")
        return str(value)

    return read


def _address(value: Any) -> str:
    if value and urlsplit(value).scheme not in ("http", "https"):
        raise ValueError(f"{value!r} is not an address such as http://localhost:4318")
    return str(value)


def _variables(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        value = dict(_pair(one) for one in shlex.split(value))
    if not isinstance(value, Mapping):
        raise ValueError("is not a table of variables")
    env = {}
    for name, one in value.items():
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            raise ValueError(f"{name} is neither a text nor a number")
        check_variable(name, str(one))
        env[name] = str(one)
    return env


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        # What it is may be a secret.
        raise ValueError("something in it is not NAME=VALUE")
    return name, value


_READERS: dict[str, Callable[[Any], Any]] = {
    "data_dir": lambda value: expanded(value).absolute(),
    "engine": str,
    "image": str,
    "task_dirs": _paths,
    "slots": _whole(1, 1024),
    "warm": _whole(0, 256),
    "sandboxes": _whole(0, 1024),
    "memory_percent": _number(1, 100),
    "disk_free": _size,
    "load_per_core": _number(0.1, 1000),
    "cpu_overcommit": _number(0.1, 1000),
    "memory_overcommit": _number(0.1, 1000),
    "build_env": _variables,
    "build_ca": lambda value: str(expanded(value).absolute()) if value else "",
    "docker_host": str,
    "url": str,
    "key": str,
    "tls_ca": str,
    "host": str,
    "port": _whole(0, 65535),
    "tls_cert": str,
    "tls_key": str,
    "insecure": _flag,
    "drain": _duration(0, 86400),
    "rate_limit": _number(0.1, 1_000_000),
    "rate_burst": _whole(1, 1_000_000),
    "webhook_private": _flag,
    "audit_keep": _whole(0, 36500),
    "alert_after": _number(1, 86400),
    "otlp_endpoint": _address,
    "log_level": _one_of("debug", "info", "warning", "error"),
    "log_format": _one_of("human", "json"),
    "log_file": str,
}
