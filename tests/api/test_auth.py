"""Whose profile a request gets, and what each API key opens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from conftest import Proxy

from api.routes.test_chat import HELLO, error_of
from app.api.admission import Limiters
from app.api.limiter import ConcurrencyLimiter
from app.main import create_app
from app.settings.settings import Settings

CHAT = ("POST", "/v1/chat/completions")
# Every route, with a body that it takes.
ROUTES: list[tuple[str, str, dict[str, Any] | None]] = [
    (*CHAT, {"model": "fake-model", "messages": HELLO}),
    ("GET", "/v1/models", None),
    ("GET", "/v1/profiles", None),
    ("POST", "/v1/profiles", {"id": "new", "name": "New"}),
    ("POST", "/v1/profiles/import", {"id": "new", "name": "New"}),
    ("GET", "/v1/keys", None),
    ("POST", "/v1/keys", {"profile": "loud"}),
    ("GET", "/v1/profiles/loud", None),
    ("PATCH", "/v1/profiles/loud", {"name": "L"}),
    ("GET", "/v1/profiles/loud/export", None),
    ("POST", "/v1/profiles/loud/preview", {"messages": HELLO}),
    ("GET", "/v1/profiles/loud/history", None),
    ("POST", "/v1/profiles/loud/history", {"text": "x"}),
    ("GET", "/v1/profiles/loud/history/search?q=fog", None),
    ("GET", "/v1/profiles/loud/history/item_1", None),
    ("PATCH", "/v1/profiles/loud/history/item_1", {"title": "x"}),
    ("DELETE", "/v1/profiles/loud/history/item_1", None),
    ("DELETE", "/v1/profiles/loud/history", None),
    ("DELETE", "/v1/profiles/loud", None),
]
OF_A_PROFILE = [route for route in ROUTES if route[1].startswith("/v1/profiles/loud")]
NAMES = [f"{method} {path}" for method, path, _ in ROUTES]


def key(proxy: Proxy, profile_id: str | None) -> dict[str, str]:
    """The header of a new key; None is an admin key."""
    _, secret = proxy.store.keys.create("test", profile_id)
    return {"Authorization": f"Bearer {secret}"}


def default(proxy: Proxy, profile_id: str) -> None:
    proxy.store.profiles.update(profile_id, lambda profile: replace(profile, is_default=True))


# The order of choosing


async def test_a_model_can_name_the_profile(proxy: Proxy) -> None:
    assert await proxy.text(model="fake-model@loud") == "HELLO WORLD"
    assert (await proxy.chat(model="fake-model@loud")).json()["model"] == "fake-model@loud"


async def test_each_way_of_naming_goes_before_the_next(proxy: Proxy) -> None:
    default(proxy, "loud")
    assert await proxy.text() == "HELLO WORLD"
    of_joined = key(proxy, "joined")
    assert await proxy.text(headers=of_joined) == "hello_world"
    admin = key(proxy, None)
    assert await proxy.text(headers=admin) == "HELLO WORLD"
    assert await proxy.text(headers=admin, model="fake-model@joined") == "hello_world"
    assert await proxy.text(headers=admin, profile="joined") == "hello_world"
    assert await proxy.text(headers={**admin, "X-CoSteer-Profile": "joined"}) == "hello_world"


WAYS: list[tuple[dict[str, Any], list[str]]] = [
    ({"model": "fake-model@joined", "profile": "loud"}, ["profile field", "model"]),
    (
        {"model": "fake-model@joined", "headers": {"X-CoSteer-Profile": "loud"}},
        ["X-CoSteer-Profile", "model"],
    ),
    ({"profile": "joined", "headers": {"X-CoSteer-Profile": "loud"}}, ["X-CoSteer-Profile", "profile field"]),
    (
        {"model": "fake-model@loud", "profile": "nobody", "headers": {"X-CoSteer-Profile": "loud"}},
        ["X-CoSteer-Profile", "profile field", "model"],
    ),
]


@pytest.mark.parametrize(("given", "ways"), WAYS, ids=[" and ".join(ways) for _, ways in WAYS])
async def test_a_request_that_names_two_profiles_is_refused_by_its_ways(
    proxy: Proxy, given: dict[str, Any], ways: list[str]
) -> None:
    response = await proxy.chat(**given)
    assert (response.status_code, error_of(response)["param"]) == (400, "profile")
    assert all(way in error_of(response)["message"] for way in ways)
    assert proxy.remote.handed == []


async def test_a_request_may_name_its_profile_twice(proxy: Proxy) -> None:
    header = {"X-CoSteer-Profile": "loud"}
    assert await proxy.text(model="fake-model@loud", profile="loud", headers=header) == "HELLO WORLD"


@pytest.mark.parametrize("given", [{"model": "fake-model@nobody"}, {"model": "fake-model@' OR 1=1 --"}])
async def test_an_alias_of_an_unknown_profile_is_not_found(proxy: Proxy, given: dict[str, Any]) -> None:
    response = await proxy.chat(**given)
    assert (response.status_code, error_of(response)["code"]) == (404, "profile_not_found")


async def test_an_alias_does_not_hide_an_unknown_model(proxy: Proxy) -> None:
    for model in ("other@loud", "fake-model@", "@loud", "fake-model@loud@x"):
        assert (await proxy.chat(model=model)).status_code == 404, model


async def test_an_empty_header_is_not_taken_for_none(proxy: Proxy) -> None:
    response = await proxy.chat(headers={"X-CoSteer-Profile": ""})
    assert response.status_code == 400
    assert error_of(response)["param"] == "X-CoSteer-Profile"


# Until there is an admin key


@pytest.mark.parametrize(
    "value",
    ["", "Bearer unused", "Bearer sk-1234", "Bearer my-costeer-key", "Basic dTpw", "Bearer", "unused"],
)
async def test_without_one_of_our_keys_everything_is_open(proxy: Proxy, value: str) -> None:
    key(proxy, "loud")
    headers = {"Authorization": value}
    assert len((await proxy.client.get("/v1/profiles", headers=headers)).json()["data"]) == 2
    assert (await proxy.chat(headers=headers)).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=NAMES)
async def test_a_key_that_does_not_exist_opens_nothing(
    proxy: Proxy, method: str, path: str, body: dict[str, Any] | None
) -> None:
    headers = {"Authorization": "Bearer costeer-deleted"}
    response = await proxy.client.request(method, path, json=body, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert error_of(response)["code"] == "invalid_api_key"
    assert "deleted" not in error_of(response)["message"]
    assert proxy.store.profiles.read("loud").history_count == 1


async def test_a_deleted_key_opens_nothing_any_more(proxy: Proxy) -> None:
    made, secret = proxy.store.keys.create("short-lived", "loud")
    headers = {"Authorization": f"Bearer {secret}"}
    assert (await proxy.chat(headers=headers)).status_code == 200
    proxy.store.keys.delete(made.id)
    assert (await proxy.chat(headers=headers)).status_code == 401


async def test_a_deleted_profile_takes_its_keys_along(proxy: Proxy) -> None:
    headers = key(proxy, "loud")
    assert (await proxy.client.delete("/v1/profiles/loud", headers=headers)).status_code == 200
    assert (await proxy.client.get("/v1/profiles", headers=headers)).status_code == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer ", "Bearer\t"])
async def test_the_scheme_is_read_in_any_case(proxy: Proxy, scheme: str) -> None:
    _, secret = proxy.store.keys.create("test", "loud")
    assert await proxy.text(headers={"Authorization": f"{scheme} {secret}"}) == "HELLO WORLD"


@pytest.mark.parametrize("form", ["{}", "Token {}", "Basic {}", 'Bearer "{}"', "Bearer {},", "Bearer {} {}"])
async def test_a_key_that_is_sent_in_another_way_is_not_taken_for_none(proxy: Proxy, form: str) -> None:
    """Its request would get the rights of one without a key, and another profile."""
    _, secret = proxy.store.keys.create("test", "loud")
    response = await proxy.chat(headers={"Authorization": form.format(secret, secret)})
    assert response.status_code == 401
    assert secret not in response.text


async def test_two_headers_are_not_taken_for_one(proxy: Proxy) -> None:
    headers = [("Authorization", "Bearer unused"), ("Authorization", key(proxy, "loud")["Authorization"])]
    assert (await proxy.client.get("/v1/profiles", headers=headers)).status_code == 401


# Once there is one


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=NAMES)
@pytest.mark.parametrize("value", [None, "Bearer unused"])
async def test_with_an_admin_key_every_request_needs_a_key(
    proxy: Proxy, method: str, path: str, body: dict[str, Any] | None, value: str | None
) -> None:
    admin = key(proxy, None)
    headers = {"Authorization": value} if value else {}
    response = await proxy.client.request(method, path, json=body, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "costeer keys create" in error_of(response)["message"]
    opened = await proxy.client.request(method, path, json=body, headers=admin)
    assert opened.status_code in {200, 201}, opened.text


async def test_health_is_always_open(proxy: Proxy) -> None:
    key(proxy, None)
    assert (await proxy.client.get("/health")).status_code == 200


# What a profile's key opens


@pytest.mark.parametrize(("method", "path", "body"), OF_A_PROFILE)
async def test_a_profile_s_key_opens_its_own(
    proxy: Proxy, method: str, path: str, body: dict[str, Any] | None
) -> None:
    response = await proxy.client.request(method, path, json=body, headers=key(proxy, "loud"))
    assert response.status_code in {200, 201}, response.text


@pytest.mark.parametrize(("method", "path", "body"), OF_A_PROFILE)
async def test_a_profile_s_key_does_not_even_learn_of_another(
    proxy: Proxy, method: str, path: str, body: dict[str, Any] | None
) -> None:
    headers = key(proxy, "joined")
    response = await proxy.client.request(method, path, json=body, headers=headers)
    missing = await proxy.client.request(method, path.replace("loud", "nobody"), json=body, headers=headers)
    assert response.status_code == 403
    assert error_of(response)["code"] == "forbidden"
    assert (missing.status_code, missing.content) == (403, response.content)


@pytest.mark.parametrize(
    "given", [{"profile": "{}"}, {"model": "fake-model@{}"}, {"headers": {"X-CoSteer-Profile": "{}"}}]
)
async def test_chat_does_not_either(proxy: Proxy, given: dict[str, Any]) -> None:
    own = key(proxy, "joined")
    answers = []
    for name in ("loud", "nobody"):
        filled = json.loads(json.dumps(given).replace("{}", name))
        response = await proxy.chat(**{**filled, "headers": {**own, **filled.get("headers", {})}})
        answers.append((response.status_code, error_of(response)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 403
    assert proxy.local.sessions == 0


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        ("application/json", b'{"id": "loud", "zzz": 1}'),
        ("application/json", b'{"id": "nobody", "history": [1, 2, 3]}'),
        ("application/toml", b'id = "loud"\nzzz = 1'),
    ],
)
async def test_an_import_is_refused_before_its_mistakes_are_told(
    proxy: Proxy, media_type: str, data: bytes
) -> None:
    headers = {**key(proxy, "joined"), "Content-Type": media_type}
    response = await proxy.client.post("/v1/profiles/import", content=data, headers=headers)
    assert response.status_code == 403
    assert "zzz" not in error_of(response)["message"]


@pytest.mark.parametrize(("method", "path"), [(one[0], one[1]) for one in OF_A_PROFILE])
async def test_no_body_is_read_of_who_may_not_use_the_profile(proxy: Proxy, method: str, path: str) -> None:
    async def body() -> AsyncIterator[bytes]:
        read.append(path)
        yield b"x"

    read: list[str] = []
    headers = {**key(proxy, "joined"), "Content-Type": "application/json"}
    response = await proxy.client.request(method, path, content=body(), headers=headers)
    assert (response.status_code, read) == (403, [])


def test_no_route_leaves_its_body_to_the_framework() -> None:
    """FastAPI would read and parse it before the route can say who may."""
    app = create_app(Settings(_env_file=None))
    for route in app.routes:
        assert getattr(route, "body_field", None) is None, route


async def test_a_profile_s_key_lists_its_own_only(proxy: Proxy) -> None:
    body = (await proxy.client.get("/v1/profiles", headers=key(proxy, "loud"))).json()
    assert [one["id"] for one in body["data"]] == ["loud"]
    assert (body["first_id"], body["last_id"], body["has_more"]) == ("loud", "loud", False)


async def test_a_profile_s_key_creates_none(proxy: Proxy) -> None:
    for path in ("/v1/profiles", "/v1/profiles/import"):
        response = await proxy.client.post(path, json={"id": "n", "name": "N"}, headers=key(proxy, "loud"))
        assert response.status_code == 403
    assert len(proxy.store.profiles.list()) == 2


async def test_a_profile_s_key_does_not_change_who_is_the_default(proxy: Proxy) -> None:
    headers = key(proxy, "loud")
    response = await proxy.client.patch("/v1/profiles/loud", json={"default": True}, headers=headers)
    assert response.status_code == 403
    same = await proxy.client.patch(
        "/v1/profiles/loud", json={"default": False, "name": "L"}, headers=headers
    )
    assert (same.status_code, same.json()["name"]) == (200, "L")
    document = {"id": "loud", "name": "Stolen", "default": True}
    for replaced in ("", "?replace=true"):
        response = await proxy.client.post(f"/v1/profiles/import{replaced}", json=document, headers=headers)
        assert response.status_code == 403
    assert proxy.store.profiles.get("loud").name == "L"
    assert proxy.store.profiles.default() is None


async def test_a_profile_s_key_imports_its_own(proxy: Proxy) -> None:
    default(proxy, "loud")
    headers = {**key(proxy, "loud"), "Content-Type": "application/json"}
    exported = (await proxy.client.get("/v1/profiles/loud/export", headers=headers)).json()
    exported["name"] = "New"
    response = await proxy.client.post("/v1/profiles/import?replace=true", json=exported, headers=headers)
    assert (response.status_code, response.json()["name"]) == (200, "New")
    assert (await proxy.client.get("/v1/profiles/loud", headers=headers)).status_code == 200


async def test_a_body_is_not_read_for_someone_who_may_not(proxy: Proxy) -> None:
    response = await proxy.client.post(
        "/v1/profiles/loud/history",
        content=b"not JSON",
        headers={**key(proxy, "joined"), "Content-Type": "application/json"},
    )
    assert response.status_code == 403


# Two people at once


async def test_two_people_at_once_never_mix(proxy: Proxy, base_url: str) -> None:
    """Each reply is steered by its own profile, and kept in that one's history."""
    proxy.app.state.limiters = Limiters(
        ConcurrencyLimiter(1000, 0), ConcurrencyLimiter(1, 0)
    )  # all of them at once
    keys = {}
    for name in ("loud", "joined"):
        proxy.store.profiles.update(name, lambda profile: replace(profile, record_history=True))
        keys[name] = key(proxy, name)
    ways: list[Any] = [
        lambda name: {"headers": {"X-CoSteer-Profile": name}},
        lambda name: {"model": f"fake-model@{name}"},
        lambda name: {"headers": keys[name]},
        lambda name: {"profile": name},
    ]
    async with httpx.AsyncClient(timeout=60) as client:

        async def reply(number: int, name: str) -> str:
            given = ways[number % len(ways)](name)
            question = f"{name} asks number {number}"
            body = {
                "model": "fake-model",
                "messages": [{"role": "user", "content": question}],
                "temperature": 0,
                "stream": number % 3 == 0,
                **given,
            }
            headers = body.pop("headers", {})
            response = await client.post(f"{base_url}/chat/completions", json=body, headers=headers)
            assert response.status_code == 200, response.text
            if not body["stream"]:
                return str(response.json()["choices"][0]["message"]["content"])
            chunks = [line[6:] for line in response.text.split("\n") if line.startswith("data: {")]
            return "".join(json.loads(c)["choices"][0]["delta"].get("content", "") for c in chunks)

        turns = [(number, name) for number in range(50) for name in ("loud", "joined")]
        replies = await asyncio.gather(*(reply(*turn) for turn in turns))
    expected = {"loud": "HELLO WORLD", "joined": "hello_world"}
    assert replies == [expected[name] for _, name in turns]
    for name, text in expected.items():
        page = proxy.store.history.page(name, limit=100)
        recorded = {(one.item.request, one.item.text) for one in page.items if one.item.kind == "turn"}
        asked = (f"{name} asks number {number}" for number in range(50))
        assert recorded == {(question, text) for question in asked}
