"""Every answer tells browsers that no other site may embed, frame or keep it."""

from __future__ import annotations

import httpx
import pytest
from conftest import Proxy
from fakes import FakeAnswer

from api.middleware.test_origins import APP, asking


async def answers(proxy: Proxy) -> list[httpx.Response]:
    """Of every kind: read, refused, streamed, passed on, and those of the outermost layers."""
    client = proxy.client
    proxy.remote.answer = FakeAnswer(b"{}")
    return [
        await client.get("/v1/profiles/loud"),
        await client.get("/v1/profiles/loud/export"),
        await client.get("/v1/profiles/nobody"),
        await client.get("/v1/profiles", headers={"Host": "evil.example"}),
        await client.get("/nowhere"),
        await client.options("/v1/profiles"),
        await client.get("/metrics"),
        await client.get("/ready"),
        await client.get("/openapi.json"),
        await client.post("/v1/profiles", content=b"", headers={"Content-Length": str(2**40)}),
        await proxy.chat(profile="loud"),
        await proxy.chat(profile="loud", stream=True),
        await proxy.chat(steering="off"),
    ]


async def test_no_other_site_may_embed_frame_or_guess_at_an_answer_and_no_cache_keep_it(proxy: Proxy) -> None:
    for answer in await answers(proxy):
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]
        assert all(len(answer.headers.get_list(name)) == 1 for name in answer.headers)


@pytest.mark.parametrize("path", ["/docs", "/docs/assets/swagger-ui.css"])
async def test_what_is_the_same_for_everybody_may_be_kept_and_has_its_own_policy(
    proxy: Proxy, path: str
) -> None:
    answer = await proxy.client.get(path)
    assert answer.status_code == 200
    assert "Cache-Control" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert ("script-src" in answer.headers["Content-Security-Policy"]) == (path == "/docs")


async def test_pages_that_are_let_in_read_answers_as_before(proxy: Proxy) -> None:
    async with asking(proxy, cors_origins=APP) as client:
        answer = await client.get("/v1/profiles", headers={"Origin": APP, "Sec-Fetch-Site": "cross-site"})
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        assert "X-CoSteer-Recorded" in answer.headers["Access-Control-Expose-Headers"]
