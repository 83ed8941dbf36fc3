"""POST /v1/profiles/{id}/proposals: what it gives, to whom, and that it keeps nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from conftest import Proxy
from proposals.copying import CopyingModel

from api.test_admission import until
from app.api.admission import Limiters
from app.api.limiter import ConcurrencyLimiter
from app.errors import StoreError
from app.profiles.profile import HistoryItem

PATH = "/v1/profiles/joined/proposals"
LETTER = "Dear Mum,\n\nI work as a plumber now. My dog Toby sleeps.\n\nAll the best,\nJo"


@pytest.fixture
def model(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> CopyingModel:
    """In place of the local model; the profile has two letters."""
    proxy.store.history.add("joined", [HistoryItem("", LETTER), HistoryItem("", LETTER)])
    model = CopyingModel()
    monkeypatch.setattr(proxy.app.state.parts.generator, "_local", model)
    return model


def events(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]


async def test_proposals_come_with_their_passages_and_nothing_is_stored(
    proxy: Proxy, model: CopyingModel
) -> None:
    before = proxy.store.profiles.export("joined")
    answer = await proxy.client.post(PATH, json={})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["object"], told["texts"], told["cut"]) == ("proposals", 2, False)
    found = {one["key"]: one for one in told["data"] if one["kind"] == "field"}
    assert "occupation" not in found  # the profile has one
    pet = found["pets"]
    assert pet["passage"][pet["start"] : pet["end"]] == pet["value"] == "dog Toby"
    item = await proxy.client.get(f"/v1/profiles/joined/history/{pet['item']}")
    assert pet["passage"] in item.json()["text"]
    assert (pet["level"], pet["opposite"], found["signs_off"]["level"]) == ("open", None, "fill")
    assert proxy.store.profiles.export("joined") == before
    assert model.read
    assert proxy.remote.handed == []


async def test_a_patch_takes_what_was_accepted(proxy: Proxy, model: CopyingModel) -> None:
    (pet,) = [one for one in (await proxy.client.post(PATH, json={})).json()["data"] if one["key"] == "pets"]
    patch = {"fields": {pet["key"]: pet["value"]}}
    changed = await proxy.client.patch("/v1/profiles/joined", json=patch)
    assert changed.json()["fields"]["pets"] == "dog Toby"
    again = (await proxy.client.post(PATH, json={})).json()["data"]
    assert "pets" not in {one["key"] for one in again}


async def test_a_stream_has_the_progress_and_ends_with_the_same(proxy: Proxy, model: CopyingModel) -> None:
    whole = (await proxy.client.post(PATH, json={})).json()
    answer = await proxy.client.post(PATH, json={"stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *told, proposals, done = events(answer.text)
    assert (json.loads(proposals), done) == (whole, "[DONE]")
    steps = [json.loads(one) for one in told]
    assert {one["object"] for one in steps} == {"proposals.progress"}
    assert [one["stage"] for one in steps] == sorted(
        (one["stage"] for one in steps), key=["reading", "fields", "preferences"].index
    )


async def test_a_failure_in_a_stream_is_an_event_without_an_end(
    proxy: Proxy, model: CopyingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreError("The database is locked.")

    monkeypatch.setattr(proxy.store.history, "page", broken)
    told = events((await proxy.client.post(PATH, json={"stream": True})).text)
    assert json.loads(told[-1])["error"]["code"] == "store_error"
    monkeypatch.setattr(proxy.store.history, "page", lambda *_, **__: 1 / 0)
    told = events((await proxy.client.post(PATH, json={"stream": True})).text)
    assert json.loads(told[-1])["error"]["type"] == "server_error"
    assert (await proxy.client.post(PATH, json={})).status_code == 500


@pytest.mark.parametrize(
    "body", [{"seconds": 0}, {"seconds": 601}, {"seconds": "5"}, {"stream": 1}, {"n": 1}]
)
async def test_what_is_no_request_for_proposals_is_refused_by_name(
    proxy: Proxy, model: CopyingModel, body: dict[str, Any]
) -> None:
    answer = await proxy.client.post(PATH, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == next(iter(body))
    assert model.read == []


async def test_a_profile_s_key_opens_its_own_alone(proxy: Proxy, model: CopyingModel) -> None:
    def headers(profile_id: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {proxy.store.keys.create('test', profile_id)[1]}"}

    admin, own, other = headers(None), headers("joined"), headers("loud")
    statuses = [
        (await proxy.client.post(PATH, json={}, headers=one)).status_code for one in (admin, own, other)
    ]
    assert statuses == [200, 200, 403]
    assert (await proxy.client.post(PATH, json={})).status_code == 401
    gone = await proxy.client.post("/v1/profiles/nobody/proposals", json={}, headers=admin)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "profile_not_found")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_work_and_frees_its_place(
    proxy: Proxy, base_url: str, model: CopyingModel, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    limiters = Limiters(ConcurrencyLimiter(1, 0), ConcurrencyLimiter(1, 0))
    proxy.app.state.limiters = limiters
    working, ended = asyncio.Event(), asyncio.Event()

    async def endless(*_: object) -> None:
        working.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr("app.proposals.drafter.ask", endless)
    async with httpx.AsyncClient() as client:
        asking = asyncio.create_task(
            client.post(f"{base_url}/profiles/joined/proposals", json={"stream": stream})
        )
        async with asyncio.timeout(10):
            await working.wait()
        assert (await proxy.client.post(PATH, json={})).status_code == 429
        asking.cancel()
        await asyncio.wait([asking])
    async with asyncio.timeout(10):
        await ended.wait()
    await until(limiters.writing, running=0, waiting=0)
