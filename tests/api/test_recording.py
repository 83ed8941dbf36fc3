"""With record_history on, a finished exchange is kept as a turn before the client hears of its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest
from conftest import Proxy

from api.test_chat import HELLO, data_of, error_of
from app.errors import RemoteError, StoreError
from app.profile import HistoryItem, StoredItem


@pytest.fixture
def recording(proxy: Proxy) -> Proxy:
    proxy.store.profiles.update("loud", lambda profile: replace(profile, record_history=True))
    return proxy


def turns(proxy: Proxy, profile_id: str = "loud") -> list[str]:
    page = proxy.store.history.page(profile_id, limit=100, newest_first=False)
    return [stored.item.text for stored in page.items if stored.item.kind == "turn"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_finished_exchange_is_recorded(recording: Proxy, stream: bool) -> None:
    messages = [*HELLO, {"role": "assistant", "content": "HI"}, {"role": "user", "content": "Again?"}]
    await recording.chat(profile="loud", messages=messages, stream=stream)
    assert turns(recording) == ["User: Again?\n\nAssistant: HELLO WORLD"]
    (newest, *_) = recording.store.history.page("loud").items
    assert (newest.item.source, newest.item.title) == ("chat", "")


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unsteered_exchange_is_recorded_as_well(recording: Proxy, stream: bool) -> None:
    await recording.chat(profile="loud", strength=0, stream=stream)
    assert turns(recording) == ["User: Say hello.\n\nAssistant: hello world"]


async def test_what_the_client_got_is_what_is_recorded(recording: Proxy) -> None:
    await recording.chat(profile="loud", stop=["wor", "WOR"])
    await recording.chat(profile="loud", max_tokens=2)
    assert [text.split("Assistant: ")[1] for text in turns(recording)] == ["HELLO", "HE"]


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


async def test_a_blank_reply_is_nothing_to_record(recording: Proxy) -> None:
    recording.remote.text = " "
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
    assert turns(recording) == ["User: zerobyte\n\nAssistant: HELLO WORLD"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_record_that_fails_is_not_passed_over(recording: Proxy, stream: bool) -> None:
    def full(profile_id: str, items: Sequence[HistoryItem]) -> list[StoredItem]:
        raise StoreError("the disk is full")

    recording.store.history.add = full  # type: ignore[method-assign]
    response = await recording.chat(profile="loud", stream=stream)
    assert "the disk is full" in response.text
    if stream:
        assert "[DONE]" not in data_of(response)
        assert '"finish_reason":"stop"' not in response.text
    else:
        assert response.status_code == 500


async def test_a_recorded_exchange_is_found_by_a_later_conversation(recording: Proxy) -> None:
    await recording.chat(
        profile="loud", messages=[{"role": "user", "content": "Name a lighthouse in Iceland."}]
    )
    preview = await recording.client.post(
        "/v1/profiles/loud/preview",
        json={"messages": [{"role": "user", "content": "That Iceland lighthouse?"}]},
    )
    assert "Earlier exchanges:\n\nUser: Name a lighthouse" in preview.json()["private"]["text"]


async def test_a_reply_that_was_begun_is_recorded_whole(recording: Proxy) -> None:
    messages = [*HELLO, {"role": "assistant", "content": "HELL"}]
    await recording.chat(
        profile="loud", messages=messages, continue_final_message=True, add_generation_prompt=False
    )
    assert turns(recording) == ["User: Say hello.\n\nAssistant: HELLO WORLD"]
