"""GET /v1/models and /health, and what every path that isn't there answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from conftest import Proxy

from app.errors import RemoteUnavailable
from app.remote.interface import ModelCard


async def test_health_answers_whatever_the_remote_does(proxy: Proxy) -> None:
    proxy.remote.unreachable = RemoteUnavailable("The remote cannot be reached.")
    response = await proxy.client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_models_lists_the_one_to_name_in_openai_s_shape(proxy: Proxy) -> None:
    body = (await proxy.client.get("/v1/models")).json()
    assert body == {
        "object": "list",
        "data": [{"id": "fake-model", "object": "model", "created": 1_700_000_000, "owned_by": "vllm"}],
    }


async def ids(proxy: Proxy, **options: Any) -> list[str]:
    response = await proxy.client.get("/v1/models", **options)
    assert response.status_code == 200, response.text
    return [model["id"] for model in response.json()["data"]]


async def test_models_lists_all_of_the_remote_as_they_are_now(proxy: Proxy) -> None:
    assert await ids(proxy) == ["fake-model"]
    proxy.remote.others = [ModelCard("org/other", None)]
    assert await ids(proxy) == ["fake-model", "org/other"]


async def test_a_slash_behind_the_list_is_no_id(proxy: Proxy) -> None:
    assert (await proxy.client.get("/v1/models/")).json() == (await proxy.client.get("/v1/models")).json()


async def test_aliases_are_the_steered_model_with_each_profile_that_the_caller_may_use(proxy: Proxy) -> None:
    proxy.remote.others = [ModelCard("org/other", None)]
    asked = {"params": {"aliases": "true"}}
    served = ["fake-model", "org/other"]
    assert await ids(proxy, **asked) == [*served, "fake-model@joined", "fake-model@loud"]
    key = {"Authorization": f"Bearer {proxy.store.keys.create('test', 'loud')[1]}"}
    assert await ids(proxy, headers=key, **asked) == [*served, "fake-model@loud"]
    assert await ids(proxy, headers=key, params={"aliases": "false"}) == served


@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/metrics", "/v1/models", "/v1/models/", "/v1/models/fake-model", "/docs"]
)
async def test_a_parameter_that_means_nothing_here_is_no_reason_to_refuse(proxy: Proxy, path: str) -> None:
    """Clients send their version along, or what another server takes."""
    plain = await proxy.client.get(path)
    asked = await proxy.client.get(path, params={"client_version": "0.133.0", "api-version": "1"})
    assert asked.status_code == plain.status_code == 200
    if path.startswith("/v1/models"):
        assert asked.json() == plain.json()


async def test_a_parameter_that_has_a_meaning_is_checked(proxy: Proxy) -> None:
    response = await proxy.client.get("/v1/models", params={"aliases": "perhaps"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "aliases")


@pytest.mark.parametrize("any_model", [False, True])
async def test_default_names_the_steered_model_whichever_that_is(proxy: Proxy, any_model: bool) -> None:
    proxy.app.state.parts = replace(proxy.app.state.parts, any_model=any_model)
    assert (await proxy.client.get("/v1/models/default")).json()["id"] == "fake-model"
    assert (await proxy.client.get("/v1/models/default@loud")).json()["id"] == "fake-model@loud"
    assert (await proxy.chat(model="default")).json()["model"] == "fake-model"
    assert await proxy.text(model="default@loud") == "HELLO WORLD"
    proxy.remote.others = [ModelCard("default", 4096, 1_700_000_000, "vllm")]
    assert (await proxy.client.get("/v1/models/default")).json()["id"] == "default", (
        "the remote's own goes first"
    )


async def test_if_so_set_any_name_stands_for_the_steered_model(proxy: Proxy) -> None:
    proxy.remote.others = [ModelCard("other", 4096, 1_700_000_000, "vllm")]
    refused = await proxy.chat(model="gpt-4o")
    assert refused.status_code == 404
    assert "COSTEER_ANY_MODEL" in refused.json()["error"]["message"]
    proxy.app.state.parts = replace(proxy.app.state.parts, any_model=True)
    assert (await proxy.chat(model="gpt-4o")).json()["model"] == "fake-model"
    assert (await proxy.chat(model="gpt-4o@loud")).json()["model"] == "fake-model@loud"
    assert await proxy.text(model="gpt-4o@loud") == "HELLO WORLD"
    assert (await proxy.chat(model="gpt-4o@nobody")).status_code == 404
    assert (await proxy.client.get("/v1/models/gpt-4o")).json()["id"] == "fake-model"
    await proxy.chat(model="other")
    await proxy.chat(model="gpt-4o@loud", reasoning_effort="high")
    sent = [json.loads(forward.body)["model"] for forward in proxy.remote.forwarded]
    assert sent == ["other", "fake-model"], "what the remote lists it writes itself, and it learns no profile"


def aliased(proxy: Proxy, **aliases: str) -> None:
    proxy.app.state.parts = replace(proxy.app.state.parts, aliases=aliases)


async def listed(proxy: Proxy, headers: dict[str, str] | None = None) -> list[str]:
    return [card["id"] for card in (await proxy.client.get("/v1/models", headers=headers)).json()["data"]]


async def test_an_alias_stands_for_a_model_perhaps_with_a_profile(proxy: Proxy) -> None:
    proxy.remote.others = [ModelCard("other", 4096, 5, "org")]
    aliased(proxy, gpt="default", loudly="fake-model@loud", small="other")
    assert (await proxy.chat(model="gpt")).json()["model"] == "fake-model"
    assert await proxy.text(model="loudly") == await proxy.text(model="gpt@loud") == "HELLO WORLD"
    assert (await proxy.chat(model="loudly")).json()["model"] == "fake-model@loud"
    assert (await proxy.chat(model="loudly@loud")).status_code == 200
    assert (await proxy.chat(model="gpt@nobody")).status_code == 404
    two = await proxy.chat(model="loudly@joined")
    assert (two.status_code, two.json()["error"]["param"]) == (400, "model")
    await proxy.chat(model="small")
    assert json.loads(proxy.remote.forwarded[-1].body)["model"] == "other"
    message = (await proxy.chat(model="gpt-5")).json()["error"]["message"]
    assert "COSTEER_MODEL_ALIASES" in message and "COSTEER_ANY_MODEL" in message and "'loudly'" in message


async def test_aliases_are_listed_as_the_models_that_they_stand_for(proxy: Proxy) -> None:
    proxy.remote.others = [ModelCard("other", 4096, 5, "org")]
    aliased(proxy, gpt="default", small="other", loudly="default@loud", gone="nothing", away="default@away")
    assert await listed(proxy) == ["fake-model", "other", "gpt", "small", "loudly"]
    key = {"Authorization": f"Bearer {proxy.store.keys.create('test', 'joined')[1]}"}
    assert await listed(proxy, key) == ["fake-model", "other", "gpt", "small"]
    for alias, owner in (("gpt", "vllm"), ("small", "org"), ("loudly", "vllm")):
        read = (await proxy.client.get(f"/v1/models/{alias}")).json()
        assert (read["id"], read["owned_by"]) == (alias, owner)
    assert (await proxy.client.get("/v1/models/loudly", headers=key)).status_code == 404
    gone = await proxy.client.get("/v1/models/gone")
    assert gone.status_code == 404 and "COSTEER_MODEL_ALIASES" in gone.json()["error"]["message"]


async def test_a_model_of_the_remote_goes_before_an_alias(proxy: Proxy) -> None:
    proxy.remote.others = [ModelCard("gpt", 4096, 5, "org")]
    aliased(proxy, gpt="default")
    assert await listed(proxy) == ["fake-model", "gpt"]
    assert (await proxy.client.get("/v1/models/gpt")).json()["owned_by"] == "org"
    await proxy.chat(model="gpt")
    assert json.loads(proxy.remote.forwarded[-1].body)["model"] == "gpt"


@pytest.mark.parametrize("model", ["fake-model", "org/other", "fake-model@loud", "at@home"])
async def test_a_model_is_read_by_its_id(proxy: Proxy, base_url: str, model: str) -> None:
    proxy.remote.others = [ModelCard("org/other", None, 5, "org"), ModelCard("at@home", None)]
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        read = await client.models.retrieve(model)
        listed = [one async for one in client.models.list(extra_query={"aliases": "true"})]
    assert read.id == model
    assert read in listed


@pytest.mark.parametrize(
    "model", ["gone", "gone@loud", "fake-model@gone", "org/other@loud", "fake-model@joined", "fake-model/x"]
)
async def test_a_model_that_is_not_there_is_not_found(proxy: Proxy, model: str) -> None:
    proxy.remote.others = [ModelCard("org/other", None)]
    key = {"Authorization": f"Bearer {proxy.store.keys.create('test', 'loud')[1]}"}
    response = await proxy.client.get(f"/v1/models/{model}", headers=key)
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")


async def test_models_without_a_remote_is_an_error(proxy: Proxy) -> None:
    proxy.remote.unreachable = RemoteUnavailable("The remote cannot be reached. Start it.")
    response = await proxy.client.get("/v1/models")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "remote_unavailable"


@pytest.mark.parametrize("path", ["/v1", "/v1/completion", "/v1/profiles/loud/notes", "/chat/completions"])
async def test_an_unknown_path_is_named(proxy: Proxy, path: str) -> None:
    response = await proxy.client.post(path, json={})
    assert response.status_code == 404
    error = response.json()["error"]
    assert error["message"] == f"There is no POST {path} here."
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("PUT", "/v1/chat/completions", "GET, HEAD, POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/fake-model", "GET, HEAD"),
        ("DELETE", "/health", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_one(proxy: Proxy, method: str, path: str, right: str) -> None:
    response = await proxy.client.request(method, path)
    assert response.status_code == 405
    assert response.headers["Allow"] == right
    error = response.json()["error"]
    assert error["message"] == f"{path} does not take {method}; use {right}."
    assert error["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/v1//models", "//v1/models", "/v1//chat/completions", "/v1/files//x"])
async def test_a_path_with_an_empty_step_is_refused_with_the_cause(proxy: Proxy, path: str) -> None:
    """Served, it would lead past whoever filters paths in front of this server."""
    for method in ("GET", "POST"):
        response = await proxy.client.request(method, f"http://localhost{path}")
        assert response.status_code == 404
        assert 'holds "//"' in response.json()["error"]["message"]
    assert proxy.remote.forwarded == []


async def test_head_of_what_is_passed_on_asks_the_remote_as_get_does(proxy: Proxy) -> None:
    response = await proxy.client.head("/v1/files")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["X-CoSteer-Steered"] == "false"
    assert [one.method for one in proxy.remote.forwarded] == ["GET"]
