"""Drafts against recordings of a real vLLM, and against streams that fail."""

from __future__ import annotations

import dataclasses
import itertools
from contextlib import aclosing

import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import (
    RemoteError,
)
from app.remote import wire
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams
from remote.recordings import (
    PROMPT,
    as_sse,
    draft,
    events,
    failing_draft,
    remote_answering,
    same,
    sent,
    stream,
)

# From recordings


@pytest.mark.parametrize(
    ("name", "ids", "ends"),
    [
        ("stream_greedy", [8420, 594, 264, 825, 2852, 10453], False),  # 594 and 264 came in one chunk
        ("stream_eos", [3263, 151645], True),
        ("stream_ignore_eos", [3263, 151645, 198, 151643, 334], False),
        ("stream_stop_token_id", None, True),
    ],
)
async def test_draft_reads_a_recorded_stream(
    router: respx.Router, remote: VLLMRemote, name: str, ids: list[int] | None, ends: bool
) -> None:
    router["completions"].respond(200, content=stream(name))
    positions = await draft(remote)
    choices = [choice for event in events(stream(name)) for choice in event["choices"]]
    assert [p.token_id for p in positions] == [i for choice in choices for i in choice["token_ids"]]
    assert ids is None or [p.token_id for p in positions] == ids
    assert [p.ends for p in positions] == [False] * (len(positions) - 1) + [ends]
    tops = [top for choice in choices for top in choice["logprobs"]["top_logprobs"]]
    for position, top in zip(positions, tops, strict=True):
        returned = dict(zip(position.candidates.tolist(), position.logprobs.tolist(), strict=True))
        assert {f"token_id:{i}": logprob for i, logprob in returned.items()} == top


async def test_a_token_outside_the_top_k_is_one_candidate_more(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("stream_sampled_outside_topk"))
    positions = await draft(remote, top_logprobs=2)
    assert [p.token_id for p in positions] == [10061, 13102, 128363, 100270, 44109]
    for position in positions:
        assert len(position.candidates) == len(position.logprobs) == 3
        assert position.token_id in position.candidates
        assert position.logprobs[position.candidates == position.token_id] == position.logprobs.min()


async def test_only_the_last_token_of_a_chunk_ends_the_reply() -> None:
    first, last, *_ = (event["choices"][0] for event in events(stream("stream_eos")) if event["choices"])
    for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        last["logprobs"][name] = first["logprobs"][name] + last["logprobs"][name]
    last["token_ids"] = first["token_ids"] + last["token_ids"]
    positions = await draft(remote_answering(as_sse([{"choices": [last]}])))
    assert [(p.token_id, p.ends) for p in positions] == [(3263, False), (151645, True)]


async def test_usage_chunks_draft_nothing() -> None:
    usage = [event for event in events(stream("stream_greedy")) if not event["choices"]]
    assert usage, "the recording holds a usage chunk"
    chunks = events(stream("stream_greedy"))
    body = as_sse([usage[0], *chunks])
    assert same(await draft(remote_answering(body)), await draft(remote_answering(as_sse(chunks[:-1]))))


async def test_ids_of_an_older_vllm_are_read_from_its_tokens() -> None:
    chunks = events(stream("stream_greedy"))
    for chunk in chunks:
        for choice in chunk["choices"]:
            del choice["token_ids"], choice["prompt_token_ids"]
    assert same(
        await draft(remote_answering(as_sse(chunks))), await draft(remote_answering(stream("stream_greedy")))
    )


# Bytes, however they are cut


async def test_events_survive_a_cut_at_every_byte() -> None:
    body = stream("stream_sampled_outside_topk")  # its text has characters of several bytes
    whole = await draft(remote_answering(body))
    for cut in range(1, len(body)):
        assert same(await draft(remote_answering(body[:cut], body[cut:])), whole), f"cut at {cut}"


@settings(max_examples=60)
@given(st.data())
async def test_events_survive_random_cuts(data: st.DataObject) -> None:
    body = stream(data.draw(st.sampled_from(["stream_greedy", "stream_ignore_eos"])))
    body = body.replace(b"\n", b"\r\n") if data.draw(st.booleans()) else body
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=40)))
    pieces = [body[a:b] for a, b in itertools.pairwise([0, *cuts, len(body)])]
    assert same(await draft(remote_answering(*pieces)), await draft(remote_answering(body)))


async def test_line_separators_inside_the_json_end_no_event() -> None:
    chunks = events(stream("stream_greedy"))
    chunks[0]["choices"][0]["text"] = "a\u2028b\u2029c\u0085d"
    body = as_sse(chunks)
    assert "\u2028".encode() in body and "\u0085".encode() in body, "they stand in it unescaped"
    assert same(await draft(remote_answering(body)), await draft(remote_answering(stream("stream_greedy"))))


async def test_comments_between_events_are_no_events() -> None:
    body = stream("stream_greedy").replace(b"data: ", b": ping\n\ndata: ")
    assert same(await draft(remote_answering(body)), await draft(remote_answering(stream("stream_greedy"))))


# What is asked


async def test_a_draft_asks_for_ids_and_sets_every_sampling_field(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("stream_greedy"))
    await draft(remote, SamplingParams(), top_logprobs=7)
    assert sent(router["completions"]) == {
        "model": "qwen",
        "prompt": PROMPT,
        "max_tokens": 6,
        "logprobs": 7,
        "stream": True,
        "return_token_ids": True,
        "return_tokens_as_token_ids": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
    }


async def test_a_draft_sends_the_sampling_that_it_is_given(router: respx.Router, remote: VLLMRemote) -> None:
    router["completions"].respond(200, content=stream("stream_greedy"))
    sampling = SamplingParams(
        0.5, 0.9, 40, 0.05, 0.1, -0.2, 1.1, {198: -100.0, 264: 1.5}, allowed_token_ids=(198, 264), seed=0
    )
    await draft(remote, sampling)
    as_json = {"logit_bias": {"198": -100.0, "264": 1.5}, "allowed_token_ids": [198, 264]}
    expected = dataclasses.asdict(sampling) | as_json
    assert {name: sent(router["completions"])[name] for name in expected} == expected


# Streams that fail


async def test_a_cap_that_is_said_in_the_stream_is_the_same_refusal(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("error_stream_logprobs_cap"))
    ids, error = await failing_draft(remote)
    assert (ids, type(error), error.code) == ([], RemoteError, "logprobs_cap")
    assert "--max-logprobs" in error.message and "COSTEER_TOP_LOGPROBS" in error.message


async def test_positions_before_an_error_event_are_delivered(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("error_midstream_shutdown"))
    ids, error = await failing_draft(remote)
    assert ids == [8420, 594, 264, 825]
    assert (type(error), error.status) == (RemoteError, 502)
    assert "EngineCore encountered an issue" in error.message


@pytest.mark.parametrize("reason", ["stop", "length", "abort", "error"])
async def test_a_reply_without_a_token_is_no_reply(reason: str) -> None:
    event = {"choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": reason}]}
    async with aclosing(remote_answering(as_sse([event]))) as remote:
        ids, error = await failing_draft(remote)
    assert (ids, type(error), error.code) == ([], RemoteError, RemoteError.code)


async def test_done_without_a_finish_reason_is_no_success() -> None:
    chunks = events(stream("stream_greedy"))[:-2]  # without the last choice and the usage
    ids, error = await failing_draft(remote_answering(as_sse(chunks)))
    assert ids == [8420, 594, 264, 825, 2852]
    assert type(error) is RemoteError and "before the reply was finished" in error.message


def without_logprobs() -> bytes:
    chunks = events(stream("stream_greedy"))
    chunks[0]["choices"][0]["logprobs"] = None
    return as_sse(chunks)


def with_logprobs(told: dict[str, float | None], token_id: float = 5) -> bytes:
    chunk = events(stream("stream_greedy"))[0]
    choice = chunk["choices"][0]
    choice["token_ids"], choice["logprobs"]["top_logprobs"] = [token_id], [told]
    return as_sse([chunk])


def with_text_tokens() -> bytes:
    chunks = events(stream("stream_greedy"))
    chunks[0]["choices"][0]["logprobs"]["top_logprobs"] = [{"Here": -0.65, "Sure": -1.9}]
    return as_sse(chunks)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (without_logprobs(), "without logprobs"),
        (with_text_tokens(), "tokens as ids"),
        (b"data: {not json\n\n", "not a vLLM's"),
        (as_sse([{"choices": [{"index": 0}]}]), "not a vLLM's"),
        (b"<!doctype html>\n<title>It works</title>\n", "before the reply was finished"),
        (with_logprobs({"token_id:5": None}), "not a vLLM's"),
        (with_logprobs({"token_id:5": -0.1, "token_id:-1": -3.0}), "not a vLLM's"),
        (with_logprobs({"token_id:5": -0.1, f"token_id:{2**70}": -3.0}), "not a vLLM's"),
        (with_logprobs({"token_id:5": -0.1}, -1), "not a vLLM's"),
        (with_logprobs({"token_id:5": -0.1}, 5.0), "not a vLLM's"),
    ],
)
async def test_a_stream_that_is_no_vllms_is_refused(body: bytes, says: str) -> None:
    ids, error = await failing_draft(remote_answering(body))
    assert (ids, type(error)) == ([], RemoteError)
    assert says in error.message


async def test_bytes_that_do_not_decompress_are_an_error_of_the_remote() -> None:
    _, error = await failing_draft(remote_answering(b"no gzip", headers={"Content-Encoding": "gzip"}))
    assert type(error) is RemoteError


async def test_a_line_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_OF_A_LINE", 1000)
    _, error = await failing_draft(remote_answering(b"data: ", *[b"x" * 300] * 4))
    assert "a line without an end" in error.message
    whole = await draft(remote_answering(stream("stream_greedy")))
    assert len(whole) > 1
