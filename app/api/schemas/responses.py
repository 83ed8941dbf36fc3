"""The schema of a request for a response (OpenAI's Responses API); responses are built in api/responses/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from app.api.schemas.chat import Text
from app.api.schemas.formats import FlatFormat
from app.api.schemas.response_items import Item, MessageItem, sendable
from app.api.schemas.responses_fields import INCLUDABLE, LOGPROBS
from app.api.schemas.steered import SteeredRequest
from app.decoding.grammar import ResponseFormat
from app.decoding.tool_use import ToolUse
from app.profiles.fields import Wire, wrong
from app.prompts.message import Tool

# Fields of a function that chat completions have as well, all below `function` there.
OF_A_FUNCTION = ("name", "description", "parameters", "strict")


def _kind(value: object) -> str | None:
    return "text" if isinstance(value, str) else "items" if isinstance(value, list) else None


def function_name(value: Mapping[str, Any]) -> str | None:
    """The name of the function that a tool, or a tool_choice, is; None if it is none."""
    name = value.get("name") if value.get("type") == "function" else None
    return name if isinstance(name, str) and name else None


def _functions(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for number, tool in enumerate(tools):
        if function_name(tool) is None:
            raise wrong(f"must have type: function and a name, a string, in entry {number}")
    return sendable(tools)


class TextOptions(Wire):
    format: FlatFormat | None = None
    verbosity: Literal["medium"] | None = None


class ReasoningOptions(Wire):
    """Of effect on the remote alone, see api/responses/steerable.py; there is nobody here who sums up."""

    effort: None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: Literal["auto"] | None = None
    mode: Literal["standard"] | None = None


class StreamOptions(Wire):
    # OpenAI pads events against eavesdroppers who watch packet lengths; there is no padding here.
    include_obfuscation: bool | None = None


ToldBack = Annotated[dict[str, Any], AfterValidator(sendable)]
Input = Annotated[
    Annotated[Text, Tag("text")] | Annotated[list[Item], Field(min_length=1), Tag("items")],
    Discriminator(
        _kind, custom_error_type="costeer", custom_error_message="must be a string or a list of items"
    ),
]


class ResponseRequest(SteeredRequest):
    """A request for a response that can be steered: OpenAI's fields, vLLM's sampling fields, and those of
    this proxy. Fields that only the remote can honour are in api/responses/steerable.py."""

    model: Text
    input: Input
    instructions: Text | None = None
    previous_response_id: Annotated[str, Field(min_length=1)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    max_output_tokens: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    include: list[str] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None

    tools: Annotated[list[dict[str, Any]], AfterValidator(_functions)] | None = None
    # Anything but none and auto is the remote's to honour.
    tool_choice: Literal["none", "auto", "required"] | ToldBack | None = None
    parallel_tool_calls: bool | None = None
    # Of tools that the provider runs, and there are none.
    max_tool_calls: Annotated[int, Field(ge=1, lt=2**63)] | None = None

    truncation: Literal["disabled"] | None = None
    # These have their own refusals, see api/responses/plan.py.
    background: Literal[False] | None = None
    conversation: None = None
    prompt: None = None

    # Labels of who asks, which stay on the device; they do not affect the reply.
    user: Text | None = None
    metadata: ToldBack | None = None
    safety_identifier: Text | None = None
    prompt_cache_key: Text | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    session_id: str | None = None
    client_metadata: dict[str, Any] | None = None
    # How the provider treats a request: without effect here, and sent along where it is passed on.
    service_tier: str | None = None

    @field_validator("stream_options")
    @classmethod
    def _only_of_a_stream(cls, options: StreamOptions | None, info: ValidationInfo) -> StreamOptions | None:
        if options is not None and not info.data.get("stream"):
            raise wrong("needs stream: true")
        return options

    @field_validator("include")
    @classmethod
    def _known(cls, names: list[str] | None) -> list[str] | None:
        if names and not INCLUDABLE.issuperset(names):
            raise wrong(f"takes {', '.join(sorted(INCLUDABLE))} only")
        return names

    @field_validator("top_logprobs")
    @classmethod
    def _only_with_logprobs(cls, count: int | None, info: ValidationInfo) -> int | None:
        if count and LOGPROBS not in (info.data.get("include") or ()):
            raise wrong(f"needs include: [{LOGPROBS}]")
        return count

    @field_validator("tool_choice")
    @classmethod
    def _of_the_tools(cls, choice: Any, info: ValidationInfo) -> Any:
        if choice in (None, "none", "auto"):
            return choice
        names = [function_name(tool) for tool in info.data.get("tools") or ()]
        if not names:
            raise wrong("needs tools")
        if isinstance(choice, dict) and function_name(choice) not in names:
            raise wrong("must name one of the tools, like {'type': 'function', 'name': 'add'}")
        return choice

    def items(self) -> list[Item]:
        """The input, always as items."""
        if isinstance(self.input, str):
            return [MessageItem(role="user", content=self.input)]
        return self.input

    @property
    def logprobs(self) -> int | None:
        """How many alternatives each token is told with; None where no logprobs are asked for."""
        return (self.top_logprobs or 0) if LOGPROBS in (self.include or ()) else None

    def held_to(self) -> ResponseFormat | None:
        """What the reply must be a text of; None: any text."""
        wanted = self.text.format if self.text is not None else None
        return wanted.held_to() if wanted is not None else None

    def tool_use(self) -> ToolUse | None:
        """The tools that the reply may call, with what the remote needs to make calls as the client asks."""
        if not self.tools:
            return None
        asked = self.model_dump(include=set(SteeredRequest.model_fields) - set(_OWN), exclude_none=True)
        if self.logprobs is not None:
            asked |= {"logprobs": True, "top_logprobs": self.logprobs}
        definitions = tuple(_as_in_chat(tool) for tool in self.tools)
        choice = self.tool_choice or "auto"
        return ToolUse(
            definitions,
            choice if isinstance(choice, str) else _as_in_chat(choice),
            self.parallel_tool_calls,
            asked,
            bool(self.stream),
        )


_OWN = ("profile", "strength", "steering", "costeer")


def _as_in_chat(tool: Mapping[str, Any]) -> Tool:
    """A tool, or a tool_choice, as the chat API has it."""
    function = {name: tool[name] for name in OF_A_FUNCTION if tool.get(name) is not None}
    return {"type": "function", "function": function}
