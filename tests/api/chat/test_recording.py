"""With record_history on, a finished exchange is kept as a turn before the client hears of its end; where
that fails, the client gets its reply all the same and is told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import httpx
import pytest
from conftest import Proxy
from fakes import LOUD

from api.routes.test_chat import HELLO, chunks_of, error_of
from app.errors import RemoteError, RemoteUnavailable, StoreError
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.store import history
from app.remote.interface import DraftToken


@pytest.fixture
def recording(proxy: Proxy) -> Proxy:
    proxy.store.profiles.update("loud", lambda profile: replace(profile, record_history=True))
    return proxy


def turns(proxy: Proxy, profile_id: str = "loud") -> list[tuple[str, str]]:
    """Each exchange's request and text."""
    page = proxy.store.history.page(profile_id, limit=100, newest_first=False)
    return [(one.item.request, one.item.text) for one in page.items if one.item.kind == "turn"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_finished_exchange_is_recorded(recording: Proxy, stream: bool) -> None:
    messages = [*HELLO, {"role": "assistant", "content": "HI"}, {"role": "user", "content": "Again?"}]
    await recording.chat(profile="loud", messages=messages, stream=stream)
    assert turns(recording) == [("Again?", "HELLO WORLD")]
    (newest, *_) = recording.store.history.page("loud").items
    assert (newest.item.source, newest.item.title) == ("chat", "")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unsteered_exchange_is_recorded_as_well(recording: Proxy, stream: bool) -> None:
    await recording.chat(profile="loud", strength=0, stream=stream)
    assert turns(recording) == [("Say hello.", "hello world")]


async def test_what_the_client_got_is_what_is_recorded(recording: Proxy) -> None:
    await recording.chat(profile="loud", stop=["wor", "WOR"])
    await recording.chat(profile="loud", max_tokens=2)
    assert [text for _, text in turns(recording)] == ["HELLO", "HE"]


async def test_recording_is_off_by_default_and_without_a_profile(recording: Proxy) -> None:
    await recording.chat(profile="joined")
    await recording.chat()
    assert turns(recording) == turns(recording, "joined") == []


@pytest.mark.parametrize("value", ["off", "Off", "OFF"])
async def test_a_header_switches_it_off_for_one_request(recording: Proxy, value: str) -> None:
    await recording.chat(profile="loud", headers={"X-CoSteer-Record": value})
    assert turns(recording) == []
    await recording.chat(profile="loud")
    assert len(turns(recording)) == 1


@pytest.mark.parametrize("value", ["on", "", "false", "0"])
async def test_the_header_takes_nothing_else(recording: Proxy, value: str) -> None:
    """Someone who wanted it off and is misread would be recorded."""
    response = await recording.chat(profile="loud", headers={"X-CoSteer-Record": value})
    assert response.status_code == 400
    assert "`off`" in error_of(response)["message"]
    assert turns(recording) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_an_exchange_that_breaks_is_not_recorded(recording: Proxy, stream: bool) -> None:
    recording.remote.failure, recording.remote.failing_after = RemoteError("The connection broke."), 4
    await recording.chat(profile="loud", stream=stream)
    assert turns(recording) == []


async def test_an_exchange_that_the_client_leaves_is_not_recorded(recording: Proxy, base_url: str) -> None:
    recording.remote.endless, recording.remote.max_model_len = True, 10**9
    body = {"model": "fake-model", "messages": HELLO, "stream": True, "profile": "loud"}
    async with (
        httpx.AsyncClient() as client,
        client.stream("POST", f"{base_url}/chat/completions", json=body) as response,
    ):
        await anext(response.aiter_lines())
    async with asyncio.timeout(30):
        while recording.remote.drafts_open or recording.local.sessions_open:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert turns(recording) == []


@pytest.mark.parametrize("text", [" ", "\0", " \0\n"])
async def test_a_blank_reply_is_nothing_to_record(recording: Proxy, text: str) -> None:
    recording.remote.text = text
    await recording.chat(profile="loud", strength=0)
    assert turns(recording) == []


async def test_whatever_is_recorded_can_be_exported_and_imported(recording: Proxy) -> None:
    await recording.chat(profile="loud", messages=[{"role": "user", "content": "zero\0byte"}])
    exported = (await recording.client.get("/v1/profiles/loud/export")).content
    await recording.client.delete("/v1/profiles/loud")
    assert (
        await recording.client.post(
            "/v1/profiles/import", content=exported, headers={"Content-Type": "application/json"}
        )
    ).status_code == 201
    assert (await recording.client.get("/v1/profiles/loud/export")).content == exported
    assert turns(recording) == [("zerobyte", "HELLO WORLD")]


def told(response: httpx.Response) -> tuple[str, str | None]:
    """The text of a reply that is whole, and why it is not recorded; None when it says nothing of that."""
    assert response.status_code == 200
    if not response.headers["content-type"].startswith("text/event-stream"):
        reason = response.headers.get("X-CoSteer-Recorded-Reason")
        assert (response.headers.get("X-CoSteer-Recorded") == "false") == (reason is not None)
        return response.json()["choices"][0]["message"]["content"], reason
    chunks = chunks_of(response)
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    said = chunks[-1].get("costeer", {})
    assert said.get("recorded", True) is ("recorded_reason" not in said)
    return text, said.get("recorded_reason")


def meanwhile(proxy: Proxy, change: Callable[[], object]) -> None:
    """Makes `change` happen while the next reply is written."""
    draft = proxy.remote.draft

    async def changing(*args: Any, **kwargs: Any) -> AsyncGenerator[DraftToken, None]:
        proxy.remote.draft = draft  # type: ignore[method-assign]
        async for drafted in draft(*args, **kwargs):
            yield drafted
            break
        change()
        raise RemoteUnavailable("The stream was cut off.")  # so that the rest is drafted anew

    proxy.remote.draft = changing  # type: ignore[method-assign]


ANOTHER = ProfileDocument(replace(LOUD, name="Another person", record_history=True))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("again", [False, True])
async def test_the_reply_to_a_profile_that_is_erased_meanwhile_is_whole_and_kept_nowhere(
    recording: Proxy, stream: bool, again: bool
) -> None:
    """Under the same id may be another person by then."""

    def change() -> None:
        recording.store.profiles.delete("loud")
        if again:
            recording.store.profiles.create(ANOTHER)

    meanwhile(recording, change)
    reply, reason = told(await recording.chat(profile="loud", stream=stream))
    assert reply == "HELLO WORLD"
    assert reason == "the profile was erased or replaced meanwhile"
    if again:
        assert recording.store.profiles.read("loud").history_count == 0
        assert told(await recording.chat(profile="loud", stream=stream))[1] is None
        assert len(turns(recording)) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_so_is_that_to_one_that_is_replaced(recording: Proxy, stream: bool) -> None:
    meanwhile(recording, lambda: recording.store.profiles.put(ANOTHER))
    assert told(await recording.chat(profile="loud", stream=stream)) == (
        "HELLO WORLD",
        "the profile was erased or replaced meanwhile",
    )
    assert turns(recording) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_recording_that_is_switched_off_meanwhile_is_off(recording: Proxy, stream: bool) -> None:
    def off() -> None:
        recording.store.profiles.update("loud", lambda profile: replace(profile, record_history=False))

    meanwhile(recording, off)
    assert told(await recording.chat(profile="loud", stream=stream)) == (
        "HELLO WORLD",
        "record_history was switched off meanwhile",
    )
    assert turns(recording) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_any_other_change_of_the_profile_does_not_keep_it_from_being_recorded(
    recording: Proxy, stream: bool
) -> None:
    def rename() -> None:
        recording.store.profiles.update("loud", lambda profile: replace(profile, name="Lotte"))

    meanwhile(recording, rename)
    assert told(await recording.chat(profile="loud", stream=stream)) == ("HELLO WORLD", None)
    assert len(turns(recording)) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_database_that_another_program_locks_does_not_cost_the_reply(
    recording: Proxy, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "RECORD_PATIENCE", 0.05)
    with closing(sqlite3.connect(recording.store.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        reply, reason = told(await recording.chat(profile="loud", stream=stream))
        assert reply == "HELLO WORLD"
        assert reason == "the database cannot be written: another program keeps it locked"
        other.execute("ROLLBACK")
    assert turns(recording) == []
    assert told(await recording.chat(profile="loud", stream=stream))[1] is None
    assert len(turns(recording)) == 1


FAILURES = [
    (StoreError("/home/lotte/costeer.db: the disk is full", reason="the disk is full"), "the disk is full"),
    (RuntimeError("Lotte's text"), "its log says where"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("failure", "says"), FAILURES, ids=["full", "bug"])
async def test_whatever_fails_in_recording_costs_no_reply_and_tells_nothing_private(
    recording: Proxy, stream: bool, failure: Exception, says: str
) -> None:
    def fail(profile: Profile, item: HistoryItem) -> None:
        raise failure

    recording.store.history.record = fail  # type: ignore[method-assign]
    response = await recording.chat(profile="loud", stream=stream)
    reply, reason = told(response)
    assert reply == "HELLO WORLD"
    assert says in (reason or "")
    assert "lotte" not in (response.text + str(response.headers)).lower()


async def test_with_details_the_last_chunk_tells_both(recording: Proxy) -> None:
    meanwhile(recording, lambda: recording.store.profiles.delete("loud"))
    response = await recording.chat(profile="loud", stream=True, costeer={"detail": True})
    last = chunks_of(response)[-1]["costeer"]
    assert last["recorded"] is False
    assert last["tokens"] == len("HELLO WORLD") + 1


async def test_a_whole_reply_says_that_it_is_recorded_and_nothing_where_none_was_to_be(
    recording: Proxy,
) -> None:
    assert (await recording.chat(profile="loud")).headers["X-CoSteer-Recorded"] == "true"
    for quiet in (recording.chat(profile="joined"), recording.chat(), recording.chat(strength=0)):
        assert "X-CoSteer-Recorded" not in (await quiet).headers
    off = await recording.chat(profile="loud", headers={"X-CoSteer-Record": "off"})
    assert "X-CoSteer-Recorded" not in off.headers


async def test_a_recorded_exchange_is_found_by_a_later_conversation(recording: Proxy) -> None:
    await recording.chat(
        profile="loud", messages=[{"role": "user", "content": "Name a lighthouse in Iceland."}]
    )
    preview = await recording.client.post(
        "/v1/profiles/loud/preview",
        json={"messages": [{"role": "user", "content": "That Iceland lighthouse?"}]},
    )
    read = preview.json()["prompts"][0]["context_aware"]["prompt"]
    assert "Name a lighthouse in Iceland." in read.partition("HELLO WORLD")[0]
    assert "That Iceland lighthouse?" in read.partition("HELLO WORLD")[2]


async def test_a_reply_that_was_begun_is_recorded_whole(recording: Proxy) -> None:
    messages = [*HELLO, {"role": "assistant", "content": "HELL"}]
    await recording.chat(
        profile="loud", messages=messages, continue_final_message=True, add_generation_prompt=False
    )
    assert turns(recording) == [("Say hello.", "HELLO WORLD")]


async def test_those_who_wait_to_write_hold_up_no_reply(proxy: Proxy) -> None:
    """However many there are, and however few threads there are for replies."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    other = sqlite3.connect(proxy.store.path, isolation_level=None)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        writing = [
            proxy.client.patch("/v1/profiles/loud", json={"name": "L"}),
            proxy.client.post("/v1/profiles", json={"id": "new", "name": "New"}),
            proxy.client.post("/v1/profiles/loud/history", json={"text": "x"}),
            proxy.client.delete("/v1/profiles/joined"),
        ]
        waiting = asyncio.gather(*writing)
        for _ in range(100):  # until each of them has got as far as it can
            await proxy.client.get("/health")
        assert await proxy.text(profile="loud") == "HELLO WORLD"
        assert not waiting.done()
        other.execute("ROLLBACK")
        assert [answer.status_code for answer in await waiting] == [200, 201, 201, 200]
