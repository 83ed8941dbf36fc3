"""A reply that a system wrote: how likely the remote finds it, and what the remote has heard in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from app.evaluation.quality.heard import Heard


@dataclass(frozen=True, repr=False)
class Written:
    """A reply of `tokens` tokens, the end token included, in `requests` to the remote; `seconds` passed from
    the first to the last, with `at_once` replies written concurrently.

    `alone` and `shown` are its mean negative log-likelihoods, in nats per token, under the remote, and under
    the remote if it were shown the context, by the form in which it is shown. An empty text has none.
    `heard` is what it told the remote; None of one that is not written as the product does.
    """

    case: str
    system: str
    text: str
    tokens: int
    seconds: float
    at_once: int
    alone: float | None
    shown: dict[str, float] = field(default_factory=dict)
    requests: int | None = None
    heard: Heard | None = None

    @classmethod
    def of(cls, *, heard: Mapping[str, Any] | None = None, **fields: Any) -> Self:
        """From its fields in JSON."""
        return cls(**fields, heard=Heard(**heard) if heard is not None else None)

    @property
    def key(self) -> tuple[str, ...]:
        return self.case, self.system

    @property
    def as_told(self) -> str:
        """Its text as the remote has it."""
        return self.heard.text if self.heard is not None else self.text

    def lift(self, form: str) -> float:
        """How much likelier it is if the remote is shown the context in this form, in nats per token."""
        assert self.alone is not None  # noqa: S101  # the caller has left out empty texts
        return self.alone - self.shown[form]
