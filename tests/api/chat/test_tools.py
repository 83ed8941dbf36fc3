"""Requests with tools: steered as long as the reply is text, and calls as the remote makes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Proxy
from fakes import LOUD, FakeAnswer
from openai._models import validate_type
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from api.chat.test_response import choices_of, text_of
from api.routes.test_chat import chunks_of, error_of
from app.decoding.generator import GenerationRequest
from app.errors import RemoteError
from app.remote.interface import CallPiece, Said

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {}}}},
}
TOOLS: dict[str, Any] = {"tools": [TOOL], "profile": "loud"}
STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>'
MADE = {"name": "weather", "arguments": '{"city": "Oslo"}'}
WHOLE = [Said("", (CallPiece(0, "call_1", "weather", '{"city": "Oslo"}'),), None, "tool_calls", 21)]
PIECES = [
    Said("", (CallPiece(0, "call_1", "weather"),)),
    Said("", (CallPiece(0, arguments='{"city": '),)),
    Said("", (CallPiece(0, arguments='"Oslo"}'), CallPiece(1, "call_2", "weather", "{}"))),
    Said("", (), None, "tool_calls", 30),
]
CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "content": "What is the weather in Oslo?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": MADE}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
]


async def test_text_is_steered_although_there_are_tools(proxy: Proxy) -> None:
    plain = await proxy.text(profile="loud")
    response = await proxy.chat(**TOOLS)
    assert response.json()["choices"][0]["message"]["content"] == plain == "HELLO WORLD"
    assert response.headers["X-CoSteer-Steered"] == "true"
    assert response.json()["choices"][0]["finish_reason"] == "stop"
    assert not proxy.remote.handovers
    assert not proxy.remote.forwarded
    assert "weather" in proxy.remote.everything()  # the remote reads the tools in its prompt


async def test_a_call_is_the_remotes_from_its_beginning(proxy: Proxy) -> None:
    proxy.remote.text, proxy.remote.said = CALL, WHOLE
    response = await proxy.chat(**TOOLS, max_tokens=90, top_p=0.9, stop=["END"])
    body = response.json()
    validate_type(type_=ChatCompletion, value=ChatCompletion.model_validate(body))
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [{"id": "call_1", "type": "function", "function": MADE}]
    assert body["usage"]["completion_tokens"] == 21
    assert response.headers["X-CoSteer-Steered"] == "false"
    assert response.headers["X-CoSteer-Reason"] == "the remote calls a tool"
    (handover,) = proxy.remote.handovers
    assert (handover.begun, handover.max_tokens, handover.choice, handover.stream) == ("", 90, "auto", False)
    asked = dict(handover.asked)
    assert asked.pop("seed") is not None
    assert asked == {"temperature": 0, "top_p": 0.9, "stop": ["END"]}
    assert list(handover.tools) == [TOOL]
    assert LOUD.name not in proxy.remote.everything()


async def test_text_before_a_call_is_steered_and_the_remote_goes_on_from_it(proxy: Proxy) -> None:
    proxy.remote.text, proxy.remote.said = "let me see.\n" + CALL, WHOLE
    response = await proxy.chat(**TOOLS, max_tokens=90)
    message = response.json()["choices"][0]["message"]
    assert message["content"].strip() == "LET ME SEE."
    assert message["tool_calls"][0]["function"] == MADE
    (handover,) = proxy.remote.handovers
    assert handover.begun == message["content"]
    assert handover.max_tokens == 90 - len(handover.begun)
    assert response.headers["X-CoSteer-Steered"] == "partly"
    assert response.json()["usage"]["completion_tokens"] == len(handover.begun) + 21


async def test_a_streams_pieces_put_together_are_the_calls(proxy: Proxy) -> None:
    proxy.remote.text, proxy.remote.said = "wait. " + CALL, PIECES
    chunks = chunks_of(await proxy.chat(**TOOLS, **STREAM))
    for chunk in chunks:
        validate_type(type_=ChatCompletionChunk, value=ChatCompletionChunk.model_validate(chunk))
    choices = choices_of(chunks)
    assert text_of([one for one in choices if one["delta"].get("content")]) == "WAIT. "
    deltas = [one for choice in choices for one in choice["delta"].get("tool_calls", ())]
    calls: dict[int, dict[str, str]] = {}
    for one in deltas:
        call = calls.setdefault(one["index"], {"id": one.get("id", ""), "name": "", "arguments": ""})
        call["name"] += one["function"].get("name", "")
        call["arguments"] += one["function"].get("arguments", "")
    assert calls == {0: {"id": "call_1", **MADE}, 1: {"id": "call_2", "name": "weather", "arguments": "{}"}}
    assert choices[-1]["finish_reason"] == "tool_calls"
    last = next(chunk for chunk in chunks if chunk["choices"] and chunk["choices"][0]["finish_reason"])
    assert last["costeer"]["mishap"] == "the remote calls a tool"
    assert chunks[-1]["usage"]["completion_tokens"] == len("wait. ") + 30
    assert proxy.remote.handovers[0].stream


async def test_calls_and_results_are_part_of_the_conversation(
    proxy: Proxy, planned: list[GenerationRequest]
) -> None:
    response = await proxy.chat(**TOOLS, messages=CONVERSATION)
    assert response.status_code == 200, response.text
    assert response.headers["X-CoSteer-Steered"] == "true"
    (request,) = planned
    _, made, result = request.messages
    assert [(one.id, one.name, one.arguments) for one in made.calls] == [("call_1", *MADE.values())]
    assert (result.role, result.content, result.answers) == ("tool", "rain", "call_1")
    again = await proxy.chat(profile="loud", messages=CONVERSATION)  # a client may leave the tools out
    assert again.headers["X-CoSteer-Steered"] == "true"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"profile": None}, "no profile"),
        ({"strength": 0}, "strength 0"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, "tool_choice"),
        ({"n": 2, "temperature": 1}, "tools with n"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools"),
        ({"steering": "off"}, "steering: off"),
        ({"response_format": {"type": "json_object"}}, "response_format with tools"),
    ],
)
async def test_the_rest_is_passed_on(proxy: Proxy, changes: dict[str, Any], reason: str) -> None:
    proxy.remote.answer = FakeAnswer(b'{"choices": []}')
    response = await proxy.chat(**{**TOOLS, **changes})
    assert response.status_code == 200, response.text
    assert response.headers["X-CoSteer-Reason"] == reason
    (forward,) = proxy.remote.forwarded
    assert json.loads(forward.body)["tools"] == {**TOOLS, **changes}["tools"]


async def test_no_call_without_a_choice(proxy: Proxy) -> None:
    proxy.remote.text = CALL
    response = await proxy.chat(**TOOLS, tool_choice="none")
    assert response.headers["X-CoSteer-Steered"] == "true"
    assert "TOOL_CALL" in response.json()["choices"][0]["message"]["content"]
    assert not proxy.remote.handovers


async def test_an_embedded_remote_writes_what_would_be_passed_on(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(proxy.remote), "passes_on", False)
    proxy.remote.said = WHOLE
    for changes in ({"profile": None}, {"strength": 0}, {"tool_choice": "required"}):
        proxy.remote.handovers.clear()
        response = await proxy.chat(**{**TOOLS, **changes})
        assert response.status_code == 200, response.text
        assert response.json()["choices"][0]["message"]["tool_calls"][0]["function"] == MADE
        (handover,) = proxy.remote.handovers
        assert (handover.begun, handover.choice) == ("", changes.get("tool_choice", "auto"))
    assert not proxy.remote.forwarded


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": 5}}]}, "tools"),
        ({"tools": [{**TOOL, "deep": "\ud800"}]}, "tools"),
        ({"messages": [{"role": "tool", "content": "rain"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user", "content": "x", "tool_call_id": "a"}]}, "messages[0].tool_call_id"),
        ({"messages": [{**CONVERSATION[1], "role": "user", "content": "x"}]}, "messages[0].tool_calls"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]},
            "messages[0].tool_calls[0].function",
        ),
    ],
)
async def test_mistakes_are_named_or_left_to_the_remote(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], param: str
) -> None:
    content = json.dumps(
        {"model": "fake-model", **TOOLS, "messages": [{"role": "user", "content": "x"}]} | changes
    )
    headers = {"Content-Type": "application/json"}
    response = await proxy.client.post("/v1/chat/completions", content=content, headers=headers)
    assert (response.status_code, response.headers["X-CoSteer-Reason"]) == (200, "tools")
    monkeypatch.setattr(type(proxy.remote), "passes_on", False)
    response = await proxy.client.post("/v1/chat/completions", content=content, headers=headers)
    assert response.status_code == 400
    assert error_of(response)["param"] == param


@pytest.mark.parametrize("stream", [False, True])
async def test_a_remote_that_breaks_in_a_call_is_an_error(proxy: Proxy, stream: bool) -> None:
    proxy.remote.text, proxy.remote.said, proxy.remote.broken = CALL, PIECES[:2], RemoteError("gone")
    response = await proxy.chat(**TOOLS, stream=stream)
    if stream:
        assert "[DONE]" not in response.text
        assert '"error"' in response.text
    else:
        assert response.status_code == 502
    assert proxy.remote.drafts_open == 0


async def test_what_the_remote_says_in_place_of_a_call_is_told(proxy: Proxy) -> None:
    """It may draw no call once it has taken over; what it says then is filled in like any other text."""
    proxy.remote.text = CALL
    proxy.remote.said = [Said("by [Your "), Said("name]."), Said("", (), None, "stop", 4)]
    response = await proxy.chat(**TOOLS)
    message = response.json()["choices"][0]["message"]
    assert message["content"] == f"by {LOUD.name}."
    assert "tool_calls" not in message
    assert response.headers["X-CoSteer-Steered"] == "false"
    again = [
        {"role": "user", "content": "Say hello."},
        {"role": "assistant", "content": message["content"]},
        {"role": "user", "content": "And?"},
    ]
    await proxy.chat(**TOOLS, messages=again)
    assert LOUD.name not in proxy.remote.everything()
