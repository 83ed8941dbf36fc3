"""The draft-and-verify loop on toy models whose distributions are known."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import NoReturn

import numpy as np
import pytest
from scipy.stats import chisquare

from app.decoding.request import DecodeRequest, DecodingConfig, Token
from app.decoding.speculative import decode
from app.decoding.stats import Stats, together
from app.errors import RemoteError
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs, Wanted
from app.local.model import SameVocabularyLogprobs, direct
from app.prompts.message import Message, Tool
from app.prompts.private import Contrast, PrivatePrompt
from app.remote.interface import DraftToken, Forward, Handover, ModelCard, RemoteVocabulary
from app.steering.candidates import UNLISTED
from app.steering.formula import FloatArray, IntArray, local_delta, log_softmax, steer
from app.steering.margin import with_margin
from app.steering.sampling import SamplingParams, TokenCounts, distribution, draw, penalise
from app.steering.strength import AUTO, AUTO_MARGIN, Strength

VOCABULARY = 12
EOS = 0
PROMPT = [3, 1, 4]
AWARE, AGNOSTIC = PrivatePrompt((9, 9, 3, 1, 4)), PrivatePrompt((3, 1, 4))
WISHED, UNWISHED = PrivatePrompt((7, 3, 1, 4)), PrivatePrompt((8, 8, 8, 3, 1, 4))
NAMES = {AWARE: "aware", AGNOSTIC: "agnostic", WISHED: "wished", UNWISHED: "unwished"}
PLAIN = (Contrast(AWARE, AGNOSTIC),)
# As with a person and preferences, and as with preferences that have no opposite.
BOTH = (*PLAIN, Contrast(WISHED, UNWISHED, 1.6))
SHARED = (*PLAIN, Contrast(WISHED, AGNOSTIC, 1.6))
CONTRASTS = pytest.mark.parametrize("contrasts", [PLAIN, BOTH, SHARED], ids=["one", "two", "shared"])
ONE_PAIR = np.array([[0, 1]])


def toy_logprobs(key: str, generated: Sequence[int]) -> FloatArray:
    """A fixed distribution for each model and each prefix; the end of text is rare."""
    rng = np.random.default_rng([*key.encode(), *generated])
    logits = rng.normal(0.0, 1.5, VOCABULARY)
    logits[EOS] -= 2.0
    return log_softmax(logits)


@dataclass
class ToyRemote:
    """Drafts from toy distributions as a vLLM would, and records what it was handed."""

    passes_on = False

    fail_after: int | None = None
    pace: float = 0.0
    calls: list[tuple[list[int], SamplingParams, int]] = field(default_factory=list)
    open: int = 0

    def kept_for(self, owner: Owner | None) -> "ToyRemote":
        return self

    async def card(self) -> ModelCard:
        return ModelCard("toy", 1000)

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        return [await self.card()]

    def take_over(self, handover: Handover) -> NoReturn:
        raise NotImplementedError

    async def forward(self, request: Forward) -> NoReturn:
        raise NotImplementedError

    async def tokenize(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        return PROMPT

    async def tokenize_text(self, text: str) -> list[int]:
        return []

    async def vocabulary(self) -> RemoteVocabulary:
        raise NotImplementedError  # both sides have one vocabulary

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        self.calls.append((list(prompt), sampling, max_tokens))
        rng = np.random.default_rng(sampling.seed)
        generated = list(prompt[len(PROMPT) :])
        seen = TokenCounts(prompt=frozenset(prompt))
        self.open += 1
        try:
            for count in range(max_tokens):
                await asyncio.sleep(self.pace)
                if count == self.fail_after:
                    raise RemoteError("gone")
                logprobs = toy_logprobs("remote", generated)
                probs = distribution(penalise(logprobs, np.arange(VOCABULARY), sampling, seen), sampling)
                token = draw(probs, rng)
                top = np.argsort(-logprobs, kind="stable")[:top_logprobs]
                ids = np.concatenate(([token], top[top != token]))
                yield DraftToken(token, ids, logprobs[ids], ends=token == EOS)
                if token == EOS:
                    return
                generated.append(token)
                seen.add(token)
        finally:
            self.open -= 1


@dataclass
class ToyLocal:
    """Prompts with toy distributions; counts passes and the tokens of each."""

    passes: list[int] = field(default_factory=list)
    scored: list[int] = field(default_factory=list)  # the reply as it was at the last pass
    open: int = 0
    cost: PassCost = field(default_factory=PassCost)
    read: list[PrivatePrompt] = field(default_factory=list)
    pairs: IntArray = field(default_factory=lambda: ONE_PAIR)
    found = 5
    ahead: bool = True

    @property
    def prompts(self) -> int:
        return len(self.read)

    @property
    def prompt_tokens(self) -> int:
        return sum(len(prompt.ids) for prompt in self.read)

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator["ToyLocal"]:
        sides = [(one.aware, one.agnostic) for one in contrasts]
        self.read = list(dict.fromkeys(prompt for pair in sides for prompt in pair))
        self.pairs = np.array([[self.read.index(prompt) for prompt in pair] for pair in sides])
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    async def warm(self, prefix: PrivatePrompt) -> None:
        raise NotImplementedError

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        await asyncio.sleep(0)
        self.passes.append(len(generated) - first + 1)
        self.scored = list(generated)
        rows = [
            [toy_logprobs(key, generated[:at]) for at in range(first, len(generated) + 1)]
            for key in (NAMES[prompt] for prompt in self.read)
        ]
        return direct(np.array(rows, np.float32), self.pairs)


def request(**changes: object) -> DecodeRequest:
    """One to PROMPT, with some fields of its own or of its tuning changed."""
    tuned = {field.name for field in fields(DecodingConfig)} & changes.keys()
    config = replace(
        DecodingConfig(top_logprobs=6, draft_length=16),
        **{name: changes.pop(name) for name in tuned},  # type: ignore[arg-type]
    )
    base = DecodeRequest(
        prompt=PROMPT,
        sampling=SamplingParams(temperature=0.0),
        max_tokens=40,
        eos_ids=frozenset({EOS}),
        contrasts=PLAIN,
        strength=0.8,
        config=config,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


async def run(
    wanted: DecodeRequest, remote: ToyRemote | None = None, local: ToyLocal | None = None
) -> tuple[list[Token], Stats]:
    stats = Stats()
    tokens = decode(wanted, remote=remote or ToyRemote(), local=local or ToyLocal(), stats=stats)
    return [token async for token in tokens], stats


def ids(tokens: list[Token]) -> list[int]:
    return [token.token_id for token in tokens]


def defined(
    strength: Strength, top: int, generated: Sequence[int], contrasts: Sequence[Contrast] = PLAIN
) -> tuple[IntArray, FloatArray]:
    """Candidates and their steered distribution, straight from the definition."""
    remote = toy_logprobs("remote", generated)
    local = [
        [toy_logprobs(NAMES[prompt], generated) for prompt in (one.aware, one.agnostic)] for one in contrasts
    ]
    order = np.argsort(-remote, kind="stable")
    candidates = order[:top]
    if strength == AUTO:
        more: list[int] = []
        for aware, _ in local:
            rest = np.array([one for one in order[top:] if one not in more])
            more += rest[np.argsort(-aware[rest])][:UNLISTED].tolist()
        agnostic = local[0][1]
        left, local_left = np.exp(remote[order[top:]]).sum(), np.exp(agnostic[order[top:]]).sum()
        bound = remote[candidates].min()
        guess = np.minimum(bound, np.log(np.exp(agnostic[more]) / local_left * left))
        candidates = np.append(candidates, more)
        remote = remote.copy()
        remote[more] = (guess + (bound - 1)) / 2
        local = [[np.log(np.exp(one) + 0.3 * np.exp(remote)) for one in pair] for pair in local]
    delta = sum(
        one.weight * (aware - agnostic) for one, (aware, agnostic) in zip(contrasts, local, strict=True)
    )
    assert isinstance(delta, np.ndarray)
    return candidates, steer(remote[candidates], delta[candidates], 1.0 if strength == AUTO else strength)


def greedy_reference(
    strength: Strength, top: int, length: int, contrasts: Sequence[Contrast] = PLAIN, margin: float = 0.0
) -> list[int]:
    """One position at a time. The first candidate is what the remote alone would choose."""
    generated: list[int] = []
    while len(generated) < length and (not generated or generated[-1] != EOS):
        candidates, steered = defined(strength, top, generated, contrasts)
        near = steered[0] >= steered.max() - margin
        generated.append(int(candidates[0 if near else np.argmax(steered)]))
    return generated


@CONTRASTS
@pytest.mark.parametrize("strength", [0.3, 0.8, 1.78, AUTO])
@pytest.mark.parametrize("verify_batch", [0, 1, 3, 100])
@pytest.mark.parametrize("draft_length", [1, 2, 4, 16, 64])
async def test_greedy_text_is_the_definition_at_any_draft_length(
    strength: Strength, draft_length: int, verify_batch: int, contrasts: tuple[Contrast, ...]
) -> None:
    wanted = request(
        strength=strength,
        draft_length=draft_length,
        verify_batch=verify_batch,
        contrasts=contrasts,
        margin=0.0,
    )
    tokens, stats = await run(wanted)
    assert ids(tokens) == greedy_reference(strength, 6, 40, contrasts)
    assert stats.changed > 0  # else nothing was tested


@pytest.mark.parametrize("strength", [0.8, AUTO])
@pytest.mark.parametrize("draft_length", [1, 4, 64])
async def test_with_a_margin_too(strength: Strength, draft_length: int) -> None:
    texts = []
    for margin in (0.0, 0.4):
        tokens, stats = await run(request(strength=strength, draft_length=draft_length, margin=margin))
        assert ids(tokens) == greedy_reference(strength, 6, 40, margin=margin)
        assert stats.changed > 0
        texts.append(ids(tokens))
    assert texts[0] != texts[1]  # else nothing was tested


async def test_each_contrast_has_its_part_in_the_text() -> None:
    texts = [
        ids((await run(request(contrasts=contrasts, max_tokens=200)))[0])
        for contrasts in (PLAIN, BOTH[1:], BOTH, SHARED)
    ]
    assert len(set(map(tuple, texts))) == len(texts)
    assert ids((await run(request(contrasts=BOTH[::-1], max_tokens=200)))[0]) == texts[2]


@pytest.mark.parametrize(
    "sampling",
    [SamplingParams(temperature=0.0), SamplingParams(temperature=0.8, seed=4)],
    ids=["greedy", "drawn"],
)
async def test_one_contrast_of_a_weight_steers_as_the_strength_times_the_weight(
    sampling: SamplingParams,
) -> None:
    weighed = (replace(PLAIN[0], weight=2.0),)
    tokens, _ = await run(request(contrasts=weighed, strength=0.5, sampling=sampling))
    assert ids(tokens) == ids((await run(request(strength=1.0, sampling=sampling)))[0])


async def test_auto_without_a_profile_is_not_steered() -> None:
    local = ToyLocal()
    tokens, stats = await run(request(strength=AUTO, contrasts=()), local=local)
    assert ids(tokens) == ids((await run(request(strength=0.0)))[0])
    assert (stats.changed, local.passes) == (0, [])


async def test_long_drafts_need_fewer_requests_and_gathering_fewer_passes() -> None:
    _, single = await run(request(draft_length=1))
    _, eager = await run(request(draft_length=16))
    _, gathered = await run(request(draft_length=16, verify_batch=8))
    assert single.remote_requests == single.tokens
    assert eager.remote_requests < single.remote_requests
    assert gathered.local_passes < eager.local_passes


async def test_requests_go_on_from_everything_accepted_and_from_nothing_else() -> None:
    remote = ToyRemote()
    tokens, _ = await run(request(draft_length=4), remote)
    for prompt, _, max_tokens in remote.calls:
        assert prompt == [*PROMPT, *ids(tokens)[: len(prompt) - len(PROMPT)]]
        assert max_tokens <= 4


@pytest.mark.parametrize("max_tokens", [1, 2, 7])
async def test_max_tokens_ends_the_reply_with_length(max_tokens: int) -> None:
    tokens, stats = await run(request(max_tokens=max_tokens, draft_length=5))
    assert len(tokens) == max_tokens == stats.tokens
    assert [token.finish_reason for token in tokens] == [None] * (max_tokens - 1) + ["length"]


async def test_an_end_token_ends_the_reply_whoever_proposes_it() -> None:
    ends = set()
    for seed in range(60):
        tokens, _ = await run(request(sampling=SamplingParams(seed=seed), max_tokens=200))
        if tokens[-1].token_id == EOS:
            assert tokens[-1].finish_reason == "stop"
            ends.add(tokens[-1].drafted_id == EOS)
        assert EOS not in ids(tokens)[:-1]
    assert ends == {True, False}


@pytest.mark.parametrize(
    "sampling", [SamplingParams(temperature=0.0), SamplingParams(seed=5), SamplingParams(0.7, 0.8, seed=9)]
)
async def test_strength_zero_is_the_remotes_own_text_in_one_request(sampling: SamplingParams) -> None:
    remote = ToyRemote()
    tokens, stats = await run(request(strength=0.0, sampling=sampling), remote)
    own = remote.draft(PROMPT, sampling=sampling, top_logprobs=6, max_tokens=40)
    assert ids(tokens) == [position.token_id async for position in own]
    assert (stats.remote_requests, stats.changed, stats.local_passes) == (1, 0, 0)


async def test_no_private_prompt_is_no_steering() -> None:
    plain, _ = await run(request(strength=0.0))
    assert ids((await run(request(contrasts=())))[0]) == ids(plain)


async def test_a_local_model_that_says_the_same_twice_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampling = SamplingParams(temperature=0.9, top_p=0.9, top_k=5, min_p=0.02, seed=11)
    plain, _ = await run(request(strength=0.0, sampling=sampling, max_tokens=16))

    async def flat(
        self: ToyLocal, generated: Sequence[int], first: int, wanted: Wanted
    ) -> list[LocalLogprobs]:
        return direct(np.zeros((2, len(generated) - first + 1, VOCABULARY), np.float32), self.pairs)

    monkeypatch.setattr(ToyLocal, "score", flat)
    steered, stats = await run(request(sampling=sampling, max_tokens=16))
    assert (ids(steered), stats.changed) == (ids(plain), 0)


async def test_the_same_seed_gives_the_same_text_and_another_another() -> None:
    texts = [ids((await run(request(sampling=SamplingParams(seed=seed))))[0]) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("strength", [0.8, AUTO])
async def test_the_same_seed_gives_the_same_text_whatever_time_it_takes(
    strength: Strength, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drafts that a slow small model would cut short, by the clock, end where other draws begin."""
    texts = []
    for length in (2, 5, 16):
        monkeypatch.setattr("app.decoding.speculative.draft_length", lambda *_, length=length: length)
        sampling = SamplingParams(temperature=0.9, top_p=0.95, top_k=5, seed=11)
        wanted = request(sampling=sampling, strength=strength)
        texts.append(ids((await run(wanted, local=ToyLocal(cost=PassCost(10.0, 1.0))))[0]))
    assert texts[1:] == texts[:-1]


async def test_later_requests_draw_with_other_seeds_than_the_first() -> None:
    remote = ToyRemote()
    await run(request(sampling=SamplingParams(seed=3), draft_length=1), remote)
    seeds = [sampling.seed for _, sampling, _ in remote.calls]
    assert seeds[0] == 3
    assert len(set(seeds)) == len(seeds) > 2


SAMPLINGS = {
    "plain": SamplingParams(),
    "truncated": SamplingParams(temperature=0.8, top_p=0.85, min_p=0.03),
    "top_k": SamplingParams(temperature=1.3, top_k=3),
    "penalised": SamplingParams(repetition_penalty=1.4, presence_penalty=0.5, logit_bias={5: 1.5, 2: -100}),
}


@pytest.mark.parametrize("strength", [0.8, AUTO])
@pytest.mark.parametrize(
    ("draft_length", "contrasts", "margin"),
    [(1, PLAIN, 0.0), (4, PLAIN, 0.0), (4, BOTH, 0.0), (4, PLAIN, 0.7)],
)
@pytest.mark.parametrize("name", SAMPLINGS)
async def test_sampled_pairs_of_tokens_follow_the_steered_distribution(
    name: str, draft_length: int, contrasts: tuple[Contrast, ...], margin: float, strength: Strength
) -> None:
    """Two positions together, so that what the loop does after an acceptance and a rejection is both seen."""
    draws = 2500
    expected = np.zeros((VOCABULARY, VOCABULARY))
    sampling = SAMPLINGS[name]
    wanted = request(
        max_tokens=2,
        draft_length=draft_length,
        eos_ids=frozenset(),
        strength=strength,
        contrasts=contrasts,
        margin=margin,
    )

    def target(generated: list[int]) -> FloatArray:
        candidates, steered = defined(strength, 6, generated, contrasts)
        seen = TokenCounts(frozenset(PROMPT))
        for token in generated:
            seen.add(token)
        probs = np.zeros(VOCABULARY)
        own = np.full(len(candidates), -np.inf)
        own[:6] = log_softmax(toy_logprobs("remote", generated)[candidates[:6]])
        unsteered, scores = (penalise(one, candidates, sampling, seen) for one in (own, steered))
        probs[candidates] = with_margin(unsteered, scores, sampling, margin)
        return probs

    first = target([])
    for token in np.flatnonzero(first):
        expected[token] = first[token] * target([int(token)])
    counts = np.zeros_like(expected)
    remote, local = ToyRemote(), ToyLocal()
    for seed in range(draws):
        tokens, _ = await run(replace(wanted, sampling=replace(sampling, seed=seed)), remote, local)
        # A reply that the remote itself ends has one token; the rest of that row is not reached.
        if tokens[0].token_id != EOS:
            counts[tokens[0].token_id, tokens[1].token_id] += 1
    expected[EOS] = 0
    assert not counts[expected == 0].any()
    likely = expected * draws >= 5
    observed = np.append(counts[likely], counts[~likely].sum())
    wished = np.append(expected[likely], expected[~likely].sum())
    if wished[-1] == 0:
        observed, wished = observed[:-1], wished[:-1]
    assert chisquare(observed, wished / wished.sum() * observed.sum()).pvalue > 0.001


async def test_an_error_comes_after_everything_before_it_was_used() -> None:
    complete, _ = await run(request())
    stats, got = Stats(), []
    with pytest.raises(RemoteError, match="gone"):
        tokens = decode(request(), remote=ToyRemote(fail_after=2), local=ToyLocal(), stats=stats)
        async for token in tokens:
            got += [token.token_id]
    assert got
    assert got == ids(complete)[: len(got)]


async def test_a_remote_that_drafts_nothing_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(RemoteError, match="without drafting"):
        await run(request(draft_length=0))


async def test_a_refusal_by_the_remote_does_not_wait_for_the_local_model() -> None:
    class NeverLocal(ToyLocal):
        async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
            await asyncio.Event().wait()
            raise AssertionError

    local = NeverLocal()
    with pytest.raises(RemoteError, match="gone"):
        await run(request(), ToyRemote(fail_after=0), local)
    assert local.open == 0


async def test_an_error_of_the_local_model_ends_the_reply_and_frees_the_remote() -> None:
    class BrokenLocal(ToyLocal):
        async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
            if len(generated) > 3:
                raise RuntimeError("out of memory")
            return await super().score(generated, first, wanted)

    remote = ToyRemote()
    with pytest.raises(RuntimeError, match="out of memory"):
        await run(request(), remote, BrokenLocal())
    assert remote.open == 0


async def test_a_local_model_that_fails_leaves_the_rest_to_the_remote_if_that_is_wanted() -> None:
    class BrokenLocal(ToyLocal):
        async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
            if len(generated) > 3:
                raise RuntimeError("out of memory")
            return await super().score(generated, first, wanted)

    complete, _ = await run(request())
    tokens, stats = await run(request(local_patience=30.0), local=BrokenLocal())
    steered = [token.local_delta is not None for token in tokens]
    count = steered.index(False)
    assert count
    assert steered == [True] * count + [False] * (len(tokens) - count)
    assert ids(tokens)[:count] == ids(complete)[:count]
    assert all(token.token_id == token.drafted_id for token in tokens[count:])
    assert (stats.unassisted, stats.mishap) == (len(tokens) - count, "the local model failed (RuntimeError)")


async def test_a_local_model_that_lags_is_left_behind_and_steers_again_once_it_has_caught_up() -> None:
    class Lagging(ToyLocal):
        lags = asyncio.Event()

        async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
            if 4 < len(generated) < 12:
                await self.lags.wait()
            return await super().score(generated, first, wanted)

    local, remote, stats = Lagging(), ToyRemote(), Stats()
    wanted = request(local_patience=0.05, max_tokens=40, draft_length=1)
    got = []
    async with aclosing(decode(wanted, remote=remote, local=local, stats=stats)) as tokens:
        async for token in tokens:
            got.append(token)
            if len(got) == 14:
                local.lags.set()
                await asyncio.sleep(0.01)
    steered = [token.local_delta is not None for token in got]
    assert steered[:5] == [True] * 5
    assert not any(steered[6:14])
    assert all(steered[16:])
    assert stats.unassisted == steered.count(False)
    assert stats.mishap == "the local model lagged behind"
    # It was right again: what it says is of the text as it is.
    last = len(got) - 1
    rows = np.array([toy_logprobs(key, ids(got)[:last]) for key in ("aware", "agnostic")], np.float32)
    delta = got[last].local_delta
    assert delta is not None
    np.testing.assert_allclose(
        delta,
        local_delta(SameVocabularyLogprobs(rows, ONE_PAIR).logprobs(got[last].candidates)[0]),
        atol=1e-6,
    )


async def test_what_comes_next_is_asked_for_before_a_token_is_read() -> None:
    """A client that reads slowly finds the next draft and the next local pass under way."""
    complete, _ = await run(request())
    rejected = next(i for i, token in enumerate(complete) if token.token_id != token.drafted_id)
    remote, local = ToyRemote(), ToyLocal(cost=PassCost(0.0, 0.0))
    async with aclosing(decode(request(), remote=remote, local=local, stats=Stats())) as tokens:
        for _ in range(rejected + 1):
            await anext(tokens)
        for _ in range(3):  # the reader does other things
            await asyncio.sleep(0)
        assert [call[0] for call in remote.calls] == [
            PROMPT,
            [*PROMPT, *ids(complete[: rejected + 1])],
        ]
        assert local.scored == ids(complete[: rejected + 1])


async def test_leaving_early_frees_the_remote_and_the_local_model() -> None:
    remote, local = ToyRemote(), ToyLocal()
    async with aclosing(decode(request(), remote=remote, local=local, stats=Stats())) as tokens:
        await anext(tokens)
        assert local.open == 1
    assert (remote.open, local.open) == (0, 0)


async def test_cancelling_frees_the_remote_and_the_local_model() -> None:
    remote, local = ToyRemote(pace=0.01), ToyLocal()
    task = asyncio.create_task(run(request(), remote, local))
    await asyncio.sleep(0.03)
    assert (remote.open, local.open) == (1, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (remote.open, local.open) == (0, 0)


def test_tokens_past_the_local_vocabulary_are_not_steered() -> None:
    local = np.log(np.array([[0.9, 0.1], [0.5, 0.5]], np.float32))
    delta = local_delta(SameVocabularyLogprobs(local, ONE_PAIR).logprobs(np.array([1, 5, 0]))[0])
    np.testing.assert_allclose(delta, [np.log(0.2), 0.0, np.log(1.8)], rtol=1e-5)


async def test_the_reported_logprob_is_of_the_steered_distribution() -> None:
    tokens, _ = await run(request())
    for at, token in enumerate(tokens):
        before = ids(tokens)[:at]
        delta = toy_logprobs("aware", before) - toy_logprobs("agnostic", before)
        steered = steer(toy_logprobs("remote", before)[token.candidates], delta[token.candidates], 0.8)
        index = token.candidates.tolist().index(token.token_id)
        assert token.logprob == pytest.approx(steered[index], abs=1e-5)
        np.testing.assert_allclose(token.logprobs, steered, atol=1e-5)


# Thoughts

OPEN, CLOSE = 10, 11
THINK = (OPEN, CLOSE)


def thoughts(generated: Sequence[int], thinking: bool = False) -> list[bool]:
    """Of each token, whether it is chosen inside a thought."""
    inside = []
    for token in generated:
        inside.append(thinking)
        thinking = token == OPEN or (thinking and token != CLOSE)
    return inside


@pytest.mark.parametrize("thinking", [False, True])
@pytest.mark.parametrize("verify_batch", [0, 3])
@pytest.mark.parametrize("draft_length", [1, 4, 64])
async def test_thoughts_are_the_remotes_own_and_the_rest_is_steered(
    draft_length: int, verify_batch: int, thinking: bool
) -> None:
    generated: list[int] = []
    while len(generated) < 300 and EOS not in generated:
        remote = toy_logprobs("remote", generated)
        top = np.argsort(-remote, kind="stable")[:6]
        delta = (toy_logprobs("aware", generated) - toy_logprobs("agnostic", generated))[top]
        inside = thoughts([*generated, 0], thinking)[-1]
        generated.append(int(top[np.argmax(steer(remote[top], delta, 0.0 if inside else 0.8))]))
    inside_all = thoughts(generated, thinking)
    assert {True, False} == set(inside_all)  # else nothing is tested
    wanted = request(
        max_tokens=300,
        draft_length=draft_length,
        verify_batch=verify_batch,
        think_ids=THINK,
        thinking=thinking,
    )
    tokens, _ = await run(wanted)
    assert ids(tokens) == generated
    for token, inside in zip(tokens, inside_all, strict=True):
        assert (token.local_delta is None) == inside
        if inside:
            assert token.token_id == token.drafted_id
            np.testing.assert_allclose(token.logprobs, log_softmax(token.remote_logprobs))


async def test_markers_that_never_come_change_nothing() -> None:
    for sampling in (SamplingParams(temperature=0.0), SamplingParams(seed=4)):
        plain, _ = await run(request(sampling=sampling))
        marked, _ = await run(request(sampling=sampling, think_ids=(100, 101)))
        assert ids(marked) == ids(plain)


async def test_a_reply_that_thinks_to_its_end_is_the_unsteered_one() -> None:
    for sampling in (SamplingParams(temperature=0.0), SamplingParams(seed=4, temperature=0.8, top_p=0.9)):
        plain, _ = await run(request(sampling=replace(sampling, top_k=6), strength=0.0, draft_length=64))
        thought, stats = await run(
            request(sampling=sampling, think_ids=(100, 101), thinking=True, draft_length=64)
        )
        assert ids(thought) == ids(plain)
        assert stats.changed == 0


# The knobs that trade personalisation for speed


async def test_a_gate_that_nothing_passes_and_no_margin_change_nothing() -> None:
    for sampling in (SamplingParams(temperature=0.0), SamplingParams(seed=4, temperature=0.8)):
        plain, _ = await run(request(sampling=sampling))
        knobs, _ = await run(request(sampling=sampling, confidence_gate=1.0, margin=0.0))
        assert ids(knobs) == ids(plain)


async def test_where_the_remote_is_confident_its_token_is_taken_and_the_rest_is_steered() -> None:
    gate = 0.45
    tokens, stats = await run(request(confidence_gate=gate))
    confident = [bool(np.exp(token.remote_logprobs.max()) >= gate) for token in tokens]
    assert True in confident
    assert False in confident
    for position, (token, sure) in enumerate(zip(tokens, confident, strict=True)):
        assert (token.local_delta is None) == sure
        if sure:
            assert token.token_id == token.drafted_id
            continue
        # The local model has caught up with everything before, whoever chose it.
        so_far = ids(tokens)[:position]
        local = np.array([toy_logprobs(key, so_far) for key in ("aware", "agnostic")], np.float32)
        assert token.local_delta is not None
        delta = local_delta(SameVocabularyLogprobs(local, ONE_PAIR).logprobs(token.candidates)[0])
        np.testing.assert_allclose(token.local_delta, delta, atol=1e-6)
    assert stats.changed > 0


async def test_an_open_gate_gives_the_remotes_own_text_without_a_pass_but_that_of_the_prompt() -> None:
    plain, _ = await run(request(strength=0.0))
    gated, stats = await run(request(confidence_gate=1e-9, verify_batch=99))
    assert ids(gated) == ids(plain)
    assert stats.local_passes == 1


async def test_a_draft_stays_where_steering_gains_no_more_than_the_margin() -> None:
    margin = 0.9
    strict, strict_stats = await run(request())
    tokens, stats = await run(request(margin=margin))
    kept = 0
    for token in tokens:
        drafted = token.logprobs[list(token.candidates).index(token.drafted_id)]
        near = drafted >= token.logprobs.max() - margin
        assert (token.token_id == token.drafted_id) == near
        kept += near and drafted < token.logprobs.max()
    assert kept
    assert stats.changed / stats.tokens < strict_stats.changed / strict_stats.tokens
    assert ids(tokens) != ids(strict)


@pytest.mark.parametrize("strength", [0.8, AUTO])
async def test_a_margin_raises_the_acceptance_of_sampled_drafts(strength: Strength) -> None:
    def share(stats: Stats) -> float:
        return stats.changed / stats.tokens

    def wanted(seed: int, margin: float) -> DecodeRequest:
        return request(sampling=SamplingParams(seed=seed), strength=strength, margin=margin)

    runs = [[(await run(wanted(seed, margin)))[1] for seed in range(30)] for margin in (0.0, 1.2)]
    strict, near = (sum(map(share, stats)) for stats in runs)
    assert near < 0.7 * strict


async def test_auto_has_a_margin_of_its_own_and_a_number_has_none() -> None:
    for strength, margin, other in ((AUTO, AUTO_MARGIN, 0.0), (0.8, 0.0, AUTO_MARGIN)):
        texts = [
            ids((await run(request(strength=strength, margin=one, max_tokens=200)))[0])
            for one in (None, margin, other)
        ]
        assert texts[0] == texts[1]
        assert texts[1] != texts[2]


async def test_penalties_count_whatever_the_margin() -> None:
    """The margin is between what both would choose under them, so it gives nothing back of a penalty."""
    banned = SamplingParams(temperature=0.0, presence_penalty=0.5, logit_bias={5: -100.0, 7: -100.0})
    tokens, _ = await run(request(sampling=banned, margin=10.0))
    seen, generated = TokenCounts(frozenset(PROMPT)), list[int]()
    for token in tokens:
        remote = toy_logprobs("remote", generated)
        top = np.argsort(-remote, kind="stable")[:6]
        assert token.token_id == top[np.argmax(penalise(log_softmax(remote[top]), top, banned, seen))]
        generated.append(token.token_id)
        seen.add(token.token_id)
    assert any(token.token_id != token.drafted_id for token in tokens)


# What it cost


async def test_time_is_counted_where_it_is_spent() -> None:
    now = 0.0

    class SlowLocal(ToyLocal):
        async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
            nonlocal now
            now += 5.0
            return await super().score(generated, first, wanted)

    stats = Stats(clock=lambda: now)
    tokens = decode(request(), remote=ToyRemote(), local=SlowLocal(), stats=stats)
    assert [token async for token in tokens]
    assert stats.local_seconds == 5.0 * stats.local_passes
    # Nobody waits for the local model while the remote has not drafted either.
    assert stats.seconds["local"] + stats.seconds["remote"] == stats.local_seconds
    assert stats.seconds["local"] > 0
    assert (stats.found, stats.prefilled) == (5, len(AWARE.ids) + len(PROMPT) - 5)


@CONTRASTS
async def test_what_is_prefilled_counts_each_prompt_once(contrasts: tuple[Contrast, ...]) -> None:
    _, stats = await run(request(contrasts=contrasts))
    different = {prompt.ids for one in contrasts for prompt in (one.aware, one.agnostic)}
    assert stats.prefilled == sum(map(len, different)) - ToyLocal.found


@pytest.mark.parametrize("strength", [0.0, 0.8])
async def test_time_that_ends_in_an_error_counts_as_well(strength: float) -> None:
    ticks = iter(range(10**6))
    stats = Stats(clock=lambda: float(next(ticks)))
    with pytest.raises(RemoteError):
        async for _ in decode(
            request(strength=strength), remote=ToyRemote(fail_after=0), local=ToyLocal(), stats=stats
        ):
            pass
    assert stats.seconds["remote"] >= 1


def test_costs_of_several_replies_add_up() -> None:
    one = Stats(tokens=4, changed=1, remote_requests=2, drafted=9, local_passes=3)
    two = Stats(tokens=4, changed=3, remote_requests=4, drafted=8, local_passes=5)
    one.seconds["local"], two.seconds["local"] = 1.5, 2.0
    total = together([one, two])
    assert (total.tokens, total.changed, total.acceptance) == (8, 4, 0.5)
    assert (total.remote_requests, total.drafted, total.local_passes) == (6, 17, 8)
    assert total.seconds == {"remote": 0.0, "local": 3.5, "steering": 0.0}
