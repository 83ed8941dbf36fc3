"""/v1/keys: made, shown once, listed and deleted by whoever may do everything, and by nobody's page."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest
from conftest import Proxy

from api.middleware.test_origins import APP, IMAGE, LINK, asking, fetched
from api.routes.test_chat import error_of

KEYS = "/v1/keys"
ADMIN = {"admin": True}


async def made(proxy: Proxy, body: dict[str, Any], secret: str | None = None) -> dict[str, Any]:
    response = await proxy.client.post(KEYS, json=body, headers=bearer(secret))
    assert response.status_code == 201, response.text
    key: dict[str, Any] = response.json()
    return key


def bearer(secret: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def refused(response: httpx.Response, status: int, code: str) -> str:
    assert (response.status_code, error_of(response)["code"]) == (status, code), response.text
    return str(error_of(response)["message"])


# Made, listed, deleted


async def test_a_key_of_a_profile_opens_that_one_and_its_secret_is_shown_once(proxy: Proxy) -> None:
    key = await made(proxy, {"profile": "loud", "label": "mail client"})
    secret = key.pop("secret")
    assert secret.startswith("costeer-")
    assert key.pop("closes") is False
    assert (key["object"], key["label"], key["profile"], key["admin"]) == (
        "key",
        "mail client",
        "loud",
        False,
    )
    assert (key["current"], key["last_used_at"]) == (False, None)
    own = await proxy.client.get("/v1/profiles", headers=bearer(secret))
    assert [one["id"] for one in own.json()["data"]] == ["loud"]
    listed = await proxy.client.get(KEYS)
    assert secret not in listed.text
    (shown,) = listed.json()["data"]
    assert shown.pop("last_used_at") is not None
    assert shown == {name: key[name] for name in shown}
    assert listed.json()["has_more"] is False


async def test_the_first_admin_key_ends_requests_without_a_key_and_says_so(proxy: Proxy) -> None:
    first = await made(proxy, ADMIN)
    assert (first["closes"], first["admin"], first["profile"]) == (True, True, None)
    refused(await proxy.client.get(KEYS), 401, "invalid_api_key")
    refused(await proxy.client.post(KEYS, json=ADMIN), 401, "invalid_api_key")
    second = await made(proxy, {**ADMIN, "profile": None, "label": "second"}, first["secret"])
    assert second["closes"] is False
    listed = (await proxy.client.get(KEYS, headers=bearer(second["secret"]))).json()["data"]
    assert [(one["id"], one["current"]) for one in listed] == [(first["id"], False), (second["id"], True)]


async def test_a_deleted_key_opens_nothing_and_a_key_may_delete_itself(proxy: Proxy) -> None:
    admin = await made(proxy, ADMIN)
    other = await made(proxy, ADMIN, admin["secret"])
    mine = await made(proxy, {"profile": "loud"}, admin["secret"])
    for key in (mine, other):
        answer = await proxy.client.delete(f"{KEYS}/{key['id']}", headers=bearer(other["secret"]))
        assert answer.json() == {"id": key["id"], "object": "key.deleted", "deleted": True, "opens": False}
        gone = await proxy.client.get("/v1/profiles", headers=bearer(key["secret"]))
        refused(gone, 401, "invalid_api_key")


async def test_the_last_admin_key_is_deleted_only_by_whoever_says_that_it_opens_all(proxy: Proxy) -> None:
    await made(proxy, {"profile": "loud"})
    admin = await made(proxy, ADMIN)
    path, headers = f"{KEYS}/{admin['id']}", bearer(admin["secret"])
    for query in ("", "?open=false"):
        response = await proxy.client.delete(f"{path}{query}", headers=headers)
        message = refused(response, 409, "last_admin_key")
        assert "all profiles" in message
        assert "?open=true" in message
    assert (await proxy.client.get("/v1/profiles")).status_code == 401
    answer = await proxy.client.delete(f"{path}?open=true", headers=headers)
    assert (answer.status_code, answer.json()["opens"]) == (200, True)
    assert (await proxy.client.get("/v1/profiles")).status_code == 200


async def test_where_others_reach_the_port_the_last_admin_key_opens_nothing(proxy: Proxy) -> None:
    _, secret = proxy.store.keys.create("me", None)
    async with asking(proxy, host="203.0.113.1") as client:
        message = refused(await client.delete(f"{KEYS}/key_1", headers=bearer(secret)), 409, "last_admin_key")
        assert "costeer keys create --admin" in message
        assert "open all" not in message
        answer = await client.delete(f"{KEYS}/key_1?open=true", headers=bearer(secret))
        assert answer.json()["opens"] is False
        assert (await client.get("/v1/profiles")).status_code == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "profile"),
        ({"admin": False}, "profile"),
        ({"admin": True, "profile": "loud"}, "profile"),
        ({"admin": "yes"}, "admin"),
        ({"admin": True, "label": "x" * 201}, "label"),
        ({"admin": True, "label": "a\0b"}, "label"),
        ({"admin": True, "secret": "costeer-mine"}, "secret"),
        ({"admin": True, "hash": "00"}, "hash"),
    ],
)
async def test_a_key_that_is_not_asked_for_rightly_is_not_made(
    proxy: Proxy, body: dict[str, Any], param: str
) -> None:
    response = await proxy.client.post(KEYS, json=body)
    assert (response.status_code, error_of(response)["param"]) == (400, param)
    assert proxy.store.keys.list() == []


async def test_a_key_of_nobody_is_not_made(proxy: Proxy) -> None:
    refused(await proxy.client.post(KEYS, json={"profile": "nobody"}), 404, "profile_not_found")
    assert proxy.store.keys.list() == []


@pytest.mark.parametrize("key_id", ["key_9", "1", "key_0", "key_01", "KEY_1", "key_-1", f"key_{2**63}", "*"])
async def test_a_key_that_does_not_exist_is_not_deleted(proxy: Proxy, key_id: str) -> None:
    await made(proxy, {"profile": "loud"})
    refused(await proxy.client.delete(f"{KEYS}/{key_id}"), 404, "key_not_found")
    assert len(proxy.store.keys.list()) == 1


async def test_no_secret_is_logged_or_kept_by_a_cache(proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    first = await proxy.client.post(KEYS, json={**ADMIN, "label": "the mail client"})
    secret = first.json()["secret"]
    assert first.headers["Cache-Control"] == "no-store"
    key_id = first.json()["id"]
    await proxy.client.delete(f"{KEYS}/{key_id}?open=true", headers=bearer(secret))
    assert caplog.text
    for private in (secret, secret.removeprefix("costeer-"), "the mail client"):
        assert private not in caplog.text


# What an attacker tries

ATTEMPTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", KEYS, None),
    ("POST", KEYS, ADMIN),
    ("POST", KEYS, {"profile": "loud"}),
    ("DELETE", f"{KEYS}/key_1", None),
    ("DELETE", f"{KEYS}/key_1?open=true", None),
    ("DELETE", f"{KEYS}/key_77", None),
]


async def attempts(
    proxy: Proxy, headers: dict[str, str], client: httpx.AsyncClient | None = None
) -> set[int]:
    """The statuses of all attempts; none made or deleted a key, and no answer says that there is one."""
    before, found = proxy.store.keys.list(), set()
    for method, path, body in ATTEMPTS:
        response = await (client or proxy.client).request(method, path, json=body, headers=headers)
        found.add(response.status_code)
        assert "a note" not in response.text
    assert [one.id for one in proxy.store.keys.list()] == [one.id for one in before]
    return found


async def test_a_profile_s_key_makes_and_reads_and_deletes_none(proxy: Proxy) -> None:
    _, secret = proxy.store.keys.create("a note", "loud")
    assert await attempts(proxy, bearer(secret)) == {403}
    proxy.store.keys.create("a note", None)
    assert await attempts(proxy, bearer(secret)) == {403}
    assert await attempts(proxy, bearer("costeer-made-up")) == {401}
    assert await attempts(proxy, {}) == {401}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example", "Origin": "http://evil.example"},  # a name that was pointed at this machine
        {"Host": "evil.example:8000", **fetched("same-origin")},
        {"Host": "192.168.1.5"},
        fetched("cross-site", **IMAGE),
        fetched("cross-site", **LINK),
        # Pages that may do all else.
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://localhost:8443"},
        {"Origin": "http://127.0.0.1"},  # another origin than http://localhost, though the same machine
        {"Origin": "app://obsidian.md"},
        {"Origin": "app://["},
        {"Origin": APP},
        fetched("none", Origin="chrome-extension://abcdefgh"),
        fetched("same-site", Origin="http://localhost:3000"),
        fetched("same-site", **IMAGE),
        fetched("cross-site", Origin=APP),
        # What says that it comes from here as well as from elsewhere.
        fetched("cross-site", Origin="http://localhost"),
    ],
)
async def test_without_a_key_no_page_but_the_server_s_own_manages_keys(
    proxy: Proxy, headers: dict[str, str]
) -> None:
    proxy.store.keys.create("a note", "loud")
    async with asking(proxy, cors_origins=APP) as client:
        assert await attempts(proxy, headers, client) == {403}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_form_can_send_makes_no_key(proxy: Proxy, kind: str) -> None:
    response = await proxy.client.post(KEYS, content=b'{"admin": true}', headers={"Content-Type": kind})
    assert response.status_code == 415
    assert proxy.store.keys.list() == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        fetched("same-origin"),
        fetched("same-origin", Origin="http://localhost"),
        # Behind a proxy that names another Host.
        fetched("same-origin", Origin="http://127.0.0.1:8000"),
    ],
)
async def test_the_server_s_own_page_and_programs_manage_keys(proxy: Proxy, headers: dict[str, str]) -> None:
    response = await proxy.client.post(KEYS, json={"profile": "loud"}, headers=headers)
    assert response.status_code == 201
    assert (await proxy.client.get(KEYS, headers=headers)).status_code == 200
    deleted = await proxy.client.delete(f"{KEYS}/{response.json()['id']}", headers=headers)
    assert deleted.status_code == 200


async def test_an_admin_key_manages_keys_from_any_page(proxy: Proxy) -> None:
    """No stranger's page has it."""
    _, secret = proxy.store.keys.create("me", None)
    headers = {**bearer(secret), "Origin": APP, "Host": "costeer.example"}
    assert (await proxy.client.post(KEYS, json={"profile": "loud"}, headers=headers)).status_code == 201
