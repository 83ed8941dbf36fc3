"""POST /v1/responses: OpenAI's shapes, whole and streamed, of texts, calls and what was thought."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import openai
import pytest
from conftest import Proxy
from fakes import FakeTokenizer
from openai._models import validate_type
from openai.types.responses import Response

from api.responses.conftest import PATH, Ask
from api.responses.followed import events_of, follow
from app.decoding.reply import Piece
from app.errors import RateLimited, RemoteError
from app.remote.interface import CallPiece

LOGPROBS: dict[str, Any] = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
DETAIL: dict[str, Any] = {"costeer": {"detail": True}}
TOOLS = [{"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}]
NOT_EQUAL = {"id", "created_at", "completed_at", "costeer"}  # of two answers to the same request


def said(response: dict[str, Any]) -> str:
    (message,) = [one for one in response["output"] if one["type"] == "message"]
    (part,) = message["content"]
    text: str = part["text"]
    return text


def without_ids(response: dict[str, Any]) -> dict[str, Any]:
    output = [{name: value for name, value in one.items() if name != "id"} for one in response["output"]]
    return {name: value for name, value in response.items() if name not in NOT_EQUAL} | {"output": output}


async def test_a_whole_response_has_openai_s_shape(ask: Ask) -> None:
    answer = await ask(instructions="Be brief.", metadata={"a": "b"}, max_output_tokens=40)
    body = answer.json()
    validate_type(type_=Response, value=body)
    assert re.fullmatch(r"resp_costeer_[0-9a-f]{32}", body["id"])
    (message,) = body["output"]
    assert re.fullmatch(r"msg_costeer_[0-9a-f]{32}", message.pop("id"))
    assert message == {
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "hello world", "annotations": [], "logprobs": []}],
    }
    tokens = len(FakeTokenizer().encode("Be brief.Say hello.")) + 5
    assert body["usage"] == {
        "input_tokens": tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens + 12,
    }
    expected: dict[str, Any] = {
        "object": "response",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "max_output_tokens": 40,
        "temperature": 0,
        "top_p": 1,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "previous_response_id": None,
        "store": True,
        "truncation": "disabled",
        "model": "fake-model",
    }
    assert {name: body[name] for name in expected} == expected
    assert answer.headers["x-costeer-steered"] == "false"
    assert answer.headers["x-costeer-reason"] == "no profile"


@pytest.mark.parametrize("profile", [None, "loud", "joined"])
@pytest.mark.parametrize("fields", [{}, LOGPROBS, DETAIL, {"max_output_tokens": 3}])
async def test_a_stream_says_what_the_whole_says(
    ask: Ask, profile: str | None, fields: dict[str, Any]
) -> None:
    whole = (await ask(profile=profile, **fields)).json()
    streamed = follow(events_of(await ask(profile=profile, stream=True, **fields)))
    assert without_ids(streamed) == without_ids(whole)
    assert whole["output"][0]["content"][0]["logprobs"] or "include" not in fields
    assert ("costeer" in whole) == ("costeer" in streamed) == ("costeer" in fields)


async def test_it_is_steered_as_chat_completions_are(proxy: Proxy, ask: Ask) -> None:
    assert said((await ask(profile="loud")).json()) == await proxy.text(profile="loud") == "HELLO WORLD"
    by_header = await ask(headers={"X-CoSteer-Profile": "joined"})
    assert by_header.headers["x-costeer-steered"] == "true"
    assert by_header.headers["x-costeer-disclosed"].startswith("nats=")
    assert said(by_header.json()) == "hello_world"
    named = (await ask(model="fake-model@loud")).json()
    assert (said(named), named["model"]) == ("HELLO WORLD", "fake-model@loud")
    assert said((await ask(profile="loud", strength=0)).json()) == "hello world"


async def test_a_reply_that_is_cut_is_incomplete(ask: Ask) -> None:
    body = (await ask(max_output_tokens=5)).json()
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert body["output"][0]["status"] == "incomplete"
    assert body["completed_at"] is None
    assert said(body) == "hello"
    *_, end = events_of(await ask(max_output_tokens=5, stream=True))
    assert end["type"] == "response.incomplete"


async def test_an_empty_reply_is_a_message_without_text(proxy: Proxy, ask: Ask) -> None:
    proxy.remote.text = ""
    assert said((await ask()).json()) == ""
    assert said(follow(events_of(await ask(stream=True)))) == ""


async def test_logprobs_are_those_of_chat_completions(proxy: Proxy, ask: Ask) -> None:
    (part,) = (await ask(profile="loud", **LOGPROBS)).json()["output"][0]["content"]
    chat = (await proxy.chat(profile="loud", logprobs=True, top_logprobs=2)).json()["choices"][0]
    assert part["logprobs"] == chat["logprobs"]["content"]
    assert part["logprobs"]


async def test_detail_is_of_each_token_and_of_the_whole(proxy: Proxy, ask: Ask) -> None:
    body = (await ask(profile="loud", **DETAIL)).json()
    chat = (await proxy.chat(profile="loud", **DETAIL)).json()
    assert body["output"][0]["content"][0]["costeer"] == chat["choices"][0]["costeer"]
    assert body["costeer"].keys() == chat["costeer"].keys()
    kept = proxy.app.state.parts.responses.get(body["id"])
    assert "costeer" not in json.dumps(kept.response).replace("_costeer_", "")


# Calls


CALLS = (
    Piece("I will add."),
    Piece("", calls=(CallPiece(0, "call_1", "add"),)),
    Piece("", calls=(CallPiece(0, arguments='{"a": '), CallPiece(0, arguments="1}"))),
    Piece("\n", calls=(CallPiece(1, "call_2", "add", "{}"),)),
    Piece("", finish_reason="tool_calls"),
)


async def test_calls_are_items_behind_the_text(ask: Ask, says: Callable[..., None]) -> None:
    says(*CALLS)
    fields = {"tools": TOOLS, "profile": "loud"}
    whole = (await ask(**fields)).json()
    validate_type(type_=Response, value=whole)
    assert [one["type"] for one in whole["output"]] == ["message", "function_call", "function_call"]
    calls = [(one["call_id"], one["name"], one["arguments"]) for one in whole["output"][1:]]
    assert calls == [("call_1", "add", '{"a": 1}'), ("call_2", "add", "{}")]
    assert {one["status"] for one in (*whole["output"], whole)} == {"completed"}
    assert whole["tools"] == [{**TOOLS[0], "description": None, "strict": None}]
    streamed = follow(events_of(await ask(stream=True, **fields)))
    assert without_ids(streamed) == without_ids(whole)


async def test_calls_alone_have_no_message(ask: Ask, says: Callable[..., None]) -> None:
    says(*CALLS[1:])
    response = follow(events_of(await ask(tools=TOOLS, profile="loud", stream=True)))
    assert [one["type"] for one in response["output"]] == ["function_call", "function_call"]


async def test_pieces_of_calls_out_of_order_are_the_remote_s_error(
    ask: Ask, says: Callable[..., None]
) -> None:
    says(*CALLS[:-1], Piece("", calls=(CallPiece(0, arguments="more"),)))
    response = follow(events_of(await ask(tools=TOOLS, profile="loud", stream=True)))
    assert response["status"] == "failed"


# What was thought


@pytest.fixture
def thinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model marks what it thinks."""
    monkeypatch.setattr(FakeTokenizer, "think_ids", (254, 255))


@pytest.mark.usefixtures("thinking")
@pytest.mark.parametrize("size", [1, 3, 100])
async def test_what_was_thought_is_an_item_of_its_own(
    proxy: Proxy, ask: Ask, says: Callable[..., None], size: int
) -> None:
    text = "<think>\nThey greet me.</think>\n\nHello < you > </think>"
    says(*(Piece(text[at : at + size]) for at in range(0, len(text), size)), Piece("", finish_reason="stop"))
    whole = (await ask()).json()
    validate_type(type_=Response, value=whole)
    thought, message = whole["output"]
    assert thought["type"] == "reasoning"
    assert thought["summary"] == []
    assert thought["content"] == [{"type": "reasoning_text", "text": "\nThey greet me."}]
    assert message["content"][0]["text"] == "\n\nHello < you > </think>"
    assert without_ids(follow(events_of(await ask(stream=True)))) == without_ids(whole)
    # It is in no prompt of the next turn.
    await ask(previous_response_id=whole["id"])
    assert not any("They greet me." in getattr(one, "content", "") for one in proxy.remote.handed)


@pytest.mark.usefixtures("thinking")
async def test_a_thought_that_is_cut_is_incomplete_and_says_nothing(
    ask: Ask, says: Callable[..., None]
) -> None:
    says(Piece("<think>\nThey </thi"), Piece("", finish_reason="length"))
    response = follow(events_of(await ask(stream=True)))
    (thought,) = response["output"]
    assert (thought["status"], response["status"]) == ("incomplete", "incomplete")
    assert thought["content"][0]["text"] == "\nThey </thi"


# Faults


@pytest.mark.parametrize("profile", [None, "loud"])
@pytest.mark.parametrize("after", range(5))
async def test_a_break_is_an_error_and_nothing_is_lost_or_doubled(
    proxy: Proxy, ask: Ask, profile: str | None, after: int
) -> None:
    proxy.remote.failure, proxy.remote.failing_after = RemoteError("The connection broke."), after
    events = events_of(await ask(profile=profile, stream=True))
    response = follow(events)
    assert response["status"] == "failed"
    assert response["error"] == {"code": "server_error", "message": "The connection broke."}
    text = "".join(one["delta"] for one in events if one["type"] == "response.output_text.delta")
    assert text == "".join(one["content"][0]["text"] for one in response["output"])
    assert "HELLO WORLD".startswith(text.upper())
    assert (proxy.remote.drafts_open, proxy.local.sessions_open) == (0, 0)
    assert proxy.app.state.parts.responses.get(response["id"]) is None
    assert (await ask(profile=profile)).json()["error"]["code"] == "remote_error"


async def test_a_full_remote_is_told_by_openai_s_code(ask: Ask, says: Callable[..., None]) -> None:
    says(Piece("he"), RateLimited("Ask again later."))
    response = follow(events_of(await ask(stream=True)))
    assert response["error"]["code"] == "rate_limit_exceeded"
    assert response["output"][0]["status"] == "incomplete"


async def test_a_bug_is_told_without_its_text(ask: Ask, says: Callable[..., None]) -> None:
    says(Piece("he"), ValueError("private"))
    answer = await ask(stream=True)
    assert follow(events_of(answer))["status"] == "failed"
    assert "private" not in answer.text


async def test_what_is_recorded_is_what_was_said(proxy: Proxy, ask: Ask) -> None:
    await proxy.client.patch("/v1/profiles/loud", json={"record_history": True})
    assert (await ask(profile="loud")).headers["x-costeer-recorded"] == "true"
    await ask(profile="loud", stream=True)
    await ask(profile="loud", headers={"X-CoSteer-Record": "off"})
    turns = proxy.store.history.page("loud", after=None, limit=10, newest_first=True).items
    assert [one.item.text for one in turns if one.item.kind == "turn"] == ["HELLO WORLD"] * 2
    assert turns[0].item.request == "Say hello."


# openai-python's own client


async def test_the_strict_client_parses_it_all(base_url: str) -> None:
    async with openai.AsyncOpenAI(
        base_url=base_url,
        api_key="unused",
        default_headers={"X-CoSteer-Profile": "loud"},
        _strict_response_validation=True,
    ) as client:
        response = await client.responses.create(model="default", input="Say hello.", temperature=0)
        assert response.output_text == "HELLO WORLD"
        async with client.responses.stream(
            model="default", input="And again.", previous_response_id=response.id, temperature=0
        ) as stream:
            seen = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert seen[0] == "response.created"
        assert final.output_text == "HELLO WORLD"
        assert (await client.responses.retrieve(final.id)).id == final.id
        items = await client.responses.input_items.list(final.id, order="asc")
        assert [one.type for one in items.data] == ["message"] * 3
        await client.responses.delete(final.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(final.id)


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_other_methods_are_not_allowed(proxy: Proxy, method: str) -> None:
    answer = await proxy.client.request(method, PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
