"""KV caches under the whole product: what can be noticed of other profiles, and what outlives a change."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Proxy
from fakes import JOINED, LOUD, LOUD_DOCUMENT, LOUD_HISTORY, FakeTokenizer
from toy_runner import ToyRunner

from api.routes.test_chat import HELLO
from app.api.dependencies import Parts
from app.decoding import cache_sweeper
from app.decoding.cache_sweeper import Sweeper
from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.decoding.warmup import Warmer
from app.local.engine.owner import Owner
from app.local.model import LocalModel
from app.main import create_app
from app.profiles.profile import Profile, ProfileDocument
from app.profiles.shelf import CHOICES, MemoryShelf
from app.profiles.store import Store
from app.prompts.message import Message
from app.prompts.private import introduction
from app.prompts.retrieval import Retriever
from app.remote.embedded import EmbeddedRemote
from app.settings.settings import Settings
from app.steering.sampling import SamplingParams

Talk = list[dict[str, str]]
SECRET = [{"role": "user", "content": "May I tell Anna that the foghorn at Cape Wrath is to be closed?"}]
FOG = [{"role": "user", "content": "What does the old horn do before fog?"}]


@dataclass
class House:
    """The product over two toy models, with a profile for whom to guess, and one to guess at."""

    client: httpx.AsyncClient
    local: ToyRunner
    remote: ToyRunner
    store: Store
    parts: Parts
    warmer: Warmer
    choices: MemoryShelf

    async def chat(
        self, profile: str | None, messages: list[dict[str, str]], **fields: Any
    ) -> httpx.Response:
        body = {"model": "toy", "messages": messages, "max_tokens": 1, "temperature": 0, **fields}
        body |= {"profile": profile} if profile else {}
        response = await self.client.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        return response

    async def cost(self, profile: str | None, messages: Talk, **fields: Any) -> list[int]:
        """Tokens that the local and the remote model computed for a reply: all that its time depends on."""
        before = [sum(runner.computed) for runner in (self.local, self.remote)]
        await self.chat(profile, messages, **fields)
        # What the next one finds depends on what is back by then.
        await _given_back(self)
        after = [sum(runner.computed) for runner in (self.local, self.remote)]
        return [b - a for a, b in zip(before, after, strict=True)]

    def of_loud(self) -> list[weakref.ref[Any]]:
        """All caches of the profile, and their tensors."""
        caches = [c for runner in (self.local, self.remote) for c in runner.held() if _is_loud(c.owner)]
        return [weakref.ref(one) for cache in caches for one in (cache, *cache._layers.values())]


def _is_loud(owner: Any) -> bool:
    return owner is not None and owner.profile_id == "loud"


@asynccontextmanager
async def opened(data_dir: Path) -> AsyncIterator[House]:
    local, remote = ToyRunner(), ToyRunner()
    embedded = EmbeddedRemote(remote)
    try:
        with Store.open(data_dir) as store:
            store.profiles.put(LOUD_DOCUMENT)
            store.profiles.put(ProfileDocument(JOINED))
            generator = Generator(
                embedded, LocalModel(local), VocabularyMatcher(embedded, FakeTokenizer()), DecodingConfig()
            )
            choices = MemoryShelf(CHOICES)
            retriever = Retriever(store.history, 5, choices)
            warmer = Warmer(store.profiles.get, generator.warm)
            sweeper = Sweeper(store, (local, remote), retriever, warmer.soon)
            parts = Parts(generator, store, retriever, 0.5, embedded, warmer, sweeper)
            transport = httpx.ASGITransport(create_app(Settings(), parts))
            async with (
                warmer.running([]),
                httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
            ):
                client._transport.app.state.parts = parts  # type: ignore[attr-defined]
                yield House(client, local, remote, store, parts, warmer, choices)
    finally:
        for runner in (local, remote):
            await asyncio.to_thread(runner.close)


@pytest.fixture
async def house(tmp_path: Path, clean_environment: Path) -> AsyncIterator[House]:
    async with opened(tmp_path / "data") as house:
        yield house


# What can be noticed of others


def guesses() -> list[Talk]:
    """At the private text, longer and longer, right and wrong; at what was said; at both."""
    private = introduction(LOUD)
    wrong = introduction(replace(LOUD, name="Lottie"))
    return [
        *(
            [{"role": "system", "content": text[:end]}, *HELLO]
            for end in (190, 220, 300)
            for text in (private, wrong)
        ),
        SECRET,
        [{"role": "user", "content": SECRET[0]["content"].replace("closed", "opened")}],
        [{"role": "system", "content": private}, *SECRET],
    ]


@pytest.mark.parametrize("fields", [{}, {"strength": 0}], ids=["steered", "not steered"])
async def test_what_a_request_costs_says_nothing_of_other_profiles(
    tmp_path: Path, clean_environment: Path, fields: dict[str, Any]
) -> None:
    async with opened(tmp_path / "quiet") as house:
        alone = [await house.cost("joined", guess, **fields) for guess in guesses()]
    async with opened(tmp_path / "busy") as house:
        await house.parts.generator.warm(house.store.profiles.get("loud"))
        await house.chat("loud", SECRET)
        await house.chat("loud", FOG, strength=0)
        await house.chat(None, SECRET)
        assert [await house.cost("joined", guess, **fields) for guess in guesses()] == alone
        # Nor do those who have no profile find what others said.
        first = await house.cost(None, FOG)
    async with opened(tmp_path / "fresh") as house:
        assert await house.cost(None, FOG) == first


async def test_the_next_turn_and_the_next_conversation_of_a_profile_find_its_beginning(house: House) -> None:
    private = len(introduction(LOUD))
    cold = await house.cost("loud", SECRET)
    assert cold[0] > private
    reply = (await house.chat("loud", SECRET)).json()["choices"][0]["message"]["content"]
    longer = [*SECRET, {"role": "assistant", "content": reply}, *HELLO]
    assert max(await house.cost("loud", longer)) < 100
    assert (await house.cost("loud", HELLO))[0] < 100
    # Also after something was added to the history, as a recorded exchange is.
    await house.client.patch("/v1/profiles/loud", json={"record_history": True})
    await asyncio.wait_for(house.warmer.idle(), 10)
    await house.chat("loud", SECRET)
    assert (await house.client.get("/v1/profiles/loud")).json()["history_count"] == 2
    assert max(await house.cost("loud", longer)) < 100
    await house.client.post("/v1/profiles/loud/history", json={"text": "The lamp is lit."})
    assert max(await house.cost("loud", [*longer, {"role": "assistant", "content": ""}, *HELLO])) < 100


@pytest.mark.parametrize("opposite", ["", "Be apart."])
async def test_preferences_leave_what_is_cached_of_the_person_and_of_the_conversation(
    house: House, opposite: str
) -> None:
    wishes = {"costeer": {"preferences": [{"text": "Be JOINED.", "opposite": opposite}]}}
    await house.cost("loud", SECRET)
    again, _ = await house.cost("loud", SECRET)
    question = FakeTokenizer().chat([Message(one["role"], one["content"]) for one in SECRET])
    # In front with the marks of a system message, and behind the question after an empty line.
    own = [len(question) + 2 * len(text) + 4 for text in ("Be JOINED.", opposite) if text]
    cold, _ = await house.cost("loud", SECRET, **wishes)
    assert again < cold <= again + sum(own)
    # And the next turn finds what was computed for them.
    assert (await house.cost("loud", SECRET, **wishes))[0] <= again + len(own)
    longer = [*SECRET, {"role": "assistant", "content": "a"}, *HELLO]
    assert max(await house.cost("loud", longer, **wishes)) < 4 * (len(HELLO[0]["content"]) + 25)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_in_the_cache_is_told_to_who_may_see_all_profiles(proxy: Proxy, stream: bool) -> None:
    for profile_id, told in (("loud", False), (None, True)):
        _, secret = proxy.store.keys.create("test", profile_id)
        key = {"Authorization": f"Bearer {secret}"}
        body = (await proxy.chat(profile="loud", stream=stream, costeer={"detail": True}, headers=key)).text
        assert "local_passes" in body
        assert ("local_prompt" in body, "found" in body, "prefilled" in body) == (told, told, told)


# What outlives a change


def _created_anew(store: Store) -> None:
    store.profiles.delete("loud")
    store.profiles.put(LOUD_DOCUMENT)


Change = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
TURN = {"id": "loud", "name": "Lotte Ohrwurm", "fields": {"occupation": "Lighthouse keeper"}}
CHANGES: dict[str, Change] = {
    "patched": lambda client: client.patch("/v1/profiles/loud", json={"name": "L."}),
    "replaced": lambda client: client.post("/v1/profiles/import?replace=true", json=TURN),
    "deleted": lambda client: client.delete("/v1/profiles/loud"),
    "item corrected": lambda client: client.patch(
        "/v1/profiles/loud/history/item_1", json={"text": "No fog."}
    ),
    "item deleted": lambda client: client.delete("/v1/profiles/loud/history/item_1"),
    "history deleted": lambda client: client.delete("/v1/profiles/loud/history"),
}
ELSEWHERE: dict[str, Callable[[Store], object]] = {
    "patched": lambda store: store.profiles.update("loud", lambda old: replace(old, name="L.")),
    "replaced": lambda store: store.profiles.put(ProfileDocument(Profile("loud", "Lo"))),
    "deleted": lambda store: store.profiles.delete("loud"),
    "deleted and created": _created_anew,
    "item deleted": lambda store: store.history.delete("loud", [1]),
}


async def used(house: House) -> list[weakref.ref[Any]]:
    """The profile is warm, and so is another one."""
    await house.parts.generator.warm(house.store.profiles.get("loud"))
    await house.chat("loud", SECRET)
    await house.chat("loud", FOG)
    await house.chat("joined", HELLO)
    await house.chat(None, HELLO)
    await _given_back(house)
    for text in (LOUD.name, LOUD_HISTORY[0].text, SECRET[0]["content"], JOINED.name):
        assert text in house.local.reads()
    left = house.of_loud()
    assert len(left) > 8
    return left


async def _given_back(house: House) -> None:
    """All leases have been: a lease is over a moment before its caches are back."""
    await until(lambda: not (house.local.caches._lent or house.remote.caches._lent))


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a thread to get there."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


def gone(left: list[weakref.ref[Any]]) -> bool:
    gc.collect()
    return all(one() is None for one in left)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_of_a_profile_is_in_memory_once_a_change_is_answered(house: House, change: str) -> None:
    left = await used(house)
    answer = await CHANGES[change](house.client)
    assert answer.is_success, answer.text
    assert gone(left)
    await asyncio.wait_for(house.warmer.idle(), 10)
    await _given_back(house)
    for runner in (house.local, house.remote):
        assert SECRET[0]["content"] not in runner.reads()
        assert LOUD_HISTORY[0].text not in runner.reads()
        assert HELLO[0]["content"] in runner.reads(), "the others keep theirs"
    assert JOINED.name in house.local.reads()
    # One that is still there is warm again, as it is now.
    there = [Owner.of(profile) for profile in house.store.profiles.all() if profile.id == "loud"]
    assert {owner for owner in house.local.owners() if _is_loud(owner)} == set(there)
    # Choices of its history are forgotten with it, and with whoever had its id before.
    assert ("loud" in house.choices.owners()) == (change not in {"deleted", "replaced"})


@pytest.mark.parametrize("change", ELSEWHERE)
async def test_a_change_by_another_process_is_noticed(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(cache_sweeper, "SECONDS", 0.01)
    async with house.parts.sweeper.running():
        left = await used(house)
        with Store.open(tmp_path / "data") as other:
            ELSEWHERE[change](other)
        await until(lambda: gone(left))
    assert LOUD_HISTORY[0].text not in house.local.reads()
    assert JOINED.name in house.local.reads()


def _generation(profile: Profile) -> GenerationRequest:
    messages = (Message("user", "Say hello."),)
    return GenerationRequest(
        "toy", messages, SamplingParams(temperature=0.0), 20, profile=profile, strength=0.5
    )


async def test_a_reply_that_runs_through_the_change_leaves_nothing_behind(house: House) -> None:
    profile = house.store.profiles.get("loud")
    reply = await house.parts.generator.prepare(_generation(profile))
    async with aclosing(reply.pieces()) as pieces:
        await anext(pieces)
        left = house.of_loud()
        assert left
        await house.client.delete("/v1/profiles/loud")
        assert LOUD.name in house.local.reads()  # it goes on
        rest = [piece async for piece in pieces]
    assert rest[-1].finish_reason == "length"
    del reply, pieces, rest
    await until(lambda: gone(left))
    assert house.of_loud() == []


async def test_a_reply_that_had_read_the_profile_before_is_swept_up_after(house: House) -> None:
    profile = house.store.profiles.get("loud")
    await house.client.delete("/v1/profiles/loud")
    reply = await house.parts.generator.prepare(_generation(profile))
    async with aclosing(reply.pieces()) as pieces:
        assert [piece async for piece in pieces]
    await _given_back(house)
    assert LOUD.name in house.local.reads()
    assert house.parts.sweeper._due()
    await house.parts.sweeper.sweep()
    assert LOUD.name not in house.local.reads()
    assert not house.parts.sweeper._due()
