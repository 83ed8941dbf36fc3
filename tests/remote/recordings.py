"""Recordings of a real vLLM, and remotes that answer with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
import respx

from app.errors import CoSteerError
from app.remote.interface import DraftToken
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams

RECORDINGS = Path(__file__).parent.parent / "fixtures" / "vllm-0.32"
BASE = "http://vllm.test:8001/v1"
KEY = "sk-only-for-this-host"
PROMPT = [151644, 8948, 198]
GREEDY = SamplingParams(temperature=0.0)


def stream(name: str) -> bytes:
    return (RECORDINGS / f"{name}.sse").read_bytes()


def recording(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads((RECORDINGS / f"{name}.json").read_bytes())
    return loaded


def events(sse: bytes) -> list[dict[str, Any]]:
    """The JSON of a recording's events."""
    lines = [line.removeprefix(b"data: ") for line in sse.split(b"\n") if line]
    return [orjson.loads(line) for line in lines if line != b"[DONE]"]


def as_sse(chunks: Sequence[dict[str, Any]], *, done: bool = True) -> bytes:
    lines = [b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks]
    return b"".join([*lines, b"data: [DONE]\n\n"] if done else lines)


async def draft(
    remote: VLLMRemote, sampling: SamplingParams = GREEDY, top_logprobs: int = 5
) -> list[DraftToken]:
    drafted = remote.draft(PROMPT, sampling=sampling, top_logprobs=top_logprobs, max_tokens=6)
    async with aclosing(drafted) as positions:
        return [position async for position in positions]


async def failing_draft(remote: VLLMRemote) -> tuple[list[int], CoSteerError]:
    """The token ids that came before the error, and the error."""
    ids = []
    with pytest.raises(CoSteerError) as caught:
        async with aclosing(remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=6)) as positions:
            async for position in positions:
                ids.append(position.token_id)  # noqa: PERF401  # kept when the iteration fails
    return ids, caught.value


def same(left: Sequence[DraftToken], right: Sequence[DraftToken]) -> bool:
    return len(left) == len(right) and all(
        (a.token_id, a.ends) == (b.token_id, b.ends)
        and np.array_equal(a.candidates, b.candidates)
        and np.array_equal(a.logprobs, b.logprobs)
        for a, b in zip(left, right, strict=True)
    )


def remote_answering(*pieces: bytes, headers: dict[str, str] | None = None) -> VLLMRemote:
    """A remote whose completions arrive as exactly these pieces."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json=recording("models")["response"])
        return httpx.Response(200, content=body(), headers=headers)

    return VLLMRemote(BASE, transport=httpx.MockTransport(answer))


def sent(route: respx.Route) -> Any:
    return orjson.loads(route.calls.last.request.content)
