"""The schema of a chat completion request; responses are built in api/chat/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from app.api.schemas.formats import Format
from app.api.schemas.steered import SteeredRequest
from app.decoding.grammar import ResponseFormat
from app.decoding.tool_use import ToolUse
from app.profiles.fields import WHOLE, Wire, wrong
from app.prompts.message import Message, ToolCall

# Choices of one request; each is generated separately.
MAX_N = 16
# OpenAI allows 4, vLLM any number; every piece of the reply is searched for each.
MAX_STOPS = 64
# What the remote is asked for where it makes a call, as the client asks for it.
ASKED = {
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "min_p",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "temperature",
    "top_k",
    "top_logprobs",
    "top_p",
}


def _kind(value: object) -> str | None:
    """Discriminates a field that is a string or a list; without it pydantic reports errors for both."""
    return "one" if isinstance(value, str) else "list" if isinstance(value, list) else None


def _nothing(value: object) -> object:
    if value:
        raise wrong("must be empty or left out")
    return value


Text = Annotated[str, WHOLE]
# Any empty value: clients send back what they received, and differ in how they write an empty field.
Nothing = Annotated[Any, AfterValidator(_nothing)]
NoItems = Annotated[list[Any], Field(max_length=0)]
StopString = Annotated[str, Field(min_length=1, max_length=1000), WHOLE]


class TextPart(Wire):
    """A part of a message's content; only text can be steered."""

    type: Literal["text"]
    text: Text
    # A label for the provider's cache.
    prompt_cache_breakpoint: dict[str, Any] | None = None


Content = Annotated[
    Annotated[Text, Tag("one")] | Annotated[list[TextPart], Tag("list")],
    Discriminator(
        _kind, custom_error_type="costeer", custom_error_message="must be a string or a list of text parts"
    ),
]
Stop = Annotated[
    Annotated[StopString, Tag("one")] | Annotated[list[StopString], Field(max_length=MAX_STOPS), Tag("list")],
    Discriminator(
        _kind, custom_error_type="costeer", custom_error_message="must be a string or a list of strings"
    ),
]


class CalledFunction(Wire):
    """A function as a call names it; `arguments` is JSON text."""

    name: Text
    arguments: Text


class CallIn(Wire):
    """A call that an earlier reply made."""

    id: Text
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None  # of a stream's pieces, which some clients keep

    def call(self) -> ToolCall:
        return ToolCall(self.id, self.function.name, self.function.arguments)


def named_function(value: Mapping[str, Any]) -> str | None:
    """The name of the function that a tool, or a tool_choice, is; None if it is none."""
    function = value.get("function")
    name = function.get("name") if value.get("type") == "function" and isinstance(function, dict) else None
    return name if isinstance(name, str) and name else None


def _functions(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for number, tool in enumerate(tools):
        if named_function(tool) is None:
            raise wrong(f"must have type: function and function.name, a string, in entry {number}")
    try:
        orjson.dumps(tools)
    except orjson.JSONEncodeError:  # a lone surrogate, an integer beyond 64 bits, or too deep
        raise wrong("has text that is no Unicode, a number of more than 64 bits, or is too deep") from None
    return tools


class ChatMessage(Wire):
    """One message of the conversation. `developer` is OpenAI's newer name for `system`.

    Clients send replies back with all their fields. Those other than the text and the calls of tools are
    accepted here if empty; otherwise the request is passed on to the remote, see steerable.py. A reply may
    have no text, so an assistant message, and no other, may lack its content, which then counts as empty.
    A message of role `tool` has the result of the call `tool_call_id`.
    """

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = Field(None, validate_default=True)
    name: Text | None = None
    tool_calls: Annotated[list[CallIn] | None, BeforeValidator(lambda calls: calls or None)] = None
    tool_call_id: Text | None = Field(None, validate_default=True)
    refusal: Nothing = None
    annotations: Nothing = None
    audio: Nothing = None
    function_call: Nothing = None
    reasoning: Nothing = None
    reasoning_content: Nothing = None

    @field_validator("content")
    @classmethod
    def _said_by_all_but_the_assistant(cls, content: Any, info: ValidationInfo) -> Any:
        if content is None and info.data.get("role") != "assistant":
            raise wrong("is missing; add it")
        return content

    @field_validator("tool_calls")
    @classmethod
    def _made_by_the_assistant(cls, calls: list[CallIn] | None, info: ValidationInfo) -> list[CallIn] | None:
        if calls and info.data.get("role") != "assistant":
            raise wrong("belongs to messages of the assistant alone; remove it")
        return calls

    @field_validator("tool_call_id")
    @classmethod
    def _of_a_result(cls, answers: str | None, info: ValidationInfo) -> str | None:
        if (info.data.get("role") == "tool") != (answers is not None):
            raise wrong("is missing; add it" if answers is None else "belongs to role tool alone; remove it")
        return answers

    def message(self) -> Message:
        """The message for a chat template; text parts are joined by line breaks, as in vLLM."""
        role = "system" if self.role == "developer" else self.role
        content = self.content or ""
        text = content if isinstance(content, str) else "\n".join(part.text for part in content)
        calls = tuple(one.call() for one in self.tool_calls or ())
        return Message(role, text, self.name, calls, self.tool_call_id)


class StreamOptions(Wire):
    """OpenAI's options, and vLLM's `continuous_usage_stats`: with `include_usage`, usage in every chunk."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    # OpenAI pads chunks against eavesdroppers who watch packet lengths; there is no padding here, as in vLLM.
    include_obfuscation: bool | None = None


class ChatRequest(SteeredRequest):
    """A chat request that can be steered: OpenAI's fields, vLLM's sampling fields, and those of this proxy.

    Numbers have the limits of OpenAI and vLLM. Fields that only the remote can honour are in steerable.py.
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
    # vLLM's: continue the last message, which is the assistant's.
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None

    # Labels of who asks, which stay on the device; they do not affect the reply.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    session_id: str | None = None
    # How the provider treats a request: without effect here, and sent along where it is passed on.
    service_tier: str | None = None
    store: bool | None = None
    # A guess at the reply, with which a provider may write the same reply faster.
    prediction: dict[str, Any] | None = None
    tools: Annotated[list[dict[str, Any]], AfterValidator(_functions)] | None = None
    # Anything but none and auto is the remote's to honour; see steerable.py.
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    # Without effect if there are none.
    functions: NoItems | None = None
    function_call: Literal["none", "auto"] | None = None
    modalities: list[Literal["text"]] | None = None
    response_format: Format | None = None

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

    @field_validator("tool_choice")
    @classmethod
    def _of_the_tools(cls, choice: Any, info: ValidationInfo) -> Any:
        if choice in (None, "none", "auto"):
            return choice
        names = [named_function(tool) for tool in info.data.get("tools") or ()]
        if not names:
            raise wrong("needs tools")
        if isinstance(choice, dict) and named_function(choice) not in names:
            raise wrong("must name one of the tools, like {'type': 'function', 'function': {'name': 'add'}}")
        return choice

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    def tool_use(self) -> ToolUse | None:
        """The tools that the reply may call, with what the remote needs to make calls as the client asks."""
        if not self.tools:
            return None
        asked = self.model_dump(include=ASKED, exclude_none=True)
        return ToolUse(
            tuple(self.tools), self.tool_choice or "auto", self.parallel_tool_calls, asked, bool(self.stream)
        )

    def held_to(self) -> ResponseFormat | None:
        """What the reply must be a text of; None: any text."""
        return self.response_format.held_to() if self.response_format is not None else None

    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
