"""create_app(settings): the FastAPI application, with its routes and middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial

from fastapi import FastAPI

from app import __version__
from app.api import admission, error_handlers, readiness
from app.api.dependencies import Parts
from app.api.limiter import ConcurrencyLimiter
from app.api.metrics import Metrics
from app.api.middleware import body_limits, head, isolation, origins, request_log
from app.api.routes import (
    chat,
    docs,
    history,
    history_files,
    keys,
    page,
    passthrough,
    preview,
    profiles,
    proposals,
    responses,
    state,
    system,
)
from app.api.workers import Workers
from app.assembly import open_parts
from app.doctor.setup import Running, while_serving
from app.doctor.shared import Checks, SharedExamination
from app.locks import FileTurn
from app.network.listener import on_this_machine
from app.remote.interface import HasReplicas
from app.settings.settings import Settings

ROUTES = (
    chat,
    responses,
    profiles,
    preview,
    proposals,
    history,
    history_files,
    keys,
    state,
    system,
    passthrough,
)


def create_app(settings: Settings, parts: Parts | None = None, worker: int = 1) -> FastAPI:
    """The application. On startup it makes its parts from the settings, unless it is given some. `worker` is
    its number, from 1, among the workers of a server."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            made = parts if parts is not None else await stack.enter_async_context(open_parts(settings))
            examination = SharedExamination(_checks(settings, made), turn=_turn(settings))
            app.state.workers = Workers(metrics, made.board, worker)
            await stack.enter_async_context(app.state.workers.publishing())
            app.state.parts, app.state.examination = made, examination
            if isinstance(made.remote, HasReplicas):
                metrics.watch_remotes(made.remote)
            stack.push_async_callback(examination.aclose)
            yield

    app = FastAPI(
        title="CoSteer",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=error_handlers.DOCUMENTED,
    )
    metrics = Metrics()
    error_handlers.install(app)
    body_limits.install(app)
    docs.install(app)
    page.install(app)
    origins.install(app, keyless_access(settings))
    admission.install(app, limiters(settings), metrics)
    readiness.install(app, settings.proxy())
    isolation.install(app)
    head.install(app)
    request_log.install(app, metrics)  # the last, so that it is the outermost
    for part in ROUTES:
        app.include_router(part.router)
    return app


def _checks(settings: Settings, parts: Parts) -> Checks:
    """The checks of this server, by the settings that it was started with."""
    generator = parts.generator
    running = Running(parts.store.keys.required, generator.match, generator.tokenizer.dated)
    return partial(while_serving, settings, running)


def _turn(settings: Settings) -> Callable[[], AbstractAsyncContextManager[None]]:
    """What an examination waits for: one worker examines at a time."""
    if settings.workers == 1:
        return nullcontext
    return FileTurn(settings.data_dir / "examination.lock").taken


def limiters(settings: Settings) -> admission.Limiters:
    return admission.Limiters(
        writing=ConcurrencyLimiter(settings.max_running, settings.max_waiting),
        passing=ConcurrencyLimiter(settings.max_passed_on, settings.max_waiting),
    )


def keyless_access(settings: Settings) -> origins.KeylessAccess:
    keyless = settings.trust_network or on_this_machine(settings.host)
    return origins.KeylessAccess(keyless, settings.hosts, settings.origins)
