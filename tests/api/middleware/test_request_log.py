"""Each answer has an id, and each request a line in the log that tells nothing of what was said."""

from __future__ import annotations

import json
import logging
import re

import pytest
from conftest import Proxy

from app.errors import RemoteUnavailable

NAME = "X-Request-Id"


@pytest.mark.parametrize("given", ["a", "req-1 of:mine/é".replace("é", "e"), "x" * 64])
async def test_a_client_s_own_id_comes_back(proxy: Proxy, given: str) -> None:
    assert (await proxy.chat(headers={NAME: given})).headers[NAME] == given


@pytest.mark.parametrize("given", [b"", b"x" * 65, b"tab\there", "ümlaut".encode(), b"\x7f"])
async def test_another_one_is_replaced(proxy: Proxy, given: bytes) -> None:
    answers = [await proxy.client.get("/health", headers=[(NAME.encode(), given)]) for _ in range(2)]
    one, other = (answer.headers[NAME] for answer in answers)
    assert re.fullmatch("[0-9a-f]{32}", one)
    assert one != other


async def test_every_answer_has_exactly_one(proxy: Proxy) -> None:
    proxy.remote.max_model_len = 100
    answers = [
        await proxy.client.get("/nowhere"),
        await proxy.client.put("/health"),
        await proxy.client.get("/docs"),
        await proxy.client.get("/v1/profiles", headers={"Host": "evil.example"}),
        await proxy.client.post("/v1/embeddings", json={"input": "x"}),
        await proxy.client.post("/v1/profiles", content=b"", headers={"Content-Length": str(2**40)}),
        await proxy.chat(stream=True),
        await proxy.chat(strength=9),
    ]
    assert [answer.status_code for answer in answers] == [404, 405, 200, 403, 200, 413, 200, 400]
    assert all(len(answer.headers.get_list(NAME)) == 1 for answer in answers)


async def test_a_line_tells_what_was_asked_for_and_how_it_went(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app")
    await proxy.chat(profile="loud")
    await proxy.client.get("/v1/profiles/loud?secret=1")
    await proxy.client.get("/Lotte")
    proxy.remote.unreachable = RemoteUnavailable("It is not there.")
    await proxy.chat()
    lines = [record for record in caplog.records if record.name == "app.api.middleware.request_log"]
    told = [
        [fields[key] for key in ("method", "route", "status", "steered")]
        for fields in (record.__dict__["fields"] for record in lines)
    ]
    assert told == [
        ["POST", "/v1/chat/completions", 200, True],
        ["GET", "/v1/profiles/{profile_id}", 200, False],
        ["GET", "none", 404, False],
        ["POST", "/v1/chat/completions", 503, False],
    ]
    assert [record.levelname for record in lines] == ["INFO", "INFO", "INFO", "WARNING"]
    assert "loud" not in json.dumps(told) + caplog.text
