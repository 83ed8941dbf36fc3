"""Runs the HTTP server: loads the models, prints how to use the API, and serves it with uvicorn."""

from __future__ import annotations

import asyncio
import gc
import json
import shlex
import socket
from contextlib import AsyncExitStack

import uvicorn
from rich.console import Console

from app.assembly import open_parts
from app.cli.progress import RichProgress
from app.decoding.generator import Generator
from app.decoding.vocabulary_match import IDENTITY
from app.errors import CoSteerError, TokenizerMismatch, WeightsError
from app.logs import printable
from app.main import create_app
from app.network.connections import BoundedProtocol
from app.network.proxy import UNUSED
from app.settings.settings import Settings

GRACE_SECONDS = 10  # that open requests get to finish after a signal


def run(settings: Settings, listener: socket.socket, console: Console) -> None:
    """Runs `serve` in a new event loop: uvloop's where it is installed."""
    # uvicorn's configuration chooses the loop; nothing else of it is used here.
    loop_factory = uvicorn.Config("", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(settings, listener, console))


async def serve(settings: Settings, listener: socket.socket, console: Console) -> None:
    """Serves on `listener` until a signal. Raises CoSteerError if it cannot start."""
    async with AsyncExitStack() as stack:
        with RichProgress() as progress:
            parts = await stack.enter_async_context(open_parts(settings, progress))
        model, notes = await _met(parts.generator, settings.remote_model)
        if (proxy := settings.proxy()) is not None:
            notes.append(f"The remote is reached through the proxy {proxy}.")
        elif settings.remote_proxy.get_secret_value():
            notes.append(UNUSED)
        for note in notes:
            console.print(printable(note), markup=False, highlight=False, soft_wrap=True)
        profiles = parts.store.profiles.list()
        announce(console, listener, model, profiles[0].profile.id if profiles else None)
        config = uvicorn.Config(
            create_app(settings, parts),
            access_log=False,
            log_config=None,  # logging is configured already
            http=BoundedProtocol,
            ws="none",
            log_level="warning",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # Exempt everything loaded so far from garbage collection: scanning it would stop every reply for a
        # third of a second, each time.
        gc.collect()
        gc.freeze()
        await uvicorn.Server(config).serve(sockets=[listener])


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


def announce(console: Console, listener: socket.socket, model: str, profile: str | None) -> None:
    """Prints the base_url and a curl command to paste."""
    host, port = listener.getsockname()[:2]
    # A wildcard address is reached through the loopback address.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    question = {"role": "user", "content": "Write a short invitation to dinner on Saturday."}
    body = {"model": model, "stream": True, "max_tokens": 120, "messages": [question]}
    if profile:
        body["profile"] = profile
    data = shlex.quote(json.dumps(body))
    console.print(
        f"\nCoSteer serves at\n\n  base_url = {base_url}\n  model    = {printable(model)}\n\nTry it:\n\n"
        f"curl -N {base_url}/chat/completions -H 'Content-Type: application/json' -d {data}\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
