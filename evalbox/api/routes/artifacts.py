"""``/evaluations/{id}/artifacts``: the files that an evaluation left."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path
from starlette.responses import Response

from evalbox.api.auth import requires
from evalbox.api.context import TheBox
from evalbox.api.references import EvaluationId, MaybeAttempt
from evalbox.api.responses import download, octets
from evalbox.domain.access import Scope
from evalbox.errors import ArtifactNotFound
from evalbox.wire import document
from evalbox.wire.shapes import ArtifactDocument

router = APIRouter(prefix="/evaluations/{id}/artifacts", tags=["evaluations"])
READ = [requires(Scope.READ)]


@router.get("", dependencies=READ)
async def list_artifacts(
    evaluation_id: EvaluationId, box: TheBox, attempt: MaybeAttempt = None
) -> list[ArtifactDocument]:
    """What was kept, and what was not, with the reason."""
    return [document.artifact(item) for item in await box.artifacts(evaluation_id, attempt=attempt)]


@router.get(
    "/{path:path}", dependencies=READ, response_class=Response, responses=octets("The file")
)
async def get_artifact(
    evaluation_id: EvaluationId,
    path: Annotated[str, Path(min_length=1, max_length=4096)],
    box: TheBox,
    attempt: MaybeAttempt = None,
) -> Response:
    """One file. Always a download of bytes: what a job wrote is nothing for a browser to show."""
    records = await box.artifacts(evaluation_id, attempt=attempt)
    record = next((item for item in records if item.path == path and item.kind == "file"), None)
    if record is None:
        raise ArtifactNotFound(f"evaluation {evaluation_id} kept no artifact {path!r}")
    name = quote(path.rsplit("/", 1)[-1], safe="")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "Content-Length": str(record.size),
    }
    return await download(box.read_artifact(evaluation_id, path, attempt=attempt), headers)
