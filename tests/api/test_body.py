"""Bodies that are not read at all, and those of which very much is wrong."""

from __future__ import annotations

import gzip
import json

import pytest
from conftest import Proxy

from api.routes.test_chat import HELLO, error_of
from app.api.forms import read_form
from app.errors import InvalidRequest

CHAT = "/v1/chat/completions"
BODY = {"model": "fake-model", "messages": HELLO}
PATHS = [
    ("POST", CHAT, "application/json"),
    ("POST", "/v1/profiles", "application/json"),
    ("PATCH", "/v1/profiles/loud", "application/json"),
    ("POST", "/v1/profiles/import", "application/toml"),
    ("POST", "/v1/profiles/loud/history", "text/plain"),
    ("POST", "/v1/embeddings", "application/json"),
    ("POST", "/v1/files", "multipart/form-data; boundary=x"),
]


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate, gzip", "br", "identity, zstd", "nonsense"])
@pytest.mark.parametrize(("method", "path", "media_type"), PATHS)
async def test_a_compressed_body_is_refused_by_the_header_s_name(
    proxy: Proxy, method: str, path: str, media_type: str, coding: str
) -> None:
    headers = {"Content-Type": media_type, "Content-Encoding": coding}
    data = gzip.compress(json.dumps(BODY).encode())
    response = await proxy.client.request(method, path, content=data, headers=headers)
    error = error_of(response)
    assert (response.status_code, error["param"]) == (415, "Content-Encoding")
    assert error["code"] == "unsupported_media_type"
    assert "without compression" in error["message"]


@pytest.mark.parametrize("coding", ["identity", "Identity, identity", ""])
async def test_a_body_may_say_that_it_is_as_it_is(proxy: Proxy, coding: str) -> None:
    response = await proxy.client.post(CHAT, json=BODY, headers={"Content-Encoding": coding})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        b'{"model": "m", "messages": [' + b"1," * 50_000 + b"1]}",
        b"{" + b",".join(b'"k%d": 1' % number for number in range(50_000)) + b"}",
        b'{"model": "m", "messages": [], "logit_bias": {'
        + b",".join(b'"%d": "x"' % number for number in range(50_000))
        + b"}}",
    ],
    ids=["messages", "keys", "bias"],
)
async def test_very_many_mistakes_are_counted(proxy: Proxy, data: bytes) -> None:
    response = await proxy.client.post(CHAT, content=data, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert error_of(response)["message"].startswith("The body has 50,0")


@pytest.mark.parametrize(
    "value", ["[" * 500 + "]" * 500, '{"a":' * 500 + "1" + "}" * 500, "1e999", "9" * 5000]
)
async def test_what_nobody_could_pass_on_is_refused(proxy: Proxy, value: str) -> None:
    for path in (CHAT, "/v1/embeddings", "/v1/profiles", "/v1/profiles/import", "/v1/profiles/loud/history"):
        data = f'{{"model": "m", "metadata": {value}}}'
        headers = {"Content-Type": "application/json"}
        response = await proxy.client.post(path, content=data, headers=headers)
        assert response.status_code == 400, path
        assert "not valid JSON" in error_of(response)["message"]


async def test_a_million_values_are_too_many_for_a_request(proxy: Proxy) -> None:
    data = b'{"model": "m", "messages": [' + b"1," * 1_000_000 + b"1]}"
    response = await proxy.client.post(CHAT, content=data, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert "more than 1,000,000 values" in error_of(response)["message"]


@pytest.mark.parametrize("path", ["/v1/profiles", "/v1/profiles/loud/history", "/v1/profiles/import", CHAT])
async def test_a_name_with_half_a_character_can_be_told(proxy: Proxy, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = await proxy.client.post(path, content=b'{"\\ud800": 1}', headers=headers)
    assert response.status_code == 400
    assert error_of(response)["type"] == "invalid_request_error"


def test_the_fields_of_a_form_are_found_in_linear_time() -> None:
    for line in (b"content-disposition: form-data;" * 100_000, b"content-disposition:" + b" " * 1_000_000):
        with pytest.raises(InvalidRequest):
            read_form("multipart/form-data; boundary=x", b"--x\r\n" + line)
