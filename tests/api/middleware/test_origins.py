"""Without an API key, a web page of another site reaches nothing, whatever its browser is made to send."""

from __future__ import annotations

import httpx
import pytest
from conftest import Proxy

from api.routes.test_chat import error_of
from app.main import create_app
from app.settings.settings import Settings

HISTORY = "/v1/profiles/loud/history"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://evil.example:8000",
        "null",
        "http://203.0.113.9",
        "http://nas.lan",
        "http://[",
    ],
)
async def test_a_page_of_another_site_cannot_write(proxy: Proxy, origin: str) -> None:
    """Browsers send plain text to any site without asking it first."""
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    response = await proxy.client.post(HISTORY, content="planted", headers=headers)
    assert response.status_code == 403
    assert "API key" in error_of(response)["message"]
    assert proxy.store.profiles.read("loud").history_count == 1


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "a.lan.example",
        "nas.lan",
        "costeer:8000",
        "192.168.1.5",
        "203.0.113.9",
        "[fe80::1]",
        "",
    ],
)
async def test_under_the_name_of_another_host_nothing_is_read(proxy: Proxy, host: str) -> None:
    """A site may let its own name point to this machine, and a port may be open to others."""
    for path in ("/v1/profiles", "/v1/profiles/loud/export", "/v1/models"):
        response = await proxy.client.get(path, headers={"Host": host})
        assert response.status_code == 403
        assert "Lotte" not in response.text


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "localhost.", "my.localhost", "127.0.0.1:8000", "127.8.8.8", "[::1]:8000"],
)
async def test_the_names_of_this_machine_are_taken(proxy: Proxy, host: str) -> None:
    assert (await proxy.client.get("/v1/profiles", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:3000",
        "http://127.0.0.1",
        "http://[::1]:8000",
        "https://localhost",
        "app://obsidian.md",
    ],
)
async def test_pages_of_this_machine_and_apps_are_taken(proxy: Proxy, origin: str) -> None:
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    assert (await proxy.client.post(HISTORY, content="mine", headers=headers)).status_code == 201


async def test_a_key_opens_from_anywhere(proxy: Proxy) -> None:
    """No stranger's page has it."""
    _, secret = proxy.store.keys.create("far", "loud")
    headers = {"Authorization": f"Bearer {secret}", "Host": "api.example", "Origin": "https://app.example"}
    assert (await proxy.client.get("/v1/profiles/loud", headers=headers)).status_code == 200


def asking(proxy: Proxy, **settings: str | bool) -> httpx.AsyncClient:
    """A client of the same parts behind an application with these settings."""
    app = create_app(Settings(**settings))  # type: ignore[arg-type]
    app.state.parts = proxy.app.state.parts
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_a_host_that_is_allowed_is_taken_and_no_other(proxy: Proxy) -> None:
    async with asking(proxy, allowed_hosts="costeer, 192.168.1.5,NAS.lan") as client:
        for host, status in (
            ("costeer:8000", 200),
            ("192.168.1.5", 200),
            ("nas.lan", 200),
            ("localhost", 200),
            ("192.168.1.6", 403),
            ("costeer.evil.example", 403),
        ):
            answer = await client.get("/v1/profiles", headers={"Host": host})
            assert answer.status_code == status, host


@pytest.mark.parametrize("host", ["0.0.0.0", "203.0.113.1"])  # noqa: S104
async def test_where_others_can_reach_it_every_request_needs_a_key(proxy: Proxy, host: str) -> None:
    """Also when the admin key that it was started with has been deleted since."""
    _, secret = proxy.store.keys.create("mine", "loud")
    async with asking(proxy, host=host) as client:
        assert (await client.get("/v1/profiles")).status_code == 401
        keyed = await client.get("/v1/profiles/loud", headers={"Authorization": f"Bearer {secret}"})
        assert keyed.status_code == 200
        assert (await client.get("/health")).status_code == 200
    async with asking(proxy, host=host, trust_network=True) as client:
        assert (await client.get("/v1/profiles")).status_code == 200
        assert (await client.get("/v1/profiles", headers={"Host": "192.168.1.5"})).status_code == 403


APP = "https://app.example"
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}


async def test_unless_it_is_set_no_page_of_another_site_reads_an_answer(proxy: Proxy) -> None:
    for origin in (APP, "http://localhost:3000"):
        before = await proxy.client.options("/v1/profiles/loud", headers={"Origin": origin, **PREFLIGHT})
        asked = await proxy.client.get("/v1/profiles", headers={"Origin": origin})
        for answer in (before, asked):
            assert not [name for name in answer.headers if name.startswith("access-control")]
        assert before.status_code == 405


async def test_pages_that_are_set_may_ask_and_read_and_no_others(proxy: Proxy) -> None:
    async with asking(proxy, cors_origins=f"{APP}, http://localhost:3000") as client:
        before = await client.options("/v1/profiles/loud", headers={"Origin": APP, **PREFLIGHT})
        assert before.status_code == 200
        assert before.headers["Access-Control-Allow-Origin"] == APP
        assert "PATCH" in before.headers["Access-Control-Allow-Methods"]
        assert before.headers["Access-Control-Allow-Headers"] == "content-type"
        asked = await client.get("/v1/profiles", headers={"Origin": APP})
        assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (200, APP)
        refused = await client.get("/v1/nowhere", headers={"Origin": APP})
        assert refused.headers["Access-Control-Allow-Origin"] == APP
        for other in ("https://evil.example", "http://app.example", f"{APP}:8443", "null"):
            before = await client.options("/v1/profiles/loud", headers={"Origin": other, **PREFLIGHT})
            asked = await client.get("/v1/profiles", headers={"Origin": other})
            assert (before.status_code, asked.status_code) == (400, 403)
            assert "Access-Control-Allow-Origin" not in {**before.headers, **asked.headers}


def fetched(site: str, **headers: str) -> dict[str, str]:
    """What a browser says of a request that a page had it send."""
    return {"Sec-Fetch-Site": site, **{name.replace("_", "-"): value for name, value in headers.items()}}


IMAGE = {"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}
LINK = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document", "Sec_Fetch_User": "?1"}


@pytest.mark.parametrize("how", [IMAGE, LINK], ids=["image", "link"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/profiles/loud",
        "/v1/profiles/nobody",
        "/v1/profiles/loud/export",
        "/v1/models",
        "/metrics",
        "/v1/files/f",
    ],
)
async def test_a_page_of_another_site_cannot_embed_or_link_to_an_answer(
    proxy: Proxy, how: dict[str, str], method: str, path: str
) -> None:
    """Browsers name no Origin then; that an image has loaded would tell that there is such a profile."""
    response = await proxy.client.request(method, path, headers=fetched("cross-site", **how))
    assert response.status_code == 403 or (method, response.status_code) == ("HEAD", 405)
    assert proxy.remote.forwarded == []


async def test_what_a_form_of_another_site_sends_is_refused_though_it_named_no_origin(proxy: Proxy) -> None:
    headers = fetched("cross-site", Content_Type="text/plain")
    assert (await proxy.client.post(HISTORY, content="planted", headers=headers)).status_code == 403
    assert proxy.store.profiles.read("loud").history_count == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (fetched("none", **LINK), 200),
        (fetched("same-origin"), 200),
        # Pages of this machine at another port, or under its other name.
        (fetched("same-site", Origin="http://localhost:3000"), 200),
        (fetched("same-site", **IMAGE), 200),
        (fetched("cross-site", Origin="http://127.0.0.1:3000"), 200),
        (fetched("cross-site", Origin="app://obsidian.md"), 200),
        # Of an allowed name the other pages may be anybody's.
        (fetched("same-site", Host="costeer.example"), 403),
        (fetched("none", Host="costeer.example"), 200),
        (fetched("same-site", Host="costeer.example", Origin="https://blog.example"), 403),
        (fetched("same-site", Host="costeer.example", Origin="https://app.example"), 200),
        (fetched("cross-site", Origin="https://app.example"), 200),
        (fetched("cross-site", Origin="https://evil.example"), 403),
        (fetched("something-new"), 403),
    ],
)
async def test_what_is_typed_and_the_pages_that_are_let_in_are_taken(
    proxy: Proxy, headers: dict[str, str], status: int
) -> None:
    async with asking(proxy, allowed_hosts="costeer.example", cors_origins=APP) as client:
        assert (await client.get("/v1/profiles", headers=headers)).status_code == status


async def test_a_link_from_anywhere_leads_to_what_is_public(proxy: Proxy) -> None:
    for path in ("/docs", "/openapi.json", "/health", "/ready"):
        response = await proxy.client.get(path, headers=fetched("cross-site", **LINK))
        assert response.status_code == 200
