"""One measured reply: its latency and throughput, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.decoding.stats import Stats
from app.evaluation.speed.bound import Step
from app.evaluation.speed.passes import PassTimes

# Tokens; a shorter reply says little about the time per token.
ENOUGH = 8


@dataclass(frozen=True)
class Run:
    """A reply in one mode to one case; each case is written in every mode, once per `repeat`.

    `moments` are seconds from the request to each token that has text, `seconds` those to the end. `waits`
    are seconds from each remote request to its first draft token, in order. `steps` has what each of
    these tokens needed, `passes` what the local model's passes cost by then, None if it was not needed.
    """

    mode: str
    case: int
    profile: str
    repeat: int
    token_ids: tuple[int, ...] = field(repr=False)
    moments: tuple[float, ...] = field(repr=False)
    seconds: float
    stats: Stats
    waits: tuple[float, ...] = ()
    steps: tuple[Step, ...] = field(default=(), repr=False)
    passes: PassTimes | None = None

    @property
    def enough(self) -> bool:
        """Whether it is long enough for per-token figures."""
        return len(self.moments) >= ENOUGH

    @property
    def first_token_ms(self) -> float | None:
        return 1000 * self.moments[0] if self.moments else None

    @property
    def tokens_per_second(self) -> float:
        """Decode throughput, after the first token."""
        return (len(self.moments) - 1) / (self.moments[-1] - self.moments[0])

    @property
    def requests_per_token(self) -> float:
        return self.stats.remote_requests / self.stats.tokens

    @property
    def local_ms_per_token(self) -> float:
        """Time of the local forward passes, including those that nothing waited for."""
        return 1000 * self.stats.local_seconds / self.stats.tokens

    @property
    def local_wait_ms_per_token(self) -> float:
        return 1000 * self.stats.seconds["local"] / self.stats.tokens

    def figures(self) -> dict[str, Any]:
        """The figures for JSON, without the reply's text."""
        return {
            "mode": self.mode,
            "case": self.case,
            "profile": self.profile,
            "repeat": self.repeat,
            "tokens": self.stats.tokens,
            "seconds": self.seconds,
            "first_token_ms": self.first_token_ms,
            "tokens_per_second": self.tokens_per_second if self.enough else None,
            "acceptance": self.stats.acceptance,
            "remote_requests": self.stats.remote_requests,
            "local_passes": self.stats.local_passes,
            "local_ms": 1000 * self.stats.local_seconds,
            "prefilled": self.stats.prefilled,
            "found": self.stats.found,
            "drafted": self.stats.drafted,
            "waited_ms": {part: 1000 * seconds for part, seconds in self.stats.seconds.items()},
            "first_drafted_ms": [1000 * wait for wait in self.waits],
            # Of a pass over one position and over eight, by the costs fitted until then.
            "pass_ms": [1000 * self.passes.seconds(n) for n in (1, 8)] if self.passes else None,
        }
