"""A vLLM on a port of loopback that drafts as the fake remote does, and keeps each request as it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from fakes import FakeRemote, FakeTokenizer, message_of
from remote.loopback import Connection, Loopback, loopback

from app.remote.interface import DraftToken, Said
from app.steering.sampling import SamplingParams

MODEL = "qwen"  # of the recording that lists it


class DraftingVLLM:
    """Drafts what `fake` drafts. `breaks_after`: so many tokens of the first draft, then its connection ends.
    `said` is what it says once it takes a reply over."""

    def __init__(self) -> None:
        self.fake = FakeRemote()
        self.breaks_after: int | None = None
        self.said: list[Said] = []
        self.counts = True  # whether answers have a usage
        self._server: Loopback | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Serves while the block runs; gives the base URL."""
        async with loopback(self._serve) as self._server:
            yield self._server.base_url

    @property
    def came(self) -> list[tuple[str, dict[str, Any] | None]]:
        """Path and JSON body of each request, in the order in which they came."""
        assert self._server is not None
        return [(path, orjson.loads(body) if body else None) for path, body in self._server.bodies]

    def forget(self) -> None:
        """What came so far."""
        assert self._server is not None
        self._server.bodies.clear()

    async def _serve(self, connection: Connection) -> None:
        body = orjson.loads(connection.body)
        if "stream" not in body and "max_tokens" in body:
            connection.send(orjson.dumps(_one_token(body, counts=self.counts)))
        elif "stream" not in body:
            connection.send(orjson.dumps({"tokens": _tokenized(body)}))
        elif "messages" in body:
            await self._take_over(connection, stream=body["stream"])
        else:
            await self._draft(connection, body)

    async def _draft(self, connection: Connection, body: dict[str, Any]) -> None:
        connection.start()
        if (allowed := body.get("allowed_token_ids")) is not None:
            only = DraftToken(allowed[0], np.array(allowed[:1]), np.zeros(1))
            connection.chunk(_event(only, "length", body) + b"data: [DONE]\n\n")
            connection.chunk(b"")
            return
        count, finish = 0, "length"
        drafts = self.fake.draft(
            body["prompt"], sampling=SamplingParams(), top_logprobs=20, max_tokens=body["max_tokens"]
        )
        async for drafted in drafts:
            if self.breaks_after == count:
                self.breaks_after = None
                connection.writer.close()
                raise ConnectionResetError
            finish = "stop" if drafted.ends else "length"
            connection.chunk(_event(drafted, finish if drafted.ends else None, body))
            count += 1
            await connection.writer.drain()
        connection.chunk(b"data: " + orjson.dumps(_chunk("", None, finish)) + b"\n\n")
        connection.chunk(b"data: [DONE]\n\n")
        connection.chunk(b"")

    async def _take_over(self, connection: Connection, *, stream: bool) -> None:
        choices = [
            {"index": 0, "delta": _message(one), "logprobs": None, "finish_reason": one.finish_reason}
            for one in self.said
        ]
        if not stream:
            (choice,) = choices
            connection.send(orjson.dumps({"choices": [{**choice, "message": choice["delta"]}]}))
            return
        connection.start()
        for one in choices:
            connection.chunk(b"data: " + orjson.dumps({"choices": [one]}) + b"\n\n")
        connection.chunk(b"data: [DONE]\n\n")
        connection.chunk(b"")


def _message(said: Said) -> dict[str, Any]:
    calls = [
        {"index": one.index, "id": one.id, "function": {"name": one.name, "arguments": one.arguments}}
        for one in said.calls
    ]
    return {"content": said.text, "tool_calls": calls}


def _tokenized(body: dict[str, Any]) -> list[int]:
    if "prompt" in body:
        return FakeTokenizer().encode(body["prompt"])
    return FakeTokenizer().chat(
        [message_of(one) for one in body["messages"]],
        continue_final=bool(body.get("continue_final_message")),
        tools=body.get("tools", ()),
        opens=body["add_generation_prompt"],
    )


def _one_token(body: dict[str, Any], *, counts: bool) -> dict[str, Any]:
    """A whole answer; with return_token_ids the prompt's are beside a chat's choices and in a text's."""
    ids = _tokenized(body)
    told = {"prompt_token_ids": ids} if body.get("return_token_ids") else {}
    choice = {"index": 0, "finish_reason": "length", **({} if "messages" in body else told)}
    return {**told, "choices": [choice], "usage": {"prompt_tokens": len(ids)} if counts else None}


def _event(drafted: DraftToken, finish_reason: str | None, body: dict[str, Any]) -> bytes:
    listed = zip(drafted.candidates.tolist(), drafted.logprobs.tolist(), strict=True)
    mark = "token_id:" if body.get("return_tokens_as_token_ids") else "text "
    logprobs = {
        "tokens": [f"{mark}{drafted.token_id}"],
        "top_logprobs": [{f"{mark}{token_id}": logprob for token_id, logprob in listed}],
    }
    chunk = _chunk("x", logprobs, finish_reason)
    if body.get("return_token_ids"):
        chunk["choices"][0]["token_ids"] = [drafted.token_id]
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _chunk(text: str, logprobs: dict[str, Any] | None, finish_reason: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}]}
