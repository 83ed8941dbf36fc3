"""What is noted of what is sent: every request once it leaves, and the embedded model as a vLLM is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from drafting_vllm import MODEL, DraftingVLLM
from fakes import FakeTokenizer
from hypothesis import given
from hypothesis import strategies as st
from toy_runner import ToyRunner

from app.api.chat.sent import sent_requests
from app.errors import RemoteError, RemoteUnavailable
from app.network.proxy import Proxy
from app.prompts.message import Message
from app.remote.embedded import EmbeddedRemote
from app.remote.interface import CallPiece, Handover, ModelCard, RemoteModel, Said
from app.remote.sent import Sent, note
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams
from remote.loopback import Connection, loopback
from remote.recorder import RecordingProxy, listening
from remote.recordings import BASE

QUESTION = (Message("user", "Tree?"),)
TOOLS = ({"type": "function", "function": {"name": "wait"}},)
TOKENIZER = FakeTokenizer()
BYTES = st.lists(st.integers(0, 259), max_size=6)


@pytest.fixture(autouse=True)
def unasked() -> Iterator[None]:
    yield
    note(wanted=False)


def begun() -> Sent:
    sent = note(wanted=True)
    assert sent is not None
    return sent


async def asked(remote: RemoteModel) -> list[dict[str, Any]]:
    """All that is noted where a remote is asked everything that a reply asks."""
    sent = begun()
    await remote.tokenize_text("a tree")
    prompt = await remote.tokenize(QUESTION, tools=TOOLS)
    await remote.tokenize(QUESTION, continue_final=True)
    await remote.tokenize(QUESTION, opens=False)
    sampling = SamplingParams(temperature=0.5, seed=7, logit_bias={97: 1.0}, allowed_token_ids=(97, 98))
    for ids in (prompt, [*prompt, 97], [*prompt, 97, 98]):
        drafts = remote.draft(ids, sampling=sampling, top_logprobs=3, max_tokens=1)
        async with aclosing(drafts) as positions:
            async for _ in positions:
                pass
    asked = {"temperature": 0.0, "stop": ["x"]}
    handover = Handover(QUESTION, TOOLS, begun="wait", max_tokens=2, asked=asked, stream=False)
    async with aclosing(remote.take_over(handover)) as said:
        async for _ in said:
            pass
    return sent_requests(sent, TOKENIZER)


async def test_the_embedded_model_is_noted_as_a_vllm_is() -> None:
    vllm = DraftingVLLM()
    vllm.said = [Said("", (CallPiece(0, "call_1", "wait", "{}"),), None, "tool_calls", 9)]
    async with vllm.listening() as url, aclosing(VLLMRemote(url, spare=False)) as remote:
        await remote.card()
        left = await asked(remote)
    runner = ToyRunner()
    try:
        kept = await asked(EmbeddedRemote(runner))
    finally:
        runner.close()
    assert {one["body"]["model"] for one in left} == {MODEL}
    assert {one["body"]["model"] for one in kept} == {runner.name}
    for one in (*left, *kept):
        del one["body"]["model"]
    assert [one.pop("embedded") for one in left] == [False] * len(left)
    assert [one.pop("embedded") for one in kept] == [True] * len(kept)
    assert kept == left
    assert [one["endpoint"] for one in left] == [
        *["/tokenize"] * 4,
        *["/v1/completions"] * 3,
        "/v1/chat/completions",
    ]
    assert [(one["after"], one["text"]) for one in left[5:7]] == [(4, "a"), (5, "b")]
    assert left[4]["allowed"] == 2


@given(st.lists(st.tuples(st.integers(0, 8), BYTES, st.integers(0, 3)), min_size=1, max_size=8))
def test_texts_are_put_together_again(steps: list[tuple[int, list[int], int]]) -> None:
    """Each prompt goes on from one before it, perhaps without its last tokens, in the middle of a character
    too."""
    sent, prompts = Sent(), [list("é<🌳".encode())]
    for before, more, cut in steps:
        prompt = prompts[before % len(prompts)]
        prompts.append([*prompt[: len(prompt) - cut], *more])
    for prompt in prompts:
        sent.add("POST", "/v1/completions", {"prompt": prompt, "seed": 1}, embedded=False)
    told = sent_requests(sent, TOKENIZER)
    whole: list[str] = []
    for one, prompt in zip(told, prompts, strict=True):
        before_it = whole[one["after"]] if one["after"] is not None else ""
        whole.append(before_it + one["text"])
        spelled = b"".join(TOKENIZER.token_bytes(i) or TOKENIZER.token_text(i).encode() for i in prompt)
        assert whole[-1] == spelled.decode(errors="replace")
        assert one["tokens"] == len(prompt)
        if one["after"] is not None:
            assert prompts[one["after"]] == prompt[: one["shared"]]
    assert all(one["body"] == {"seed": 1} for one in told)


def test_a_long_prompt_is_held_once() -> None:
    sent, prompt = Sent(), list(range(200)) * 20
    for number in range(100):
        prompt = [*prompt, number]
        sent.add("POST", "/v1/completions", {"prompt": prompt}, embedded=False)
    assert sum(len(one.ids or ()) for one in sent.requests) == len(prompt)
    assert [one.tokens for one in sent.requests] == [4001 + number for number in range(100)]


def test_a_reply_of_many_requests_is_not_walked_through_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done where all replies wait."""
    walked: list[int] = []
    walk = Sent._before

    def counted(self: Sent, ids: list[int]) -> tuple[int | None, int]:
        walked.append(len(ids))
        return walk(self, ids)

    monkeypatch.setattr(Sent, "_before", counted)
    sent, replies = Sent(), [[1, 2, 3] for _ in range(8)]
    for step in range(100):
        for number, ids in enumerate(replies):
            sent.add("POST", "/v1/completions", {"prompt": [*ids]}, embedded=False)
            ids += [number, step]
    assert len(walked) <= len(replies)
    held = [one.ids for one in sent.requests]
    assert held == [[1, 2, 3], *[[]] * 7, *([number, step] for step in range(99) for number in range(8))]


async def test_ids_to_detokenize_are_told_whole() -> None:
    sent = begun()
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"prompt": "ab", "data": []}))
    async with aclosing(VLLMRemote(BASE, transport=transport)) as remote:
        remote._card = ModelCard("toy", None)
        await remote.detokenize([97, 98])
    (told,) = sent_requests(sent, TOKENIZER)
    assert (told["endpoint"], told["tokens"], told["after"], told["text"]) == ("/detokenize", 2, None, "ab")
    assert told["body"] == {"model": "toy"}


async def test_what_finds_no_connection_is_not_noted() -> None:
    sent = begun()
    async with aclosing(VLLMRemote("http://127.0.0.1:9/v1", spare=False)) as remote:
        with pytest.raises(RemoteUnavailable):
            await remote.card()
    assert sent.requests == []


async def test_what_is_asked_of_a_proxy_is_not_the_remote_s() -> None:
    """The tunnel's CONNECT; what goes through it is."""
    refused, sent = RecordingProxy(0, refusing="503 No"), begun()
    async with listening(refused) as proxy:
        through = Proxy(f"http://127.0.0.1:{proxy.port}", "COSTEER_REMOTE_PROXY")
        async with aclosing(VLLMRemote("https://vllm.test/v1", proxy=through)) as remote:
            with pytest.raises(RemoteUnavailable):
                await remote.card()
    assert refused.requests == ["CONNECT vllm.test:443 HTTP/1.1"]
    assert sent.requests == []


async def test_what_is_sent_and_never_answered_is_noted() -> None:
    vllm = DraftingVLLM()
    async with vllm.listening() as url, aclosing(VLLMRemote(url, spare=False)) as remote:
        await remote.card()
        sent, vllm.breaks_after = begun(), 0
        drafts = remote.draft([258, 97], sampling=SamplingParams(), top_logprobs=2, max_tokens=4)
        came = asyncio.create_task(anext(drafts))
        await asyncio.wait([came])
        assert came.exception() is not None
        vllm.forget()
    assert [one.endpoint for one in sent.requests] == ["/v1/completions"]


async def test_what_is_sent_twice_is_noted_twice() -> None:
    """Once more on a connection of its own, where one ended before any response."""

    async def serve(connection: Connection) -> None:
        connection.writer.close()
        raise ConnectionResetError

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url, spare=False)) as remote:
        await remote.card()
        sent = begun()
        with pytest.raises(RemoteError):
            await remote.tokenize_text("a tree")
    assert [path for path, _ in server.bodies] == ["/v1/models", "/tokenize", "/tokenize"]
    assert [one.endpoint for one in sent.requests] == ["/tokenize"] * 2


async def test_each_task_has_its_own_notes() -> None:
    vllm = DraftingVLLM()
    async with vllm.listening() as url, aclosing(VLLMRemote(url, spare=False)) as remote:
        await remote.card()

        async def ask(text: str, *, wanted: bool) -> Sent | None:
            sent = note(wanted=wanted)
            await asyncio.gather(*(asyncio.create_task(remote.tokenize_text(text)) for _ in range(3)))
            return sent

        one, none, other = await asyncio.gather(
            ask("one", wanted=True), ask("none", wanted=False), ask("other", wanted=True)
        )
    assert one is not None and other is not None and none is None
    for sent, text in ((one, "one"), (other, "other")):
        assert [each.body and each.body["prompt"] for each in sent.requests] == [text] * 3
