"""openai-python with strict validation of every response: different requests, each whole and streamed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from openai import BadRequestError, OpenAI

QUESTION = {"role": "user", "content": "Say hello."}
LOOK_UP: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
ANSWER: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
}
REQUESTS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "steered": {"extra_body": {"profile": "isabel", "strength": 0.5}},
    "sampling": {
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 7,
        "presence_penalty": 0.5,
        "logit_bias": {"11": -5},
    },
    "stops": {"stop": ["friend", "\n"], "max_completion_tokens": 12},
    "system and parts": {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "you"}]},
        ]
    },
    "two choices": {"n": 2},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "steered with logprobs": {
        "logprobs": True,
        "top_logprobs": 2,
        "extra_body": {"profile": "isabel", "costeer": {"detail": True}},
    },
    "tools": {"tools": [LOOK_UP], "tool_choice": "auto"},
    "after a tool": {
        "tools": [LOOK_UP],
        "messages": [
            QUESTION,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
        ],
    },
    "response_format": {"response_format": ANSWER},
}


# What the embedded model cannot do: refused by name there.
NEEDS_A_REMOTE = {"tools": "tools", "after a tool": "tools"}


def main(base_url: str, kind: str) -> int:
    client = OpenAI(base_url=base_url, api_key="unused", max_retries=0, _strict_response_validation=True)
    model = next(iter(client.models.list())).id
    failed = 0
    for name, fields in REQUESTS.items():
        request = {"model": model, "max_tokens": 20, "messages": [QUESTION], **fields}
        if "max_completion_tokens" in request:
            del request["max_tokens"]
        for way, check in (("whole", whole), ("streamed", streamed)):
            try:
                if kind == "embedded" and name in NEEDS_A_REMOTE:
                    refused(client, request, NEEDS_A_REMOTE[name])
                else:
                    check(client, request)
            except Exception as error:
                failed += 1
                print(f"FAILED {name}, {way}: {type(error).__name__}: {error}")
    print(f"{2 * len(REQUESTS) - failed} of {2 * len(REQUESTS)} pass")
    return int(failed > 0)


def whole(client: OpenAI, request: dict[str, Any]) -> None:
    reply = client.chat.completions.create(**request)
    expect(len(reply.choices) == request.get("n", 1), f"{len(reply.choices)} choices")
    for choice in reply.choices:
        message = choice.message
        expect(bool(message.content or message.tool_calls), "neither content nor tool calls")
        if request.get("logprobs"):
            expect(bool(choice.logprobs and choice.logprobs.content), "no logprobs")
    expect(reply.usage is not None and reply.usage.completion_tokens > 0, "no usage")


def streamed(client: OpenAI, request: dict[str, Any]) -> None:
    chunks = list(
        client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
    )
    first, last = chunks[0], chunks[-1]
    expect(first.choices[0].delta.role == "assistant", "the first chunk has no role")
    expect(last.choices == [] and last.usage is not None, "the last chunk is not usage alone")
    deltas = [choice for chunk in chunks for choice in chunk.choices]
    ends = sorted(choice.index for choice in deltas if choice.finish_reason)
    expect(ends == list(range(request.get("n", 1))), f"finish reasons for the choices {ends}")
    expect(any(choice.delta.content or choice.delta.tool_calls for choice in deltas), "nothing was said")
    expect(len({chunk.id for chunk in chunks}) == 1, "more than one id")
    if request.get("logprobs"):
        expect(any(choice.logprobs for choice in deltas), "no logprobs")


def refused(client: OpenAI, request: dict[str, Any], name: str) -> None:
    try:
        client.chat.completions.create(**request)
    except BadRequestError as error:
        expect(name in f"{error.param} {error.message}", f"the refusal does not name {name}: {error.message}")
        return
    raise AssertionError("not refused")


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
