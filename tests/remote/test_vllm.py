"""What a VLLMRemote knows of its server: models, tokens, and whether it is on this machine."""

from __future__ import annotations

from contextlib import aclosing

import httpx
import pytest
import respx

from app.errors import (
    ModelNotFound,
    RemoteError,
    RemoteUnavailable,
    RemoteUnreachable,
)
from app.prompts.message import Message
from app.remote.interface import ModelCard
from app.remote.vllm import VLLMRemote
from remote.recordings import (
    BASE,
    failing_draft,
    recording,
    sent,
)


async def test_tokenize_has_the_remote_render_the_conversation(
    router: respx.Router, remote: VLLMRemote
) -> None:
    recorded = recording("tokenize")
    route = router.post("http://vllm.test:8001/tokenize").respond(200, json=recorded["response"])
    messages = [Message(**message) for message in recorded["request"]["body"]["messages"]]
    assert await remote.tokenize(messages) == recorded["response"]["tokens"]
    asked = recorded["request"]["body"]
    assert sent(route) == {name: asked[name] for name in ("model", "messages", "add_generation_prompt")}


async def test_tokenize_has_the_remote_leave_the_last_message_open(
    router: respx.Router, remote: VLLMRemote
) -> None:
    route = router.post("http://vllm.test:8001/tokenize").respond(200, json={"tokens": [1, 2]})
    messages = [Message("user", "Hello"), Message("assistant", "Good")]
    assert await remote.tokenize(messages, continue_final=True) == [1, 2]
    asked = sent(route)
    assert (asked["add_generation_prompt"], asked["continue_final_message"]) == (False, True)


async def test_tokenize_text_adds_no_special_tokens(router: respx.Router, remote: VLLMRemote) -> None:
    recorded = recording("tokenize_prompt")
    route = router.post("http://vllm.test:8001/tokenize").respond(200, json=recorded["response"])
    assert await remote.tokenize_text("def f(x):\n  return x") == recorded["response"]["tokens"]
    asked = recorded["request"]["body"]
    assert sent(route) == {name: asked[name] for name in ("model", "prompt", "add_special_tokens")}


async def test_the_card_is_asked_for_once(router: respx.Router, remote: VLLMRemote) -> None:
    assert await remote.card() == await remote.card() == ModelCard("qwen", 4096, 1795354971, "vllm")
    assert router["models"].call_count == 1


async def test_the_list_is_asked_for_again_only_when_it_should_be_fresh(
    router: respx.Router, remote: VLLMRemote
) -> None:
    await remote.card()
    assert await remote.cards(fresh=False) == [await remote.card()]
    assert router["models"].call_count == 1
    two = {"data": [{"id": "qwen"}, {"id": "new", "created": "?", "owned_by": None}]}
    router["models"].respond(200, json=two)
    assert [card.id for card in await remote.cards(fresh=False)] == ["qwen"]
    assert await remote.cards() == [ModelCard("qwen", None), ModelCard("new", None)]
    assert await remote.cards(fresh=False) == await remote.cards()


async def test_whenever_the_list_is_asked_for_the_card_follows_it(
    router: respx.Router, remote: VLLMRemote
) -> None:
    """The remote may be started anew, with another limit."""
    await remote.card()
    router["models"].respond(200, json={"data": [{"id": "new"}, {"id": "qwen", "max_model_len": 10}]})
    await remote.cards()
    assert await remote.card() == ModelCard("qwen", 10)
    router["models"].respond(200, json={"data": [{"id": "new"}]})
    await remote.cards()
    assert (await remote.card()).id == "qwen"


async def test_the_named_model_is_taken_and_one_not_served_is_refused(router: respx.Router) -> None:
    two = {"data": [{"id": "first"}, {"id": "second", "max_model_len": 10}]}
    router["models"].respond(200, json=two)
    async with aclosing(VLLMRemote(BASE, model="second")) as remote:
        assert await remote.card() == ModelCard("second", 10)
    async with aclosing(VLLMRemote(BASE)) as remote:
        assert await remote.card() == ModelCard("first", None)
    async with aclosing(VLLMRemote(BASE, model="third")) as remote:
        with pytest.raises(ModelNotFound, match=r"first, second.*COSTEER_REMOTE_MODEL") as caught:
            await remote.card()
    assert (caught.value.status, caught.value.param) == (404, "model")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<!doctype html><title>It works</title>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, json=["a list"]),
        httpx.Response(200, json={"data": "no list"}),
        httpx.Response(200, json={"data": [{"name": "no id"}]}),
    ],
)
async def test_what_is_no_vllm_is_named_so(
    router: respx.Router, remote: VLLMRemote, answer: httpx.Response
) -> None:
    router["models"].mock(return_value=answer)
    with pytest.raises(RemoteError, match=r"not a vLLM's.*COSTEER_REMOTE_BASE_URL"):
        await remote.tokenize([Message("user", "Hello")])


@pytest.mark.parametrize(
    "base_url", ["http://", "http:///v1", "http://host:port/v1", "http://[::1/v1", "ftp://host/v1"]
)
async def test_a_url_that_cannot_be_asked_is_a_setting_to_correct(base_url: str) -> None:
    async with aclosing(VLLMRemote(base_url)) as remote:
        with pytest.raises(RemoteUnavailable, match="COSTEER_REMOTE_BASE_URL"):
            await remote.card()


async def test_a_connection_that_takes_too_long_counts_as_unreachable(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].mock(side_effect=httpx.ConnectTimeout)
    _, error = await failing_draft(remote)
    assert type(error) is RemoteUnreachable
