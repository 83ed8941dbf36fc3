"""Keys and values of headers that a remote or a gateway quotes are told to nobody."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from app.errors import CoSteerError
from app.prompts.message import Message
from app.remote.interface import Forward, Handover
from app.remote.vllm import VLLMRemote
from remote.recordings import BASE, failing_draft, recording

KEY = 'sk-a/b<c>&d+e"f\\g'
HEADERS = {"X-Access": "s3cret/of&ours", "Cookie": "lang=en-GB; session=c00kie/of=ours=="}
SECRETS = (KEY, "s3cret/of&ours", "c00kie/of=ours==")
ESCAPES: dict[str, Callable[[str], str]] = {
    "as it is": json.dumps,
    "slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "markup": lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c"),
    "all": lambda text: '"' + "".join(f"\\u{ord(one):04X}" for one in text) + '"',
}


async def drafted(remote: VLLMRemote) -> object:
    _, error = await failing_draft(remote)
    raise error


async def taken_over(remote: VLLMRemote, *, stream: bool) -> object:
    handover = Handover((Message("user", "Hi"),), (), stream=stream)
    return [piece async for piece in remote.take_over(handover)]


ASKING: dict[str, Callable[[VLLMRemote], Awaitable[object]]] = {
    "models": lambda remote: remote.cards(),
    "tokens": lambda remote: remote.tokenize_text("a"),
    "draft": drafted,
    "handed over": lambda remote: taken_over(remote, stream=True),
    "handed over whole": lambda remote: taken_over(remote, stream=False),
    "passed on": lambda remote: remote.forward(Forward("POST", "embeddings", "/v1/embeddings", body=b"{}")),
}


def opened(answer: Callable[[httpx.Request], httpx.Response], key: str = KEY) -> VLLMRemote:
    return VLLMRemote(BASE, api_key=key, headers=HEADERS, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("form", ["refusal", "success", "stream"])
@pytest.mark.parametrize("escaped", ESCAPES)
@pytest.mark.parametrize("asked", ASKING)
async def test_an_error_is_told_without_them(asked: str, escaped: str, form: str) -> None:
    quoted = ", ".join(SECRETS)
    object_ = f'{{"message":{ESCAPES[escaped](f"Wrong: {quoted}.")},"type":"t","param":null,"code":null}}'
    body = f'{{"error":{object_}}}'.encode()
    calm = True

    def answer(request: httpx.Request) -> httpx.Response:
        if calm or (request.url.path == "/v1/models" and asked != "models"):
            return httpx.Response(200, json=recording("models")["response"])
        if form == "stream":
            events = b"data: " + body + b"\n\n"
            return httpx.Response(200, content=events, headers={"content-type": "text/event-stream"})
        kind = {"content-type": "application/json"}
        return httpx.Response(400 if form == "refusal" else 200, content=body, headers=kind)

    async with aclosing(opened(answer)) as remote:
        await remote.card()
        calm = False
        try:
            told: Any = await ASKING[asked](remote)
        except CoSteerError as error:
            said = f"{error.message} {error!r} {error.body()}"
            assert not any(secret in said for secret in SECRETS)
            assert "Wrong" not in error.message or "Wrong: ***, ***, ***." in error.message
        else:
            # What it calls a success goes to the client as it came.
            assert asked == "passed on" and form != "refusal" and told.status == 200


@pytest.mark.parametrize("key", ["tokens", "id", "data", "model"])
async def test_a_key_that_is_a_word_of_the_answers_spoils_none(key: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json=recording("models")["response"])
        return httpx.Response(200, json={"tokens": [1, 2]})

    async with aclosing(opened(answer, key)) as remote:
        assert (await remote.card()).id == "qwen"
        assert await remote.tokenize_text("a") == [1, 2]
