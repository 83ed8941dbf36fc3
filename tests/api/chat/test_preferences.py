"""A request's preferences steer its reply: without a profile, in place of a profile's, and nowhere else."""

from __future__ import annotations

import pytest
from conftest import Proxy

from api.routes.test_chat import chunks_of

LOUD = {"text": "Be LOUD."}
CALM = {"text": "Be calm.", "opposite": "Be LOUD."}


@pytest.mark.parametrize("preferences", [["Be LOUD."], [LOUD], ["Hum.", LOUD]])
async def test_they_steer_without_a_profile(proxy: Proxy, preferences: list[object]) -> None:
    response = await proxy.chat(costeer={"preferences": preferences})
    assert response.json()["choices"][0]["message"]["content"] == "HELLO WORLD"
    assert "X-CoSteer-Reason" not in response.headers
    assert "LOUD" not in proxy.remote.everything()


async def test_they_steer_away_from_their_opposites(proxy: Proxy) -> None:
    proxy.remote.text = "HELLO WORLD"
    assert await proxy.text(costeer={"preferences": [CALM]}) == "hello world"
    assert "LOUD" not in proxy.remote.everything()


async def test_with_none_and_no_profile_the_reply_is_the_remote_s_own(proxy: Proxy) -> None:
    response = await proxy.chat(costeer={"preferences": []})
    assert response.json()["choices"][0]["message"]["content"] == "hello world"
    assert response.headers["X-CoSteer-Reason"] == "no profile"
    assert proxy.local.sessions == 0


async def test_they_take_the_place_of_a_profile_s_and_leave_its_facts(proxy: Proxy) -> None:
    new = {"id": "new", "name": "N.", "fields": {"job": "Pilot"}, "preferences": ["Be LOUD."]}
    assert (await proxy.client.post("/v1/profiles", json=new)).is_success
    assert await proxy.text(profile="new") == "HELLO WORLD"
    assert await proxy.text(profile="new", costeer={"preferences": []}) == "hello world"
    assert await proxy.text(profile="joined", costeer={"preferences": [LOUD]}) == "HELLO_WORLD"


async def test_they_hold_for_each_of_several_replies_and_in_a_stream(proxy: Proxy) -> None:
    asked = {"preferences": [LOUD]}
    choices = (await proxy.chat(n=2, costeer=asked)).json()["choices"]
    assert [one["message"]["content"] for one in choices] == ["HELLO WORLD"] * 2
    chunks = chunks_of(await proxy.chat(stream=True, costeer=asked))
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in chunks) == "HELLO WORLD"
