"""``/docs``: the API for people to read and to try, with all that the page needs."""

from __future__ import annotations

import gzip
from importlib import resources

from fastapi import APIRouter, Request
from starlette.responses import Response

from evalbox.errors import NotFound

router = APIRouter(include_in_schema=False)

_FILES = resources.files("evalbox.api") / "swagger"
#: What the page shows, and the names under which the package has them.
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
}
#: Nothing from elsewhere; Swagger UI styles its elements one by one.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


@router.get("/docs")
def show_docs() -> Response:
    """The page."""
    content = (_FILES / "index.html").read_bytes()
    return Response(content, media_type="text/html", headers={"Content-Security-Policy": _POLICY})


@router.get("/docs/{name}")
def get_asset(name: str, request: Request) -> Response:
    """What the page consists of."""
    if name not in _ASSETS:
        raise NotFound(f"the documentation has no {name!r}")
    headers = {"Cache-Control": "private, max-age=3600", "Vary": "Accept-Encoding"}
    packed = _FILES / f"{name}.gz"
    if not packed.is_file():
        content = (_FILES / name).read_bytes()
    elif "gzip" in request.headers.get("accept-encoding", ""):
        content = packed.read_bytes()
        headers["Content-Encoding"] = "gzip"
    else:
        content = gzip.decompress(packed.read_bytes())
    return Response(content, media_type=_ASSETS[name], headers=headers)
