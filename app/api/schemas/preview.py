"""Schemas of the preview route, which shows what the small model would read for a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, Field

from app.api.schemas.chat import ChatMessage
from app.api.schemas.history import ITEM_PREFIX, FoundItem
from app.api.schemas.profiles import DisclosureOut
from app.disclosure.marked import Marked, What, marked
from app.profiles.disclosure import Disclosure, Level
from app.profiles.fields import STRENGTH, StrengthIn, Wire
from app.profiles.levels import BUDGET, LEAST, BudgetIn, LevelIn, disclosure_fields
from app.profiles.preferences import PREFERENCES, Preferences, preference_fields
from app.prompts.context import PersonalContext
from app.prompts.private import About
from app.steering.strength import Strength, steers

if TYPE_CHECKING:  # it imports transformers, which takes seconds
    from app.prompts.local_prompts import LocalPrompts, ReadPrompt


class PreviewIn(Wire):
    """A conversation, as for a chat completion. `preferences` take the place of the profile's; `disclosure`
    and `budget` can only make its own stricter."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    preferences: Preferences | None = Field(None, description=PREFERENCES)
    disclosure: LevelIn | None = Field(None, description=LEAST)
    budget: BudgetIn | None = Field(None, description=BUDGET)

    def own_disclosure(self) -> Disclosure:
        """The least level and the budget that the request asks for."""
        return Disclosure(least=self.disclosure or "open", budget=self.budget)


class PreviewedItem(FoundItem):
    """A retrieved item, and whether its passage was included in the private text."""

    included: bool


class PreviewedPreference(BaseModel):
    """A preference, and whether it was included in the prompts."""

    text: str
    opposite: str
    included: bool


class Prompt(BaseModel):
    """A prompt as rendered by the chat template."""

    prompt: str
    tokens: int


class PromptPair(BaseModel):
    """Two readings of the conversation, whose difference steers: about who the person is and what they wrote,
    or about how replies should be. `weight` multiplies the strength."""

    about: About
    context_aware: Prompt
    context_agnostic: Prompt
    weight: float


class PrivateTokens(BaseModel):
    """The most tokens that a prompt has beyond a conversation of one question, and the limit for that
    (COSTEER_MAX_CONTEXT_TOKENS)."""

    tokens: int
    max_tokens: int


class MarkedPhrase(BaseModel):
    """A phrase of the profile or of a chosen item, and its level. It is, or stands in, the field of that
    `key` or the `item` of that id; the profile's name has neither."""

    text: str
    what: What
    level: Level
    key: str | None
    item: str | None

    @classmethod
    def of(cls, one: Marked) -> Self:
        item = f"{ITEM_PREFIX}{one.item}" if one.item is not None else None
        return cls(text=one.text, what=one.what, level=one.level, key=one.key, item=item)


class Preview(BaseModel):
    """What the small model on this device would read for a conversation; nothing of it is sent anywhere."""

    object: Literal["profile.preview"] = "profile.preview"
    profile: str
    strength: Strength
    prompts: list[PromptPair]
    private: PrivateTokens
    history: list[PreviewedItem]
    preferences: list[PreviewedPreference]
    disclosure: DisclosureOut
    levels: list[MarkedPhrase]

    @classmethod
    def of(cls, profile_id: str, context: PersonalContext, prompts: LocalPrompts, max_tokens: int) -> Self:
        """At strength 0 the small model reads nothing. The context is the whole one, so that what is withheld
        from the small model has its level too."""
        pairs = prompts.pairs if steers(context.strength) else ()
        included = {hit.stored.id for hit in prompts.private.history}
        return cls(
            profile=profile_id,
            strength=context.strength,
            prompts=[
                PromptPair(
                    about=pair.about,
                    context_aware=_prompt(pair.aware),
                    context_agnostic=_prompt(pair.agnostic),
                    weight=pair.weight,
                )
                for pair in pairs
            ],
            private=PrivateTokens(tokens=prompts.private_tokens if pairs else 0, max_tokens=max_tokens),
            history=[
                PreviewedItem(**FoundItem.of_hit(hit).model_dump(), included=hit.stored.id in included)
                for hit in context.history
            ],
            preferences=[
                PreviewedPreference(
                    **preference_fields(one), included=bool(pairs) and one in prompts.private.preferences
                )
                for one in context.preferences
            ],
            disclosure=DisclosureOut(**disclosure_fields(context.disclosure)),
            levels=[MarkedPhrase.of(one) for one in marked(context.private, context.disclosure)],
        )


def _prompt(read: ReadPrompt) -> Prompt:
    return Prompt(prompt=read.text, tokens=len(read.prompt.ids))
