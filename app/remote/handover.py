"""A reply that the remote goes on with by itself: what a vLLM is asked for, and what it says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from app.errors import RemoteError
from app.prompts.message import Message, ToolCall
from app.remote.errors import check_finished, from_error
from app.remote.interface import CallPiece, Handover, Said

PLAIN = (str, int, float, bool, type(None))


def check_messages(messages: Sequence[Message]) -> None:
    """Raise TypeError for anything that is no message of the public conversation."""
    if not all(
        type(one) is Message and all(type(call) is ToolCall for call in one.calls) for one in messages
    ):
        raise TypeError("only messages of the public conversation go to the remote")


def check_plain(value: object) -> None:
    """Raise TypeError for anything but JSON's own types: orjson would write private types out as well."""
    rest = [value]
    while rest:
        one = rest.pop()
        if type(one) is list or type(one) is tuple:
            rest += one
        elif type(one) is dict:
            rest += [*one, *one.values()]
        elif type(one) not in PLAIN:
            raise TypeError("only a client's own tools and fields go to the remote")


def chat_body(handover: Handover, model: str) -> dict[str, Any]:
    """The chat request that has `model` go on. Raises TypeError for what is not public."""
    if type(handover) is not Handover:
        raise TypeError("only a reply that is handed over goes to the remote")
    check_messages(handover.messages)
    given = {"tools": list(handover.tools), "tool_choice": handover.choice, **handover.asked}
    if handover.parallel is not None:
        given["parallel_tool_calls"] = handover.parallel
    check_plain(given)
    messages = [message.wire() for message in handover.messages]
    body = {**given, "model": model, "messages": messages, "stream": handover.stream}
    if handover.max_tokens is not None:
        body["max_tokens"] = handover.max_tokens
    if handover.stream:
        body["stream_options"] = {"include_usage": True}
    if handover.begun:
        messages.append({"role": "assistant", "content": handover.begun})
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return body


def said(answer: bytes) -> Said:
    """All that the remote said, from a whole response."""
    response = orjson.loads(answer)
    (choice,) = response["choices"]
    spoken = _spoken(choice, choice["message"])
    if spoken.finish_reason is None:
        raise RemoteError("The remote's response does not say why the reply ended.")
    check_finished(spoken.finish_reason)
    return replace(spoken, tokens=_tokens(response))


async def pieces(events: AsyncIterator[bytes]) -> AsyncIterator[Said]:
    """What the remote says, piece by piece, from the data of its events.

    The last piece waits for the end of the stream, where the number of tokens stands; where that is cut off,
    the pieces are counted. Raises RemoteError where the stream ends before the reply does, and what an event
    of an error says.
    """
    last: Said | None = None
    tokens = came = 0
    try:
        async for data in events:
            if data == b"[DONE]":
                continue  # read the response to its end, so that its connection is reused
            chunk = orjson.loads(data)
            if "error" in chunk:
                raise from_error(chunk["error"], RemoteError.status, begun=came > 0)
            tokens = _tokens(chunk) or tokens
            for choice in chunk["choices"]:
                piece = _spoken(choice, choice["delta"])
                check_finished(piece.finish_reason)
                if piece.finish_reason is not None:
                    last = piece
                elif piece != Said():
                    came += 1
                    yield piece
    except RemoteError:
        if last is None:
            raise
        tokens = tokens or came + 1  # the reply is whole, and only its end has no text
    if last is None:
        raise RemoteError("The remote's stream ended before the reply was finished.")
    yield replace(last, tokens=tokens)


async def without_blanks(spoken: AsyncIterator[Said]) -> AsyncGenerator[Said, None]:
    """The same, without white space that stands alone before the first call: a template puts it there."""
    held, begun = "", False
    async for piece in spoken:
        if not begun:
            text = held + piece.text
            begun = bool(text.strip() or piece.calls or piece.finish_reason)
            alone = piece.calls and not text.strip()
            held = "" if begun else text
            piece = replace(piece, text="" if alone or not begun else text)  # noqa: PLW2901
        if piece != Said():
            yield piece


def _spoken(choice: Mapping[str, Any], message: Mapping[str, Any]) -> Said:
    """The content and the calls of a message, or of a piece of one."""
    calls = tuple(_call(index, call) for index, call in enumerate(message.get("tool_calls") or ()))
    return Said(message.get("content") or "", calls, choice.get("logprobs"), choice["finish_reason"])


def _call(index: int, call: Mapping[str, Any]) -> CallPiece:
    """A call, or a piece of one; only pieces have an index of their own."""
    function = call.get("function") or {}
    return CallPiece(
        call.get("index", index), call.get("id"), function.get("name"), function.get("arguments") or ""
    )


def _tokens(response: Mapping[str, Any]) -> int:
    return int((response.get("usage") or {}).get("completion_tokens") or 0)
