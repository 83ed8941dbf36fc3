"""Without an API key, a web page of another site reaches nothing, whatever its browser is made to send."""

from __future__ import annotations

import pytest
from conftest import Proxy

from api.test_chat import error_of

HISTORY = "/v1/profiles/loud/history"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://evil.example:8000", "null", "http://203.0.113.9", "http://["]
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
    ],
)
async def test_a_site_whose_name_points_to_this_machine_reads_nothing(proxy: Proxy, host: str) -> None:
    for path in ("/v1/profiles", "/v1/profiles/loud/export", "/v1/models"):
        response = await proxy.client.get(path, headers={"Host": host})
        assert response.status_code == 403
        assert "Lotte" not in response.text


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1:8000", "[::1]:8000", "192.168.1.5", "203.0.113.9", "costeer:8000", "mac.local"],
)
async def test_the_names_of_this_machine_are_taken(proxy: Proxy, host: str) -> None:
    assert (await proxy.client.get("/v1/profiles", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:8000", "http://proxy", "app://obsidian.md"],
)
async def test_pages_of_this_machine_and_apps_are_taken(proxy: Proxy, origin: str) -> None:
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    assert (await proxy.client.post(HISTORY, content="mine", headers=headers)).status_code == 201


async def test_a_key_opens_from_anywhere(proxy: Proxy) -> None:
    """No stranger's page has it."""
    _, secret = proxy.store.keys.create("far", "loud")
    headers = {"Authorization": f"Bearer {secret}", "Host": "api.example", "Origin": "https://app.example"}
    assert (await proxy.client.get("/v1/profiles/loud", headers=headers)).status_code == 200
