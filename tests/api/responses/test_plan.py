"""Which requests for a response are steered, passed on and refused; and what the models are told of items."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Proxy
from fakes import FakeAnswer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.responses.conftest import PATH, Ask
from api.routes.test_chat import error_of
from app.api.responses.steerable import honoured, unsteerable
from app.api.schemas.responses import ResponseRequest
from app.api.schemas.responses_fields import KNOWN
from app.decoding.generator import GenerationRequest, Generator
from app.decoding.reply import Piece, Reply
from app.prompts.message import Message, ToolCall
from app.remote.interface import Forward

TOOL = {"type": "function", "name": "add", "description": "Adds.", "parameters": {"type": "object"}}
IN_CHAT = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
}
PICTURE = {"type": "input_image", "image_url": "data:,"}
HELLO = {"role": "user", "content": "Say hello."}
CONVERSATION = [
    {"role": "developer", "content": "Be kind."},
    {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "Add"}, {"type": "text", "text": "1"}],
    },
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
    {
        "role": "assistant",
        "id": "msg_1",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Well.", "annotations": [], "logprobs": []}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": "{}"},
    {"type": "function_call", "call_id": "call_2", "name": "add", "arguments": "[", "status": "completed"},
    {"type": "function_call_output", "call_id": "call_1", "output": "2"},
    {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "3"}]},
    {"type": "function_call", "call_id": "call_3", "name": "add", "arguments": "{}"},
    HELLO,
]
MESSAGES = (
    Message("system", "Reply in one word."),
    Message("system", "Be kind."),
    Message("user", "Add\n1"),
    Message("assistant", "Well.", calls=(ToolCall("call_1", "add", "{}"), ToolCall("call_2", "add", "["))),
    Message("tool", "2", answers="call_1"),
    Message("tool", "3", answers="call_2"),
    Message("assistant", "", calls=(ToolCall("call_3", "add", "{}"),)),
    Message("user", "Say hello."),
)


async def test_items_become_the_conversation(
    ask: Ask, planned: list[GenerationRequest], says: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    says(Piece("Hello.", finish_reason="stop"))
    monkeypatch.setattr(Generator, "prepare", _only(planned))
    await ask(input=CONVERSATION, instructions="Reply in one word.", profile="loud", tools=[TOOL])
    assert planned[0].messages == MESSAGES


def _only(planned: list[GenerationRequest]) -> Any:
    """A prepare that goes no further than to see what it is asked for."""
    prepare = Generator.prepare

    async def plain(self: Generator, generation: GenerationRequest) -> Reply:
        planned.append(generation)
        asked = GenerationRequest(generation.model, (Message("user", "Say hello."),))
        return await prepare(self, asked)

    return plain


async def test_tools_are_told_as_chat_completions_have_them(
    ask: Ask, planned: list[GenerationRequest], says: Callable[..., None]
) -> None:
    says(Piece("Hello.", finish_reason="stop"))
    asked = {"tools": [TOOL], "profile": "loud", "parallel_tool_calls": False, "top_p": 0.5}
    answer = await ask(**asked, include=["message.output_text.logprobs"], top_logprobs=1)
    assert answer.status_code == 200, answer.text
    tools = planned[0].tools
    assert tools is not None
    assert (tools.definitions, tools.choice, tools.parallel) == ((IN_CHAT,), "auto", False)
    assert tools.asked == {"temperature": 0, "top_p": 0.5, "logprobs": True, "top_logprobs": 1}
    assert not tools.stream
    await ask(tools=[TOOL], profile="loud", tool_choice="none", stream=True)
    assert planned[1].tools is not None
    assert (planned[1].tools.choice, planned[1].tools.stream) == ("none", True)


async def test_an_embedded_remote_writes_the_calls_that_are_required(
    proxy: Proxy, ask: Ask, planned: list[GenerationRequest], says: Callable[..., None]
) -> None:
    proxy.remote.passes_on = False
    says(Piece("", finish_reason="tool_calls"))
    for choice, expected in (
        ("required", "required"),
        ({"type": "function", "name": "add"}, {"type": "function", "function": {"name": "add"}}),
    ):
        answer = await ask(tools=[TOOL], tool_choice=choice)
        assert answer.status_code == 200, answer.text
        tools = planned.pop().tools
        assert tools is not None
        assert tools.choice == expected
    error = error_of(await ask(tools=[TOOL], tool_choice={"type": "function", "name": "sub"}))
    assert error["param"] == "tool_choice"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"steering": "off"}, "steering: off"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        (
            {"text": {"format": {"type": "json_object"}}, "tools": [{"type": "function", "name": "f"}]},
            "text.format with tools",
        ),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"effort": "low"}}, "reasoning.effort"),
        ({"tools": [{"type": "web_search"}]}, "tools of type web_search"),
        ({"tools": [TOOL], "tool_choice": "required", "profile": "loud"}, "tool_choice"),
        ({"tools": [TOOL]}, "no profile"),
        ({"tools": [TOOL], "profile": "loud", "strength": 0}, "strength 0"),
        ({"truncation": "auto"}, "truncation"),
        ({"stop": ["x"]}, "stop"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"input": [{"role": "user", "content": [PICTURE]}]}, "input with input_image"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [PICTURE]}]},
            "input with input_image",
        ),
        (
            {"input": [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]},
            "input with refusal",
        ),
        ({"input": [{"type": "web_search_call", "id": "w"}, HELLO]}, "input of type web_search_call"),
        ({"previous_response_id": "resp_of_the_remote"}, "previous_response_id"),
        ({"input": [{"type": "item_reference", "id": "msg_of_the_remote"}]}, "input of type item_reference"),
        ({"input": [{"id": "msg_of_the_remote"}]}, "input of type item_reference"),
    ],
)
async def test_what_cannot_be_steered_is_passed_on(
    proxy: Proxy, ask: Ask, fields: dict[str, Any], reason: str
) -> None:
    proxy.remote.answer = FakeAnswer(b'{"id": "resp_1"}')
    answer = await ask(metadata={"a": "b"}, **fields)
    assert answer.json() == {"id": "resp_1"}
    assert (answer.headers["x-costeer-steered"], answer.headers["x-costeer-reason"]) == ("false", reason)
    (forward,) = proxy.remote.forwarded
    assert (forward.method, forward.path) == ("POST", "responses")
    own = {"profile", "strength", "steering"}
    expected = {"model": "fake-model", "input": "Say hello.", "temperature": 0, **fields}
    assert json.loads(forward.body) == {name: value for name, value in expected.items() if name not in own}


@pytest.mark.parametrize(
    "fields",
    [
        {"text": {"format": {"type": "text"}, "verbosity": "medium"}},
        {"text": {}, "reasoning": {"effort": None, "summary": "auto"}},
        {"include": ["reasoning.encrypted_content"], "store": False, "truncation": "disabled"},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "max_tool_calls": 3},
        {"background": False, "conversation": None, "prompt": None, "service_tier": "auto", "user": "u"},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        {"client_metadata": {"x-codex-installation-id": "i"}, "reasoning": {"summary": "auto"}},
        {"top_k": 3, "seed": 1, "safety_identifier": "s", "prompt_cache_key": "k"},
    ],
)
async def test_what_asks_for_nothing_else_is_steered(ask: Ask, fields: dict[str, Any]) -> None:
    answer = await ask(profile="loud", **fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-costeer-steered"] == "true"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"foo": 1}, "foo"),
        ({"foo": 1, "steering": "off"}, "foo"),
        ({"messages": [HELLO]}, "messages"),
        ({"max_tokens": 3}, "max_tokens"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"type": 5}]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": None}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": "x", "foo": 1}]}, "input[0].foo"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[0].call_id"),
        ({"include": ["everything"]}, "include"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"stream_options": {}}, "stream_options"),
        ({"text": {"foo": 1}}, "text.foo"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"temperature": 3}, "temperature"),
        ({"costeer": {"foo": 1}}, "costeer.foo"),
        ({"previous_response_id": 5}, "previous_response_id"),
        ({"model": "other"}, "model"),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    proxy: Proxy, ask: Ask, fields: dict[str, Any], param: str
) -> None:
    answer = await ask(**{"profile": "loud", **fields})
    assert answer.status_code in (400, 404), answer.text
    error = error_of(answer)
    assert error["param"] == param
    assert not proxy.remote.forwarded


LONE = '"\\ud800"'


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (f'"metadata": {{"a": {LONE}}}', "metadata"),
        (f'"user": {LONE}', "user"),
        (f'"instructions": {LONE}', "instructions"),
        ('"metadata": {"a": 99999999999999999999999}', "metadata"),
        (f'"tools": [{{"type": "function", "name": {LONE}}}]', "tools"),
        (f'"input": [{{"role": "user", "content": "a", "id": {LONE}}}]', "input[0].id"),
        (f'"input": [{{"type": "reasoning", "content": [{LONE}]}}]', "input[0].content"),
    ],
)
@pytest.mark.parametrize("stream", ["true", "false"])
async def test_what_could_not_be_told_back_is_refused(
    proxy: Proxy, fields: str, param: str, stream: str
) -> None:
    body = f'{{"model": "fake-model", "input": "a", "stream": {stream}, {fields}}}'
    body = body.replace('"input": "a", ', "") if '"input": [' in fields else body
    answer = await proxy.client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["param"]) == (400, param)


async def test_a_body_that_is_no_object_is_refused(proxy: Proxy) -> None:
    answer = await proxy.client.post(PATH, json=["x"])
    assert answer.status_code == 400


async def test_an_embedded_remote_refuses_what_would_be_passed_on(proxy: Proxy, ask: Ask) -> None:
    proxy.remote.passes_on = False
    assert (await ask(steering="off", profile="loud")).headers["x-costeer-reason"] == "strength 0"
    for fields in (
        {"previous_response_id": "resp_1"},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
    ):
        assert error_of(await ask(**fields))["code"] == "response_not_found"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(KNOWN)), st.sampled_from([None, False, 0, "", [], {}])))
def test_empty_fields_are_never_a_reason(body: dict[str, Any]) -> None:
    assert unsteerable(body) is None
    kept = honoured(body)
    assert isinstance(kept, dict)
    assert kept.keys() <= set(ResponseRequest.model_fields)


def forwarded(proxy: Proxy) -> Forward:
    return proxy.remote.forwarded[-1]


async def test_the_conversation_is_put_into_what_is_passed_on(proxy: Proxy, ask: Ask) -> None:
    first = (await ask(profile="loud", input="One?", instructions="Not this.")).json()
    fields = {
        "previous_response_id": first["id"],
        "profile": "loud",
        "text": {"format": {"type": "grammar"}},
    }
    await ask(**fields)
    body = json.loads(forwarded(proxy).body)
    assert "previous_response_id" not in body
    assert "instructions" not in body
    said = [(one["role"], one["content"]) for one in body["input"]]
    assert [role for role, _ in said] == ["user", "assistant", "user"]
    assert said[0][1] == [{"type": "input_text", "text": "One?"}]
    assert said[1][1][0]["text"] == "HELLO WORLD"
    await ask(**{**fields, "previous_response_id": None}, input=[{"id": first["output"][0]["id"]}, HELLO])
    assert json.loads(forwarded(proxy).body)["input"] == [first["output"][0], HELLO]
    assert error_of(await ask(**{**fields, "profile": "joined"}))["param"] == "previous_response_id"


async def test_a_response_of_a_schema_is_steered_and_says_so(proxy: Proxy, ask: Ask) -> None:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    wanted = {"type": "json_schema", "name": "greeting", "schema": schema, "strict": True}
    proxy.remote.text = '{"text":"hello world"}'
    response = await ask(profile="loud", text={"format": wanted})
    assert response.headers["X-CoSteer-Steered"] == "true"
    told = response.json()
    assert json.loads(told["output"][0]["content"][0]["text"])["text"] == "HELLO WORLD"
    assert told["text"]["format"] == {**wanted, "description": None}
    refused = {**wanted, "schema": {"not": {}}}
    response = await ask(profile="loud", text={"format": refused})
    assert response.headers["X-CoSteer-Reason"] == 'text.format: Unimplemented keys: ["not"]'
    assert proxy.remote.forwarded != []
