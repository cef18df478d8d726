"""The application: routes put together, every failure a problem, the schema from the code."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from evalbox import __version__
from evalbox.api import problems
from evalbox.api.auth import Trusted
from evalbox.api.bodies import Bodies
from evalbox.api.context import Context
from evalbox.api.feed.hub import Hub
from evalbox.api.guard import Guard
from evalbox.api.middleware import Envelope
from evalbox.api.openapi import Api
from evalbox.api.queries import known_queries
from evalbox.api.routes import (
    activity,
    artifacts,
    audit,
    backups,
    batches,
    blobs,
    builds,
    docs,
    evaluations,
    events,
    families,
    health,
    host,
    images,
    keys,
    live,
    metrics,
    output,
    queue,
    sandboxes,
    webhooks,
)
from evalbox.api.throttle import Throttle
from evalbox.api.watch import Watch, Watched
from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock, SystemClock
from evalbox.service.authentication import Authentication
from evalbox.service.box import Box
from evalbox.service.metrics import Metrics

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
    families.router,
    activity.router,
    output.router,
    artifacts.router,
    blobs.router,
    batches.router,
    sandboxes.router,
    queue.router,
    events.router,
    live.router,
    host.router,
    builds.router,
    images.router,
    backups.router,
    keys.router,
    audit.router,
    webhooks.router,
)


class Application:
    """The API of ``box``, which stays the caller's to close, with what works behind it.

    ``for_network`` asks for keys (without ``authentication`` it knows none); ``for_socket`` takes
    whoever may open it for the owner. ``metrics`` are what the box itself counts.
    """

    def __init__(
        self,
        box: Box,
        settings: Settings,
        *,
        authentication: Authentication | None = None,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._watch = Watch(clock, PREFIX, metrics)
        self._context = Context(box, settings, clock, self._watch)
        self._authentication = authentication
        self._hub = Hub(box)
        # Made by ``start``.
        self.api: Api
        self.for_network: ASGIApp
        self.for_socket: ASGIApp

    async def start(self) -> None:
        """Makes the application ready for its first request, and begins what works beside it."""
        self.api = await asyncio.to_thread(self._made)
        self.for_network = self.api
        self.for_socket = Trusted(self.api)
        await self._watch.start()
        await self._hub.start()

    def _made(self) -> Api:
        """Takes a second of processor time, which the event loop of a working box has not got."""
        api = _fastapi(self._context, self._authentication)
        api.state.hub = self._hub
        # FastAPI would put together what it knows of its routes for the first request.
        for route in api.routes:
            route.matches({"type": "http", "method": "GET", "path": "/", "headers": []})
        return api

    async def stop(self) -> None:
        """Ends every stream, and what works beside requests."""
        await self._hub.stop()
        await self._watch.stop()


def openapi() -> dict[str, Any]:
    """The OpenAPI document, which is the same for every box."""
    return _routed().openapi()


def _routed() -> Api:
    app = Api(
        title="evalbox",
        version=__version__,
        description=_ABOUT,
        # It would send clients to whatever host they named.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=lambda route: route.name,
        separate_input_output_schemas=False,
    )
    versioned = APIRouter(prefix=PREFIX, dependencies=[known_queries])
    for router in _ROUTERS:
        versioned.include_router(router)
    app.include_router(versioned)
    app.include_router(health.router)
    app.include_router(docs.router)
    app.include_router(metrics.router)
    return app


def _fastapi(context: Context, authentication: Authentication | None) -> Api:
    app = _routed()
    app.state.context = context
    problems.install(app)
    routes = [route for router in _ROUTERS for route in router.routes]
    app.add_middleware(
        Guard,
        prefix=_GUARDED,
        throttle=Throttle(context.settings, context.clock),
        bodies=Bodies([route for route in routes if isinstance(route, APIRoute)], PREFIX),
        keys=authentication,
    )
    app.add_middleware(Watched, watch=context.watch)
    app.add_middleware(Envelope)
    return app
