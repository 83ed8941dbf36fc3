"""The input and the output of decoding: a request with its prompts, the configuration, and emitted tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.decoding.calls import Calls
from app.decoding.grammar import Grammar
from app.decoding.retry import RetryPolicy
from app.disclosure.matcher import Guard
from app.prompts.private import Contrast
from app.remote.interface import DraftToken
from app.steering.formula import FloatArray, IntArray
from app.steering.guard import BoolArray
from app.steering.sampling import SamplingParams
from app.steering.strength import AUTO_SMOOTHING, AUTO_STRENGTH, Strength, steers


@dataclass(frozen=True)
class DecodingConfig:
    """How replies are decoded; the settings that it comes from are in app/settings/settings.py.

    `top_logprobs` candidates are steered at each position. `max_context_tokens` bounds the private context in
    the local prompt, `max_model_len` the prompt and the reply together.

    `draft_length` bounds the draft tokens of one remote request; fewer are asked for where the remote runs
    ahead of the local model, and up to `longest_draft` where asking again is dear (None: never more).
    `verify_batch` is how many draft tokens to gather before a local pass, 0 to
    score as many at once as pay.

    Two knobs trade personalisation for speed. Where the remote's likeliest token has at least the probability
    `confidence_gate`, nothing is steered (None: everything is). Where steering gains no more than `margin`
    nats, the remote's own token stays (see steering/margin.py; None: as the strength has it).

    `auto_strength` and `auto_smoothing` are what the strength "auto" stands for; the evaluation varies them.

    `patience` says how long a remote that fails in the middle of a reply is retried. `local_patience` is the
    timeout, in seconds, of a draft token that waits for the local model: it is then emitted unsteered, as are
    all after it once the local model has failed. None: no timeout, and failures are raised.
    """

    top_logprobs: int = 20
    max_context_tokens: int = 2048
    max_model_len: int = 8192
    draft_length: int = 256
    longest_draft: int | None = None
    verify_batch: int = 0
    confidence_gate: float | None = None
    margin: float | None = None
    auto_strength: float = AUTO_STRENGTH
    auto_smoothing: float = AUTO_SMOOTHING
    local_patience: float | None = None
    patience: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True)
class DecodeRequest:
    """One reply to decode: public prompt, the local prompts, and how to sample and when to stop.

    `contrasts` are the pairs of local prompts that steer, none for an unsteered reply. `eos_ids` end it;
    `max_tokens` bounds it. `think_ids` open and close the reasoning, which is not steered; `thinking`: the
    prompt ends inside it. `guard` keeps back what the reply must not say by the local model's help, and
    `budget` is how many nats it may tell the remote; None: there is no bound. `calls` is how the remote
    begins tool calls; None: it makes none. `grammar`: what the reply must be a text of, behind its reasoning;
    None: any text. Then no placeholder is written in it.
    """

    prompt: Sequence[int]
    sampling: SamplingParams
    max_tokens: int
    eos_ids: frozenset[int] = frozenset()
    contrasts: tuple[Contrast, ...] = ()
    strength: Strength = 0.0
    think_ids: tuple[int, int] | None = None
    thinking: bool = False
    guard: Guard | None = None
    budget: float | None = None
    calls: Calls | None = None
    grammar: Grammar | None = None
    config: DecodingConfig = field(default_factory=DecodingConfig)

    @property
    def steered(self) -> bool:
        return steers(self.strength) and bool(self.contrasts)


@dataclass(frozen=True, slots=True)
class Token:
    """One emitted token, and the draft token at its position, with the candidates that a grammar allows.

    `logprobs` [K] are those of the steered distribution over the candidates [K], before the margin and the
    temperature; `local_delta` [K] is what steered them, None if nothing did. `finish_reason` is set on the
    last.

    `local` [m, 2, K] are the local model's log-probabilities in m contrasts, context-aware and
    context-agnostic, and `held` [K] the candidates that it may not help; each None where there is none.
    `kept_back`: the guard holds what steering would have chosen. `listed`: how many of the candidates, the
    first ones, the remote proposed; None: all.
    """

    token_id: int
    drafted: DraftToken
    logprobs: FloatArray
    local_delta: FloatArray | None = None
    finish_reason: str | None = None
    local: FloatArray | None = None
    held: BoolArray | None = None
    kept_back: bool = False
    listed: int | None = None

    @property
    def drafted_id(self) -> int:
        return self.drafted.token_id

    @property
    def candidates(self) -> IntArray:
        """[K] token ids: those that the remote listed, then the local model's own candidates."""
        return self.drafted.candidates

    @property
    def remote_logprobs(self) -> FloatArray:
        """[K]: the remote's raw log-probabilities; of the local model's own candidates, estimates of them."""
        return self.drafted.logprobs

    @property
    def logprob(self) -> float:
        """This token's own entry of `logprobs`."""
        return float(self.logprobs[self.candidates == self.token_id][0])
