"""OpenAI's chat request; replies are built beside their route."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from app.prompts import Message
from app.sampling import Sampling
from app.schemas.strength import STRENGTH, StrengthIn
from app.schemas.wire import WHOLE, Wire, wrong

# Replies to one request; each is written for itself.
MAX_N = 16


def _kind(value: object) -> str | None:
    """The branch of a field that takes one string or a list; without it pydantic reports on both."""
    return "one" if isinstance(value, str) else "list" if isinstance(value, list) else None


Text = Annotated[str, WHOLE]
Nothing = Annotated[list[Any], Field(max_length=0)]
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
    """One message of the conversation. `developer` is OpenAI's newer name for `system`.

    What a reply's message has beside its text may be sent back with it, as clients do, while it is empty;
    else it is a matter of the remote, see unsteered.py.
    """

    role: Literal["system", "developer", "user", "assistant"]
    content: Content
    name: Text | None = None
    refusal: None = None
    annotations: Nothing | None = None
    audio: None = None
    function_call: None = None
    tool_calls: Nothing | None = None
    reasoning: None = None
    reasoning_content: None = None

    def message(self) -> Message:
        """The message as chat templates take it; text parts are joined by line breaks, as vLLM does."""
        role = "system" if self.role == "developer" else self.role
        text = self.content if isinstance(self.content, str) else "\n".join(p.text for p in self.content)
        return Message(role, text, self.name)


class StreamOptions(Wire):
    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class TextFormat(Wire):
    """The one response format that asks for nothing."""

    type: Literal["text"]


class Detail(Wire):
    """What to tell of the steering."""

    detail: bool = False


class ChatRequest(Wire):
    """A chat request that can be steered: OpenAI's fields, vLLM's sampling fields, and those of this proxy.

    Numbers are bounded as OpenAI and vLLM bound them. Fields that only the remote can honour are in
    unsteered.py.
    """

    model: Text
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: Stop | None = None
    n: Annotated[int, Field(ge=1, le=MAX_N)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    # vLLM's: write on from the last message, which is the assistant's.
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None

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
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    session_id: str | None = None
    service_tier: Literal["auto", "default"] | None = None
    store: Literal[False] | None = None
    # Of no effect without tools; see unsteered.py.
    tools: Nothing | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    functions: Nothing | None = None
    function_call: Literal["none"] | None = None
    modalities: list[Literal["text"]] | None = None
    response_format: TextFormat | None = None

    profile: Annotated[str, Field(min_length=1), WHOLE] | None = None
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    steering: Literal["on", "off"] | None = None
    costeer: Detail | None = None

    @field_validator("stream_options")
    @classmethod
    def _only_of_a_stream(cls, options: StreamOptions | None, info: ValidationInfo) -> StreamOptions | None:
        if options is not None and not info.data.get("stream"):
            raise wrong("needs stream: true")
        return options

    @field_validator("top_logprobs")
    @classmethod
    def _only_with_logprobs(cls, count: int | None, info: ValidationInfo) -> int | None:
        if count and not info.data.get("logprobs"):
            raise wrong("needs logprobs: true")
        return count

    @field_validator("add_generation_prompt")
    @classmethod
    def _one_beginning(cls, opens: bool | None, info: ValidationInfo) -> bool | None:
        continues = bool(info.data.get("continue_final_message"))
        if continues and opens is not False:
            raise wrong("must be false with continue_final_message: true")
        if opens is False and not continues:
            raise wrong("must be true, unless continue_final_message is")
        return opens

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
