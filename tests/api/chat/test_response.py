"""What a reply tells beside its text: several choices, logprobs, detail, timings; and clients that leave."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from conftest import Proxy
from fakes import EOS, FakeTokenizer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai._models import validate_type
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from api.routes.test_chat import HELLO, chunks_of, data_of, error_of
from app.decoding.request import DecodingConfig
from app.errors import RemoteError
from app.profiles.profile import Profile, ProfileDocument
from app.remote.interface import DraftToken
from app.steering.candidates import UNLISTED

USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
DETAIL: dict[str, Any] = {"costeer": {"detail": True}}


def choices_of(chunks: list[dict[str, Any]], index: int = 0) -> list[dict[str, Any]]:
    return [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]


def text_of(choices: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content", "") for choice in choices)


def bytes_of(entries: list[dict[str, Any]]) -> bytes:
    return b"".join(bytes(entry["bytes"] or []) for entry in entries)


# Several choices


@pytest.mark.parametrize("profile", [None, "loud"])
async def test_greedy_choices_are_equal_and_the_prompt_counts_once(proxy: Proxy, profile: str | None) -> None:
    alone = (await proxy.chat(profile=profile)).json()
    several = (await proxy.chat(profile=profile, n=3)).json()
    assert several["choices"] == [{**alone["choices"][0], "index": index} for index in range(3)]
    assert several["usage"]["prompt_tokens"] == alone["usage"]["prompt_tokens"]
    assert several["usage"]["completion_tokens"] == 3 * alone["usage"]["completion_tokens"]


@pytest.mark.parametrize("seed", [5, 2**63 - 1])
async def test_each_choice_is_drawn_for_itself(proxy: Proxy, seed: int) -> None:
    fields: dict[str, Any] = {"profile": "loud", "strength": 0.3, "temperature": 1.5, "n": 4, "seed": seed}
    texts = [
        [choice["message"]["content"] for choice in (await proxy.chat(**fields)).json()["choices"]]
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 4
    second = (seed + 1 + 2**63) % 2**64 - 2**63
    assert await proxy.text(**{**fields, "n": 1, "seed": second}) == texts[0][1]


async def test_streamed_choices_come_interleaved_each_with_its_own_end(proxy: Proxy) -> None:
    chunks = chunks_of(await proxy.chat(n=3, profile="joined", **USAGE))
    order = [choice["index"] for chunk in chunks for choice in chunk["choices"]]
    assert order[:3] == [0, 1, 2]
    assert order != sorted(order)
    for index in range(3):
        first, *middle, last = choices_of(chunks, index)
        assert first["delta"] == {"role": "assistant", "content": ""}
        assert text_of(middle) == "hello_world"
        assert {choice["finish_reason"] for choice in (first, *middle)} == {None}
        assert (last["delta"], last["finish_reason"]) == ({}, "stop")
    whole = (await proxy.chat(n=3, profile="joined")).json()
    assert chunks[-1]["usage"] == whole["usage"]


async def test_choices_end_for_their_own_reasons(proxy: Proxy) -> None:
    fields: dict[str, Any] = {"profile": "loud", "strength": 0.3, "temperature": 1.5, "seed": 1}
    body = (await proxy.chat(n=8, stop="w", max_tokens=8, **fields)).json()
    ends = {(len(c["message"]["content"]), c["finish_reason"]) for c in body["choices"]}
    assert ends == {(len("hello "), "stop"), (len("hello Wo"), "length")}


async def test_the_prompts_of_several_choices_are_prepared_once(proxy: Proxy) -> None:
    await proxy.chat(profile="loud")
    proxy.remote.handed.clear()
    await proxy.chat(profile="loud", n=5, seed=1)
    assert len([handed for handed in proxy.remote.handed if type(handed).__name__ == "Message"]) == 1


@pytest.mark.parametrize("profile", [None, "loud"])
async def test_when_one_choice_fails_all_end_with_the_error(proxy: Proxy, profile: str | None) -> None:
    proxy.remote.failure, proxy.remote.failing_after = RemoteError("The connection broke."), 4
    *_, last = map(json.loads, data_of(await proxy.chat(n=4, profile=profile, stream=True)))
    assert last["error"]["code"] == "remote_error"
    assert error_of(await proxy.chat(n=4, profile=profile))["code"] == "remote_error"
    assert (proxy.remote.drafts_open, proxy.local.sessions_open) == (0, 0)


# Logprobs


@pytest.mark.parametrize("profile", [None, "loud"])
@pytest.mark.parametrize("top", [None, 0, 1, 5])
async def test_logprobs_are_of_the_distribution_that_was_drawn_from(
    proxy: Proxy, profile: str | None, top: int | None
) -> None:
    proxy.remote.text = "ab"
    choice = (await proxy.chat(profile=profile, logprobs=True, top_logprobs=top)).json()["choices"][0]
    remote = {"a": 0.6, "A": 0.4}
    # The fake local model makes capitals e^4 times as likely, and half of that is the strength.
    raised = {"a": 0.6, "A": 0.4 * math.exp(2)} if profile else remote
    expected = {token: math.log(p / sum(raised.values())) for token, p in raised.items()}
    assert list(choice["logprobs"]) == ["content", "refusal"]
    assert choice["logprobs"]["refusal"] is None
    first, _second = choice["logprobs"]["content"]
    assert list(first) == ["token", "logprob", "bytes", "top_logprobs"]
    assert (first["token"], first["bytes"]) == ("A", [65]) if profile else ("a", [97])
    assert first["logprob"] == pytest.approx(expected[first["token"]])
    ranked = sorted(expected, key=lambda token: -expected[token])[: top or 0]
    assert [(t["token"], t["bytes"]) for t in first["top_logprobs"]] == [(t, [ord(t)]) for t in ranked]
    assert [t["logprob"] for t in first["top_logprobs"]] == pytest.approx([expected[t] for t in ranked])


async def test_without_being_asked_for_logprobs_are_null(proxy: Proxy) -> None:
    for asked in (None, False):
        assert (await proxy.chat(logprobs=asked)).json()["choices"][0]["logprobs"] is None
        chunks = chunks_of(await proxy.chat(logprobs=asked, stream=True))
        assert all(choice["logprobs"] is None for choice in choices_of(chunks))


async def test_an_impossible_token_has_a_number_that_json_has(proxy: Proxy) -> None:
    async def draft(*_: Any, **__: Any) -> AsyncGenerator[DraftToken, None]:
        yield DraftToken(ord("a"), np.array([ord("a"), ord("b")]), np.array([0.0, -np.inf]))
        yield DraftToken(EOS, np.array([EOS]), np.array([0.0]), ends=True)

    proxy.remote.draft = draft  # type: ignore[method-assign]
    (entry,) = (await proxy.chat(logprobs=True, top_logprobs=2)).json()["choices"][0]["logprobs"]["content"]
    assert [t["logprob"] for t in entry["top_logprobs"]] == [0.0, -9999.0]


TEXTS = (
    st.text("ab ", max_size=12) | st.text(max_size=8) | st.sampled_from(["👩‍👩‍👧 ok", "東京a", "e\u0301\n\n"])
)
STOPS = st.lists(st.text("ab ", min_size=1, max_size=3), max_size=2)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, stop=STOPS, limit=st.none() | st.integers(1, 12))
async def test_the_bytes_of_the_entries_are_the_text_whole_and_streamed(
    proxy: Proxy, text: str, stop: list[str], limit: int | None
) -> None:
    proxy.remote.text = text
    fields: dict[str, Any] = {"logprobs": True, "stop": stop, "max_tokens": limit}
    choice = (await proxy.chat(**fields)).json()["choices"][0]
    content, entries = choice["message"]["content"], choice["logprobs"]["content"]
    shown = bytes_of(entries)
    assert shown.decode(errors="replace") == content
    assert text.encode().startswith(shown)
    streamed = choices_of(chunks_of(await proxy.chat(stream=True, **fields)))
    assert text_of(streamed) == content
    out, told = "", []
    for chunk in streamed:
        out += chunk["delta"].get("content", "")
        told += (chunk["logprobs"] or {"content": []})["content"]
        # A token is told of with its last character, never before.
        assert out.startswith(bytes_of(told).decode(errors="replace"))
    assert told == entries


# Detail


async def test_detail_tells_every_token_drafted_and_chosen(proxy: Proxy) -> None:
    proxy.remote.text = "a b"
    body = (await proxy.chat(profile="joined", **DETAIL)).json()
    tokens = body["choices"][0]["costeer"]["tokens"]
    assert [(token["drafted"], token["chosen"]) for token in tokens[:3]] == [
        ("a", "a"),
        (" ", "_"),
        ("b", "b"),
    ]
    assert [(token["drafted_id"], token["chosen_id"]) for token in tokens[:2]] == [(97, 97), (32, 95)]
    assert tokens[3]["chosen_id"] == EOS
    space = tokens[1]
    raised = 0.4 * math.exp(2)
    assert (space["remote_prob"], space["drafted_remote_prob"]) == pytest.approx((0.4, 0.6))
    assert space["steered_prob"] == pytest.approx(raised / (raised + 0.6))
    assert space["drafted_steered_prob"] == pytest.approx(0.6 / (raised + 0.6))
    assert space["local_delta"] == pytest.approx(4, abs=0.5)
    total = body["costeer"]
    assert (total["steered"], total["strength"]) == (True, 0.5)
    assert (total["tokens"], total["changed"], total["acceptance"]) == (4, 1, 0.75)
    assert total["remote_requests"] == 2
    assert total["drafted"] >= 4
    assert total["local_passes"] >= 1


async def test_detail_names_the_strength_as_it_was_given(proxy: Proxy) -> None:
    steered = (await proxy.chat(profile="joined", strength="auto", **DETAIL)).json()
    assert (steered["costeer"]["steered"], steered["costeer"]["strength"]) == (True, "auto")
    plain = (await proxy.chat(strength="auto", **DETAIL)).json()
    assert (plain["costeer"]["steered"], plain["costeer"]["strength"]) == (False, 0)


@pytest.mark.parametrize(
    "config", [DecodingConfig(max_model_len=8192, draft_length=6, local_patience=30.0)], ids=["unsteered"]
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_that_the_local_model_left_half_way_says_so(proxy: Proxy, stream: bool) -> None:
    proxy.local.broken = RuntimeError("out of memory")
    response = await proxy.chat(profile="loud", stream=stream)
    if stream:
        assert response.headers["X-CoSteer-Steered"] == "true"  # as far as it was known
        chunks = chunks_of(response)
        told = next(chunk["costeer"] for chunk in chunks if "costeer" in chunk)
        assert told["unassisted"] > 0
        assert told["mishap"] == "the local model failed (RuntimeError)"
    else:
        assert response.headers["X-CoSteer-Steered"] == "partly"
        assert response.headers["X-CoSteer-Reason"] == "the local model failed (RuntimeError)"
        assert response.json()["choices"][0]["message"]["content"].lower() == "hello world"


@pytest.mark.parametrize("stream", [True, False])
async def test_or_it_ends_with_an_error(proxy: Proxy, stream: bool) -> None:
    proxy.local.broken = RuntimeError("out of memory")
    response = await proxy.chat(profile="loud", stream=stream)
    error = json.loads(data_of(response)[-1])["error"] if stream else response.json()["error"]
    assert error["type"] == "server_error"
    assert "out of memory" not in response.text


async def test_detail_of_an_unsteered_reply_says_that_nothing_changed(proxy: Proxy) -> None:
    body = (await proxy.chat(**DETAIL)).json()
    for token in body["choices"][0]["costeer"]["tokens"]:
        assert token["remote_prob"] == pytest.approx(token["steered_prob"])
        assert token["local_delta"] is None
    assert (body["costeer"]["steered"], body["costeer"]["strength"]) == (False, 0)
    assert (body["costeer"]["changed"], body["costeer"]["local_passes"]) == (0, 0)


CANDIDATES: dict[str, Any] = {"costeer": {"detail": True, "candidates": 1}}


async def test_detail_lists_the_likeliest_candidates_with_what_each_model_gives_them(proxy: Proxy) -> None:
    proxy.remote.text = "a b"
    tokens = (await proxy.chat(profile="joined", **CANDIDATES)).json()["choices"][0]["costeer"]["tokens"]
    underscore, space = tokens[1]["candidates"]  # one was asked for, and the drafted one is there as well
    assert (underscore["token"], underscore["id"], space["token"]) == ("_", 95, " ")
    assert (underscore["remote_prob"], space["remote_prob"]) == pytest.approx((0.4, 0.6))
    assert underscore["steered_prob"] == pytest.approx(tokens[1]["steered_prob"])
    ((wished,), (other,)) = underscore["local_probs"], space["local_probs"]
    assert math.log(wished["with"] / wished["without"]) == pytest.approx(tokens[1]["local_delta"])
    assert wished["with"] > other["with"]
    assert not any(one["held"] for one in tokens[1]["candidates"])
    assert [len(token["candidates"]) for token in tokens] == [1, 2, 1, 1]


async def test_candidates_of_what_nothing_steers_have_no_local_probabilities(proxy: Proxy) -> None:
    for token in (await proxy.chat(**CANDIDATES)).json()["choices"][0]["costeer"]["tokens"]:
        assert [one["local_probs"] for one in token["candidates"]] == [None]
        assert token["held_back"] is False


async def test_a_candidate_that_the_remote_did_not_list_is_the_devices(proxy: Proxy) -> None:
    proxy.remote.text = "ab"
    asked: dict[str, Any] = {"costeer": {"detail": True, "candidates": 20}}
    by_strength = {
        strength: (await proxy.chat(profile="loud", strength=strength, **asked)).json()["choices"][0]
        for strength in (1, "auto")
    }
    listed, widened = (
        {one["token"]: one["proposed"] for one in choice["costeer"]["tokens"][0]["candidates"]}
        for choice in by_strength.values()
    )
    assert listed == {"a": "remote", "A": "remote"}
    assert listed.items() <= widened.items()
    assert [*widened.values()].count("device") == UNLISTED


async def test_what_a_grammar_alone_allows_is_the_devices(proxy: Proxy) -> None:
    proxy.remote.text = "no JSON"
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"const": 7}}}
    asked: dict[str, Any] = {
        "profile": "loud",
        "response_format": schema,
        "costeer": {"detail": True, "candidates": 3},
    }
    first = (await proxy.chat(**asked)).json()["choices"][0]["costeer"]["tokens"][0]
    assert [(one["token"], one["proposed"]) for one in first["candidates"]] == [("7", "device")]


@pytest.mark.parametrize("stop", [None, "!"])
async def test_tokens_of_a_placeholder_say_that_a_value_was_written_in(
    proxy: Proxy, stop: str | None
) -> None:
    proxy.remote.text = "I am [Your name] at [Your desk]!"
    asked: dict[str, Any] = {"profile": "named", "strength": 0.1, **DETAIL}
    proxy.store.profiles.put(ProfileDocument(Profile("named", "Ina Bo", (("voice", "LOUD"),))))
    choices = choices_of(chunks_of(await proxy.chat(stream=True, stop=stop, **asked)))
    assert text_of(choices).startswith("I am Ina Bo at [Your desk]")
    marked = [
        (choice["delta"]["content"], "".join(token["chosen"] for token in choice["costeer"]["tokens"]))
        for choice in choices
        if any(token["filled"] for token in choice.get("costeer", {"tokens": ()})["tokens"])
    ]
    assert marked == [("Ina Bo", "[Your name]")]
    whole = (await proxy.chat(stop=stop, **asked)).json()["choices"][0]["costeer"]["tokens"]
    assert "".join(token["chosen"] for token in whole if token["filled"]) == "[Your name]"


async def test_candidates_come_with_the_detail_only(proxy: Proxy) -> None:
    tokens = (await proxy.chat(**DETAIL)).json()["choices"][0]["costeer"]["tokens"]
    assert not any("candidates" in token for token in tokens)
    refused = await proxy.chat(costeer={"candidates": 1})
    assert refused.status_code == 400
    assert "costeer.candidates needs detail: true" in refused.json()["error"]["message"]
    assert (await proxy.chat(costeer={"detail": True, "candidates": 21})).status_code == 400


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("usage", [True, False])
async def test_streamed_detail_is_the_same_and_ends_with_the_totals(
    proxy: Proxy, usage: bool, n: int
) -> None:
    whole = (await proxy.chat(profile="joined", n=n, **DETAIL)).json()
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = chunks_of(await proxy.chat(profile="joined", n=n, stream=True, **options, **DETAIL))
    for index in range(n):
        told = [token for choice in choices_of(chunks, index) for token in choice["costeer"]["tokens"]]
        assert told == whole["choices"][index]["costeer"]["tokens"]
    assert [chunk for chunk in chunks if "costeer" in chunk] == chunks[-1:]
    del chunks[-1]["costeer"]["ms"], whole["costeer"]["ms"]
    # How much a remote drafts past a rejection depends on when it hears of it.
    del chunks[-1]["costeer"]["drafted"], whole["costeer"]["drafted"]
    assert chunks[-1]["costeer"] == whole["costeer"]
    assert whole["costeer"]["tokens"] == n * (len("hello world") + 1)


@pytest.mark.parametrize("detail", [None, {}, {"detail": False}])
async def test_detail_does_not_come_unasked(proxy: Proxy, detail: Any) -> None:
    assert "acceptance" not in (await proxy.chat(profile="loud", costeer=detail)).text
    assert "costeer" not in (await proxy.chat(profile="loud", costeer=detail, stream=True)).text


@pytest.mark.parametrize("profile", [None, "loud"])
async def test_the_parts_of_the_time_add_up(
    proxy: Proxy, profile: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(10**9))
    generator = proxy.app.state.parts.generator
    monkeypatch.setattr(generator, "clock", lambda: next(ticks) / 1000)  # a look at it takes a millisecond
    response = await proxy.chat(profile=profile, **DETAIL)
    ms = response.json()["costeer"]["ms"]
    assert list(ms) == ["remote", "local", "steering", "proxy", "total"]
    assert min(ms.values()) >= 0
    assert ms["remote"] + ms["local"] + ms["steering"] + ms["proxy"] == pytest.approx(ms["total"])
    assert ms["remote"] >= len("hello world")
    assert bool(ms["local"]) == bool(ms["steering"]) == bool(profile)
    timing = dict(part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    assert {part: float(duration) for part, duration in timing.items()} == ms


async def test_several_choices_wait_at_the_same_time_and_no_part_is_negative(proxy: Proxy) -> None:
    ms = (await proxy.chat(profile="loud", n=4, **DETAIL)).json()["costeer"]["ms"]
    assert min(ms.values()) >= 0


# Headers


@pytest.mark.parametrize("stream", [False, True])
async def test_a_header_says_whether_a_reply_is_steered_and_why_not(proxy: Proxy, stream: bool) -> None:
    async def said(**fields: Any) -> tuple[str | None, str | None]:
        headers = (await proxy.chat(stream=stream, **fields)).headers
        return headers.get("X-CoSteer-Steered"), headers.get("X-CoSteer-Reason")

    assert await said(profile="loud") == ("true", None)
    assert await said(profile="loud", strength="auto") == ("true", None)
    assert await said() == ("false", "no profile")
    assert await said(strength="auto") == ("false", "no profile")
    assert await said(profile="loud", strength=0) == ("false", "strength 0")


class TestWithoutRoom:
    @pytest.fixture
    def config(self) -> Any:
        return DecodingConfig(max_context_tokens=10)

    async def test_a_profile_that_does_not_fit_is_the_reason(self, proxy: Proxy) -> None:
        headers = (await proxy.chat(profile="loud")).headers
        assert headers["X-CoSteer-Steered"] == "false"
        assert headers["X-CoSteer-Reason"] == "nothing to steer by"


# Continuing a final assistant message

BEGUN = [*HELLO, {"role": "assistant", "content": "hello "}]


@pytest.mark.parametrize(("profile", "text"), [(None, "world"), ("loud", "WORLD")])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_final_message_is_continued(
    proxy: Proxy, profile: str | None, text: str, stream: bool
) -> None:
    fields: dict[str, Any] = {
        "continue_final_message": True,
        "add_generation_prompt": False,
        "messages": BEGUN,
    }
    response = await proxy.chat(profile=profile, stream=stream, **fields)
    assert response.status_code == 200, response.text
    if stream:
        assert text_of(choices_of(chunks_of(response))) == text
    else:
        assert response.json()["choices"][0]["message"]["content"] == text
        assert (
            response.json()["usage"]["prompt_tokens"] == len(FakeTokenizer().encode("Say hello.hello ")) + 3
        )


async def test_there_must_be_a_message_to_continue(proxy: Proxy) -> None:
    response = await proxy.chat(continue_final_message=True)
    assert response.status_code == 400
    assert error_of(response)["param"] == "messages"
    assert "continue_final_message" in error_of(response)["message"]


# OpenAI's own types

ASKED: dict[str, dict[str, Any]] = {
    "plain": {},
    "steered": {"profile": "loud"},
    "usage": {"stream_options": {"include_usage": True}},
    "several": {"n": 3, "profile": "joined"},
    "logprobs": {"logprobs": True},
    "top logprobs": {"logprobs": True, "top_logprobs": 20, "profile": "loud"},
    "stopped": {"stop": ["lo w"], "logprobs": True, "top_logprobs": 2},
    "cut": {"max_tokens": 3, "logprobs": True},
    "detail": {"profile": "loud", "costeer": {"detail": True}},
    "everything": {
        "n": 2,
        "profile": "joined",
        "logprobs": True,
        "top_logprobs": 3,
        "costeer": {"detail": True},
        "stream_options": {"include_usage": True},
    },
}


@pytest.mark.parametrize("name", ASKED)
async def test_replies_are_what_openai_s_types_say(proxy: Proxy, base_url: str, name: str) -> None:
    asked = dict(ASKED[name])
    chunks = chunks_of(await proxy.chat(stream=True, **asked))
    for chunk in chunks:
        validate_type(type_=ChatCompletionChunk, value=chunk)
    options = asked.pop("stream_options", None)
    validate_type(type_=ChatCompletion, value=(await proxy.chat(**asked)).json())
    own = {key: asked.pop(key) for key in ("profile", "costeer") if key in asked}
    async with openai.AsyncOpenAI(
        base_url=base_url, api_key="unused", max_retries=0, _strict_response_validation=True
    ) as client:
        fields: dict[str, Any] = {"model": "fake-model", "messages": HELLO, "temperature": 0, **asked}
        whole = await client.chat.completions.create(**fields, extra_body=own)
        streamed = await client.chat.completions.create(
            **fields, stream=True, stream_options=options or openai.omit, extra_body=own
        )
        chosen = [c.choices[0] async for c in streamed if c.choices]
    text = "".join(choice.delta.content or "" for choice in chosen if choice.index == 0)
    assert text == whole.choices[0].message.content


# Streams begin at once, and clients may leave


async def opened(base_url: str, **fields: Any) -> AsyncIterator[str]:
    body = {"model": "fake-model", "messages": HELLO, "stream": True, **fields}
    async with (
        httpx.AsyncClient() as client,
        client.stream("POST", f"{base_url}/chat/completions", json=body) as response,
    ):
        async for line in response.aiter_lines():
            yield line


async def test_the_role_comes_before_the_local_model_has_answered(proxy: Proxy, base_url: str) -> None:
    proxy.local.stalled.set()
    async with asyncio.timeout(30):
        lines = opened(base_url, profile="loud")
        first = json.loads((await anext(lines)).removeprefix("data: "))
        assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        await lines.aclose()  # type: ignore[attr-defined]
        await free(proxy)


def hanging(proxy: Proxy) -> None:
    """From now on no draft of the remote's has a first token."""

    async def draft(*_: Any, **__: Any) -> AsyncGenerator[DraftToken, None]:
        proxy.remote.drafts_open += 1
        try:
            await asyncio.Event().wait()
            yield DraftToken.__new__(DraftToken)
        finally:
            proxy.remote.drafts_open -= 1

    proxy.remote.draft = draft  # type: ignore[method-assign]


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def free(proxy: Proxy) -> None:
    await until(lambda: not proxy.remote.drafts_open and not proxy.local.sessions_open)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("hangs", [True, False])
@pytest.mark.parametrize("profile", [None, "loud"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_frees_everything(  # noqa: PLR0917
    proxy: Proxy, base_url: str, stream: bool, profile: str | None, hangs: bool, n: int
) -> None:
    await proxy.chat(stream=True)  # sse-starlette's first stream starts a task that stays
    proxy.remote.max_model_len, proxy.remote.endless = 10**9, True
    if hangs:
        hanging(proxy)
    body = {"model": "fake-model", "messages": HELLO, "stream": stream, "profile": profile, "n": n}
    threads = set(threading.enumerate())
    async with httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0)) as client:
        before = len(asyncio.all_tasks())
        for _ in range(100 if n == 1 else 10):
            asking = asyncio.create_task(client.post(f"{base_url}/chat/completions", json=body))
            await until(lambda: proxy.remote.drafts_open == n)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
            await free(proxy)
        await until(lambda: len(asyncio.all_tasks()) <= before)
    left = [thread.name for thread in set(threading.enumerate()) - threads]
    pools = ("asyncio_", "AnyIO worker")
    assert [name for name in left if not name.startswith(pools)] == []


async def test_a_client_that_leaves_while_its_prompt_is_made_frees_the_remote(
    proxy: Proxy, base_url: str
) -> None:
    await proxy.text(max_tokens=1)  # the vocabularies are compared by then
    waiting = 0

    async def tokenize(*_: Any, **__: Any) -> list[int]:
        nonlocal waiting
        waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            waiting -= 1
        return []

    proxy.remote.tokenize = tokenize  # type: ignore[method-assign]
    async with httpx.AsyncClient() as client:
        body = {"model": "fake-model", "messages": HELLO}
        asking = asyncio.create_task(client.post(f"{base_url}/chat/completions", json=body))
        await until(lambda: waiting > 0)
        asking.cancel()
        await until(lambda: waiting == 0)
