"""Which requests are steered, and what keeps the others from it."""

from __future__ import annotations

from typing import Any

import pytest

from app.schemas.chat import ChatRequest
from app.schemas.unsteered import honoured, unsteerable

HELLO = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HELLO], **fields}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"steering": "off"}, "steering: off"),
        ({"tools": [TOOL]}, "tools"),
        ({"tools": [TOOL], "tool_choice": "none"}, "tools"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x"}}, "modalities"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"min_tokens": 5}, "min_tokens"),
        ({"ignore_eos": True}, "ignore_eos"),
        ({"skip_special_tokens": False, "structured_outputs": {"choice": ["a"]}}, "structured_outputs"),
        (
            {"messages": [HELLO, {"role": "tool", "tool_call_id": "1", "content": "x"}]},
            "messages of role tool",
        ),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages with tool_calls"),
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
        {"tools": None, "functions": [], "function_call": "none"},
        {"response_format": {"type": "text"}, "modalities": ["text"]},
        {"user": "u", "session_id": "s", "prompt_cache_key": "k", "safety_identifier": "i", "store": False},
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


@pytest.mark.parametrize(
    "value", [5, "x", [5], [{"role": []}], [{"role": "user", "content": [{"type": {}}]}], {"messages": [5]}]
)
def test_nonsense_is_left_to_be_refused(value: Any) -> None:
    assert unsteerable(value if isinstance(value, dict) else {"messages": value}) is None


@pytest.mark.parametrize(
    "fields", [{"min_tokens": 0}, {"ignore_eos": False}, {"include_reasoning": True}, {"length_penalty": 1.0}]
)
def test_defaults_that_a_client_spells_out_ask_for_nothing(fields: dict[str, Any]) -> None:
    assert unsteerable(body(**fields)) is None
    ChatRequest.model_validate(honoured(body(**fields)))
