"""What every request that can be steered may have: sampling fields, and those of this proxy."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from app.profiles.disclosure import Disclosure
from app.profiles.fields import STRENGTH, WHOLE, StrengthIn, Wire, wrong
from app.profiles.levels import BUDGET, LEAST, BudgetIn, LevelIn
from app.profiles.preferences import PREFERENCES, Preferences, preferences
from app.profiles.profile import Preference
from app.steering.sampling import SamplingParams

# Candidates of a token that the detail can list.
MOST_CANDIDATES = 20


class OwnOptions(Wire):
    """This proxy's own: what the response says about the steering, how this reply should be, and what it may
    tell the remote.

    `candidates` is how many of them each token of the detail lists; with `sent` it has every request that the
    reply made of the remote. `preferences` take the place of the profile's, also of one that there is not;
    null leaves the profile's. `disclosure` and `budget` can only make the profile's stricter.
    """

    detail: bool = False
    candidates: Annotated[int, Field(ge=0, le=MOST_CANDIDATES)] = 0
    sent: bool = False
    preferences: Preferences | None = Field(None, description=PREFERENCES)
    disclosure: LevelIn | None = Field(None, description=LEAST)
    budget: BudgetIn | None = Field(None, description=BUDGET)

    @field_validator("candidates", "sent")
    @classmethod
    def _only_with_detail(cls, asked: int, info: ValidationInfo) -> int:
        if asked and not info.data.get("detail"):
            raise wrong("needs detail: true")
        return asked


class SteeredRequest(Wire):
    """OpenAI's and vLLM's sampling fields, with their limits, and this proxy's own fields."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, lt=2**31)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

    profile: Annotated[str, Field(min_length=1), WHOLE] | None = None
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    steering: Literal["on", "off"] | None = None
    costeer: OwnOptions | None = None

    @field_validator("logit_bias")
    @classmethod
    def _token_ids(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        if bias and not all(key.isascii() and key.isdigit() and len(key) <= 9 for key in bias):
            raise wrong("must have token ids as keys, like {'1234': -100}")
        return bias

    def own_preferences(self) -> tuple[Preference, ...] | None:
        """Those that the request carries; None if it leaves them to the profile."""
        own = self.costeer.preferences if self.costeer is not None else None
        return preferences(own) if own is not None else None

    def own(self) -> OwnOptions:
        """This proxy's own options, with the defaults of those that are not given."""
        return self.costeer or OwnOptions()

    def own_disclosure(self) -> Disclosure:
        """The least level and the budget that the request asks for."""
        own = self.own()
        return Disclosure(least=own.disclosure or "open", budget=own.budget)

    def sampling(self) -> SamplingParams:
        """The sampling parameters; OpenAI's defaults for those not given."""
        names = {field.name for field in dataclasses.fields(SamplingParams)}
        names -= {"top_k", "logit_bias", "allowed_token_ids"}
        given = self.model_dump(include=names, exclude_none=True)
        if self.top_p == 0:  # allowed by OpenAI, not by vLLM; it keeps the likeliest token only
            given |= {"top_p": 1.0, "temperature": 0.0}
        bias = {int(key): value for key, value in (self.logit_bias or {}).items()}
        return SamplingParams(**given, top_k=max(self.top_k or 0, 0), logit_bias=bias)
