"""An application behind a real port of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.network.connections import BoundedProtocol
from app.network.listener import listen


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals stay pytest's."""
        yield


@asynccontextmanager
async def behind_a_port(app: FastAPI, **config: Any) -> AsyncIterator[str]:
    """Serve while the block runs, with more of uvicorn's `config`; gives the URL without a path."""
    listener = listen("127.0.0.1", 0)
    as_served: dict[str, Any] = {
        "http": BoundedProtocol,
        "ws": "none",
        "access_log": False,
        "log_config": None,
    }
    server = _Server(uvicorn.Config(app, **{**as_served, **config}))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()
