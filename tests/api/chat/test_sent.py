"""The detail's `sent`: all that a reply sent to the remote, as it arrived there, and nothing of others."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from drafting_vllm import MODEL, DraftingVLLM
from fakes import LOUD, LOUD_DOCUMENT, PRIVATE, FakeLocal, FakeTokenizer

from api.routes.test_chat import chunks_of
from app.api.dependencies import Parts
from app.decoding.cache_sweeper import Sweeper
from app.decoding.generator import Generator
from app.decoding.request import DecodingConfig
from app.decoding.retry import RetryPolicy
from app.decoding.vocabulary_match import VocabularyMatcher
from app.decoding.warmup import Warmer
from app.main import create_app
from app.profiles.store import Store
from app.prompts.retrieval import Retriever
from app.remote.interface import CallPiece, Said
from app.remote.sent import Sent
from app.remote.vllm import VLLMRemote
from app.settings.settings import Settings
from app.tokenization.probes import PROBES

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
ASKED = {"detail": True, "sent": True}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
TOKENIZER = FakeTokenizer()
Entries = list[dict[str, Any]]


@dataclass
class Run:
    """The proxy before a vLLM that keeps what comes."""

    vllm: DraftingVLLM
    client: httpx.AsyncClient
    remote: VLLMRemote
    store: Store

    async def ask(self, path: str = CHAT, **fields: Any) -> httpx.Response:
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "Say hello."}],
            "temperature": 0,
            "profile": "loud",
            "costeer": ASKED,
            **fields,
        }
        answer = await self.client.post(path, json={k: v for k, v in body.items() if v is not None})
        assert answer.status_code == 200, answer.text
        return answer

    async def sent(self, path: str = CHAT, **fields: Any) -> Entries:
        sent: Entries = (await self.ask(path, **fields)).json()["costeer"]["sent"]
        return sent

    async def warm(self) -> None:
        """So that nothing is compared for the next reply."""
        await self.ask(costeer=None)
        self.vllm.forget()


@pytest.fixture
async def run(tmp_path: Path, clean_environment: Path) -> AsyncIterator[Run]:
    vllm = DraftingVLLM()
    async with vllm.listening() as url, aclosing(VLLMRemote(url, spare=False)) as remote:
        with Store.open(tmp_path / "data") as store:
            store.profiles.put(LOUD_DOCUMENT)
            config = DecodingConfig(
                max_model_len=4096, draft_length=6, patience=RetryPolicy(5.0, first_wait=0.01)
            )
            generator = Generator(remote, FakeLocal(), VocabularyMatcher(remote, TOKENIZER), config)
            warmer = Warmer(store.profiles.get, generator.warm)
            retriever = Retriever(store.history, 5)
            sweeper = Sweeper(store, [], retriever, warmer.soon)
            app = create_app(Settings(), Parts(generator, store, retriever, 1.0, remote, warmer, sweeper))
            transport = httpx.ASGITransport(app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
            ):
                yield Run(vllm, client, remote, store)


def spelled(ids: list[int]) -> str:
    """Token ids as text, special tokens written out."""
    data = b"".join(TOKENIZER.token_bytes(i) or TOKENIZER.token_text(i).encode() for i in ids)
    return data.decode(errors="replace")


def texts(sent: Entries) -> list[str]:
    """The whole text of each request's token ids, put together as a client does it; empty without ids."""
    whole: list[str] = []
    for one in sent:
        before = whole[one["after"]] if one.get("after") is not None else ""
        whole.append(before + one.get("text", ""))
    return whole


def as_it_came(entry: dict[str, Any], text: str) -> tuple[str, Any]:
    """An entry, for a comparison with what arrived."""
    ids = (text, entry["tokens"]) if "tokens" in entry else None
    return entry["endpoint"], (entry["body"], ids, entry.get("allowed"))


def arrived(came: tuple[str, dict[str, Any] | None]) -> tuple[str, Any]:
    """What arrived, likewise: its token ids as text and as a number."""
    path, body = came
    rest = dict(body) if body is not None else None
    if rest is None:
        return path, (None, None, None)
    ids = rest.pop("prompt") if isinstance(rest.get("prompt"), list) else None
    allowed = rest.pop("allowed_token_ids", None)
    told = (spelled(ids), len(ids)) if ids is not None else None
    return path, (rest, told, len(allowed) if allowed is not None else None)


def assert_all_told(sent: Entries, came: list[tuple[str, dict[str, Any] | None]]) -> None:
    told = [as_it_came(one, text) for one, text in zip(sent, texts(sent), strict=True)]
    assert told == [*map(arrived, came)]


def assert_all_told_in_any_order(sent: Entries, came: list[tuple[str, dict[str, Any] | None]]) -> None:
    """For what is asked at once, and arrives on connections of its own."""
    told = [(one["endpoint"], one["body"], one.get("tokens")) for one in sent]
    assert sorted(map(repr, told)) == sorted(map(repr, map(_without_texts, came)))


def _without_texts(came: tuple[str, dict[str, Any] | None]) -> Any:
    path, (body, ids, _) = arrived(came)
    return path, body, ids[1] if ids is not None else None


async def test_every_request_is_told_as_it_arrived(run: Run) -> None:
    """The first reply has the vocabularies compared; later ones do not."""
    first = await run.sent()
    compared = [one for one in run.vllm.came if one[0] == "/tokenize" and "prompt" in (one[1] or {})]
    assert {one[1]["prompt"] for one in compared if one[1]} >= set(PROBES)
    assert_all_told_in_any_order(first, run.vllm.came)

    run.vllm.forget()
    sent = await run.sent()
    assert [one["endpoint"] for one in sent[:2]] == ["/tokenize", "/v1/completions"]
    assert len(sent) > 5  # capitals were chosen, and each was asked on from
    assert_all_told(sent, run.vllm.came)
    assert not any(one["embedded"] for one in sent)
    assert not any(private in json.dumps(sent) for private in PRIVATE)


async def test_a_prompt_is_carried_once(run: Run) -> None:
    run.vllm.fake.text = "a long reply " * 20
    await run.warm()
    drafts = [one for one in await run.sent(max_tokens=200) if one["endpoint"] == "/v1/completions"]
    assert [one["after"] is None for one in drafts] == [True, *[False] * (len(drafts) - 1)]
    assert [one["shared"] for one in drafts] == [0, *(one["tokens"] for one in drafts[:-1])]
    assert sum(len(one["text"]) for one in drafts) == len(texts(drafts_of(drafts))[-1])
    sampling = {"temperature", "top_p", "top_k", "min_p", "max_tokens", "logprobs", "model", "stream"}
    assert all(sampling < set(one["body"]) and "prompt" not in one["body"] for one in drafts)


def drafts_of(drafts: Entries) -> Entries:
    """Drafts alone, which are numbered from the first of them on."""
    return [{**one, "after": None if index == 0 else index - 1} for index, one in enumerate(drafts)]


async def test_streams_tell_it_in_the_totals(run: Run) -> None:
    await run.warm()
    for options in (None, {"include_usage": True}):
        run.vllm.forget()
        answer = await run.ask(stream=True, stream_options=options)
        chunks = chunks_of(answer)
        told = [one["costeer"]["sent"] for one in chunks if "sent" in one.get("costeer", {})]
        assert len(told) == 1 and "sent" in chunks[-1]["costeer"]
        assert_all_told(told[0], run.vllm.came)


async def test_responses_tell_it_and_do_not_keep_it(run: Run) -> None:
    await run.warm()
    fields = {"input": "Say hello.", "messages": None}
    answer = await run.ask(RESPONSES, **fields)
    assert_all_told(answer.json()["costeer"]["sent"], run.vllm.came)
    kept = await run.client.get(f"{RESPONSES}/{answer.json()['id']}")
    assert '"sent"' not in kept.text
    run.vllm.forget()
    streamed = await run.ask(RESPONSES, stream=True, **fields)
    last = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: ")][-1]
    assert_all_told(last["response"]["costeer"]["sent"], run.vllm.came)


async def test_several_choices_are_told_together(run: Run) -> None:
    await run.warm()
    sent = await run.sent(n=3, seed=1, temperature=1.0)
    assert_all_told_in_any_order(sent, run.vllm.came)
    whole = sorted(text for text, one in zip(texts(sent), sent, strict=True) if "text" in one)
    assert whole == sorted(ids[0] for _, (_, ids, _) in map(arrived, run.vllm.came) if ids is not None)


async def test_replies_at_once_do_not_mix(run: Run) -> None:
    await run.warm()
    run.vllm.fake.text = "hello to you all"
    words = [f"Word{number}." for number in range(6)]

    async def ask(word: str) -> Entries:
        sent: Entries = await run.sent(messages=[{"role": "user", "content": word}])
        return sent

    unasked = run.ask(messages=[{"role": "user", "content": "Unasked."}], costeer={"detail": True})
    told, other = await asyncio.gather(asyncio.gather(*map(ask, words)), unasked)
    assert "sent" not in other.json()["costeer"]
    for word, sent in zip(words, told, strict=True):
        own = [one for one in run.vllm.came if word in _words(one)]
        assert len(own) > 5
        assert_all_told(sent, own)


def _words(came: tuple[str, dict[str, Any] | None]) -> str:
    path, (body, ids, _) = arrived(came)
    return f"{path} {body} {ids}"


async def test_a_reply_that_is_resumed_tells_both_requests(run: Run) -> None:
    await run.warm()
    run.vllm.fake.text, run.vllm.breaks_after = "1234567890", 3
    answer = (await run.ask()).json()
    assert answer["costeer"]["resumed"] == 1
    assert_all_told(answer["costeer"]["sent"], run.vllm.came)


async def test_a_request_that_finds_no_connection_has_not_left(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run.warm()
    transport: Any = run.remote._connection._client._transport
    run.vllm.fake.text, run.vllm.breaks_after = "1234567890", 3
    handle = transport.handle_async_request
    refused: list[httpx.Request] = []

    async def once(request: httpx.Request) -> httpx.Response:
        if run.vllm.breaks_after is None and not refused:
            refused.append(request)
            raise httpx.ConnectError("refused")
        response: httpx.Response = await handle(request)
        return response

    monkeypatch.setattr(transport, "handle_async_request", once)
    answer = (await run.ask()).json()
    assert (answer["costeer"]["resumed"], len(refused)) == (2, 1)
    assert_all_told(answer["costeer"]["sent"], run.vllm.came)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_that_the_remote_goes_on_with_is_told(run: Run, stream: bool) -> None:
    await run.warm()
    run.vllm.fake.text = "wait. <tool_call>\n{"
    run.vllm.said = [Said("", (CallPiece(0, "call_1", "weather", "{}"),), None, "tool_calls", 9)]
    answer = await run.ask(tools=[TOOL], stream=stream)
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if '"sent"' in line]
    sent = json.loads(lines[0])["costeer"]["sent"]
    assert_all_told(sent, run.vllm.came)
    last = sent[-1]
    assert last["endpoint"] == CHAT and last["body"]["tools"] == [TOOL] and "text" not in last
    assert last["body"]["messages"][-1]["content"].lower().startswith("wait.")


async def test_placeholders_are_told_as_the_remote_has_them(run: Run) -> None:
    await run.warm()
    run.vllm.fake.text = "yours, [Your name]"
    answer = (await run.ask()).json()
    message = answer["choices"][0]["message"]
    assert LOUD.name in message["content"]
    run.vllm.forget()
    turn = [{"role": "user", "content": "Say hello."}, {"role": "assistant", "content": message["content"]}]
    sent = await run.sent(messages=[*turn, {"role": "user", "content": "Again."}])
    assert_all_told(sent, run.vllm.came)
    assert LOUD.name not in json.dumps(sent)
    assert "[YOUR NAME]" in texts(sent)[1]


async def test_a_grammar_s_tokens_are_counted(run: Run) -> None:
    await run.warm()
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    sent = await run.sent(response_format=wanted, max_tokens=12)
    assert_all_told(sent, run.vllm.came)
    assert any(one.get("allowed", 0) > 1 for one in sent)


async def test_without_it_nothing_is_noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not in what follows a reply that was told in the same task."""
    await run.ask()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("noted unasked")

    monkeypatch.setattr(Sent, "add", never)
    assert "sent" not in (await run.ask(costeer={"detail": True})).json()["costeer"]
    assert "costeer" not in (await run.ask(costeer=None)).json()
    answer = await run.client.post(CHAT, json={"model": MODEL, "messages": [], "costeer": {"sent": True}})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "costeer.sent")


async def test_nothing_of_a_reply_is_held_once_it_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by its connections, which stay open, nor by the comparison of vocabularies, which it began."""
    noted: list[weakref.ref[Sent]] = []
    add = Sent.add

    def watched(self: Sent, *given: Any, **more: Any) -> None:
        noted.append(weakref.ref(self))
        add(self, *given, **more)

    monkeypatch.setattr(Sent, "add", watched)
    await run.sent()
    gc.collect()
    assert len(noted) > 5 and {one() for one in noted} == {None}


async def test_a_profile_s_key_is_told_as_well(run: Run) -> None:
    await run.warm()
    secret = run.store.keys.create("app", "loud")[1]
    run.client.headers["Authorization"] = f"Bearer {secret}"
    assert_all_told(await run.sent(profile=None), run.vllm.came)
