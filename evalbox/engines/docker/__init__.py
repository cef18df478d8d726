"""Sandboxes that are containers of a Docker engine: on gVisor's kernel, or on the host's (runc)."""

from evalbox.engines.docker.engine import DockerEngine
from evalbox.engines.docker.images import Images

__all__ = ["DockerEngine", "Images"]
