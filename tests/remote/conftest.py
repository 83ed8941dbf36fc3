"""A VLLMRemote over a mocked network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
import respx

from app.remote.vllm import VLLMRemote
from remote.recordings import BASE, KEY, recording


@pytest.fixture
def router() -> Iterator[respx.Router]:
    with respx.mock(assert_all_called=False) as mocked:
        models = recording("models")
        mocked.get(f"{BASE}/models", name="models").respond(models["status"], json=models["response"])
        mocked.post(f"{BASE}/completions", name="completions")
        yield mocked


@pytest.fixture
async def remote(router: respx.Router) -> AsyncIterator[VLLMRemote]:
    async with aclosing(VLLMRemote(BASE, api_key=KEY)) as opened:
        yield opened
