"""Draft and verify on a simulated clock: a far remote and a slow local model that cost what one says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from virtual_time import run_virtually

from app.decoding.request import DecodeRequest, DecodingConfig
from app.decoding.speculative import decode
from app.decoding.stats import Stats
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs, Wanted
from app.prompts.private import Contrast, PrivatePrompt
from app.remote.interface import DraftToken
from app.steering.formula import FloatArray, IntArray
from app.steering.sampling import SamplingParams
from app.tokenization.sequence import common_prefix

KEPT, CHANGED = 1, 2  # the token that the remote always drafts, and the one that the device may prefer
CANDIDATES = np.arange(KEPT, 6)
CONTRASTS = (Contrast(PrivatePrompt((7, 7)), PrivatePrompt((7,))),)


@dataclass(frozen=True)
class Text:
    """What is drafted and kept at each position, whatever the schedule.

    `doubts`: one minus the remote's probability of its draft token; `kept`: whether the token is accepted.
    """

    doubts: FloatArray
    kept: npt.NDArray[np.bool_]

    @classmethod
    def drawn(cls, tokens: int, acceptance: float, seed: int, *, telling: bool = True) -> Text:
        """A draft token is rejected with a probability in proportion to its doubt if that is `telling`, as
        with real models; otherwise with the same one everywhere."""
        rng = np.random.default_rng(seed)
        doubts = np.minimum(rng.beta(0.35, 1.0, tokens), 0.7)
        mean = np.minimum(np.random.default_rng(0).beta(0.35, 1.0, 100_000), 0.7).mean()
        risk = (
            np.minimum(doubts * (1 - acceptance) / mean, 1.0) if telling else np.full(tokens, 1 - acceptance)
        )
        return cls(doubts, rng.random(tokens) >= risk)

    def segments(self) -> list[int]:
        """The lengths of its runs up to a rejected draft token each, then what is left."""
        ends = [*np.flatnonzero(~self.kept), len(self.kept) - 1]
        return [int(end - start) for start, end in zip([-1, *ends], ends, strict=False) if end > start]


@dataclass(frozen=True)
class Place:
    """Seconds: `pace` per drafted token, `rtt` per request; a local pass costs `base` + `per_token` for each
    token of each of the `prompts` but the first `flat` ones, and `jitter` is the standard deviation of the
    logarithm of what it really costs."""

    pace: float
    rtt: float
    base: float
    per_token: float
    prompts: int = 2
    jitter: float = 0.0
    flat: int = 0

    def seconds(self, positions: int) -> float:
        return self.of_tokens(self.prompts * positions)

    def of_tokens(self, tokens: int) -> float:
        return self.base + self.per_token * max(0, tokens - self.flat)


@dataclass
class FarRemote:
    """Drafts the text's tokens, each `pace` after the one before it, all of them `rtt` late."""

    text: Text
    place: Place
    sent: list[int] = field(default_factory=list)  # the position that each request begins at
    drafted: int = 0

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        loop = asyncio.get_running_loop()
        began, first = loop.time() + self.place.rtt, len(prompt) - 1
        self.sent.append(first)
        for count in range(max_tokens):
            await asyncio.sleep(began + (count + 1) * self.place.pace - loop.time())
            self.drafted += 1
            yield self._token(first + count)

    def _token(self, position: int) -> DraftToken:
        doubt = self.text.doubts[min(position, len(self.text.doubts) - 1)]
        probabilities = np.full(len(CANDIDATES), max(doubt, 1e-9) / (len(CANDIDATES) - 1))
        probabilities[0] = 1 - doubt
        return DraftToken(KEPT, CANDIDATES, np.log(probabilities))


class Said:
    """Wants the draft token changed, or leaves it."""

    def __init__(self, kept: bool) -> None:
        self._kept = kept

    def logprobs(self, candidates: IntArray) -> FloatArray:
        both = np.full((1, 2, len(candidates)), -1.0)
        both[0, 0, candidates == CHANGED] += 0.0 if self._kept else 50.0
        return both

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        return np.array([], np.int64)


class SlowLocal:
    """One device: a pass that has begun runs to its end, also when nobody wants it any more."""

    found = prompt_tokens = 0
    ahead = True

    def __init__(self, text: Text, place: Place, cost: PassCost | None = None) -> None:
        self.text = text
        self.place = place
        self.prompts = place.prompts
        self.cost = cost or PassCost()
        self.passes: list[int] = []  # positions computed
        self._free = 0.0
        self._cached: list[int] = []
        self._rng = np.random.default_rng(0)

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[SlowLocal]:
        yield self

    async def warm(self, prefix: PrivatePrompt) -> None:
        raise NotImplementedError

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        loop = asyncio.get_running_loop()
        if loop.time() < self._free:
            await asyncio.sleep(self._free - loop.time())
        sequence = [0, *generated]
        held = min(common_prefix(self._cached, sequence), len(sequence) - (len(generated) - first + 1))
        positions = len(sequence) - held
        seconds = self.place.seconds(positions) * float(np.exp(self._rng.normal(0.0, self.place.jitter)))
        self._cached, self._free = sequence, loop.time() + seconds
        self.passes.append(positions)
        self.cost.observe(self.place.prompts * positions, seconds)
        await asyncio.sleep(seconds)
        return [
            Said(bool(self.text.kept[min(at, len(self.text.kept) - 1)]))
            for at in range(first, len(generated) + 1)
        ]


@dataclass(frozen=True)
class Outcome:
    """What a reply took: simulated seconds, remote tokens drafted, local passes, tokens computed by them."""

    seconds: float
    drafted: int
    requests: int
    passes: int
    computed: int
    ids: tuple[int, ...]


def decoded(text: Text, place: Place, *, cost: PassCost | None = None, **config: object) -> Outcome:
    """A reply of this text by the real loop. `config` are fields of DecodingConfig."""
    remote, local = FarRemote(text, place), SlowLocal(text, place, cost)
    request = DecodeRequest(
        prompt=[0],
        sampling=SamplingParams(temperature=0.0),
        max_tokens=len(text.kept),
        contrasts=CONTRASTS,
        strength=1.0,
        config=replace(DecodingConfig(top_logprobs=5), **config),  # type: ignore[arg-type]
    )

    async def ids() -> list[int]:
        stats = Stats(asyncio.get_running_loop().time)
        tokens = decode(request, remote=remote, local=local, stats=stats)  # type: ignore[arg-type]
        return [token.token_id async for token in tokens]

    said, seconds = run_virtually(ids())
    return Outcome(
        seconds, remote.drafted, len(remote.sent), len(local.passes), sum(local.passes), tuple(said)
    )


def plain_seconds(text: Text, place: Place) -> float:
    """What the remote's own stream of as many tokens takes."""
    return place.rtt + len(text.kept) * place.pace


def best_seconds(text: Text, place: Place) -> float:
    """What draft and verify would take that knew where each draft is rejected, and so computed nothing in
    vain: a lower bound."""
    known: dict[int, float] = {}
    return sum(known.setdefault(run, _best_run(run, place)) for run in text.segments())


def _best_run(run: int, place: Place) -> float:
    """Seconds from a request until its `run`-th draft token is judged. The pass that scores positions
    i to j - 1 can start once the draft token before position j - 1 has arrived."""
    arrived = [0.0, *(place.rtt + count * place.pace for count in range(1, run + 1))]
    scored = [0.0]
    for j in range(1, run + 1):
        scored.append(min(max(scored[i], arrived[j - 1]) + place.seconds(j - i) for i in range(j)))
    return max(scored[run], arrived[run])
