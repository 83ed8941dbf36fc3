"""GET /v1/models and /health, and what every path that isn't there answers."""

from __future__ import annotations

import pytest
from conftest import Proxy

from app.errors import RemoteUnavailable


async def test_health_answers_whatever_the_remote_does(proxy: Proxy) -> None:
    proxy.remote.unreachable = RemoteUnavailable("The remote cannot be reached.")
    response = await proxy.client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_models_lists_the_one_to_name_in_openai_s_shape(proxy: Proxy) -> None:
    body = (await proxy.client.get("/v1/models")).json()
    assert body == {
        "object": "list",
        "data": [{"id": "fake-model", "object": "model", "created": 0, "owned_by": "costeer"}],
    }


async def test_models_without_a_remote_is_an_error(proxy: Proxy) -> None:
    proxy.remote.unreachable = RemoteUnavailable("The remote cannot be reached. Start it.")
    response = await proxy.client.get("/v1/models")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "remote_unavailable"


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/completions", "/v1/models/fake-model", "/chat/completions"]
)
async def test_an_unknown_path_is_named(proxy: Proxy, path: str) -> None:
    response = await proxy.client.post(path, json={})
    assert response.status_code == 404
    error = response.json()["error"]
    assert error["message"] == f"There is no POST {path} here."
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [("GET", "/v1/chat/completions", "POST"), ("POST", "/v1/models", "GET"), ("DELETE", "/health", "GET")],
)
async def test_a_wrong_method_is_told_the_right_one(proxy: Proxy, method: str, path: str, right: str) -> None:
    response = await proxy.client.request(method, path)
    assert response.status_code == 405
    assert response.headers["Allow"] == right
    error = response.json()["error"]
    assert error["message"] == f"{path} does not take {method}; use {right}."
    assert error["code"] == "method_not_allowed"
