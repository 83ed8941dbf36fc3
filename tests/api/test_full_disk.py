"""Replies where what is kept of conversations cannot be written, as on a full disk: none is lost."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from conftest import Proxy

from api.responses.followed import events_of
from app.decoding.conversations import Conversations
from app.errors import StoreError

FULL = StoreError("/home/lotte/state.db: the disk is full", reason="the disk is full")


def fails(*_: Any, **__: Any) -> NoReturn:
    raise FULL


@pytest.fixture
def full(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    proxy.remote.names_sessions = True
    shelves = proxy.shelves
    conversations = Conversations(shelves)
    monkeypatch.setattr(proxy.app.state.parts.generator, "_conversations", conversations)
    for shelf in (shelves.replies, shelves.sessions, shelves.choices, shelves.responses):
        monkeypatch.setattr(shelf, "keep", fails)
        monkeypatch.setattr(shelf, "keep_common", fails)
    monkeypatch.setattr(shelves.spent, "add", fails)
    return proxy


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_is_whole_and_the_log_says_what_is_missing(
    full: Proxy, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    response = await full.chat(profile="loud", stream=stream)
    assert response.status_code == 200
    assert response.text.endswith("data: [DONE]\n\n") or not stream
    assert "error" not in response.text
    assert "counted by this process alone: the disk is full" in caplog.text
    assert "not kept what the next turn would find: the disk is full" in caplog.text
    assert "lotte" not in response.text + caplog.text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_says_that_it_is_not_kept(full: Proxy, stream: bool) -> None:
    asked = {
        "model": "fake-model",
        "input": "Say hello.",
        "profile": "loud",
        "stream": stream,
        "temperature": 0,
    }
    response = await full.client.post("/v1/responses", json=asked)
    body = events_of(response)[-1]["response"] if stream else response.json()
    assert (body["status"], body["store"]) == ("completed", False)
    assert body["output"][0]["content"][0]["text"] == "HELLO WORLD"
    assert (await full.client.get(f"/v1/responses/{body['id']}")).status_code == 404


async def test_the_budget_of_a_conversation_is_kept_to(full: Proxy) -> None:
    costeer = {"budget": 1.0, "detail": True}
    replies = [(await full.chat(profile="loud", costeer=costeer)).json() for _ in range(3)]
    told = [reply["costeer"]["disclosed"]["nats"] for reply in replies]
    assert told[0] > 0
    assert sum(told) <= costeer["budget"]
