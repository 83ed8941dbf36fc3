"""Replies in JSON: which are steered, which are passed on, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Proxy

from api.routes.test_chat import error_of

GREETING = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def of(schema: dict[str, Any], **named: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "greeting", "schema": schema, **named}}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_of_a_schema_is_steered_and_nothing_of_it_goes_to_the_remote(
    proxy: Proxy, stream: bool
) -> None:
    proxy.remote.text = '{"text":"hello world"}'
    response = await proxy.chat(profile="loud", stream=stream, response_format=of(GREETING, strict=True))
    assert (response.status_code, response.headers["X-CoSteer-Steered"]) == (200, "true")
    if not stream:
        text = response.json()["choices"][0]["message"]["content"]
        assert json.loads(text) == {"text": "HELLO WORLD"}
    assert proxy.remote.forwarded == []
    assert "greeting" not in proxy.remote.everything()


async def test_what_is_no_json_is_left_out(proxy: Proxy) -> None:
    """The remote drafts braces alone where the schema has them; what stands around them has no place."""
    proxy.remote.text = '{"a":1}{"b"'
    for wanted in ({"type": "json_object"}, of({"type": "object"})):
        assert await proxy.text(profile="loud", response_format=wanted) in ('{"a":1}', '{"A":1}')


async def test_unsteered_it_is_the_remote_s_own(proxy: Proxy) -> None:
    for change in ({"profile": "loud", "strength": 0}, {"profile": "loud", "steering": "off"}):
        response = await proxy.chat(response_format=of(GREETING), **change)
        assert response.headers["X-CoSteer-Steered"] == "false"
    assert [json.loads(one.body)["response_format"] for one in proxy.remote.forwarded] == [of(GREETING)] * 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"response_format": of({"not": {}})}, 'response_format: Unimplemented keys: ["not"]'),
        ({"response_format": of(GREETING), "tools": [TOOL]}, "response_format with tools"),
        ({"response_format": {"type": "structural_tag"}}, "response_format"),
    ],
)
async def test_what_cannot_be_held_to_is_passed_on_with_the_reason(
    proxy: Proxy, change: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = await proxy.chat(profile="loud", **change)
    assert response.headers["X-CoSteer-Reason"] == reason
    assert json.loads(proxy.remote.forwarded[0].body)["response_format"] == change["response_format"]


async def test_a_mistake_in_it_is_named(proxy: Proxy) -> None:
    wrong = {"type": "json_schema", "json_schema": {"name": "greeting", "schema": "object"}}
    response = await proxy.chat(profile="loud", response_format=wrong)
    assert response.status_code == 400
    assert error_of(response)["param"].startswith("response_format")
