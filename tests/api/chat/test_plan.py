"""The preferences that a reply is written with: the request's own, else the profile's."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Proxy

from api.routes.test_chat import error_of
from app.decoding.generator import GenerationRequest
from app.profiles.profile import Preference

BRIEF = {"text": "Answer briefly.", "opposite": "Answer at length."}
RHYMES = "Answer in rhymes, Balthasar."
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


@pytest.fixture
async def loud(proxy: Proxy) -> None:
    await proxy.client.patch("/v1/profiles/loud", json={"preferences": [BRIEF]})


@pytest.mark.usefixtures("loud")
@pytest.mark.parametrize(
    ("own", "used"),
    [
        ({}, [Preference(**BRIEF)]),
        ({"costeer": {}}, [Preference(**BRIEF)]),
        ({"costeer": {"preferences": None, "detail": True}}, [Preference(**BRIEF)]),
        ({"costeer": {"preferences": []}}, []),
        ({"costeer": {"preferences": [RHYMES, BRIEF]}}, [Preference(RHYMES), Preference(**BRIEF)]),
        ({"costeer": {"preferences": [{"text": "a", "opposite": None}]}}, [Preference("a")]),
        ({"costeer": {"preferences": [{"text": "a", "opposite": ""}]}}, [Preference("a")]),
    ],
)
async def test_a_request_s_own_take_the_place_of_the_profile_s(
    proxy: Proxy, planned: list[GenerationRequest], own: dict[str, Any], used: list[Preference]
) -> None:
    assert (await proxy.chat(profile="loud", **own)).status_code == 200
    (one,) = planned
    assert one.preferences == tuple(used)
    assert one.profile is not None
    assert one.profile.preferences == (Preference(**BRIEF),)


@pytest.mark.parametrize(("strength", "resolved"), [(None, 0.5), (2, 2.0), ("auto", "auto"), (0, 0.0)])
async def test_they_need_no_profile_and_have_the_strength_of_any_request(
    proxy: Proxy, planned: list[GenerationRequest], strength: Any, resolved: Any
) -> None:
    response = await proxy.chat(strength=strength, costeer={"preferences": [RHYMES]})
    assert response.status_code == 200
    (one,) = planned
    assert (one.profile, one.history, one.strength) == (None, (), resolved)
    assert one.preferences == (Preference(RHYMES),)


async def test_without_a_profile_and_own_ones_there_are_none(
    proxy: Proxy, planned: list[GenerationRequest]
) -> None:
    await proxy.chat()
    assert (planned[0].profile, planned[0].preferences) == (None, ())


async def test_a_request_that_cannot_be_steered_is_passed_on_without_them(
    proxy: Proxy, planned: list[GenerationRequest]
) -> None:
    costeer = {"preferences": [RHYMES, {"text": "x", "opposite": RHYMES}], "detail": True}
    for change in ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, {"steering": "off"}):
        response = await proxy.chat(costeer=costeer, **change)
        assert (response.status_code, response.headers["X-CoSteer-Steered"]) == (200, "false")
    assert len(proxy.remote.forwarded) == 2
    assert "Balthasar" not in proxy.remote.everything() and "costeer" not in proxy.remote.everything()
    assert planned == []


@pytest.mark.parametrize("change", [{}, {"profile": "loud"}, {"stream": True}, {"strength": 0}])
async def test_they_are_never_handed_to_the_remote(proxy: Proxy, change: dict[str, Any]) -> None:
    response = await proxy.chat(costeer={"preferences": [RHYMES]}, **change)
    assert response.status_code == 200
    assert "Say hello." in proxy.remote.everything()
    assert "Balthasar" not in proxy.remote.everything()


@pytest.mark.parametrize(
    ("preferences", "param", "says"),
    [
        ("Be brief.", "costeer.preferences", "must be a list"),
        ([5], "costeer.preferences[0]", "must be a string, or an object"),
        (["a", None], "costeer.preferences[1]", "must be a string, or an object"),
        (["a", " \n"], "costeer.preferences[1]", "must not be blank"),
        ([{}], "costeer.preferences[0].text", "is missing"),
        ([{"text": ""}], "costeer.preferences[0].text", "must not be blank"),
        ([{"text": "a", "opposite": " "}], "costeer.preferences[0].opposite", "must not be blank"),
        ([{"text": "a", "opposite": 5}], "costeer.preferences[0].opposite", "must be a string"),
        ([{"text": "a", "weight": 5}], "costeer.preferences[0].weight", "is not supported here"),
        (["x" * 1001], "costeer.preferences[0]", "at most 1000 characters"),
        ([{"text": "a", "opposite": "x" * 1001}], "costeer.preferences[0].opposite", "at most 1000"),
        (["a\0"], "costeer.preferences[0]", "NUL"),
        ([str(number) for number in range(21)], "costeer.preferences", "at most 20 items"),
        (["a", "b", {"text": "a", "opposite": "c"}], "costeer.preferences[2]", "the text of [0] again"),
    ],
)
async def test_a_wrong_one_is_refused_by_its_place(
    proxy: Proxy, preferences: Any, param: str, says: str
) -> None:
    message = {"role": "user", "content": "Hi"}
    chat = {"model": "fake-model", "messages": [message], "costeer": {"preferences": preferences}}
    preview = {"messages": [message], "preferences": preferences}
    for url, body, place in (
        ("/v1/chat/completions", chat, param),
        ("/v1/profiles/loud/preview", preview, param.removeprefix("costeer.")),
    ):
        response = await proxy.client.post(url, json=body)
        assert response.status_code == 400
        error = error_of(response)
        assert error["param"] == place
        assert says in error["message"]
    assert proxy.remote.handed == []
