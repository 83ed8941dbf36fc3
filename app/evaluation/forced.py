"""Teacher forcing: how likely each rule finds what a user really wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.byte_model import RowModel
from app.embedded import EmbeddedRemote
from app.errors import InvalidRequest
from app.evaluation.cases import Case
from app.evaluation.rules import Rule
from app.local_prompts import LocalPrompts, local_prompts
from app.matching import Matching
from app.outlook import Outlook
from app.steering import FloatArray, IntArray, log_softmax
from app.tokenizer import Tokenizer

# A distribution that is too sure of itself gains by being flattened alone, so rules are compared at the
# temperature that suits each best.
TEMPERATURES = (0.9, 1.0, 1.1, 1.2, 1.3, 1.5)
SHOWN = "remote shown the profile"
AT_ONCE = 16  # positions; 16 rows of 150,000 numbers are 20 MB


@dataclass(frozen=True)
class Forced:
    """Of one case: tokens of the user's text, and by rule the mean negative log-likelihood in nats per token
    at each of TEMPERATURES."""

    case: str
    tokens: int
    nll: dict[str, tuple[float, ...]]


class Forcing:
    """Two models in this process: no server tells its whole distribution.

    `tokens` of a user's text are read, and `max_context_tokens` of the private context.
    """

    def __init__(
        self,
        remote: EmbeddedRemote,
        local: RowModel,
        matching: Matching,
        *,
        tokens: int = 160,
        max_context_tokens: int = 1024,
    ) -> None:
        self._remote = remote
        self._local = local
        self._matching = matching
        self._tokens = tokens
        self._max_context_tokens = max_context_tokens

    async def forced(self, case: Case, rules: Sequence[Rule]) -> Forced:
        """What each rule, and the remote if it were shown the profile, makes of the case's reference."""
        assert case.reference is not None  # noqa: S101  # the caller has chosen those that have one
        ids = self._remote.tokenizer.encode_after(case.reference)[: self._tokens]
        mine, theirs = (self._prompts(case, one.tokenizer) for one in (self._matching, self._remote))
        nll = {rule.name: np.zeros(len(TEMPERATURES)) for rule in rules}
        remote = await self._remote.read(theirs.agnostic, ids)
        outlooks = await self._outlooks(mine, ids)
        for window in _windows(len(ids)):
            public, chosen = log_softmax(remote[window].astype(np.float64)), np.array(ids[window])
            candidates = np.arange(public.shape[1])
            local = np.stack([outlook.logprobs(candidates) for outlook in outlooks[window]], axis=1)
            for rule in rules:
                nll[rule.name] += _nll(rule.score(public, local[0], local[1]), chosen)
        if theirs.aware is not None:
            told = await self._remote.read(theirs.aware.ids, ids)
            nll[SHOWN] = np.zeros(len(TEMPERATURES))
            for window in _windows(len(ids)):
                nll[SHOWN] += _nll(told[window].astype(np.float64), np.array(ids[window]))
        return Forced(
            case.id, len(ids), {name: tuple((sums / len(ids)).tolist()) for name, sums in nll.items()}
        )

    def _prompts(self, case: Case, tokenizer: Tokenizer) -> LocalPrompts:
        return local_prompts(case.profile, case.history, case.messages, tokenizer, self._max_context_tokens)

    async def _outlooks(self, prompts: LocalPrompts, ids: Sequence[int]) -> list[Outlook]:
        if prompts.aware is None:
            raise InvalidRequest(
                "Nothing of a case's profile fits. Raise COSTEER_MAX_CONTEXT_TOKENS, or leave the case out."
            )
        local = (await self._matching.match()).model(self._local)
        async with local.session(prompts.aware, prompts.agnostic) as session:
            return await session.score(ids[:-1], 0)


def _windows(positions: int) -> list[slice]:
    return [slice(first, min(first + AT_ONCE, positions)) for first in range(0, positions, AT_ONCE)]


def _nll(scores: FloatArray, chosen: IntArray) -> FloatArray:
    """Summed negative log-likelihood of tokens `chosen` [n], at each of TEMPERATURES; `scores` [n, V]."""
    rows = np.arange(len(chosen))
    return np.array([-log_softmax(scores / one)[rows, chosen].sum() for one in TEMPERATURES])
