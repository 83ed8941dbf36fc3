"""The HTTP server: takes its port first, loads the models, then says how to use it."""

from __future__ import annotations

import json
import socket
from contextlib import AsyncExitStack

import uvicorn
from rich.console import Console

from app.errors import CoSteerError
from app.main import create_app, open_parts
from app.progress import RichProgress
from app.settings import Settings

GRACE_SECONDS = 10  # that streams get to finish after a signal


async def serve(settings: Settings, console: Console) -> None:
    """Serve until a signal. Raises CoSteerError when it cannot start."""
    # The port first: a taken one should be said before seconds of loading.
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(settings.host, settings.port))
        with RichProgress() as progress:
            parts = await stack.enter_async_context(open_parts(settings, progress))
        try:
            model = (await parts.writer.models())[0].id
        except CoSteerError as error:
            console.print(f"warning: {error.message}", markup=False, highlight=False, soft_wrap=True)
            model = settings.remote_model
        profiles = parts.store.profiles()
        _announce(console, listener, model, profiles[0].id if profiles else None)
        config = uvicorn.Config(
            create_app(settings, parts),
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        await uvicorn.Server(config).serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CoSteerError(
            f"Cannot listen on {host} port {port}: {error.strerror}. "
            "Choose another with --host and --port, or COSTEER_HOST and COSTEER_PORT."
        ) from error


def _announce(console: Console, listener: socket.socket, model: str, profile: str | None) -> None:
    host, port = listener.getsockname()[:2]
    base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
    question = {"role": "user", "content": "Write a short invitation to dinner on Saturday."}
    body = {"model": model, "stream": True, "max_tokens": 120, "messages": [question]}
    if profile:
        body["profile"] = profile
    console.print(
        f"\nCoSteer serves at\n\n  base_url = {base_url}\n  model    = {model}\n\nTry it:\n\n"
        f"curl -N {base_url}/chat/completions -H 'Content-Type: application/json' -d '{json.dumps(body)}'\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
