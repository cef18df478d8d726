"""Images that are made of a whole file system: what ``docker import`` does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from evalbox.engines.docker.client import Client
from evalbox.engines.docker.streams import pieces, told


async def import_archive(
    client: Client, archive: IO[bytes], name: str, changes: Sequence[str]
) -> None:
    """Makes the image ``name`` of a tar. ``changes`` are in the words of a Dockerfile."""
    repository, _, tag = name.partition(":")

    def work(api: Any) -> None:
        # This one waits for as long as the engine takes to unpack it.
        answer = api.import_image_from_data(
            pieces(archive), repository=repository, tag=tag, changes=list(changes)
        )
        for _ in told(map(json.loads, str(answer).split())):
            pass

    archive.seek(0)
    await client.call(work)


def changes_like(config: Mapping[str, Any]) -> Iterable[str]:
    """What makes an imported image have the surroundings of the one that ``config`` is of."""
    for variable in config.get("Env") or ():
        name, _, value = variable.partition("=")
        yield f"ENV {name}={_quoted(value)}"
    if config.get("WorkingDir"):
        yield f"WORKDIR {config['WorkingDir']}"
    if config.get("Cmd"):
        yield f"CMD {json.dumps(config['Cmd'])}"


def label_changes(labels: Mapping[str, str]) -> list[str]:
    return [f"LABEL {name}={_quoted(value)}" for name, value in labels.items()]


def _quoted(value: str) -> str:
    """One word of a Dockerfile, in which nothing is a variable."""
    escaped = "".join("\\" + one if one in '\\"$' else one for one in value)
    return f'"{escaped}"'
