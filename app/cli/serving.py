"""Runs the HTTP server: loads the models, says how to use the API, and serves it with uvicorn."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext

import uvicorn
from rich.console import Console

from app.api.dependencies import Parts
from app.assembly import open_parts
from app.cli.announcing import Met, announce
from app.cli.collection import uncollected
from app.cli.parent import Parent
from app.cli.progress import RichProgress
from app.decoding.generator import Generator
from app.decoding.vocabulary_match import IDENTITY
from app.errors import CoSteerError, TokenizerMismatch, TrustedError, TrustedUnfit, WeightsError
from app.local.weights import SILENT, Progress
from app.main import create_app
from app.network.accepting import SharingServer
from app.network.connections import BoundedProtocol
from app.network.proxy import UNUSED
from app.settings.settings import Settings

GRACE_SECONDS = 10  # that open requests get to finish after a signal
TRIAL_SECONDS = 10.0  # that a start waits for the server of the small model


def run(settings: Settings, listener: socket.socket, console: Console) -> None:
    """Runs `serve` in a new event loop: uvloop's where it is installed."""
    _run(serve(settings, listener, console))


def run_worker(number: int, settings: Settings, listener: socket.socket, parent: Parent) -> None:
    """Serves as one of several processes with this `listener`, until a signal or the end of its `parent`,
    which is told once it serves. Raises CoSteerError if it cannot start."""
    _run(_work(number, settings, listener, parent))


async def serve(settings: Settings, listener: socket.socket, console: Console) -> None:
    """Serves on `listener` until a signal. Raises CoSteerError if it cannot start."""
    async with _opened(settings, RichProgress()) as (parts, met):
        announce(console, listener, met)
        await uvicorn.Server(_config(settings, parts)).serve(sockets=[listener])


async def _work(number: int, settings: Settings, listener: socket.socket, parent: Parent) -> None:
    async with _opened(settings, nullcontext(SILENT)) as (parts, met):
        server = SharingServer(_config(settings, parts, number), listener)

        def end() -> None:
            server.should_exit = True

        with parent.attended(end):
            parent.tell(met)
            await server.serve()


def _run(serving: Coroutine[None, None, None]) -> None:
    # uvicorn's configuration chooses the loop; nothing else of it is used here.
    loop_factory = uvicorn.Config("", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serving)


@asynccontextmanager
async def _opened(
    settings: Settings, shown: AbstractContextManager[Progress]
) -> AsyncIterator[tuple[Parts, Met]]:
    """The parts, closed at the end, and what is known once they are there. Raises CoSteerError."""
    async with AsyncExitStack() as stack:
        with shown as progress, uncollected():
            parts = await stack.enter_async_context(open_parts(settings, progress))
        # First: with another tokenizer than the small model's, the remote's would seem to be the wrong one.
        tried = await _tried(parts.generator)
        model, notes = await _met(parts.generator, settings.remote_model)
        notes += tried
        if (proxy := settings.proxy()) is not None:
            notes.append(f"The remote is reached through the proxy {proxy}.")
        elif settings.remote_proxy.get_secret_value():
            notes.append(UNUSED)
        profiles = parts.store.profiles.list()
        yield parts, Met(model, profiles[0].profile.id if profiles else None, tuple(notes))


def _config(settings: Settings, parts: Parts, worker: int = 1) -> uvicorn.Config:
    """How the application is served."""
    config = uvicorn.Config(
        create_app(settings, parts, worker),
        access_log=False,
        log_config=None,  # logging is configured already
        http=BoundedProtocol,
        ws="none",
        log_level="warning",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # Exempt everything loaded so far from garbage collection: scanning it would stop every reply for a third
    # of a second, each time.
    gc.collect()
    gc.freeze()
    return config


async def _tried(generator: Generator) -> list[str]:
    """Notes on the server of the small model. One that does not answer is only a warning, since replies are
    steered once it does; one that has to be changed raises."""
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            await generator.try_local()
    except TrustedUnfit:
        raise
    except (TrustedError, TimeoutError) as error:
        silent = "The server of the small model is silent."
        return [f"warning: {error.message if isinstance(error, TrustedError) else silent}"]
    return []


async def _met(generator: Generator, named: str) -> tuple[str, list[str]]:
    """The name of the remote's model, and notes to print before serving. An unreachable remote is only a
    warning, since it may come up later; one that does not fit the local model raises."""
    try:
        model = (await generator.models())[0].id
        alignment = await generator.alignment()
    except (TokenizerMismatch, WeightsError):
        raise
    except CoSteerError as error:
        return named or "MODEL", [f"warning: {error.message}"]
    if alignment == IDENTITY:
        return model, []
    return model, [f"The remote's tokenizer is not the local model's. They are aligned by {alignment}."]
