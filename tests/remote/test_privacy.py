"""The remote's side cannot be handed what is private, by its structure."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Any

import pytest
import respx

from app.network.outgoing import Transport
from app.network.proxy import Proxy
from app.prompts.message import Message, ToolCall
from app.prompts.private import PrivateMessage, PrivatePrompt
from app.remote.interface import Forward, Handover
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams
from remote.recordings import (
    GREEDY,
)


def leaves(hint: Any) -> set[Any]:
    """The types that a value of type `hint` is made of."""
    if arguments := typing.get_args(hint):
        return set().union(*(leaves(a) for a in arguments if a is not ...))
    if dataclasses.is_dataclass(hint):
        fields = typing.get_type_hints(hint)
        return {hint}.union(*(leaves(f) for f in fields.values()))
    return {hint}


def test_no_parameter_of_the_remote_takes_private_data() -> None:
    public = {
        Message,
        ToolCall,
        Any,  # of tools and of the client's fields, checked when they are sent: see test_handover.py
        Handover,
        Forward,
        SamplingParams,
        bool,
        int,
        float,
        str,
        bytes,
        types.NoneType,
        Transport,
        Proxy,
    }
    methods = [m for n, m in vars(VLLMRemote).items() if isinstance(m, types.FunctionType)]
    names = {method.__name__ for method in methods}
    assert {
        "__init__",
        "card",
        "cards",
        "tokenize",
        "tokenize_text",
        "draft",
        "take_over",
        "forward",
    } <= names
    for method in methods:
        if method.__name__.startswith("_") and method.__name__ != "__init__":
            continue
        hints = typing.get_type_hints(method)
        hints.pop("return")
        for name, hint in hints.items():
            assert leaves(hint) <= public, f"{method.__name__}({name})"
    assert PrivateMessage in leaves(Sequence[PrivateMessage]), "the check sees them"


async def test_tokenize_refuses_private_messages_before_anything_is_sent(
    router: respx.Router, remote: VLLMRemote
) -> None:
    class Lookalike(Message):
        pass

    private = PrivateMessage("system", "The user is Isabel.")
    for messages in ([private], [Message("user", "Hello"), private], [Lookalike("user", "Hello")]):
        with pytest.raises(TypeError):
            await remote.tokenize(messages)  # type: ignore[arg-type]
    assert not router.calls


@pytest.mark.parametrize(
    "prompt", [PrivatePrompt((1, 2)), [PrivatePrompt((1, 2))], "The user is Isabel.", ["Isabel"]]
)
async def test_draft_refuses_private_prompts_before_anything_is_sent(
    router: respx.Router, remote: VLLMRemote, prompt: Any
) -> None:
    with pytest.raises(TypeError):
        await anext(remote.draft(prompt, sampling=GREEDY, top_logprobs=5, max_tokens=6))
    assert not router.calls


@pytest.mark.parametrize("request_", [PrivatePrompt((1, 2)), "The user is Isabel.", {"method": "POST"}])
async def test_forward_refuses_what_is_no_request_before_anything_is_sent(
    router: respx.Router, remote: VLLMRemote, request_: Any
) -> None:
    with pytest.raises(TypeError):
        await remote.forward(request_)
    assert not router.calls
