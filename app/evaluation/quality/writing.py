"""Writes each system's replies, and computes their NLL under the remote with and without the context."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import numpy as np

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodeRequest, DecodingConfig
from app.decoding.speculative import decode
from app.decoding.stats import Clock, Stats
from app.decoding.vocabulary_match import VocabularyMatcher
from app.evaluation.quality.cases import Case
from app.evaluation.quality.forms import FORMS
from app.evaluation.quality.heard import Heard, named
from app.evaluation.quality.reading import Prompts, Reading
from app.evaluation.quality.rules import delta, iterate
from app.evaluation.quality.strengths import OPEN
from app.evaluation.quality.systems import System
from app.evaluation.quality.written import Written
from app.local.interface import RowModel, Wanted
from app.remote.embedded import EmbeddedRemote
from app.steering.formula import log_softmax
from app.steering.sampling import SamplingParams, distribution, draw


@dataclass(frozen=True, repr=False)
class _Reply:
    text: str
    tokens: int
    seconds: float
    requests: int | None = None
    heard: Heard | None = None


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
        forms: Sequence[str],
        tokens: int = 128,
        temperature: float = 0.0,
        clock: Clock = time.perf_counter,
    ) -> None:
        """`own` is the local model again, as one that writes alone; a reply has at most `tokens` tokens.
        Replies are read by the remote that is shown the context in each of the `forms`."""
        self._remote = remote
        self._local = local
        self._own = own
        self._matcher = matcher
        self._config = config
        self._tokens = tokens
        self._sampling = SamplingParams(temperature=temperature, seed=0)
        self._clock = clock
        self._forms = forms
        self._prompts = Prompts(config.max_context_tokens)
        self._reading = Reading(remote, self._prompts)

    async def written(self, cases: Sequence[Case], system: System) -> list[Written]:
        """A reply to each of the `cases`, all written concurrently."""
        if system.kind in ("remote", "steered"):
            writing = [self._ordered(case, system) for case in cases]
        else:
            writing = [self._unordered(case, system) for case in cases]
        replies = await asyncio.gather(*writing)
        written = [
            Written(
                case.id,
                system.name,
                one.text,
                one.tokens,
                one.seconds,
                len(cases),
                alone=None,
                requests=one.requests,
                heard=one.heard,
            )
            for case, one in zip(cases, replies, strict=True)
        ]
        return [await self.read(case, one) for case, one in zip(cases, written, strict=True)]

    async def read(self, case: Case, reply: Written) -> Written:
        """The reply with how likely the remote finds it, alone and in each form; what is known is kept."""
        alone = reply.alone if reply.alone is not None else await self._reading.alone(case, reply.text)
        missing = [form for form in self._forms if form not in reply.shown]
        shown = await self._reading.shown(case, reply.text, missing)
        return replace(reply, alone=alone, shown={**reply.shown, **shown})

    async def _ordered(self, case: Case, system: System) -> _Reply:
        """A reply as the product writes it; the text is as the client has it for a system at levels of
        disclosure, and else the remote's own, without values in the place of placeholders."""
        tried, config = system.tried, self._config
        disclosure = tried.disclosure if tried is not None else None
        if tried is not None:
            constant = tried.value if tried.kind == "auto" else config.auto_strength
            config = replace(config, auto_strength=constant, margin=tried.margin)
        generator = Generator(
            self._remote,
            self._local,
            self._matcher,
            config,
            self._clock,
            form=FORMS[system.form].readings,
            guards=disclosure is not None,
        )
        generation = GenerationRequest(
            (await self._remote.card()).id,
            case.messages,
            self._sampling,
            self._tokens,
            profile=case.private.profile,
            history=case.private.history,
            strength=tried.strength if tried is not None else 0.0,
            preferences=case.private.preferences,
            disclosure=disclosure or OPEN,
        )
        reply = await generator.prepare(generation)
        text, ids, moments = [], [], []
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                text.append(piece.text)
                ids += [token.token_id for one in piece.token_texts for token in one.tokens]
                moments.append(self._clock())
        stats = reply.stats
        heard = _heard(case, reply.vocabulary.decode(ids), stats)
        as_read = "".join(text) if disclosure is not None else heard.text
        return _Reply(as_read, stats.tokens, moments[-1] - moments[0], stats.remote_requests, heard)

    async def _unordered(self, case: Case, system: System) -> _Reply:
        """A reply as it would be written without the product: by one model alone, or by the paper's loop."""
        model = self._own if system.kind == "local" else self._remote
        if system.kind == "loop":
            stream = self._papers_loop(case, system.form)
        else:
            prompts = await self._prompts.of(case, model.tokenizer, system.form)
            stream = self._by_itself(model, prompts.shown.ids)
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

    async def _papers_loop(self, case: Case, form: str) -> AsyncGenerator[int, None]:
        """The paper's own loop: for each token one request to the remote, one to the local model, and the
        iteration over the whole vocabulary (arXiv 2507.04756, section 3)."""
        remote = await self._prompts.of(case, self._remote.tokenizer, form)
        mine = await self._prompts.of(case, self._matcher.tokenizer, form)
        local = (await self._matcher.match()).model(self._local)
        rng = np.random.default_rng(self._sampling.seed)
        generated: list[int] = []
        weights = [one.weight for one in mine.contrasts]
        async with local.session(mine.contrasts) as session:
            while len(generated) < self._tokens:
                logits, (local_logprobs,) = await asyncio.gather(
                    self._remote.read([*remote.public, *generated], [0]),
                    session.score(generated, len(generated), Wanted()),
                )
                public = log_softmax(logits[0].astype(np.float64))
                every = local_logprobs.logprobs(np.arange(len(public)))
                scores = iterate(public, delta(every, weights))
                generated.append(draw(distribution(scores, self._sampling), rng))
                yield generated[-1]
                if generated[-1] in self._remote.tokenizer.eos_ids:
                    return


def _heard(case: Case, text: str, stats: Stats) -> Heard:
    """What the remote heard in a reply, whose text it has as `text`."""
    profile = case.private.profile
    return Heard(
        text,
        named(text, profile.name, case.messages) if profile is not None else None,
        said=stats.said,
        held=stats.held,
        filled=stats.filled,
        nats=stats.nats,
        acceptance=stats.acceptance,
        unsteered_from=stats.spent_at,
    )
