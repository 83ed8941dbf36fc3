"""Replies that may call tools: the remote alone decides whether one does, and text is steered as ever."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare

from app.decoding.calls import Calls
from app.disclosure.guarded import Guarded
from app.disclosure.matcher import Guard
from app.remote.interface import DraftToken
from app.remote.opening import Opening
from app.steering.formula import FloatArray, log_softmax
from app.steering.margin import with_margin
from app.steering.sampling import SamplingParams, distribution
from app.steering.strength import AUTO, Strength
from app.tokenization.vocabulary import SpelledVocabulary
from decoding.test_speculative import (
    EOS,
    PROMPT,
    VOCABULARY,
    ToyLocal,
    ToyRemote,
    defined,
    ids,
    request,
    run,
    toy_logprobs,
)

GREEDY = SamplingParams(temperature=0.0)
SPELLING: list[bytes | None] = [f" {number}".encode() for number in range(VOCABULARY)]
TOYS = SpelledVocabulary(SPELLING, {EOS: "<end>"}, frozenset({EOS}), None)
MARKED = SpelledVocabulary(SPELLING, {EOS: "<end>", 8: "<mark>"}, frozenset({EOS}), None)


def calls(*opening: int, anywhere: bool = True, vocabulary: SpelledVocabulary = TOYS) -> Calls:
    return Calls(Opening(opening, anywhere), vocabulary)


def likeliest(generated: list[int], length: int) -> list[int]:
    """What the remote alone goes on with."""
    path: list[int] = []
    while len(path) < length:
        path.append(int(np.argmax(toy_logprobs("remote", [*generated, *path]))))
    return path


def reference(
    strength: Strength, opening: tuple[int, ...], length: int, prompt: int = 0
) -> tuple[list[int], bool]:
    """A greedy reply from the definition, and whether it ends with a call."""
    generated: list[int] = []
    while len(generated) < length and (not generated or generated[-1] != EOS):
        room = length - len(generated)
        if room >= len(opening) and likeliest(generated, len(opening)) == [*opening]:
            return generated, True
        candidates, steered = defined(strength, 6, generated)
        own = int(candidates[0])
        allowed = (candidates != opening[0]) | ((own == opening[0]) & (len(opening) > 1))
        generated.append(int(candidates[np.argmax(np.where(allowed, steered, -np.inf))]))
    return generated, False


@pytest.mark.parametrize("opening", [(5,), (9,), (2, 5), (7, 9), (1, 2, 5)])
@pytest.mark.parametrize("strength", [0.8, AUTO])
@pytest.mark.parametrize("draft_length", [1, 3, 64])
async def test_greedy_replies_call_where_the_remote_would(
    opening: tuple[int, ...], strength: Strength, draft_length: int
) -> None:
    wanted = request(strength=strength, draft_length=draft_length, margin=0.0, calls=calls(*opening))
    tokens, stats = await run(wanted)
    assert (ids(tokens), stats.called) == reference(strength, opening, 40)
    if stats.called:
        assert all(token.finish_reason is None for token in tokens)
        assert stats.tokens == len(tokens)
    else:
        assert tokens[-1].finish_reason is not None


async def test_both_ends_are_met_there() -> None:
    """The test above would say nothing if no reply called, or all did at once."""
    found = [reference(0.8, (one,), 40) for one in range(1, VOCABULARY)]
    assert any(called and len(generated) > 2 for generated, called in found)
    assert any(not called for _, called in found)


async def test_an_opening_of_the_replys_beginning_is_text_elsewhere() -> None:
    (first,) = likeliest([], 1)
    tokens, stats = await run(request(calls=calls(first, anywhere=False)))
    assert (tokens, stats.called) == ([], True)
    for other in range(1, VOCABULARY):
        if other != first:
            _, stats = await run(request(calls=calls(other, anywhere=False)))
            assert not stats.called


async def test_steering_never_writes_what_begins_a_call() -> None:
    written = 0
    for opening in range(1, VOCABULARY):
        free, _ = await run(request(strength=1.78, margin=0.0))
        tokens, _ = await run(request(strength=1.78, margin=0.0, calls=calls(opening)))
        assert opening not in ids(tokens)
        written += opening in ids(free)
    assert written > 1  # else nothing was tested


async def test_special_tokens_get_no_help() -> None:
    for vocabulary, helped in ((TOYS, True), (MARKED, False)):
        found = 0
        for seed in range(VOCABULARY):
            wanted = request(
                prompt=PROMPT, strength=1.78, margin=0.0, calls=calls(seed or 11, vocabulary=vocabulary)
            )
            tokens, _ = await run(wanted)
            for at, token in enumerate(tokens):
                own = toy_logprobs("remote", ids(tokens)[:at])
                found += token.token_id == 8 and int(np.argmax(own)) != 8
        assert bool(found) == helped


def law(strength: float, opening: int, sampling: SamplingParams, margin: float) -> tuple[FloatArray, float]:
    """The distribution of a reply's first token, and how likely a call is, from the definition."""
    remote = toy_logprobs("remote", [])
    listed = np.argsort(-remote, kind="stable")[:6]
    drafts = distribution(remote[listed], sampling)
    call = float(drafts[listed == opening].sum())
    candidates, steered = defined(strength, 6, [])
    own = log_softmax(remote[candidates])
    text = candidates != opening
    own, steered = (np.where(text, one, -np.inf) for one in (own, steered))
    target = with_margin(own, steered, sampling, margin, np.isin(candidates, [opening]))
    expected = np.zeros(VOCABULARY)
    expected[candidates] = (1.0 - call) * target
    return expected, call


@pytest.mark.parametrize("opening", [2, 7, 10])
@pytest.mark.parametrize("margin", [0.0, 0.4])
@pytest.mark.parametrize("draft_length", [1, 16])
async def test_a_call_is_as_likely_as_the_remote_has_it(
    opening: int, margin: float, draft_length: int
) -> None:
    sampling, draws = SamplingParams(temperature=0.9), 2000
    expected, call = law(0.8, opening, sampling, margin)
    wanted = request(
        max_tokens=1, draft_length=draft_length, eos_ids=frozenset(), margin=margin, calls=calls(opening)
    )
    counts, called = np.zeros(VOCABULARY), 0
    remote, local = ToyRemote(), ToyLocal()
    for seed in range(draws):
        tokens, stats = await run(replace(wanted, sampling=replace(sampling, seed=seed)), remote, local)
        called += stats.called
        if not stats.called:
            counts[tokens[0].token_id] += 1
    observed, probabilities = np.append(counts, called), np.append(expected, call)
    assert not observed[probabilities == 0].any()
    there = probabilities > 0
    total = probabilities[there].sum()
    assert total == pytest.approx(1.0)
    assert chisquare(observed[there], probabilities[there] / total * draws).pvalue > 0.001


async def test_with_a_guard_and_a_lagging_model_too() -> None:
    """A reply without a call is what it would be: excluded is only what begins one."""
    guarded = Guarded({(): frozenset({"3", "6"})}, {}, ())
    guard = Guard(guarded, TOYS, {})
    for opening in range(1, VOCABULARY):
        wanted = request(margin=0.0, guard=guard, calls=calls(opening))
        tokens, stats = await run(wanted)
        assert opening not in ids(tokens)
        if not stats.called and opening not in (3, 6):
            again, _ = await run(replace(wanted, calls=None))
            assert opening in ids(again) or ids(again) == ids(tokens)


async def test_a_remote_that_drafts_less_than_it_is_asked_for_is_no_endless_loop() -> None:
    class Short(ToyRemote):
        async def draft(
            self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
        ) -> AsyncGenerator[DraftToken, None]:
            async with aclosing(
                super().draft(prompt, sampling=sampling, top_logprobs=top_logprobs, max_tokens=1)
            ) as drafted:
                async for one in drafted:
                    yield one

    first, second = likeliest([], 2)
    tokens, stats = await run(request(calls=calls(first, second)), Short())
    assert tokens
    assert not stats.called
