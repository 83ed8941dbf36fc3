"""Schemas of the proposals route: what a profile could say, from its history."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from app.api.schemas.history import ITEM_PREFIX
from app.profiles.disclosure import Level
from app.profiles.fields import Wire
from app.proposals.drafter import SECONDS, Drafted, Stage, Step
from app.proposals.proposal import Kind, Proposal

MOST_SECONDS = 600
SECONDS_OF = "how long the small model may work, from 1 to 600 seconds"


class ProposalsIn(Wire):
    """How proposals are made, and how they are sent."""

    seconds: Annotated[float, Field(ge=1, le=MOST_SECONDS)] = Field(SECONDS, description=SECONDS_OF)
    stream: bool = Field(False, description="true for server-sent events with the progress")


class ProposalOut(BaseModel):
    """A field, with its `key` and level, or a preference, perhaps with its `opposite`. The `passage` is from
    the history's `item`; what says it is its part `start`..`end`, in characters."""

    kind: Kind
    key: str | None
    value: str
    opposite: str | None
    level: Level | None
    passage: str
    start: int
    end: int
    item: str
    confidence: float
    passages: int

    @classmethod
    def of(cls, one: Proposal) -> Self:
        return cls(
            kind=one.kind,
            key=one.key or None,
            value=one.value,
            opposite=one.opposite or None,
            level=one.level if one.kind == "field" else None,
            passage=one.passage,
            start=one.start,
            end=one.end,
            item=f"{ITEM_PREFIX}{one.item_id}",
            confidence=round(one.confidence, 3),
            passages=one.passages,
        )


class Proposals(BaseModel):
    """The proposals, of `texts` that were looked at. With `cut` the time was over before all were asked."""

    object: Literal["proposals"] = "proposals"
    data: list[ProposalOut]
    texts: int
    cut: bool

    @classmethod
    def of(cls, drafted: Drafted) -> Self:
        data = [ProposalOut.of(one) for one in drafted.proposals]
        return cls(data=data, texts=drafted.texts, cut=drafted.cut)


class Progress(BaseModel):
    """How far a stage has got."""

    object: Literal["proposals.progress"] = "proposals.progress"
    stage: Stage
    done: int
    total: int

    @classmethod
    def of(cls, step: Step) -> Self:
        return cls(stage=step.stage, done=step.done, total=step.total)
