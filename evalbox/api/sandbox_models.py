"""What clients send about sandboxes."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import Field

from evalbox.api.models import Body, Flag, Items, Number, Text, Whole
from evalbox.domain.evaluation import Network
from evalbox.domain.limits import BOUNDS, Limits
from evalbox.domain.paths import HOME
from evalbox.domain.sandbox import (
    DEFAULT_COLLECTED,
    DEFAULT_EXEC_TIMEOUT,
    DEFAULT_LIFETIME,
    MAX_COLLECTED,
    MAX_EXEC_TIMEOUT,
    MAX_LIFETIME,
    MAX_TERMINAL,
    MIN_LIFETIME,
    ExecSpec,
    SandboxSpec,
)
from evalbox.errors import InvalidInput

Place = Annotated[str, Field(min_length=1, max_length=4095)]


class SandboxLimitsBody(Body):
    """What all that runs in a sandbox may use together; what is left out has a finite default."""

    cpus: Number | None = Field(None, ge=BOUNDS["cpus"][0], le=BOUNDS["cpus"][1])
    memory: Whole | None = Field(None, ge=BOUNDS["memory"][0], le=BOUNDS["memory"][1])
    disk: Whole | None = Field(None, ge=BOUNDS["disk"][0], le=BOUNDS["disk"][1])
    pids: Whole | None = Field(None, ge=BOUNDS["pids"][0], le=BOUNDS["pids"][1])


class SandboxBody(Body):
    """What a sandbox is to be; what is left out has the box's own default.

    It lives for ``lifetime`` seconds, and with ``idle_timeout`` for no longer than that many
    seconds after it was last used. ``env`` is in the environment of every program.
    """

    name: Text | None = None
    engine: Text | None = None
    image: Text | None = None
    user: Text | None = None
    workdir: Place | None = None
    network: Network = Network.NONE
    limits: SandboxLimitsBody = SandboxLimitsBody()
    env: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    lifetime: Number = Field(DEFAULT_LIFETIME, ge=MIN_LIFETIME, le=MAX_LIFETIME)
    idle_timeout: Number | None = Field(None, ge=MIN_LIFETIME, le=MAX_LIFETIME)

    def spec(self) -> SandboxSpec:
        """Raises ``InvalidInput``."""
        return SandboxSpec(
            name=self.name or "",
            engine=self.engine or "",
            image=self.image or "",
            user=self.user or "1000:1000",
            workdir=self.workdir or HOME,
            network=self.network,
            limits=Limits(**self.limits.model_dump(exclude_none=True)),
            env=self.env,
            labels=self.labels,
            lifetime=self.lifetime,
            idle_timeout=self.idle_timeout,
        )


class KeepBody(Body):
    """With ``lifetime`` the sandbox is to live for so many seconds from now."""

    lifetime: Number | None = Field(None, ge=MIN_LIFETIME, le=MAX_LIFETIME)


class ProgramBody(Body):
    """A program to run, for at most ``timeout`` seconds."""

    command: Items[str] = Field(min_length=1, max_length=4096)
    workdir: Place | None = None
    env: dict[str, str] = Field(default_factory=dict)
    user: Text | None = None
    timeout: Number = Field(DEFAULT_EXEC_TIMEOUT, ge=0.1, le=MAX_EXEC_TIMEOUT)

    def spec(self) -> ExecSpec:
        return ExecSpec(
            command=tuple(self.command),
            workdir=self.workdir or "",
            env=self.env,
            user=self.user,
            timeout=self.timeout,
        )


class ExecBody(ProgramBody):
    """``stdin`` is text, ``stdin_base64`` any bytes; there is at most one of them.

    ``max_output`` bytes of each stream are told.
    """

    stdin: str | None = None
    stdin_base64: str | None = None
    max_output: Whole = Field(DEFAULT_COLLECTED, ge=0, le=MAX_COLLECTED)

    def given(self) -> bytes:
        """The standard input. Raises ``InvalidInput``."""
        if self.stdin is not None and self.stdin_base64 is not None:
            raise InvalidInput("stdin: is given twice", field="stdin")
        if self.stdin_base64 is None:
            return (self.stdin or "").encode(errors="surrogatepass")
        try:
            return base64.b64decode(self.stdin_base64, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidInput("stdin_base64: is not base64", field="stdin_base64") from None


class StartBody(ProgramBody):
    """The first message of a WebSocket."""

    stdin: Flag = True
    tty: Flag = False
    rows: Whole = Field(24, ge=1, le=MAX_TERMINAL)
    cols: Whole = Field(80, ge=1, le=MAX_TERMINAL)

    def spec(self) -> ExecSpec:
        return ExecSpec(
            command=tuple(self.command),
            workdir=self.workdir or "",
            env=self.env,
            user=self.user,
            stdin=self.stdin,
            tty=self.tty,
            rows=self.rows,
            cols=self.cols,
            timeout=self.timeout,
        )
