"""What a container is made of, by profile and engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalbox.domain.evaluation import Network
from evalbox.domain.limits import GIB, MIB
from evalbox.engines.base import Profile
from evalbox.engines.docker.archive import Owner
from evalbox.engines.docker.script import MEMORY_MOUNTS, beneath

if TYPE_CHECKING:
    from docker import APIClient

#: The container's first process: it waits on its standard input for what to become.
SHELL = ["/bin/sh"]
LABEL_ENGINE = "evalbox.engine"
#: The working directory that was asked for.
LABEL_WORKDIR = "evalbox.workdir"

#: The weight of a core of a sandbox where 1024 is everybody else's, and the largest there is.
_SHARES, _MOST_SHARES = 128, 262_144
_CPU_PERIOD = 100_000
#: The host's count of a gVisor sandbox's threads is a distant backstop: an idle one has about 40.
_GVISOR_PIDS = 512
_OPEN_FILES = 4096
_SHARED_MEMORY = 64 * MIB
#: The engine's own copy of the output takes up to 20 times its size, where every line is short.
_LOG_FACTOR = 20
_LOG_MOST = 64 * GIB


@dataclass(frozen=True, slots=True)
class Kind:
    """An engine's name, and its runtimes' names for sandboxes without and with a network."""

    name: str
    runtime: str
    runtime_net: str

    @property
    def gvisor(self) -> bool:
        return self.name == "gvisor"

    def runtime_for(self, network: Network) -> str:
        return self.runtime if network is Network.NONE else self.runtime_net


def _in_memory(path: str) -> bool:
    return any(beneath(path, mount) for mount in MEMORY_MOUNTS)


def container_options(
    api: APIClient, kind: Kind, profile: Profile, owner: Owner, host: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments for docker-py's ``create_container``. ``host``: more host options."""
    from docker.types import LogConfig, Ulimit

    limits = profile.limits
    log_size = max(min(limits.output * _LOG_FACTOR, _LOG_MOST), limits.output, MIB)
    ulimits = {"fsize": limits.disk, "core": 0, "nofile": _OPEN_FILES}
    if kind.gvisor:
        ulimits["nproc"] = limits.pids
    options = api.create_host_config(
        runtime=kind.runtime_for(profile.network),
        # The host has no use for a first process that reaps; under gVisor it costs 14 ms. On runc
        # the job would be process 1, which ignores its own signals.
        init=not kind.gvisor,
        cpu_period=_CPU_PERIOD,
        cpu_quota=max(int(limits.cpus * _CPU_PERIOD), 1000),
        # Where all cores are wanted, many sandboxes leave the service what it needs to see to them.
        cpu_shares=max(2, min(int(limits.cpus * _SHARES), _MOST_SHARES)),
        mem_limit=limits.memory,
        memswap_limit=limits.memory,
        # Linux counts RLIMIT_NPROC by user over all containers, gVisor by sandbox.
        pids_limit=limits.pids + _GVISOR_PIDS if kind.gvisor else limits.pids,
        ulimits=[Ulimit(name=name, soft=value, hard=value) for name, value in ulimits.items()],
        cap_drop=["ALL"],
        cap_add=list(profile.capabilities),
        security_opt=["no-new-privileges"],
        ipc_mode="private",
        shm_size=min(_SHARED_MEMORY, limits.memory // 2),
        tmpfs={"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={limits.memory // 2}"},  # noqa: S108
        log_config=LogConfig(
            type="local",
            config={"max-size": str(log_size), "max-file": "1", "compress": "false"},
        ),
        restart_policy={"Name": "no"},
        **host,
    )
    return {
        "image": profile.image,
        # Set as the entry point, it leaves no room for the image's own command.
        "entrypoint": SHELL,
        "command": None,
        "user": str(owner),
        # What is mounted when it starts is empty then; the script makes the directory.
        "working_dir": "/" if _in_memory(profile.workdir) else profile.workdir,
        "hostname": "sandbox",
        "stdin_open": True,
        # Else the shell's input would end with the first connection to it, and the shell too.
        "detach": True,
        "tty": False,
        "host_config": options,
        "healthcheck": {"test": ["NONE"]},
        # The user's own proxies, often with their passwords, are not for a job to see.
        "use_config_proxy": False,
    }
