"""Which requests are steered, and what keeps the others from it."""

from __future__ import annotations

import typing
from typing import Any

import pytest
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionContentPartTextParam,
    ChatCompletionStreamOptionsParam,
)
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from app.api.schemas.chat import ChatMessage, ChatRequest, StreamOptions, TextPart
from app.api.schemas.chat_fields import KNOWN
from app.api.schemas.steerable import honoured, unsteerable

HELLO = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f"}}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "x"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HELLO], **fields}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"steering": "off"}, "steering: off"),
        ({"tools": [TOOL, {"type": "custom", "custom": {"name": "f"}}]}, "tools"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": TOOL}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"response_format": {"type": "structural_tag"}}, "response_format"),
        ({"response_format": {"type": "json_object"}, "tools": [TOOL]}, "response_format with tools"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x"}}, "modalities"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"verbosity": "high"}, "verbosity"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"min_tokens": 5}, "min_tokens"),
        ({"ignore_eos": True}, "ignore_eos"),
        ({"skip_special_tokens": False, "structured_outputs": {"choice": ["a"]}}, "structured_outputs"),
        (
            {"messages": [HELLO, {"role": "function", "name": "f", "content": "x"}]},
            "messages of role function",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"type": "custom"}]}]},
            "messages with tool_calls of another type than function",
        ),
        ({"messages": [{"role": "assistant", "content": "", "refusal": "no"}]}, "messages with refusal"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages with image_url"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages with input_audio"),
    ],
)
def test_what_only_the_remote_can_do_is_named(fields: dict[str, Any], reason: str) -> None:
    assert unsteerable(body(**fields)) == reason


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"steering": "on"},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True},
        {"tools": [TOOL], "tool_choice": "none", "parallel_tool_calls": False},
        {"messages": [HELLO, {"role": "assistant", "tool_calls": [CALL]}, RESULT]},
        {"tools": None, "functions": [], "function_call": "none"},
        {"response_format": {"type": "text"}, "modalities": ["text"]},
        {"response_format": {"type": "json_object"}, "tools": []},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
        {"user": "u", "session_id": "s", "prompt_cache_key": "k", "safety_identifier": "i", "store": False},
        {"store": True, "service_tier": "flex", "prediction": {"type": "content", "content": "x"}},
        {"service_tier": "priority", "prompt_cache_retention": "24h"},
        {"stream": True, "stream_options": {"include_obfuscation": True, "continuous_usage_stats": True}},
        {"function_call": "auto", "metadata": {"a": "b"}, "prompt_cache_options": {"mode": "implicit"}},
        {
            "messages": [
                HELLO,
                {"role": "assistant", "content": "x", "tool_calls": None, "refusal": None},
                HELLO,
            ]
        },
        {
            "messages": [
                {"role": "assistant", "content": "x", "tool_calls": [], "annotations": [], "audio": None}
            ]
        },
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}], "name": "Bo"}]},
    ],
)
def test_what_asks_for_nothing_beyond_text_is_steered(fields: dict[str, Any]) -> None:
    assert unsteerable(body(**fields)) is None
    ChatRequest.model_validate(body(**fields))


def test_every_field_of_openai_s_is_honoured_here_or_passed_on() -> None:
    """By the openai package, which is made from OpenAI's own description: none is refused as unknown."""
    fields = typing.get_type_hints(CompletionCreateParamsStreaming)
    assert {"store", "service_tier", "stream_options"} <= set(fields)
    assert set(fields) <= KNOWN
    assert set(typing.get_type_hints(ChatCompletionStreamOptionsParam)) <= set(StreamOptions.model_fields)
    assert set(typing.get_type_hints(ChatCompletionContentPartTextParam)) <= set(TextPart.model_fields)
    assert set(typing.get_type_hints(ChatCompletionAssistantMessageParam)) <= set(ChatMessage.model_fields)


@pytest.mark.parametrize("field", ["store", "service_tier", "stream_options", "prediction"])
def test_what_openai_lets_such_a_field_be_is_taken(field: str) -> None:
    values: dict[str, list[Any]] = {
        "store": [True, False, None],
        "service_tier": ["auto", "default", "flex", "scale", "priority", "fast", None],
        "stream_options": [{"include_obfuscation": True}, {"include_usage": True}, {}, None],
        "prediction": [{"type": "content", "content": [{"type": "text", "text": "x"}]}, None],
    }
    for value in values[field]:
        asked = body(stream=True, **{field: value})
        assert unsteerable(asked) is None
        ChatRequest.model_validate(honoured(asked))


@pytest.mark.parametrize(
    "value", [5, "x", [5], [{"role": []}], [{"role": "user", "content": [{"type": {}}]}], {"messages": [5]}]
)
def test_nonsense_is_left_to_be_refused(value: Any) -> None:
    assert unsteerable(value if isinstance(value, dict) else {"messages": value}) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"min_tokens": 0},
        {"ignore_eos": False},
        {"include_reasoning": True},
        {"length_penalty": 1.0},
        {"verbosity": "medium"},
    ],
)
def test_defaults_that_a_client_spells_out_ask_for_nothing(fields: dict[str, Any]) -> None:
    assert unsteerable(body(**fields)) is None
    ChatRequest.model_validate(honoured(body(**fields)))
