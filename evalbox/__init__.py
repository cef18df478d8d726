"""evalbox: a durable queue and gVisor sandboxes for evaluations, on one machine."""

__version__ = "0.1.0"
