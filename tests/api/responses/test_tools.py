"""Responses with tools: steered as long as the reply is text, and calls as the remote makes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Proxy
from fakes import LOUD
from openai._models import validate_type
from openai.types.responses import Response

from api.chat.test_tools import CALL, PIECES, WHOLE
from api.responses.conftest import Ask
from api.responses.followed import events_of, follow
from api.responses.test_response import said, without_ids
from app.errors import RemoteError
from app.prompts.message import Message

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"city": {}}}}
TOOLS: dict[str, Any] = {"tools": [TOOL], "profile": "loud"}


async def test_text_is_steered_although_there_are_tools(proxy: Proxy, ask: Ask) -> None:
    answer = await ask(**TOOLS)
    assert (said(answer.json()), answer.headers["x-costeer-steered"]) == ("HELLO WORLD", "true")
    assert not proxy.remote.handovers
    assert "weather" in proxy.remote.everything()


@pytest.mark.parametrize("text", ["", "let me see.\n"])
async def test_a_call_is_the_remotes(proxy: Proxy, ask: Ask, text: str) -> None:
    proxy.remote.text, proxy.remote.said = text + CALL, WHOLE
    answer = await ask(**TOOLS, max_output_tokens=90)
    body = answer.json()
    validate_type(type_=Response, value=body)
    call = body["output"][-1]
    assert (call["type"], call["call_id"], call["name"]) == ("function_call", "call_1", "weather")
    assert json.loads(call["arguments"]) == {"city": "Oslo"}
    assert [one["type"] for one in body["output"][:-1]] == (["message"] if text else [])
    assert answer.headers["x-costeer-reason"] == "the remote calls a tool"
    assert answer.headers["x-costeer-steered"] == ("partly" if text else "false")
    (handover,) = proxy.remote.handovers
    assert (handover.begun, handover.stream) == (said(body) if text else "", False)
    assert dict(handover.asked).keys() == {"temperature", "seed"}
    assert LOUD.name not in proxy.remote.everything()


async def test_a_streamed_call_comes_in_pieces(proxy: Proxy, ask: Ask) -> None:
    proxy.remote.text, proxy.remote.said = CALL, PIECES
    streamed = follow(events_of(await ask(**TOOLS, stream=True)))
    assert [one["arguments"] for one in streamed["output"]] == ['{"city": "Oslo"}', "{}"]
    assert streamed["costeer"]["mishap"] == "the remote calls a tool"
    assert without_ids((await ask(**TOOLS)).json()) == without_ids(streamed)


async def test_a_result_goes_on_from_the_call(proxy: Proxy, ask: Ask) -> None:
    proxy.remote.text, proxy.remote.said = CALL, WHOLE
    called = (await ask(**TOOLS)).json()
    proxy.remote.text = "hello world"
    proxy.remote.handed.clear()
    result = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    answer = await ask(**TOOLS, input=[result], previous_response_id=called["id"])
    assert said(answer.json()) == "HELLO WORLD"
    asked, call, told = [one for one in proxy.remote.handed if isinstance(one, Message)][:3]
    assert (asked.content, told.content, told.answers) == ("Say hello.", "rain", "call_1")
    assert [one.name for one in call.calls] == ["weather"]


async def test_a_break_within_a_call_fails_the_response(proxy: Proxy, ask: Ask) -> None:
    proxy.remote.text, proxy.remote.said = CALL, PIECES[:2]
    proxy.remote.broken = RemoteError("The connection broke.")
    response = follow(events_of(await ask(**TOOLS, stream=True)))
    assert response["status"] == "failed"
    assert [(one["status"], one["arguments"]) for one in response["output"]] == [("incomplete", '{"city": ')]
    assert proxy.remote.drafts_open == 0
