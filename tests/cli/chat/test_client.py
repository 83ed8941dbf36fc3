"""What the client asks, and how it says what went wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.cli.chat.client import Client
from app.cli.chat.conversation import Conversation, Exchange, Wishes
from app.cli.chat.reply import Piece, Reply
from app.errors import CoSteerError

KEY = "costeer-a-secret"


def client(answer: httpx.Response | Exception, asked: list[httpx.Request] | None = None) -> Client:
    def respond(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client("http://here:1", KEY, httpx.MockTransport(respond))


def error(message: str, status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message}}, headers=headers)


async def told(answer: httpx.Response | Exception) -> str:
    """The message of the mistake that writing a reply ends with."""
    reply = Reply(1)
    with pytest.raises(CoSteerError) as caught:
        async for _ in client(answer).write({}, reply):
            pass
    assert KEY not in caught.value.message
    return caught.value.message


async def test_each_refusal_is_one_message_with_what_to_change() -> None:
    assert await told(error("Send an API key.", 401)) == (
        "Send an API key. Give it with --key, or better in COSTEER_API_KEY."
    )
    assert await told(error("Too many wait.", 429, **{"Retry-After": "5"})) == (
        "Too many wait. Try again in 5 seconds."
    )
    assert await told(error("The remote is away.", 503)) == "The remote is away."
    assert "status 502" in await told(httpx.Response(502, text="<html>"))
    assert "status 404" in await told(httpx.Response(404, json={"detail": "Not Found"}))
    assert "costeer serve" in await told(httpx.ConnectError("refused"))
    assert "silent" in await told(httpx.ReadTimeout("late"))
    assert "broke" in await told(httpx.RemoteProtocolError("closed"))


async def test_no_redirect_is_followed_with_what_is_private() -> None:
    elsewhere = httpx.Response(307, headers={"Location": "http://elsewhere/"})
    assert "status 307" in await told(elsewhere)


async def test_the_environment_s_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert not Client("http://here:1", "")._http._mounts


def stream(*events: Any, done: bool = True) -> httpx.Response:
    lines = [f"data: {json.dumps(event)}\n\n" for event in events] + (["data: [DONE]\n\n"] if done else [])

    async def content() -> AsyncIterator[bytes]:
        yield "".join(lines).encode()

    return httpx.Response(200, content=content(), headers={"X-CoSteer-Reason": "strength 0"})


def chunk(text: str, finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}], **fields}


async def test_a_stream_becomes_a_reply() -> None:
    asked: list[httpx.Request] = []
    totals = {"steered": False, "tokens": 2}
    answer = stream(chunk(""), chunk("Hel"), chunk("lo"), chunk("", "stop", costeer=totals))
    reply = Reply(1)
    pieces = [piece async for piece in client(answer, asked).write({"seed": 1}, reply, record=False)]
    assert pieces == reply.pieces == [Piece("Hel"), Piece("lo")]
    assert (reply.text, reply.finish_reason, reply.totals) == ("Hello", "stop", totals)
    assert reply.reason == "strength 0"
    assert asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert asked[0].headers["X-CoSteer-Record"] == "off"


async def test_a_stream_that_ends_early_is_no_whole_reply_and_an_error_in_it_is_told() -> None:
    assert "broke" in await told(stream(chunk("Hel"), done=False))
    assert await told(stream(chunk("Hel"), {"error": {"message": "It failed."}})) == "It failed."
    assert "broke" in await told(httpx.Response(200, content=b"data: {\n\n"))


def test_a_request_has_what_is_wished_for_and_the_conversation_so_far() -> None:
    conversation = Conversation(Wishes(profile="anna", system="Be brief.", level="shape", strength=0.5))
    before = [Exchange("One?", Reply(1, [Piece("Two.")]))]
    body = conversation.request("Three?", 7, before)
    assert [one["content"] for one in body["messages"]] == ["Be brief.", "One?", "Two.", "Three?"]
    assert (body["profile"], body["strength"], body["seed"], body["stream"]) == ("anna", 0.5, 7, True)
    assert body["costeer"]["disclosure"] == "shape"
    assert "temperature" not in body
    assert conversation.request("Three?", 7, before, strength=0)["strength"] == 0


def test_a_seed_is_the_one_wished_for_but_not_for_another_try() -> None:
    wished = Conversation(Wishes(seed=5))
    assert wished.new_reply().seed == 5
    assert wished.new_reply(anew=True).seed != 5
    assert Conversation(Wishes()).new_reply().seed != Conversation(Wishes()).new_reply().seed


def test_a_reply_that_has_no_text_is_not_kept() -> None:
    kept = Exchange("One?", Reply(1, [Piece("Two.")]))
    conversation = Conversation(Wishes(), exchanges=[kept])
    conversation.keep("Three?", Reply(2), [])
    assert conversation.exchanges == [kept]


@pytest.mark.parametrize(
    "event",
    [
        b'{"object": "error", "message": "a secret", "code": 400}',
        b'["a secret"]',
        b'"a secret"',
        b'{"choices": null}',
        b'{"choices": [{"delta": "a secret"}]}',
        b'{"choices": ["a secret"]}',
    ],
)
async def test_an_event_of_another_form_is_a_mistake_that_does_not_quote_it(event: bytes) -> None:
    message = await told(httpx.Response(200, content=b"data: " + event + b"\n\n"))
    assert "--url" in message
    assert "secret" not in message


async def test_a_choice_without_a_delta_has_no_text() -> None:
    events = b'data: {"choices": [{"finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    reply = Reply(1)
    assert [one async for one in client(httpx.Response(200, content=events)).write({}, reply)] == []
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize("body", [b"<html>", b'{"x": 1}', b'{"data": [{"id": 1}]}', b"[" * 100_000, b"null"])
async def test_profiles_of_another_form_are_a_mistake(body: bytes) -> None:
    with pytest.raises(CoSteerError, match="not one of CoSteer's"):
        await client(httpx.Response(200, content=body)).profiles()
