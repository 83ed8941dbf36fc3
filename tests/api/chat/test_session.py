"""A router keeps a conversation on one replica, whether its requests are steered or passed on."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Proxy

RESPONSES = "/v1/responses"
PASSED_ON: dict[str, Any] = {"reasoning_effort": "high"}
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}


@pytest.fixture
def routed(proxy: Proxy) -> Proxy:
    proxy.remote.names_sessions = True
    return proxy


def latest(proxy: Proxy) -> str:
    """The one session that the remote was told since it was last asked for."""
    sessions, proxy.remote.sessions = set(proxy.remote.sessions), []
    (session,) = sessions
    return session


async def said(proxy: Proxy, **fields: Any) -> list[dict[str, Any]]:
    """The conversation after a reply and another question."""
    asked = {"role": "user", "content": "Say hello."}
    reply = {"role": "assistant", "content": await proxy.text(**fields)}
    return [asked, reply, {"role": "user", "content": "Again."}]


@pytest.mark.parametrize("profile", ["loud", None])
async def test_what_is_passed_on_stays_with_the_replies_before_it(routed: Proxy, profile: str | None) -> None:
    messages = await said(routed, profile=profile)
    session = latest(routed)
    await routed.chat(messages=messages, profile=profile)
    assert latest(routed) == session
    await routed.chat(messages=messages, profile=profile, **PASSED_ON)
    assert latest(routed) == session
    model = f"fake-model@{profile}" if profile else "fake-model"
    await routed.chat(messages=[*messages, IMAGE], model=model)
    assert latest(routed) == session
    assert len(routed.remote.forwarded) == 2


async def test_nobody_has_another_s(routed: Proxy) -> None:
    messages = await said(routed, profile="loud")
    sessions = [latest(routed)]
    others: list[dict[str, Any]] = [{}, {"profile": "joined"}, {"profile": "nobody"}, {"messages": [IMAGE]}]
    for fields in others:
        await routed.chat(**{"messages": messages, **fields}, **PASSED_ON)
        sessions.append(latest(routed))
    assert len(set(sessions)) == 5


async def test_responses_that_follow_one_another_have_one(routed: Proxy) -> None:
    asked = {"model": "fake-model", "input": "Say hello.", "temperature": 0, "profile": "loud"}
    first = (await routed.client.post(RESPONSES, json=asked)).json()
    session = latest(routed)
    asked = {**asked, "input": "Again.", "previous_response_id": first["id"]}
    second = (await routed.client.post(RESPONSES, json=asked)).json()
    assert latest(routed) == session
    asked = {**asked, "previous_response_id": second["id"]}
    assert (await routed.client.post(RESPONSES, json=asked)).status_code == 200
    assert latest(routed) == session
    await routed.client.post(RESPONSES, json={**asked, "previous_response_id": None, "input": "Say hello."})
    assert latest(routed) != session


async def test_no_router_is_told_unless_that_is_asked_for(proxy: Proxy) -> None:
    messages = await said(proxy, profile="loud")
    await proxy.chat(messages=messages, **PASSED_ON)
    assert proxy.remote.sessions == []
