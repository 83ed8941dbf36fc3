"""Schemas of the preview route, which shows what the small model would read for a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, Field

from app.api.schemas.chat import ChatMessage
from app.api.schemas.history import FoundItem
from app.profiles.fields import STRENGTH, StrengthIn, Wire
from app.profiles.preferences import PREFERENCES, Preferences
from app.prompts.context import PersonalContext
from app.steering.strength import Strength, steers

if TYPE_CHECKING:  # it imports transformers, which takes seconds
    from app.prompts.local_prompts import LocalPrompts


class PreviewIn(Wire):
    """A conversation, as for a chat completion. `preferences` take the place of the profile's."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    preferences: Preferences | None = Field(None, description=PREFERENCES)


class PreviewedItem(FoundItem):
    """A retrieved item, and whether its passage was included in the private text."""

    included: bool


class Prompt(BaseModel):
    """A prompt as rendered by the chat template; null if there is nothing to steer by and none is read."""

    prompt: str | None
    tokens: int


class PrivatePart(BaseModel):
    """The private text alone, and its token limit (COSTEER_MAX_CONTEXT_TOKENS)."""

    text: str
    tokens: int
    max_tokens: int


class Preview(BaseModel):
    """What the small model on this device would read for a conversation; nothing of it is sent anywhere."""

    object: Literal["profile.preview"] = "profile.preview"
    profile: str
    strength: Strength
    context_aware: Prompt
    context_agnostic: Prompt
    private: PrivatePart
    history: list[PreviewedItem]

    @classmethod
    def of(cls, profile_id: str, context: PersonalContext, prompts: LocalPrompts, max_tokens: int) -> Self:
        """At strength 0 the small model reads nothing."""
        aware = prompts.aware if steers(context.strength) else None
        included = {hit.stored.id for hit in prompts.private.history}
        return cls(
            profile=profile_id,
            strength=context.strength,
            context_aware=Prompt(
                prompt=prompts.aware_text if aware is not None else None,
                tokens=len(aware.ids) if aware is not None else 0,
            ),
            context_agnostic=Prompt(prompt=prompts.agnostic_text, tokens=len(prompts.agnostic)),
            private=PrivatePart(
                text=prompts.private.text if aware is not None else "",
                tokens=prompts.private_tokens if aware is not None else 0,
                max_tokens=max_tokens,
            ),
            history=[
                PreviewedItem(**FoundItem.of_hit(hit).model_dump(), included=hit.stored.id in included)
                for hit in context.history
            ],
        )
