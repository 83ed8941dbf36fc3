"""Items of a conversation: as messages for the models, and as they are kept and listed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from app.api.schemas.response_items import (
    CallItem,
    Item,
    MessageItem,
    ReasoningItem,
    ReferenceItem,
    ResultItem,
    text_of,
)
from app.prompts.message import Message, ToolCall

# In the ids that are given here, so that they are told from a remote's.
OURS = "costeer"
PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
_ITEM: TypeAdapter[Item] = TypeAdapter(Item)


def new_id(prefix: str) -> str:
    """A new id, like msg_costeer_..."""
    return f"{prefix}_{OURS}_{uuid.uuid4().hex}"


def is_ours(given: str) -> bool:
    """Whether an id was given here."""
    return f"_{OURS}_" in given


def read(kept: dict[str, Any]) -> Item:
    """The item that `normal` wrote."""
    return _ITEM.validate_python(kept)


def messages_of(items: Iterable[Item], instructions: str | None = None) -> tuple[Message, ...]:
    """The conversation for a chat template. Calls belong to the message of the assistant before them, as in
    vLLM; what was thought is left out."""
    messages = [Message("system", instructions)] if instructions else []
    calls: list[ToolCall] = []

    def close() -> None:
        """Gives the calls so far to their message."""
        if calls and not (messages and messages[-1].role == "assistant"):
            messages.append(Message("assistant", ""))
        if calls:
            messages[-1] = replace(messages[-1], calls=tuple(calls))
        calls.clear()

    for item in items:
        match item:
            case MessageItem():
                close()
                role = "system" if item.role == "developer" else item.role
                messages.append(Message(role, text_of(item.content)))
            case CallItem():
                calls.append(ToolCall(item.call_id, item.name, item.arguments))
            case ResultItem():
                close()
                messages.append(Message("tool", text_of(item.output), answers=item.call_id))
            case ReasoningItem() | ReferenceItem():  # a reference has been resolved by then
                pass
    close()
    return tuple(messages)


def normal(items: Sequence[Item]) -> list[dict[str, Any]]:
    """The items as OpenAI lists them: each with an id and a status, its text as parts."""
    return [_normal(item) for item in items]


def distinct(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items, each with an id of its own: a client may send those back that are here already."""
    seen: set[str] = set()
    found = []
    for item in items:
        if item["id"] in seen:
            item = {**item, "id": new_id(PREFIXES.get(item["type"], "item"))}  # noqa: PLW2901
        seen.add(item["id"])
        found.append(item)
    return found


def _normal(item: Item) -> dict[str, Any]:
    own = {"id": item.id or new_id(PREFIXES.get(item.type or "", "item")), "type": item.type}
    match item:
        case MessageItem():
            kind = "output_text" if item.role == "assistant" else "input_text"
            texts = [item.content] if isinstance(item.content, str) else [one.text for one in item.content]
            content = [_part(kind, text) for text in texts]
            phase = {"phase": item.phase} if item.phase is not None else {}
            return {**own, "role": item.role, "status": "completed", "content": content, **phase}
        case CallItem():
            said = {"call_id": item.call_id, "name": item.name, "arguments": item.arguments}
            return {**own, "status": "completed", **said}
        case ResultItem():
            output = item.output
            told = output if isinstance(output, str) else [_part("input_text", part.text) for part in output]
            return {**own, "status": "completed", "call_id": item.call_id, "output": told}
        case ReasoningItem():
            given = item.model_dump(include={"content", "encrypted_content"}, exclude_none=True)
            return {**own, "summary": item.summary or [], **given}
        case ReferenceItem():
            return own


def _part(kind: str, text: str) -> dict[str, Any]:
    more: dict[str, Any] = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
    return {"type": kind, "text": text, **more}
