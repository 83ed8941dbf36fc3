"""The items that a conversation has in the Responses API: messages, calls of functions, and their results."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import AfterValidator, Discriminator, Field, Tag

from app.api.schemas.chat import Nothing, Text
from app.profiles.fields import Wire, wrong

T = TypeVar("T")
Status = Literal["in_progress", "completed", "incomplete"]
PARTS = ("input_text", "output_text", "text")


def _one_or_list(value: object) -> str | None:
    return "one" if isinstance(value, str) else "list" if isinstance(value, list) else None


def sendable(value: T) -> T:
    """What is told back has to be JSON of UTF-8, as answers are."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:  # a lone surrogate, an integer beyond 64 bits, or too deep
        raise wrong("has text that is no Unicode, a number of more than 64 bits, or is too deep") from None
    return value


ToldBack = Annotated[Any, AfterValidator(sendable)]


class ItemPart(Wire):
    """A part of an item's text, as a client writes it or as a response had it."""

    type: Literal["input_text", "output_text", "text"]
    text: Text
    # What a response had beside its text; of no effect on the next.
    annotations: Any = None
    logprobs: Any = None
    costeer: Any = None
    # A label for the provider's cache.
    prompt_cache_breakpoint: dict[str, Any] | None = None


TextOrParts = Annotated[
    Annotated[Text, Tag("one")] | Annotated[list[ItemPart], Tag("list")],
    Discriminator(
        _one_or_list,
        custom_error_type="costeer",
        custom_error_message="must be a string or a list of text parts",
    ),
]


def text_of(content: str | list[ItemPart]) -> str:
    """The text for a chat template; parts are joined by line breaks, as in vLLM."""
    return content if isinstance(content, str) else "\n".join(part.text for part in content)


class MessageItem(Wire):
    """A message; `developer` is OpenAI's newer name for `system`."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: TextOrParts
    id: Text | None = None
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class CallItem(Wire):
    """A call of a function; `arguments` is JSON text, as the model wrote it."""

    type: Literal["function_call"]
    call_id: Text
    name: Text
    arguments: Text
    id: Text | None = None
    status: Status | None = None
    namespace: Nothing = None
    caller: Any = None


class ResultItem(Wire):
    """What a function gave back."""

    type: Literal["function_call_output"]
    call_id: Text
    output: TextOrParts
    id: Text | None = None
    status: Status | None = None
    name: str | None = None
    namespace: Nothing = None
    caller: Any = None


class ReasoningItem(Wire):
    """What a model thought before an earlier reply; it is in no prompt."""

    type: Literal["reasoning"]
    id: Text | None = None
    summary: ToldBack = None
    content: ToldBack = None
    encrypted_content: ToldBack = None
    status: Status | None = None


class ReferenceItem(Wire):
    """An item of a response that is kept here, by its id."""

    type: Literal["item_reference"] | None = None
    id: Annotated[str, Field(min_length=1)]


ITEMS = {
    "message": MessageItem,
    "function_call": CallItem,
    "function_call_output": ResultItem,
    "reasoning": ReasoningItem,
    "item_reference": ReferenceItem,
}


def kind_of(item: object) -> str | None:
    """The type of an item, which messages and references may leave out; None where it is no object, and for
    a type that is not text."""
    if not isinstance(item, dict):
        return None
    kind = item.get("type")
    if kind is None:
        kind = "message" if "role" in item or "content" in item else "item_reference"
    return kind if isinstance(kind, str) else None


# Tags in <>, so that they are told from keys of the items where the place of a mistake is named.
def _known_kind(item: object) -> str | None:
    kind = kind_of(item)
    return f"<{kind}>" if kind in ITEMS else None


Item = Annotated[
    Annotated[MessageItem, Tag("<message>")]
    | Annotated[CallItem, Tag("<function_call>")]
    | Annotated[ResultItem, Tag("<function_call_output>")]
    | Annotated[ReasoningItem, Tag("<reasoning>")]
    | Annotated[ReferenceItem, Tag("<item_reference>")],
    Discriminator(
        _known_kind,
        custom_error_type="costeer",
        custom_error_message=f"must be an object of type {', '.join(ITEMS)}",
    ),
]


def not_text(value: Any) -> str | None:
    """The type of the first part of an item's content that is no text, in the client's terms."""
    for part in value if isinstance(value, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind not in PARTS:
            return kind
    return None
