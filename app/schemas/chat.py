"""OpenAI's chat request; replies are built beside their route."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from app.prompts import Message
from app.sampling import Sampling
from app.schemas.wire import WHOLE, Wire, wrong


def _kind(value: object) -> str | None:
    """The branch of a field that takes one string or a list; without it pydantic reports on both."""
    return "one" if isinstance(value, str) else "list" if isinstance(value, list) else None


Text = Annotated[str, WHOLE]
StopString = Annotated[str, Field(min_length=1, max_length=1000), WHOLE]


class TextPart(Wire):
    """A part of a message's content; only text can be steered."""

    type: Literal["text"]
    text: Text


Content = Annotated[
    Annotated[Text, Tag("one")] | Annotated[list[TextPart], Field(min_length=1), Tag("list")],
    Discriminator(
        _kind, custom_error_type="costeer", custom_error_message="must be a string or a list of text parts"
    ),
]
Stop = Annotated[
    Annotated[StopString, Tag("one")] | Annotated[list[StopString], Field(max_length=4), Tag("list")],
    Discriminator(
        _kind, custom_error_type="costeer", custom_error_message="must be a string or a list of strings"
    ),
]


class ChatMessage(Wire):
    """One message of the conversation. `developer` is OpenAI's newer name for `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Content
    name: str | None = None

    @field_validator("name")
    @classmethod
    def _no_name(cls, name: str | None) -> None:
        if name is not None:
            raise wrong("is not supported; write who speaks into the content")

    def message(self) -> Message:
        """The message as chat templates take it; text parts are joined by line breaks, as vLLM does."""
        role = "system" if self.role == "developer" else self.role
        text = self.content if isinstance(self.content, str) else "\n".join(p.text for p in self.content)
        return Message(role, text)


class StreamOptions(Wire):
    include_usage: bool = False


class ChatRequest(Wire):
    """POST /v1/chat/completions: OpenAI's fields, vLLM's sampling fields, and `profile` and `strength`.

    Numbers are bounded as OpenAI and vLLM bound them.
    """

    model: Text
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: Stop | None = None
    n: Literal[1] | None = None

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

    # Labels for the provider's bookkeeping: they change nothing in a reply, and stay on the device.
    user: str | None = None
    metadata: dict[str, Any] | None = None

    profile: Annotated[str, Field(min_length=1), WHOLE] | None = None
    strength: Annotated[float, Field(ge=0, le=4)] | None = None

    @field_validator("stream_options")
    @classmethod
    def _only_of_a_stream(cls, options: StreamOptions | None, info: ValidationInfo) -> StreamOptions | None:
        if options is not None and not info.data.get("stream"):
            raise wrong("needs stream: true")
        return options

    @field_validator("max_completion_tokens")
    @classmethod
    def _one_limit(cls, limit: int | None, info: ValidationInfo) -> int | None:
        if limit and info.data.get("max_tokens") not in {None, limit}:
            raise wrong("differs from max_tokens; send one of them")
        return limit

    @field_validator("logit_bias")
    @classmethod
    def _token_ids(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        if bias and not all(key.isascii() and key.isdigit() and len(key) <= 9 for key in bias):
            raise wrong("must have token ids as keys, like {'1234': -100}")
        return bias

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def sampling(self) -> Sampling:
        """The fields that were given; OpenAI's defaults for the rest."""
        names = {field.name for field in dataclasses.fields(Sampling)} - {"top_k", "logit_bias"}
        given = self.model_dump(include=names, exclude_none=True)
        bias = {int(key): value for key, value in (self.logit_bias or {}).items()}
        return Sampling(**given, top_k=max(self.top_k or 0, 0), logit_bias=bias)
