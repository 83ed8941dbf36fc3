"""OpenAI's wire types for the requests that are served here; replies are built beside their routes."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.prompts import Message
from app.sampling import Sampling

Stop = Annotated[str, Field(min_length=1, max_length=1000)]


class _Wire(BaseModel):
    # A field that is not known is refused by name, never ignored.
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class TextPart(_Wire):
    """A part of a message's content; only text can be steered."""

    type: Literal["text"]
    text: str


class ChatMessage(_Wire):
    """One message of the conversation. `developer` is OpenAI's newer name for `system`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart], Field(min_length=1)]
    name: str | None = None

    @field_validator("name")
    @classmethod
    def _no_name(cls, name: str | None) -> None:
        if name is not None:
            raise ValueError("names are not supported; write who speaks into the content")

    def message(self) -> Message:
        """The message as chat templates take it; text parts are joined by line breaks, as vLLM does."""
        role = "system" if self.role == "developer" else self.role
        text = self.content if isinstance(self.content, str) else "\n".join(p.text for p in self.content)
        return Message(role, text)


class StreamOptions(_Wire):
    include_usage: bool = False


class ChatRequest(_Wire):
    """POST /v1/chat/completions: OpenAI's fields, vLLM's sampling fields, and `profile` and `strength`.

    Numbers are bounded as OpenAI and vLLM bound them.
    """

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    n: Literal[1] | None = None

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

    # Labels for the provider's bookkeeping: they change nothing in a reply, and stay on the device.
    user: str | None = None
    metadata: dict[str, Any] | None = None

    profile: Annotated[str, Field(min_length=1)] | None = None
    strength: Annotated[float, Field(ge=0, le=4)] | None = None

    @field_validator("logit_bias")
    @classmethod
    def _token_ids(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        if bias and not all(key.isascii() and key.isdigit() for key in bias):
            raise ValueError("keys must be token ids, like {'1234': -100}")
        return bias

    @model_validator(mode="after")
    def _consistent(self) -> ChatRequest:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options needs stream: true")
        if self.max_tokens and self.max_completion_tokens and self.max_tokens != self.max_completion_tokens:
            raise ValueError("max_tokens and max_completion_tokens differ; send one of them")
        return self

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
