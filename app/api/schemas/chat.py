"""The schema of a chat completion request; responses are built in api/chat/."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from app.profiles.disclosure import Disclosure
from app.profiles.fields import STRENGTH, WHOLE, StrengthIn, Wire, wrong
from app.profiles.levels import BUDGET, LEAST, BudgetIn, LevelIn
from app.profiles.preferences import PREFERENCES, Preferences, preferences
from app.profiles.profile import Preference
from app.prompts.message import Message
from app.steering.sampling import SamplingParams

# Choices of one request; each is generated separately.
MAX_N = 16
# OpenAI allows 4, vLLM any number; every piece of the reply is searched for each.
MAX_STOPS = 64


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


class ChatMessage(Wire):
    """One message of the conversation. `developer` is OpenAI's newer name for `system`.

    Clients send replies back with all their fields. Those other than the text are accepted here if empty;
    otherwise the request is passed on to the remote, see steerable.py. A reply may have no text, so an
    assistant message, and no other, may lack its content, which then counts as empty.
    """

    role: Literal["system", "developer", "user", "assistant"]
    content: Content | None = Field(None, validate_default=True)
    name: Text | None = None
    refusal: Nothing = None
    annotations: Nothing = None
    audio: Nothing = None
    function_call: Nothing = None
    tool_calls: Nothing = None
    reasoning: Nothing = None
    reasoning_content: Nothing = None

    @field_validator("content")
    @classmethod
    def _said_by_all_but_the_assistant(cls, content: Any, info: ValidationInfo) -> Any:
        if content is None and info.data.get("role") != "assistant":
            raise wrong("is missing; add it")
        return content

    def message(self) -> Message:
        """The message for a chat template; text parts are joined by line breaks, as in vLLM."""
        role = "system" if self.role == "developer" else self.role
        content = self.content or ""
        text = content if isinstance(content, str) else "\n".join(part.text for part in content)
        return Message(role, text, self.name)


class StreamOptions(Wire):
    """OpenAI's options, and vLLM's `continuous_usage_stats`: with `include_usage`, usage in every chunk."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    # OpenAI pads chunks against eavesdroppers who watch packet lengths; there is no padding here, as in vLLM.
    include_obfuscation: bool | None = None


class TextFormat(Wire):
    """The response format `text`, which is the default and constrains nothing."""

    type: Literal["text"]


class OwnOptions(Wire):
    """This proxy's own: what the response says about the steering, how this reply should be, and what it may
    tell the remote.

    `preferences` take the place of the profile's, also of one that there is not; null leaves the profile's.
    `disclosure` and `budget` can only make the profile's stricter.
    """

    detail: bool = False
    preferences: Preferences | None = Field(None, description=PREFERENCES)
    disclosure: LevelIn | None = Field(None, description=LEAST)
    budget: BudgetIn | None = Field(None, description=BUDGET)


class ChatRequest(Wire):
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

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

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
    # Without effect if there are no tools; see steerable.py.
    tools: NoItems | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    functions: NoItems | None = None
    function_call: Literal["none", "auto"] | None = None
    modalities: list[Literal["text"]] | None = None
    response_format: TextFormat | None = None

    profile: Annotated[str, Field(min_length=1), WHOLE] | None = None
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    steering: Literal["on", "off"] | None = None
    costeer: OwnOptions | None = None

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

    def own_preferences(self) -> tuple[Preference, ...] | None:
        """Those that the request carries; None if it leaves them to the profile."""
        own = self.costeer.preferences if self.costeer is not None else None
        return preferences(own) if own is not None else None

    def own_disclosure(self) -> Disclosure:
        """The least level and the budget that the request asks for."""
        own = self.costeer or OwnOptions()
        return Disclosure(least=own.disclosure or "open", budget=own.budget)

    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def sampling(self) -> SamplingParams:
        """The sampling parameters; OpenAI's defaults for those not given."""
        names = {field.name for field in dataclasses.fields(SamplingParams)} - {"top_k", "logit_bias"}
        given = self.model_dump(include=names, exclude_none=True)
        if self.top_p == 0:  # allowed by OpenAI, not by vLLM; it keeps the likeliest token only
            given |= {"top_p": 1.0, "temperature": 0.0}
        bias = {int(key): value for key, value in (self.logit_bias or {}).items()}
        return SamplingParams(**given, top_k=max(self.top_k or 0, 0), logit_bias=bias)
