"""Writes each system's replies, and computes their NLL under the remote with and without the context."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodeRequest, DecodingConfig
from app.decoding.speculative import decode
from app.decoding.stats import Clock, Stats
from app.decoding.vocabulary_match import VocabularyMatcher
from app.evaluation.quality.cases import Case, CasePrompts, case_prompts
from app.evaluation.quality.rules import iterate
from app.evaluation.quality.systems import System
from app.local.interface import RowModel
from app.remote.embedded import EmbeddedRemote
from app.steering.formula import local_delta, log_softmax
from app.steering.sampling import SamplingParams, distribution, draw
from app.tokenization.tokenizer import Tokenizer


@dataclass(frozen=True, repr=False)
class Written:
    """A reply of `tokens` tokens, the end token included; `seconds` passed from the first to the last, with
    `at_once` replies written concurrently.

    `alone` and `shown` are its mean negative log-likelihoods, in nats per token, under the remote, and under
    the remote if it were shown the context; None for an empty text.
    """

    case: str
    system: str
    text: str
    tokens: int
    seconds: float
    at_once: int
    alone: float | None
    shown: float | None

    @property
    def key(self) -> tuple[str, ...]:
        return self.case, self.system


@dataclass(frozen=True, repr=False)
class _Reply:
    text: str
    tokens: int
    seconds: float


class Writing:
    """Writes replies with two models in this process, the remote and the local one, or with one alone."""

    def __init__(
        self,
        remote: EmbeddedRemote,
        local: RowModel,
        own: EmbeddedRemote,
        matcher: VocabularyMatcher,
        config: DecodingConfig,
        *,
        tokens: int = 128,
        temperature: float = 0.0,
        clock: Clock = time.perf_counter,
    ) -> None:
        """`own` is the local model again, as one that writes alone; a reply has at most `tokens` tokens."""
        self._remote = remote
        self._local = local
        self._own = own
        self._matcher = matcher
        self._config = config
        self._tokens = tokens
        self._sampling = SamplingParams(temperature=temperature, seed=0)
        self._clock = clock
        self._generator = Generator(remote, local, matcher, config, clock)

    async def written(self, cases: Sequence[Case], system: System) -> list[Written]:
        """A reply to each of the `cases`, all written concurrently."""
        if system.kind in ("remote", "steered"):
            writing = [self._ordered(case, system) for case in cases]
        else:
            writing = [self._unordered(case, system) for case in cases]
        replies = await asyncio.gather(*writing)
        return [
            await self._read(case, system, reply, len(cases))
            for case, reply in zip(cases, replies, strict=True)
        ]

    async def _ordered(self, case: Case, system: System) -> _Reply:
        """A reply as the product writes it."""
        generation = GenerationRequest(
            (await self._remote.card()).id,
            case.messages,
            self._sampling,
            self._tokens,
            profile=case.profile,
            history=case.history,
            strength=system.strength,
            preferences=case.profile.preferences,
        )
        reply = await self._generator.prepare(generation)
        text, moments = [], []
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                text.append(piece.text)
                moments.append(self._clock())
        return _Reply("".join(text), reply.stats.tokens, moments[-1] - moments[0])

    async def _unordered(self, case: Case, system: System) -> _Reply:
        """A reply as it would be written without the product: by one model alone, or by the paper's loop."""
        model = self._own if system.kind == "local" else self._remote
        if system.kind == "loop":
            stream = self._papers_loop(case)
        else:
            prompts = await self._prompts(case, model.tokenizer)
            stream = self._by_itself(model, prompts.aware.ids)
        ids, moments = [], []
        async with aclosing(stream) as tokens:
            async for token_id in tokens:
                ids.append(token_id)
                moments.append(self._clock())
        text = model.tokenizer.decode([one for one in ids if one not in model.tokenizer.eos_ids])
        return _Reply(text, len(ids), moments[-1] - moments[0])

    async def _by_itself(self, model: EmbeddedRemote, prompt: Sequence[int]) -> AsyncGenerator[int, None]:
        """The tokens that a model generates after a prompt."""
        request = DecodeRequest(
            prompt=prompt,
            sampling=self._sampling,
            max_tokens=self._tokens,
            eos_ids=model.tokenizer.eos_ids,
            config=self._config,
        )
        async with aclosing(decode(request, remote=model, local=None, stats=Stats())) as tokens:
            async for token in tokens:
                yield token.token_id

    async def _papers_loop(self, case: Case) -> AsyncGenerator[int, None]:
        """The paper's own loop: for each token one request to the remote, one to the local model, and the
        iteration over the whole vocabulary (arXiv 2507.04756, section 3)."""
        remote = await self._prompts(case, self._remote.tokenizer)
        mine = await self._prompts(case, self._matcher.tokenizer)
        local = (await self._matcher.match()).model(self._local)
        rng = np.random.default_rng(self._sampling.seed)
        generated: list[int] = []
        async with local.session(mine.aware, mine.agnostic) as session:
            while len(generated) < self._tokens:
                logits, (local_logprobs,) = await asyncio.gather(
                    self._remote.read([*remote.agnostic, *generated], [0]),
                    session.score(generated, len(generated)),
                )
                public = log_softmax(logits[0].astype(np.float64))
                delta = local_delta(local_logprobs.logprobs(np.arange(len(public))))
                scores = iterate(public, delta)
                generated.append(draw(distribution(scores, self._sampling), rng))
                yield generated[-1]
                if generated[-1] in self._remote.tokenizer.eos_ids:
                    return

    async def _read(self, case: Case, system: System, reply: _Reply, at_once: int) -> Written:
        ids = self._remote.tokenizer.encode_after(reply.text)
        prompts = await self._prompts(case, self._remote.tokenizer)
        alone = shown = None
        if ids:
            alone, shown = [
                -float((await self._remote.logprobs(prompt, ids)).mean())
                for prompt in (prompts.agnostic, prompts.aware.ids)
            ]
        return Written(case.id, system.name, reply.text, reply.tokens, reply.seconds, at_once, alone, shown)

    async def _prompts(self, case: Case, tokenizer: Tokenizer) -> CasePrompts:
        return await asyncio.to_thread(case_prompts, case, tokenizer, self._config.max_context_tokens)
