"""A reply that a system wrote, and how likely the remote finds it with the context and without."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, repr=False)
class Written:
    """A reply of `tokens` tokens, the end token included, in `requests` to the remote; `seconds` passed from
    the first to the last, with `at_once` replies written concurrently.

    `alone` and `shown` are its mean negative log-likelihoods, in nats per token, under the remote, and under
    the remote if it were shown the context, by the form in which it is shown. An empty text has none.
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

    @property
    def key(self) -> tuple[str, ...]:
        return self.case, self.system

    def lift(self, form: str) -> float:
        """How much likelier it is if the remote is shown the context in this form, in nats per token."""
        assert self.alone is not None  # noqa: S101  # the caller has left out empty texts
        return self.alone - self.shown[form]
