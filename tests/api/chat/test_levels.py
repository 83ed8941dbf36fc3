"""What a reply may tell the remote: the profile's own, made stricter by the setting and by the request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from conftest import Proxy

from api.routes.test_chat import error_of
from app.decoding.generator import GenerationRequest
from app.profiles.disclosure import Disclosure

OWN = {"least": "shape", "identifiers": {"name": "open"}, "fields": {"occupation": "fill"}, "budget": 5.0}
KEPT = Disclosure("shape", (("name", "open"),), (("occupation", "fill"),), 5.0)


@pytest.fixture
async def loud(proxy: Proxy) -> None:
    response = await proxy.client.patch("/v1/profiles/loud", json={"disclosure": OWN})
    assert response.json()["disclosure"] == OWN


@pytest.mark.usefixtures("loud")
@pytest.mark.parametrize(
    ("own", "least", "budget"),
    [
        (None, "shape", 5.0),
        ({}, "shape", 5.0),
        ({"disclosure": None, "budget": None}, "shape", 5.0),
        ({"disclosure": "open", "budget": 50}, "shape", 5.0),
        ({"disclosure": "fill"}, "fill", 5.0),
        ({"disclosure": "off", "budget": 0}, "off", 0.0),
    ],
)
async def test_a_request_can_only_be_stricter(
    proxy: Proxy, planned: list[GenerationRequest], own: Any, least: Any, budget: float
) -> None:
    assert (await proxy.chat(profile="loud", costeer=own)).status_code == 200
    (one,) = planned
    assert one.disclosure == replace(KEPT, least=least, budget=budget)
    body = {"messages": [{"role": "user", "content": "Say hello."}], **(own or {})}
    shown = (await proxy.client.post("/v1/profiles/loud/preview", json=body)).json()
    assert shown["disclosure"] == {**OWN, "least": least, "budget": budget}


@pytest.mark.usefixtures("loud")
async def test_a_setting_holds_for_every_profile_and_without_one(
    proxy: Proxy, planned: list[GenerationRequest]
) -> None:
    proxy.app.state.parts = replace(proxy.app.state.parts, disclosure=Disclosure("fill", budget=2.0))
    for profile in ("loud", "joined", None):
        await proxy.chat(profile=profile)
    await proxy.chat(profile="joined", costeer={"disclosure": "shape", "budget": 1.5})
    assert [one.disclosure for one in planned] == [
        replace(KEPT, least="fill", budget=2.0),
        Disclosure("fill", budget=2.0),
        Disclosure("fill", budget=2.0),
        Disclosure("fill", budget=1.5),
    ]


@pytest.mark.parametrize(
    ("own", "name", "says"),
    [
        ({"disclosure": "shut"}, "disclosure", "must be open, shape, fill or off."),
        ({"disclosure": ["off"]}, "disclosure", "must be open, shape, fill or off."),
        ({"disclosure": {"least": "off"}}, "disclosure", "must be open, shape, fill or off."),
        ({"budget": -1}, "budget", "must be a number of nats, 0 or more."),
        ({"budget": "5"}, "budget", "must be a number of nats, 0 or more."),
        ({"budget": True}, "budget", "must be a number of nats, 0 or more."),
    ],
)
async def test_a_wrong_one_is_refused_by_its_place(proxy: Proxy, own: Any, name: str, says: str) -> None:
    response = await proxy.chat(costeer=own)
    assert response.status_code == 400
    assert (error_of(response)["param"], error_of(response)["message"]) == (
        f"costeer.{name}",
        f"costeer.{name} {says}",
    )
    body = {"messages": [{"role": "user", "content": "Hi"}], **own}
    response = await proxy.client.post("/v1/profiles/loud/preview", json=body)
    assert error_of(response)["message"] == f"{name} {says}"
    assert proxy.remote.handed == []


@pytest.mark.usefixtures("loud")
async def test_levels_and_budget_are_not_sent(proxy: Proxy) -> None:
    own = {"disclosure": "shape", "budget": 123456}
    await proxy.chat(profile="loud", costeer=own)
    await proxy.chat(profile="loud", costeer=own, steering="off")
    assert "Say hello." in proxy.remote.everything()
    for word in ("disclosure", "123456", "shape"):
        assert word not in proxy.remote.everything()
