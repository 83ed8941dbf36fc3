"""Responses of the proxy over fake models, and replies that say what a test wants."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest
from conftest import Proxy

from app.decoding.reply import Piece, Reply

PATH = "/v1/responses"
Ask = Callable[..., Any]


@pytest.fixture
def ask(proxy: Proxy) -> Ask:
    """POST a valid, greedy request with fields changed; None removes one."""

    async def post(*, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        body = {"model": "fake-model", "input": "Say hello.", "temperature": 0, **fields}
        body = {name: value for name, value in body.items() if value is not None}
        return await proxy.client.post(PATH, json=body, headers=headers)

    return post


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has every reply consist of these pieces; an error among them is raised there."""

    def script(*scripted: Piece | Exception) -> None:
        async def pieces(_: Reply) -> AsyncGenerator[Piece, None]:
            for one in scripted:
                if isinstance(one, Exception):
                    raise one
                yield one

        monkeypatch.setattr(Reply, "pieces", pieces)

    return script
