"""Schemas of the routes about the server's state: findings of an examination, and the last hour's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field

from app.api.activity import Minute
from app.api.schemas.base import Query
from app.doctor.check import Finding, State


class DoctorQuery(Query):
    """`stream`: server-sent events, a finding each, then the whole."""

    stream: bool = False


class FindingOut(BaseModel):
    """What a check has `seen`, and what mends it, if anything is wrong."""

    name: str
    state: State
    seen: str
    mend: str

    @classmethod
    def of(cls, one: Finding) -> Self:
        return cls(name=one.name, state=one.state, seen=one.seen, mend=one.mend)


class FindingEvent(FindingOut):
    """A finding in a stream."""

    object: Literal["doctor.finding"] = "doctor.finding"


class Examined(BaseModel):
    """All findings; `ok`: none of them is `failed`."""

    object: Literal["doctor"] = "doctor"
    ok: bool
    findings: list[FindingOut]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Self:
        failed = any(one.state is State.FAILED for one in findings)
        return cls(ok=not failed, findings=[FindingOut.of(one) for one in findings])


class Numbers(BaseModel):
    """What happened in a while. Of the tokens of steered replies `kept` are the remote's own and `changed`
    not; `drafted` is all that it wrote for them. `acceptance` is the share of `kept` in `kept` and `changed`.
    `tokens_per_second` is the mean of one reply, after its first token, and `first_token` the median in
    seconds; null where there is nothing to tell. `errors`: replies and requests that failed."""

    replies: int
    steered: int
    tokens: int
    kept: int
    changed: int
    drafted: int
    acceptance: float | None
    tokens_per_second: float | None
    first_token: float | None
    errors: int

    @classmethod
    def of(cls, minute: Minute, **more: int) -> Self:
        return cls(
            replies=minute.replies,
            steered=minute.steered,
            tokens=minute.tokens,
            kept=minute.kept,
            changed=minute.changed,
            drafted=minute.drafted,
            acceptance=_rounded(minute.acceptance),
            tokens_per_second=_rounded(minute.tokens_per_second),
            first_token=_rounded(minute.first_token),
            errors=minute.errors,
            **more,
        )


class MinuteOut(Numbers):
    """The numbers of a minute that began `at` a time, in Unix seconds."""

    at: int = Field(description="when the minute began, in Unix seconds")


class ActivityOut(BaseModel):
    """The last hour's minutes since the start, the oldest first, the last unfinished; and their `total`."""

    object: Literal["activity"] = "activity"
    data: list[MinuteOut]
    total: Numbers


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)
