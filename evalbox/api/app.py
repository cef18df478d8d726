"""The application: routes put together, every failure a problem, the schema from the code."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from evalbox import __version__
from evalbox.api import problems
from evalbox.api.context import Context
from evalbox.api.middleware import Envelope
from evalbox.api.routes import (
    artifacts,
    backups,
    batches,
    blobs,
    evaluations,
    events,
    health,
    host,
    output,
    queue,
)
from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock, SystemClock
from evalbox.service.box import Box

PREFIX = "/api/v1"
_ABOUT = """Untrusted programs in gVisor sandboxes, from a durable queue.

Every failure is a problem document (RFC 9457) whose `code` stays the same from release to release
and whose `hint` says what can be done. Within `/api/v1` nothing is ever removed or changes its
meaning: what cannot be done so becomes `/api/v2`, beside it.
"""

#: In the order of the documentation.
_ROUTERS = (
    evaluations.router,
    output.router,
    artifacts.router,
    blobs.router,
    batches.router,
    queue.router,
    events.router,
    host.router,
    backups.router,
)


def create_app(box: Box, settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """The API of ``box``, which stays the caller's to close."""
    app = FastAPI(
        title="evalbox",
        version=__version__,
        description=_ABOUT,
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/openapi.json",
        swagger_ui_oauth2_redirect_url=None,
        generate_unique_id_function=lambda route: route.name,
        separate_input_output_schemas=False,
    )
    app.state.context = Context(box, settings, clock or SystemClock())
    problems.install(app)
    versioned = APIRouter(prefix=PREFIX)
    for router in _ROUTERS:
        versioned.include_router(router)
    app.include_router(versioned)
    app.include_router(health.router)
    app.add_middleware(Envelope)
    return app
