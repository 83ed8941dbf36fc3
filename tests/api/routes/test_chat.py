"""POST /v1/chat/completions: OpenAI's shapes, who steers, what is refused, and what stays private."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, NoReturn

import httpx
import openai
import pytest
from conftest import Proxy
from fakes import EOS, LOUD, LOUD_HISTORY, PRIVATE, FakeTokenizer

from app.errors import RemoteError, RemoteRejected, RemoteTimeout, RemoteUnavailable
from app.prompts.message import Message
from app.remote.interface import ModelCard
from app.steering.sampling import SamplingParams
from app.steering.strength import AUTO

HELLO = [{"role": "user", "content": "Say hello."}]
JSON = {"Content-Type": "application/json"}


def data_of(response: httpx.Response) -> list[str]:
    """The data of each server-sent event; everything else in the body is a comment or blank."""
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n") if line and not line.startswith(":")]
    assert all(line.startswith("data: ") for line in lines)
    return [line.removeprefix("data: ") for line in lines]


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    *chunks, end = data_of(response)
    assert end == "[DONE]"
    return [json.loads(chunk) for chunk in chunks]


def error_of(response: httpx.Response) -> dict[str, Any]:
    """OpenAI's error object, and nothing beside it."""
    assert list(response.json()) == ["error"]
    error: dict[str, Any] = response.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    return error


async def raw(proxy: Proxy, body: dict[str, Any]) -> httpx.Response:
    """Post what httpx itself would refuse to write: NaN, lone surrogates."""
    return await proxy.client.post("/v1/chat/completions", content=json.dumps(body), headers=JSON)


# Shapes


async def test_a_whole_reply_has_openai_s_shape(proxy: Proxy) -> None:
    body = (await proxy.chat()).json()
    assert re.fullmatch(r"chatcmpl-[0-9a-f]{32}", body["id"])
    assert isinstance(body["created"], int)
    assert (body["object"], body["model"]) == ("chat.completion", "fake-model")
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hello world", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    prompt, reply = len(FakeTokenizer().encode("Say hello.")) + 3, len("hello world") + 1
    assert body["usage"] == {
        "prompt_tokens": prompt,
        "completion_tokens": reply,
        "total_tokens": prompt + reply,
    }


async def test_a_stream_has_openai_s_chunks_in_order(proxy: Proxy) -> None:
    chunks = chunks_of(await proxy.chat(stream=True))
    assert {tuple(c) for c in chunks} == {("id", "created", "model", "object", "choices")}
    assert len({(c["id"], c["created"], c["model"]) for c in chunks}) == 1
    assert {c["object"] for c in chunks} == {"chat.completion.chunk"}
    first, *middle, last = [c["choices"][0] for c in chunks]
    assert first["delta"] == {"role": "assistant", "content": ""}
    assert all(list(choice["delta"]) == ["content"] and choice["delta"]["content"] for choice in middle)
    assert "".join(choice["delta"]["content"] for choice in middle) == "hello world"
    assert last["delta"] == {}
    assert [choice["finish_reason"] for choice in (first, *middle)] == [None] * (len(middle) + 1)
    assert last["finish_reason"] == "stop"


async def test_usage_comes_in_a_last_chunk_without_choices_when_asked_for(proxy: Proxy) -> None:
    *chunks, last = chunks_of(await proxy.chat(stream=True, stream_options={"include_usage": True}))
    assert last["choices"] == []
    assert last["usage"] == (await proxy.chat()).json()["usage"]
    assert all(chunk["usage"] is None for chunk in chunks)


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}])
async def test_usage_does_not_come_unasked(proxy: Proxy, options: dict[str, Any] | None) -> None:
    response = await proxy.chat(stream=True, stream_options=options)
    assert all("usage" not in chunk for chunk in chunks_of(response))


async def test_a_reply_that_is_cut_by_max_tokens_says_so(proxy: Proxy) -> None:
    for limit in ({"max_tokens": 5}, {"max_completion_tokens": 5}, {"max_tokens": 5, "profile": "loud"}):
        choice = (await proxy.chat(**limit)).json()["choices"][0]
        assert (choice["message"]["content"].lower(), choice["finish_reason"]) == ("hello", "length")


async def test_without_max_tokens_the_model_s_length_is_the_limit(proxy: Proxy) -> None:
    proxy.remote.endless, proxy.remote.max_model_len = True, 40
    body = (await proxy.chat()).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["total_tokens"] == 40


@pytest.mark.parametrize("profile", [None, "loud"])
async def test_the_end_token_has_no_text(proxy: Proxy, profile: str | None) -> None:
    proxy.remote.text = "x"
    choice = (await proxy.chat(profile=profile)).json()["choices"][0]
    assert (choice["message"]["content"].lower(), choice["finish_reason"]) == ("x", "stop")


async def test_a_reply_may_be_empty(proxy: Proxy) -> None:
    proxy.remote.text = ""
    assert await proxy.text() == ""
    assert [c["choices"][0]["delta"] for c in chunks_of(await proxy.chat(stream=True))] == [
        {"role": "assistant", "content": ""},
        {},
    ]


@pytest.mark.parametrize(
    ("stop", "kept"),
    [("lo w", "hel"), (["x", "wor"], "hello "), (["world"], "hello "), (["d"], "hello worl"), (["h"], "")],
)
async def test_a_stop_string_ends_the_reply_and_no_part_of_it_gets_out(
    proxy: Proxy, stop: str | list[str], kept: str
) -> None:
    """In the fake vocabulary every letter is a token, so every stop string crosses their borders."""
    whole = (await proxy.chat(stop=stop)).json()["choices"][0]
    assert (whole["message"]["content"], whole["finish_reason"]) == (kept, "stop")
    choices = [chunk["choices"][0] for chunk in chunks_of(await proxy.chat(stop=stop, stream=True))]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == kept
    assert choices[-1]["finish_reason"] == "stop"


async def test_what_only_began_like_a_stop_string_is_not_lost(proxy: Proxy) -> None:
    assert await proxy.text(stop=["lo worm", "world!"]) == "hello world"
    assert await proxy.text(stop=["world!"], max_tokens=9) == "hello wor"


async def test_characters_are_never_split(proxy: Proxy) -> None:
    proxy.remote.text = "Grüße, 東京 👩‍👩‍👧 e\u0301"
    choices = [chunk["choices"][0] for chunk in chunks_of(await proxy.chat(stream=True))]
    pieces = [choice["delta"].get("content", "") for choice in choices]
    assert "".join(pieces) == proxy.remote.text
    assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)
    assert await proxy.text() == proxy.remote.text


async def test_bytes_that_never_become_a_character_are_replaced_at_the_end(proxy: Proxy) -> None:
    proxy.remote.text = "東".encode()
    assert await proxy.text(max_tokens=2) == "\N{REPLACEMENT CHARACTER}"


async def test_a_conversation_with_all_roles_and_text_parts_reaches_the_remote(proxy: Proxy) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]},
        {"role": "assistant", "content": "Three."},
        {"role": "user", "content": "Four."},
    ]
    await proxy.text()  # with the first request both sides are compared
    proxy.remote.handed.clear()
    await proxy.text(messages=messages)
    expected = ["system", "Be brief.", "user", "One.\nTwo.", "assistant", "Three.", "user", "Four."]
    handed = [m for m in proxy.remote.handed if isinstance(m, Message)]
    assert [part for m in handed for part in (m.role, m.content)] == expected


async def test_null_means_not_given(proxy: Proxy) -> None:
    fields = ["stream", "stream_options", "max_tokens", "stop", "n", "temperature", "seed", "logit_bias"]
    body = {"model": "fake-model", "messages": HELLO, "max_completion_tokens": 2}
    response = await raw(proxy, body | dict.fromkeys(fields))
    assert response.json()["choices"][0]["finish_reason"] == "length"


# Profiles and strength


async def test_the_profile_is_named_by_header_or_by_field(proxy: Proxy) -> None:
    assert await proxy.text(headers={"X-CoSteer-Profile": "loud"}) == "HELLO WORLD"
    assert await proxy.text(profile="loud") == "HELLO WORLD"
    assert await proxy.text(profile="joined") == "hello_world"
    assert await proxy.text(profile="joined", headers={"X-CoSteer-Profile": "joined"}) == "hello_world"


async def test_a_steered_stream_has_the_same_text(proxy: Proxy) -> None:
    chunks = chunks_of(await proxy.chat(stream=True, profile="loud"))
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "HELLO WORLD"


async def test_header_and_field_must_not_differ(proxy: Proxy) -> None:
    response = await proxy.chat(profile="joined", headers={"X-CoSteer-Profile": "loud"})
    assert response.status_code == 400
    assert error_of(response)["param"] == "profile"
    assert "X-CoSteer-Profile" in error_of(response)["message"]


@pytest.mark.parametrize("given", [{"profile": "nobody"}, {"headers": {"X-CoSteer-Profile": "nobody"}}])
async def test_an_unknown_profile_is_not_found(proxy: Proxy, given: dict[str, Any]) -> None:
    response = await proxy.chat(**given)
    assert response.status_code == 404
    assert (error_of(response)["code"], error_of(response)["param"]) == ("profile_not_found", "profile")
    assert "'nobody'" in error_of(response)["message"]


async def test_without_a_profile_the_default_one_steers_if_there_is_one(proxy: Proxy) -> None:
    assert await proxy.text() == "hello world"
    assert proxy.local.sessions == 0
    proxy.store.profiles.update("joined", lambda profile: replace(profile, is_default=True))
    assert await proxy.text() == "hello_world"
    assert await proxy.text(profile="loud") == "HELLO WORLD"


async def test_strength_0_is_the_remote_s_own_text(proxy: Proxy) -> None:
    assert await proxy.text(profile="loud", strength=0) == await proxy.text()
    assert proxy.local.sessions == 0


async def test_strength_overrides_the_setting(proxy: Proxy) -> None:
    assert await proxy.text(profile="loud", strength=0.1) == "hello world"
    assert proxy.local.sessions == 1
    assert await proxy.text(profile="loud", strength=4) == "HELLO WORLD"


async def test_auto_steers_and_overrides_a_number(proxy: Proxy) -> None:
    assert await proxy.text(profile="joined", strength="auto") == "hello_world"
    proxy.store.profiles.update("joined", lambda profile: replace(profile, strength=0.0))
    assert await proxy.text(profile="joined") == "hello world"
    assert await proxy.text(profile="joined", strength="auto") == "hello_world"


async def test_a_profile_s_auto_and_the_setting_s_steer(proxy: Proxy) -> None:
    proxy.store.profiles.update("joined", lambda profile: replace(profile, strength=AUTO))
    assert await proxy.text(profile="joined") == "hello_world"
    proxy.store.profiles.update("joined", lambda profile: replace(profile, strength=None))
    proxy.app.state.parts = replace(proxy.app.state.parts, strength=AUTO)
    assert await proxy.text(profile="joined") == "hello_world"
    sessions = proxy.local.sessions
    assert await proxy.text() == "hello world"
    assert proxy.local.sessions == sessions


# Bad input

BAD: list[tuple[dict[str, Any], str | None, str]] = [
    ({"messages": []}, "messages", "at least 1"),
    ({"messages": None}, "messages", "missing"),
    ({"messages": "hi"}, "messages", "a list"),
    ({"messages": ["hi"]}, "messages[0]", "object"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing"),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "missing"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role", "'developer'"),
    ({"messages": [*HELLO, {"role": 5, "content": "x"}]}, "messages[1].role", "'user'"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "a string or a list"),
    ({"messages": [{"role": "user", "content": {}}]}, "messages[0].content", "a string or a list"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "missing"),
    ({"messages": [{"role": "assistant", "content": 5}]}, "messages[0].content", "a string or a list"),
    (
        {"messages": [{"role": "user", "content": [{"type": "smell", "smell": {"url": "x"}}]}]},
        "messages[0].content[0].type",
        "must be 'text'",
    ),
    ({"messages": [{"role": "user", "content": "x", "name": 5}]}, "messages[0].name", "a string"),
    ({"messages": [{"role": "user", "content": "x", "str": 1}]}, "messages[0].str", "not supported"),
    ({"model": None}, "model", "missing"),
    ({"model": 5}, "model", "a string"),
    ({"max_tokens": 0}, "max_tokens", "at least 1"),
    ({"max_tokens": "5"}, "max_tokens", "whole number"),
    ({"max_tokens": 1.5}, "max_tokens", "whole number"),
    ({"max_tokens": 3, "max_completion_tokens": 4}, "max_completion_tokens", "send one of them"),
    ({"temperature": 3}, "temperature", "at most 2"),
    ({"temperature": -0.1}, "temperature", "at least 0"),
    ({"temperature": "warm"}, "temperature", "a number"),
    ({"temperature": True}, "temperature", "a number"),
    ({"temperature": 10**400}, "temperature", "a number"),
    ({"top_p": -0.1}, "top_p", "at least 0"),
    ({"top_k": 10**30}, "top_k", "less than"),
    ({"seed": 2**63}, "seed", "less than"),
    ({"n": 0}, "n", "at least 1"),
    ({"n": 17}, "n", "at most 16"),
    ({"logprobs": 5}, "logprobs", "true or false"),
    ({"top_logprobs": 5}, "top_logprobs", "needs logprobs: true"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "at most 20"),
    ({"store": "yes"}, "store", "true or false"),
    ({"service_tier": 5}, "service_tier", "a string"),
    ({"continue_final_message": True, "add_generation_prompt": True}, "add_generation_prompt", "be false"),
    ({"add_generation_prompt": False}, "add_generation_prompt", "must be true"),
    ({"steering": "sideways"}, "steering", "must be 'on' or 'off'"),
    ({"costeer": {"detail": 1}}, "costeer.detail", "true or false"),
    (
        {"stream": True, "stream_options": {"include_everything": True}},
        "stream_options.include_everything",
        "not supported",
    ),
    ({"stream": "yes"}, "stream", "true or false"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "stream: true"),
    ({"stop": 5}, "stop", "a string or a list"),
    ({"stop": ""}, "stop", "not be empty"),
    ({"stop": ["a", 5]}, "stop[1]", "a string"),
    ({"stop": ["a"] * 65}, "stop", "at most 64"),
    ({"logit_bias": {"hello": 1}}, "logit_bias", "token ids"),
    ({"logit_bias": {"9" * 5000: 1}}, "logit_bias", "token ids"),
    ({"logit_bias": {"17": 101}}, "logit_bias.17", "at most 100"),
    ({"logit_bias": [1]}, "logit_bias", "an object"),
    ({"strength": -1}, "strength", 'a number from 0 to 4, or "auto"'),
    ({"strength": 5}, "strength", 'a number from 0 to 4, or "auto"'),
    ({"strength": True}, "strength", 'a number from 0 to 4, or "auto"'),
    ({"strength": "0.5"}, "strength", 'a number from 0 to 4, or "auto"'),
    ({"strength": "strong"}, "strength", 'a number from 0 to 4, or "auto"'),
    ({"strength": "AUTO"}, "strength", 'a number from 0 to 4, or "auto"'),
    ({"strength": ["auto"]}, "strength", 'a number from 0 to 4, or "auto"'),
    ({"profile": ""}, "profile", "not be empty"),
    ({"Foo-bar": 1}, "Foo-bar", "not supported"),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content", "lone surrogate"),
    ({"profile": "\udfff"}, "profile", "lone surrogate"),
    ({"stop": ["a", "\udfff"]}, "stop[1]", "lone surrogate"),
    ({"\ud800": 1}, None, "lone surrogate"),
]


@pytest.mark.parametrize(("change", "param", "says"), BAD, ids=[ascii(case[0])[:50] for case in BAD])
async def test_bad_input_is_refused_by_name_and_the_server_goes_on(
    proxy: Proxy, change: dict[str, Any], param: str | None, says: str
) -> None:
    body = {"model": "fake-model", "messages": HELLO, **change}
    # None stands for a field that is left out.
    response = await raw(proxy, {name: value for name, value in body.items() if value is not None})
    assert response.status_code == 400
    error = error_of(response)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"].startswith(f"{param or 'The body'} ")
    assert error["message"].endswith(".")
    assert says in error["message"]
    assert proxy.remote.handed == []
    assert await proxy.text() == "hello world"


async def test_several_mistakes_are_told_at_once(proxy: Proxy) -> None:
    message = error_of(await proxy.chat(n=0, strength=9, foo=1))["message"]
    assert message == (
        'strength must be a number from 0 to 4, or "auto". n must be at least 1. '
        "foo is not supported here; remove it."
    )


BODIES = [
    (b"{", "line 1, column 2"),
    (b'{"model": "fake-model",}', "not valid JSON"),
    (b'{"model": 1, "model": 2}', "the same key twice"),
    (b'{"temperature": NaN}', "NaN"),
    (b"", "is empty"),
    (b'"text"', "must be an object"),
    (b"[]", "must be an object"),
    (b'"\xff"', "UTF-8"),
    (b'{"seed": ' + b"9" * 5000 + b"}", "thousands of digits"),
    (b"[" * 100_000, "nested too deeply"),
]


@pytest.mark.parametrize(("body", "says"), BODIES, ids=[says for _, says in BODIES])
async def test_a_body_that_is_no_json_object_is_refused(proxy: Proxy, body: bytes, says: str) -> None:
    response = await proxy.client.post("/v1/chat/completions", content=body, headers=JSON)
    assert response.status_code == 400
    assert "he body " in error_of(response)["message"]
    assert says in error_of(response)["message"]
    assert await proxy.text() == "hello world"


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}]
)
async def test_a_body_of_another_type_is_refused(proxy: Proxy, headers: dict[str, str]) -> None:
    body = json.dumps({"model": "fake-model", "messages": HELLO})
    response = await proxy.client.post("/v1/chat/completions", content=body, headers=headers)
    assert response.status_code == 415
    assert "send application/json" in error_of(response)["message"]


async def test_a_message_beyond_the_model_s_length_is_refused(proxy: Proxy) -> None:
    response = await proxy.chat(messages=[{"role": "user", "content": "word " * 40_000}])
    assert response.status_code == 400
    error = error_of(response)
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert "200003 tokens" in error["message"]
    assert "Shorten" in error["message"]
    assert await proxy.text() == "hello world"


async def test_an_unknown_model_is_not_found_and_the_right_one_named(proxy: Proxy) -> None:
    response = await proxy.chat(model="gpt-5")
    assert response.status_code == 404
    assert (error_of(response)["code"], error_of(response)["param"]) == ("model_not_found", "model")
    assert "'fake-model'" in error_of(response)["message"]


async def test_the_longest_numbers_that_are_allowed_are_harmless(proxy: Proxy) -> None:
    fields = {"max_tokens": 10**30, "seed": -(2**63), "top_k": 2**31 - 1, "logit_bias": {"259": 100}}
    assert await proxy.text(profile="loud", **fields) == "HELLO WORLD"


@pytest.mark.parametrize("profile", [None, "loud"])
async def test_a_bias_beyond_the_vocabulary_is_refused(proxy: Proxy, profile: str | None) -> None:
    response = await proxy.chat(profile=profile, logit_bias={"17": 1, "260": 1})
    assert (response.status_code, error_of(response)["param"]) == (400, "logit_bias")
    assert "260" in error_of(response)["message"]
    assert "259" in error_of(response)["message"]


async def test_a_body_with_two_types_is_told_so(proxy: Proxy) -> None:
    headers = {"Content-Type": "application/json, application/json"}
    response = await proxy.client.post("/v1/chat/completions", content=b"{}", headers=headers)
    assert (response.status_code, error_of(response)["param"]) == (415, "Content-Type")
    assert "more than one Content-Type" in error_of(response)["message"]


async def test_no_share_of_the_candidates_is_the_likeliest_alone(proxy: Proxy) -> None:
    """top_p 0 is OpenAI's; a vLLM takes none."""
    assert await proxy.text(top_p=0, temperature=1.5, profile="loud", strength=4) == "HELLO WORLD"
    sent = [one for one in proxy.remote.handed if isinstance(one, SamplingParams)]
    assert {(one.top_p, one.temperature) for one in sent} == {(1.0, 0.0)}


@pytest.mark.parametrize("content", [None, "", [], "left out"])
async def test_a_message_of_the_assistant_without_text_is_an_empty_one(proxy: Proxy, content: Any) -> None:
    said = {"role": "assistant"} if content == "left out" else {"role": "assistant", "content": content}
    assert await proxy.text(messages=[*HELLO, said, *HELLO], profile="loud") == "HELLO WORLD"
    assert Message("assistant", "") in proxy.remote.handed


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("profile", [None, "loud"])
async def test_usage_comes_with_every_chunk_when_asked_for(proxy: Proxy, n: int, profile: str | None) -> None:
    """vLLM's continuous_usage_stats: of each choice by itself, and of all in the last chunk."""
    options = {"include_usage": True, "continuous_usage_stats": True}
    *chunks, last = chunks_of(await proxy.chat(stream=True, stream_options=options, n=n, profile=profile))
    prompt, reply = len(FakeTokenizer().encode("Say hello.")) + 3, len("hello world") + 1
    for index in range(n):
        used = [c["usage"] for c in chunks if c["choices"][0]["index"] == index]
        counts = [one["completion_tokens"] for one in used]
        assert (counts[0], counts[-1]) == (0, reply)
        assert counts == sorted(counts)
        assert {one["prompt_tokens"] for one in used} == {prompt}
        assert all(one["total_tokens"] == prompt + one["completion_tokens"] for one in used)
    assert last["usage"]["completion_tokens"] == n * reply


async def test_usage_in_every_chunk_takes_asking_for_usage_as_in_vllm(proxy: Proxy) -> None:
    response = await proxy.chat(stream=True, stream_options={"continuous_usage_stats": True})
    assert all("usage" not in chunk for chunk in chunks_of(response))


async def test_nul_characters_are_text_like_any_other(proxy: Proxy) -> None:
    assert await proxy.text(messages=[{"role": "user", "content": "a\0b"}], profile="loud") == "HELLO WORLD"


async def test_no_refusal_quotes_the_conversation(proxy: Proxy) -> None:
    secret = "swordfish"
    parts = [{"type": secret, "text": secret, "image_url": secret}]
    for messages in (
        [{"role": secret, "content": secret}],
        [{"role": "user", "content": parts}],
        [{"role": "user", "content": {"text": secret}}],
        [{"role": "user", "content": secret, "name": [secret]}],
        [{"role": "user", "content": f"{secret} \ud800"}],
        [{"role": "user", "content": secret * 30_000}],
        secret,
    ):
        response = await raw(proxy, {"model": "fake-model", "messages": messages})
        assert response.status_code == 400
        assert secret not in response.text
    broken = json.dumps({"model": "fake-model", "messages": HELLO, "user": secret})[:-1]
    response = await proxy.client.post("/v1/chat/completions", content=broken, headers=JSON)
    assert response.status_code == 400
    assert secret not in response.text


# Failures of the remote

FAILURES = [
    (RemoteUnavailable("The remote cannot be reached. Start it."), 503, "remote_unavailable"),
    (RemoteTimeout("The remote sent nothing for too long. Try again."), 504, "remote_timeout"),
    (RemoteError("The connection to the remote broke. Try again."), 502, "remote_error"),
    (RemoteRejected("The remote refuses the request.", status=400), 400, "remote_rejected"),
]


@pytest.mark.parametrize(("failure", "status", "code"), FAILURES, ids=[code for *_, code in FAILURES])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_remote_that_is_not_there_is_an_error_before_any_stream(
    proxy: Proxy, failure: Exception, status: int, code: str, stream: bool
) -> None:
    proxy.remote.unreachable = failure
    response = await proxy.chat(stream=stream)
    assert response.status_code == status
    assert error_of(response)["code"] == code
    assert error_of(response)["message"] == str(failure)
    proxy.remote.unreachable = None
    assert await proxy.text() == "hello world"


@pytest.mark.parametrize("after", [0, 4])
@pytest.mark.parametrize("profile", [None, "loud"])
async def test_a_stream_that_breaks_ends_in_an_error_and_not_in_done(
    proxy: Proxy, after: int, profile: str | None
) -> None:
    proxy.remote.failure, proxy.remote.failing_after = RemoteError("The connection broke."), after
    response = await proxy.chat(stream=True, profile=profile)
    assert response.status_code == 200
    *chunks, last = map(json.loads, data_of(response))
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)
    assert text.lower() == "hello world"[:after]
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)
    assert last == {
        "error": {
            "message": "The connection broke.",
            "type": "upstream_error",
            "param": None,
            "code": "remote_error",
        }
    }


async def test_a_whole_reply_that_breaks_is_an_error(proxy: Proxy) -> None:
    proxy.remote.failure, proxy.remote.failing_after = RemoteError("The connection broke."), 4
    response = await proxy.chat(profile="loud")
    assert response.status_code == 502
    assert error_of(response)["code"] == "remote_error"
    proxy.remote.failure = None
    assert await proxy.text(profile="loud") == "HELLO WORLD"


# Privacy


async def test_nothing_private_is_handed_to_the_remote(proxy: Proxy) -> None:
    await proxy.text(max_tokens=1)
    compared = proxy.remote.everything()  # special tokens too, by their names
    assert [value for value in PRIVATE if value in compared] == []
    proxy.remote.handed.clear()
    messages = [
        {"role": "system", "content": "Be brief."},
        *HELLO,
        {"role": "assistant", "content": "HELLO"},
        {"role": "user", "content": "And again?"},
    ]
    assert await proxy.text(messages=messages, profile="loud") == "HELLO WORLD"
    assert await proxy.text(messages=messages, profile="joined", temperature=1, seed=3)
    handed = proxy.remote.everything()
    assert "And again?" in handed
    assert [value for value in PRIVATE if value in handed] == []
    words = LOUD_HISTORY[0].text.split()
    runs = [" ".join(words[start : start + 3]) for start in range(len(words) - 2)]
    assert [run for run in runs if run in handed] == []
    assert "describe" not in handed
    assert str(EOS) not in handed


class _Quoting(Exception):
    """An error of a library whose text quotes what it was working on."""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", ["remote", "draft", "local", "store"])
async def test_a_bug_is_answered_and_its_text_kept(
    proxy: Proxy,
    base_url: str,
    caplog: pytest.LogCaptureFixture,
    where: str,
    stream: bool,
) -> None:
    quoting = _Quoting(f"cannot handle 'Say hello.' of {LOUD.name}: {LOUD_HISTORY[0].text}")

    def broken(_: str) -> NoReturn:
        raise quoting

    if where == "remote":
        proxy.remote.unreachable = quoting
    elif where == "draft":
        proxy.remote.failure = quoting
    elif where == "local":
        proxy.local.failure = quoting
    else:
        proxy.store.profiles.get = broken  # type: ignore[assignment, method-assign]
    caplog.set_level(logging.DEBUG)
    async with httpx.AsyncClient(base_url=base_url) as client:
        body = {"model": "fake-model", "messages": HELLO, "profile": "loud", "stream": stream}
        response = await client.post("/chat/completions", json=body)
        alive = await client.get("/models" if where != "remote" else base_url.replace("/v1", "/health"))
    if stream and where in {"draft", "local"}:
        error = json.loads(data_of(response)[-1])["error"]
    else:
        assert response.status_code == 500
        error = error_of(response)
    assert error["type"] == "server_error"
    assert "the proxy" in error["message"]
    assert alive.status_code == 200
    assert "_Quoting" in caplog.text
    for text in (response.text, caplog.text):
        assert [value for value in ("Say hello", *PRIVATE) if value in text] == []


@pytest.mark.parametrize("stream", [False, True])
async def test_logs_hold_no_text_even_at_debug(
    proxy: Proxy, base_url: str, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    requests = [
        {"messages": HELLO, "profile": "loud", "stream": stream, "temperature": 0},
        {"messages": [{"role": "wizard", "content": "Say hello."}], "stream": stream},
        {"messages": HELLO, "profile": "Say hello.", "stream": stream},
    ]
    async with httpx.AsyncClient(base_url=base_url) as client:
        texts = [
            (await client.post("/chat/completions", json={"model": "fake-model", **r})).text for r in requests
        ]
    assert "H" in texts[0]
    assert caplog.records
    # A letter is a chunk, so the reply's text would show in a log as chunks.
    forbidden = ("Say hello", "HELLO", "WORLD", "chat.completion.chunk", "delta", *PRIVATE)
    assert [value for value in forbidden if value in caplog.text] == []


# Over real HTTP, with OpenAI's own client


@pytest.fixture
async def sdk(base_url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="unused", max_retries=0) as client:
        yield client


async def test_the_openai_package_reads_a_whole_reply(sdk: openai.AsyncOpenAI) -> None:
    reply = await sdk.chat.completions.create(
        model="fake-model",
        messages=[{"role": "user", "content": "Say hello."}],
        temperature=0,
        extra_headers={"X-CoSteer-Profile": "loud"},
    )
    assert reply.choices[0].message.content == "HELLO WORLD"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == len("HELLO WORLD") + 1


async def test_the_openai_package_reads_a_stream(sdk: openai.AsyncOpenAI) -> None:
    stream = await sdk.chat.completions.create(
        model="fake-model",
        messages=[{"role": "user", "content": "Say hello."}],
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"profile": "joined", "strength": 1.5},
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "hello_world"
    assert chunks[-1].usage is not None
    assert [m.id async for m in sdk.models.list()] == ["fake-model"]


async def test_the_openai_package_raises_its_own_errors(sdk: openai.AsyncOpenAI, proxy: Proxy) -> None:
    async def ask(**extra: Any) -> None:
        stream = await sdk.chat.completions.create(
            model="fake-model",
            messages=[{"role": "user", "content": "Say hello."}],
            stream=True,
            extra_body=extra,
        )
        async for _ in stream:
            pass

    with pytest.raises(openai.BadRequestError, match='strength must be a number from 0 to 4, or "auto"'):
        await ask(strength=5)
    with pytest.raises(openai.NotFoundError) as unknown:
        await ask(profile="nobody")
    assert unknown.value.code == "profile_not_found"
    proxy.remote.failure, proxy.remote.failing_after = RemoteError("The connection broke."), 3
    with pytest.raises(openai.APIError, match="The connection broke"):
        await ask()


@pytest.mark.parametrize("profile", [None, "loud"])
async def test_a_client_that_leaves_frees_the_remote_and_the_local_model(
    proxy: Proxy, base_url: str, profile: str | None
) -> None:
    proxy.remote.endless = True
    proxy.remote.max_model_len = 10**9
    body = {"model": "fake-model", "messages": HELLO, "stream": True, "profile": profile}
    async with (
        httpx.AsyncClient() as client,
        client.stream("POST", f"{base_url}/chat/completions", json=body) as response,
    ):
        lines = response.aiter_lines()
        for _ in range(5):
            await anext(lines)
        assert proxy.remote.drafts_open or proxy.local.sessions_open
    async with asyncio.timeout(30):
        while proxy.remote.drafts_open or proxy.local.sessions_open:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    proxy.remote.endless = False
    assert await proxy.text() == "hello world"


async def test_replies_at_the_same_time_do_not_mix(proxy: Proxy) -> None:
    profiles = ["loud", "joined", None] * 5
    texts = await asyncio.gather(*(proxy.text(profile=profile) for profile in profiles))
    assert texts == ["HELLO WORLD", "hello_world", "hello world"] * 5


# Not steered


async def test_steering_off_is_the_remote_s_own_reply_as_it_is(proxy: Proxy) -> None:
    response = await proxy.chat(profile="loud", steering="off", user="me")
    assert (response.headers["X-CoSteer-Steered"], response.headers["X-CoSteer-Reason"]) == (
        "false",
        "steering: off",
    )
    assert (proxy.local.sessions, len(proxy.remote.forwarded)) == (0, 1)


async def test_another_model_of_the_remote_writes_its_own_reply(proxy: Proxy) -> None:
    proxy.remote.others.append(ModelCard("org/other", 100))
    response = await proxy.chat(model="org/other@loud")
    assert response.headers["X-CoSteer-Reason"] == "another model"
    (forwarded,) = proxy.remote.forwarded
    assert json.loads(forwarded.body)["model"] == "org/other"
    assert proxy.local.sessions == 0


async def test_steering_off_with_an_embedded_remote_is_its_own_text(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.remote, "passes_on", False)
    response = await proxy.chat(profile="loud", steering="off", strength=2)
    assert response.json()["choices"][0]["message"]["content"] == "hello world"
    assert response.headers["X-CoSteer-Steered"] == "false"
    assert proxy.local.sessions == 0


@pytest.mark.parametrize(
    ("name", "values"), [("X-CoSteer-Profile", ("loud", "joined")), ("X-CoSteer-Record", ("off", "on"))]
)
async def test_a_header_that_comes_with_two_values_is_refused(
    proxy: Proxy, name: str, values: tuple[str, str]
) -> None:
    body = {"model": "fake-model", "messages": [{"role": "user", "content": "Hello"}]}
    headers = [(name, value) for value in values]
    response = await proxy.client.post("/v1/chat/completions", json=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == name
