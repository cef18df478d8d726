"""What every build of a box is given by who runs the box: variables, and authorities of TLS.

Neither is part of a build's key, and neither stays in its image.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from evalbox.config.settings import Settings
from evalbox.domain.masking import Mask, confidential
from evalbox.engines.base import Sandbox
from evalbox.engines.execution import Exec
from evalbox.errors import EngineError

_ROOT = "0:0"
_PLACE = "/run/evalbox-build"
_CA, _APT = f"{_PLACE}/ca.pem", f"{_PLACE}/apt.conf"
_APT_SAYS = f'Acquire::https::CaInfo "{_CA}";\n'.encode()
#: By what programs find the authorities that they trust.
_TOLD = {
    "SSL_CERT_FILE": _CA,
    "REQUESTS_CA_BUNDLE": _CA,
    "PIP_CERT": _CA,
    "CURL_CA_BUNDLE": _CA,
    "GIT_SSL_CAINFO": _CA,
    "NODE_EXTRA_CA_CERTS": _CA,
    "APT_CONFIG": _APT,
}
_CLEARING = 60.0


@dataclass(frozen=True, slots=True)
class Supplies:
    """``ca`` is a file in PEM with all authorities that are to be trusted."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.build_env, Path(settings.build_ca) if settings.build_ca else None)

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """That of a build which is to have ``env``, which goes over all else."""
        return {**(_TOLD if self.ca else {}), **self.env, **env}

    def mask(self, env: Mapping[str, str]) -> Mask:
        """For what a build with that ``env`` of its own prints."""
        return Mask([*env.values(), *confidential(self.env)])

    async def bring(self, sandbox: Sandbox) -> None:
        """Raises ``EngineError`` where the authorities cannot be read."""
        if self.ca is None:
            return
        try:
            bundle = await asyncio.to_thread(self.ca.read_bytes)
        except OSError as error:
            raise EngineError(
                f"build_ca: {self.ca}: {(error.strerror or str(error)).lower()}",
                hint="let the setting build_ca name a file in PEM that evalbox can read",
            ) from error
        for path, content in ((_CA, bundle), (_APT, _APT_SAYS)):
            await sandbox.files.write(path, _whole(content), 0o644, _ROOT)

    async def take_away(self, sandbox: Sandbox) -> bool:
        """Whether none of it is left: the program that does it is the sandbox's own."""
        if self.ca is None:
            return True
        try:
            async with asyncio.timeout(_CLEARING):
                return await _status(sandbox, Exec(("rm", "-rf", _PLACE), "/", {}, _ROOT)) == 0
        except TimeoutError:
            return False


async def _status(sandbox: Sandbox, program: Exec) -> int:
    execution = await sandbox.exec(program)
    try:
        async for _ in execution.output():
            pass
        return await execution.wait()
    finally:
        await execution.close()


async def _whole(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
