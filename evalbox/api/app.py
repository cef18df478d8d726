"""The application: routes put together, every failure a problem, the schema from the code."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from evalbox import __version__
from evalbox.api import problems
from evalbox.api.auth import Trusted
from evalbox.api.bodies import Bodies
from evalbox.api.context import Context
from evalbox.api.guard import Guard
from evalbox.api.middleware import Envelope
from evalbox.api.openapi import Api
from evalbox.api.routes import (
    artifacts,
    audit,
    backups,
    batches,
    blobs,
    evaluations,
    events,
    health,
    host,
    keys,
    output,
    queue,
)
from evalbox.api.throttle import Throttle
from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock, SystemClock
from evalbox.service.authentication import Authentication
from evalbox.service.box import Box

PREFIX = "/api/v1"
#: Whatever may once come to stand below it needs a key.
_GUARDED = "/api/"
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
    keys.router,
    audit.router,
)


class Application:
    """The API of ``box``, which stays the caller's to close, with what works behind it.

    ``for_network`` asks for keys (without ``authentication`` it knows none); ``for_socket`` takes
    whoever may open it for the owner.
    """

    def __init__(
        self,
        box: Box,
        settings: Settings,
        *,
        authentication: Authentication | None = None,
        clock: Clock | None = None,
    ) -> None:
        context = Context(box, settings, clock or SystemClock())
        self.api = _fastapi(context, authentication)
        self.for_network: ASGIApp = self.api
        self.for_socket: ASGIApp = Trusted(self.api)

    async def start(self) -> None:
        """Begins what works beside requests."""

    async def stop(self) -> None:
        """Ends every stream, and what works beside requests."""


def _fastapi(context: Context, authentication: Authentication | None) -> Api:
    app = Api(
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
    app.state.context = context
    problems.install(app)
    versioned = APIRouter(prefix=PREFIX)
    for router in _ROUTERS:
        versioned.include_router(router)
    app.include_router(versioned)
    app.include_router(health.router)
    routes = [route for router in _ROUTERS for route in router.routes]
    app.add_middleware(
        Guard,
        prefix=_GUARDED,
        throttle=Throttle(context.settings, context.clock),
        bodies=Bodies([route for route in routes if isinstance(route, APIRoute)], PREFIX),
        keys=authentication,
    )
    app.add_middleware(Envelope)
    return app
