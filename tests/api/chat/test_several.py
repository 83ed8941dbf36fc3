"""A reply over several remotes that break off: the client reads what it would have read undisturbed."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from conftest import Proxy
from fakes import FakeRemote

from app.errors import RemoteError
from app.remote.interface import DraftToken
from app.remote.replicas import Replicas
from app.remote.several import SeveralRemotes
from app.steering.sampling import SamplingParams

OF_TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": OF_TEXT}}
LOUD: dict[str, Any] = {"profile": "loud"}


class Breaking(FakeRemote):
    """Each draft breaks off after `good` tokens."""

    def __init__(self, text: str, good: int) -> None:
        super().__init__()
        self.text, self.good = text, good

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        left = self.good
        async for position in super().draft(
            prompt, sampling=sampling, top_logprobs=top_logprobs, max_tokens=max_tokens
        ):
            if not left:
                raise RemoteError("gone")
            left -= 1
            yield position


async def read(proxy: Proxy, fields: dict[str, Any]) -> tuple[dict[int, list[Any]], Any]:
    """Text, finish_reason and log-probabilities of each choice, and the usage."""
    options = {"include_usage": True}
    response = await proxy.chat(**fields, stream=True, stream_options=options)
    assert response.text.rstrip().endswith("data: [DONE]")
    of: dict[int, list[Any]] = {}
    usage = None
    for line in response.text.splitlines():
        if line.startswith("data: {"):
            chunk = json.loads(line[6:])
            usage = chunk["usage"]
            for choice in chunk["choices"]:
                told = of.setdefault(choice["index"], ["", None, []])
                told[0] += choice["delta"].get("content", "")
                told[1] = choice["finish_reason"]
                told[2] += (choice["logprobs"] or {}).get("content", [])
    return of, usage


@pytest.mark.parametrize(
    ("fields", "text", "reads"),
    [
        ({}, "hello world", "hello world"),
        ({"max_tokens": 7}, "hello world", "hello w"),
        ({"stop": ["lo w"]}, "hello world", "hel"),
        ({"n": 2}, "hello", "hello"),
        ({"logprobs": True, "top_logprobs": 2}, "hé 🙂 日", "hé 🙂 日"),
        (LOUD, "hello world", "HELLO WORLD"),
        (LOUD | {"stop": ["O W"], "seed": 3}, "hello world", "HELL"),
        (LOUD | {"max_tokens": 7, "n": 2, "frequency_penalty": 0.1}, "hello world", "HELLO W"),
        (LOUD | {"response_format": SCHEMA}, '{"text":"né"}', '{"text":"Né"}'),
        (LOUD | {"response_format": {"type": "json_object"}}, '{"a":[1]}{', '{"A":[1]}'),
        (LOUD, "Hi [Your first name]!", "HI Lotte!"),
    ],
)
async def test_cut_anywhere_the_client_reads_the_undisturbed_reply(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], text: str, reads: str
) -> None:
    proxy.remote.text = text
    undisturbed = await read(proxy, fields)
    assert undisturbed[0][0][0] == reads
    for good in range(len(text.encode()) + 1):
        remotes = [Breaking(text, good), Breaking(text, good + 1), Breaking(text, -1)]
        async with aclosing(Replicas(remotes)) as replicas:
            monkeypatch.setattr(proxy.remote, "draft", SeveralRemotes(replicas, keeps=True).draft)
            assert await read(proxy, fields) == undisturbed, good
        assert [one.drafts_open for one in remotes] == [0, 0, 0]
