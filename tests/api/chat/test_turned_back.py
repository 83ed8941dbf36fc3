"""What is passed on has placeholders in the place of values that were filled into earlier replies."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from conftest import Proxy
from fakes import LOUD

from app.api.chat.turned_back import places

VALUE, PLACEHOLDER = f"Yours, {LOUD.name}", "Yours, [Your name]"
# What only the remote can do.
UNSTEERED = {"reasoning_effort": "high"}
SEARCH = {"tools": [{"type": "web_search"}]}


def marked(value: Any) -> Any:
    """A copy in which what is to be turned back, written as "#", is the value or the placeholder."""
    return {text: json.loads(json.dumps(value).replace('"#"', f'"{text}"')) for text in (VALUE, PLACEHOLDER)}


# By path: where the assistant's texts are (#), beside what is not its own (LOUD.name) and stays.
USER = {"role": "user", "content": f"I am {LOUD.name}."}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": f'{{"who": "{LOUD.name}"}}'}}
RESULT = {"role": "tool", "tool_call_id": "1", "content": f"{LOUD.name}"}
BODIES: list[tuple[str, dict[str, Any]]] = [
    (
        "chat/completions",
        {
            "messages": [
                USER,
                {"role": "assistant", "content": "#", "reasoning": "#", "tool_calls": [CALL]},
                RESULT,
                {"role": "assistant", "content": [{"type": "text", "text": "#"}]},
            ],
            **UNSTEERED,
        },
    ),
    (
        "chat/completions",
        {"messages": [USER], **UNSTEERED, "prediction": {"type": "content", "content": "#"}},
    ),
    (
        "chat/completions",
        {
            "messages": [USER],
            **UNSTEERED,
            "prediction": {"type": "content", "content": [{"type": "text", "text": "#"}]},
        },
    ),
    ("responses", {"input": VALUE, "instructions": VALUE, **SEARCH}),
    (
        "responses",
        {
            **SEARCH,
            "input": [
                USER,
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "#"}]},
                {"role": "assistant", "content": "#"},
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "#"}],
                    "content": [{"type": "reasoning_text", "text": "#"}],
                },
                {"type": "function_call", "name": "f", "call_id": "1", "arguments": VALUE},
                {"type": "function_call_output", "call_id": "1", "output": VALUE},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": VALUE}]},
            ],
        },
    ),
    (
        "messages",
        {
            "system": VALUE,
            "messages": [
                USER,
                {"role": "assistant", "content": "#"},
                USER,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "#", "signature": "x"},
                        {"type": "text", "text": "#"},
                        {"type": "tool_use", "id": "1", "name": "f", "input": {"text": VALUE}},
                    ],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "content": [{"type": "text", "text": VALUE}]}],
                },
            ],
        },
    ),
    ("messages/count_tokens", {"messages": [{"role": "assistant", "content": "#"}]}),
]


def sent(proxy: Proxy) -> Any:
    return json.loads(proxy.remote.forwarded[-1].body)


async def ask(proxy: Proxy, path: str, body: dict[str, Any], **headers: str) -> Any:
    """What the remote was sent of it."""
    answer = await proxy.client.post(f"/v1/{path}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return sent(proxy)


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_the_assistants_texts_are_turned_back_and_nothing_else(
    proxy: Proxy, path: str, body: dict[str, Any]
) -> None:
    both = marked({**body, "model": "fake-model"})
    assert await ask(proxy, path, {**both[VALUE], "profile": "loud"}) == both[PLACEHOLDER]
    assert await ask(proxy, path, {**both[VALUE], "model": "fake-model@loud"}) == both[PLACEHOLDER]
    assert await ask(proxy, path, both[VALUE], **{"X-CoSteer-Profile": "loud"}) == both[PLACEHOLDER]
    secret = proxy.store.keys.create("test", "loud")[1]
    assert await ask(proxy, path, both[VALUE], Authorization=f"Bearer {secret}") == both[PLACEHOLDER]
    assert await ask(proxy, path, both[VALUE]) == both[VALUE], "nobody's are known"
    proxy.store.profiles.update("loud", lambda profile: replace(profile, is_default=True))
    assert await ask(proxy, path, both[VALUE]) == both[PLACEHOLDER]


async def test_a_reply_that_is_remembered_is_as_the_remote_wrote_it(proxy: Proxy) -> None:
    conversations = proxy.app.state.parts.generator._conversations
    conversations.remember(proxy.store.profiles.get("loud").uid, "All in capitals", "as the remote has it")
    body = {"model": "fake-model@loud", "input": [{"role": "assistant", "content": " All in capitals "}]}
    assert (await ask(proxy, "responses", {**body, **SEARCH}))["input"] == [
        {"role": "assistant", "content": " as the remote has it "}
    ]


@pytest.mark.parametrize("model", ["gone", "gpt-4o"])
async def test_a_model_that_nobody_knows_is_no_way_around(proxy: Proxy, model: str) -> None:
    """The remote would have read all before it refuses."""
    body = {"model": model, "profile": "loud", "messages": [{"role": "assistant", "content": VALUE}]}
    assert (await ask(proxy, "messages", body))["messages"] == [{"role": "assistant", "content": PLACEHOLDER}]


async def test_each_request_of_a_batch_is_turned_back_by_its_own_profile(proxy: Proxy) -> None:
    said = [{"role": "assistant", "content": f"{VALUE} and Jo Snake"}]
    for_each = [{"model": f"fake-model@{name}", "messages": said} for name in ("loud", "joined")]
    loud, joined = "Yours, [Your name] and Jo Snake", f"{VALUE} and [Your name]"
    found = await ask(proxy, "messages/batches", {"requests": [{"params": one} for one in for_each]})
    assert [one["params"]["messages"][0]["content"] for one in found["requests"]] == [loud, joined]
    lines = "\n".join(json.dumps({"url": "/v1/chat/completions", "body": one}) for one in for_each) + "\n"
    files = {"file": ("batch.jsonl", lines.encode(), "application/jsonl")}
    await proxy.client.post("/v1/files", files=files, data={"purpose": "batch"})
    uploaded = proxy.remote.forwarded[-1].body.decode()
    assert loud in uploaded and joined in uploaded


async def test_a_level_that_the_request_asks_for_counts(proxy: Proxy) -> None:
    open_name = replace(LOUD.disclosure, identifiers=(("name", "open"),))
    proxy.store.profiles.update("loud", lambda profile: replace(profile, disclosure=open_name))
    body = {"model": "fake-model@loud", "messages": [{"role": "assistant", "content": VALUE}]}
    assert (await ask(proxy, "messages", body))["messages"][0]["content"] == VALUE
    strict = {**body, "costeer": {"disclosure": "shape"}}
    assert (await ask(proxy, "messages", strict))["messages"][0]["content"] == PLACEHOLDER


async def test_what_says_nothing_of_a_person_goes_on_byte_for_byte(proxy: Proxy) -> None:
    data = b'{ "model":"fake-model", "messages":[{"role":"assistant","content":"Hi"}] }'
    headers = {"Content-Type": "application/json", "X-CoSteer-Profile": "loud"}
    await proxy.client.post("/v1/messages", content=data, headers=headers)
    assert proxy.remote.forwarded[-1].body == data


async def test_two_profiles_in_the_header_are_refused(proxy: Proxy) -> None:
    headers = [("X-CoSteer-Profile", "loud"), ("X-CoSteer-Profile", "joined")]
    answer = await proxy.client.post("/v1/messages", json={"model": "fake-model"}, headers=headers)
    assert answer.status_code == 400
    assert not proxy.remote.forwarded


@pytest.mark.parametrize(
    "value", [None, 5, "text", [], [None, "text"], {"role": "assistant"}, {"content": "x"}]
)
def test_bodies_without_a_reply_have_no_place(value: Any) -> None:
    before = deepcopy(value)
    assert [*places(value)] == []
    assert value == before


async def test_names_of_the_setting_become_the_remote_s_wherever_a_model_is_named(proxy: Proxy) -> None:
    aliases = {"gpt-4o": "default", "loudly": "default@loud"}
    proxy.app.state.parts = replace(proxy.app.state.parts, aliases=aliases)
    for model in ("gpt-4o", "loudly", "gpt-4o@loud"):
        found = await ask(proxy, "embeddings", {"model": model, "input": ["gpt-4o"], "models": ["x", model]})
        assert found == {"model": "fake-model", "input": ["gpt-4o"], "models": ["x", "fake-model"]}
    found = await ask(
        proxy, "messages", {"model": "loudly", "messages": [{"role": "assistant", "content": VALUE}]}
    )
    assert found["messages"][0]["content"] == PLACEHOLDER
    await proxy.client.post("/v1/audio/transcriptions", files={"model": (None, "gpt-4o")})
    assert b"fake-model" in proxy.remote.forwarded[-1].body
    await proxy.client.get("/v1/files?model=gpt-4o&name=gpt-4o")
    assert proxy.remote.forwarded[-1].query == "model=fake-model&name=gpt-4o"
