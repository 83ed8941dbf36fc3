"""Replies with a guard: what it holds is said only where the remote says it, values go as placeholders, and
the budget is a bound."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chisquare

from app.decoding.choices import Choices
from app.decoding.reply import Reply
from app.decoding.request import DecodeRequest
from app.disclosure.guarded import Guarded, Placeholder
from app.disclosure.matcher import Guard, PhraseMatcher, written
from app.steering.formula import FloatArray, log_softmax
from app.steering.guard import NOTHING, with_placeholders, without_help
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

WORDS = ["", " ann", " bob", " cy", " dee", " eli", " [x]", " gus", " hal", " ivy", " jo", " kim"]
TOYS = SpelledVocabulary([word.encode() for word in WORDS], {}, frozenset({EOS}), None)
SECRET = frozenset({"ann", "dee", "hal"})
PLACEHOLDER = Placeholder("[x]", "Gus Grey")
GREEDY = SamplingParams(temperature=0.0)


def guard(words: frozenset[str] = SECRET, fills: dict[str, Placeholder] | None = None) -> Guard:
    fills = fills or {}
    guarded = Guarded({(): words | fills.keys()}, fills, tuple(fills.values()))
    return Guard(guarded, TOYS, {text: [6] for text in written(guarded)})


def guarded_definition(
    strength: Strength, generated: list[int], held_ids: set[int]
) -> tuple[np.ndarray, FloatArray, FloatArray, np.ndarray]:
    """Candidates, the scores without steering and with it, and what is held, from the definition."""
    candidates, steered = defined(strength, 6, generated)
    listed = np.arange(len(candidates)) < 6
    remote = toy_logprobs("remote", generated)[candidates]
    own = np.where(listed, log_softmax(np.where(listed, remote, -np.inf)), -np.inf)
    held = np.isin(candidates, list(held_ids))
    if strength == AUTO:
        # What steered them, up to a constant that the softmax takes out, is not known here: held ones are
        # compared by the laws alone.
        return candidates, own, steered, held
    aware, agnostic = (toy_logprobs(key, generated)[candidates] for key in ("aware", "agnostic"))
    moved = remote + strength * without_help(aware - agnostic, held)
    return candidates, own, log_softmax(moved), held


def greedy_reference(strength: float, length: int, held_ids: set[int], margin: float = 0.0) -> list[int]:
    generated: list[int] = []
    while len(generated) < length and (not generated or generated[-1] != EOS):
        candidates, own, scores, held = guarded_definition(strength, generated, held_ids)
        generated.append(int(candidates[np.argmax(with_margin(own, scores, GREEDY, margin, held))]))
    return generated


@pytest.mark.parametrize("margin", [0.0, 0.3])
@pytest.mark.parametrize("draft_length", [1, 4, 64])
async def test_greedy_text_is_the_definition_at_any_draft_length(draft_length: int, margin: float) -> None:
    wanted = request(draft_length=draft_length, margin=margin, guard=guard(), max_tokens=80)
    tokens, stats = await run(wanted)
    secret = {WORDS.index(f" {word}") for word in SECRET}
    assert ids(tokens) == greedy_reference(0.8, 80, secret, margin)
    free, _ = await run(replace(wanted, guard=None))
    assert ids(free) != ids(tokens)  # else nothing was tested
    assert stats.held > 0


@pytest.mark.parametrize("strength", [0.8, 1.78, AUTO])
async def test_what_is_held_is_said_only_where_the_remote_says_it(strength: Strength) -> None:
    for first in range(1, VOCABULARY):
        wanted = request(prompt=[3, 1, first], strength=strength, guard=guard(), max_tokens=60, margin=0.0)
        tokens, _ = await run(wanted)
        for at, token in enumerate(tokens):
            if WORDS[token.token_id].strip() in SECRET:
                own = toy_logprobs("remote", ids(tokens)[:at])
                assert token.token_id == int(np.argmax(own))


async def test_with_everything_held_the_reply_is_the_remotes_own() -> None:
    everything = frozenset(word.strip() for word in WORDS if word.strip(" []"))
    for strength in (0.8, AUTO):
        wanted = request(strength=strength, guard=guard(everything | {"x"}), eos_ids=frozenset(), margin=0.0)
        tokens, stats = await run(wanted)
        own = await run(request(strength=0.0, eos_ids=frozenset()))
        # The end of the reply is no word, and may be steered.
        shared = ids(tokens).index(EOS) if EOS in ids(tokens) else min(len(tokens), len(own[0]))
        assert ids(tokens)[:shared] == ids(own[0])[:shared]
        assert stats.tokens > 10


@pytest.mark.parametrize("draft_length", [1, 16])
@pytest.mark.parametrize("margin", [0.0, 0.4])
async def test_drawn_tokens_have_the_distribution_that_is_said(draft_length: int, margin: float) -> None:
    sampling, draws = SamplingParams(temperature=0.9), 2500
    fills = {"gus": PLACEHOLDER}
    wanted = request(
        max_tokens=1, draft_length=draft_length, eos_ids=frozenset(), margin=margin, guard=guard(fills=fills)
    )
    fill_ids = {WORDS.index(" gus")}
    held_ids = {WORDS.index(f" {word}") for word in SECRET}
    candidates, own, scores, held = guarded_definition(0.8, [], held_ids)
    target = with_margin(own, scores, sampling, margin, held)
    own_probs = distribution(own, sampling)
    places = np.where(np.isin(candidates, list(fill_ids)), 0, NOTHING)
    target = with_placeholders(own_probs, target, places, 1)
    expected = np.zeros(VOCABULARY)
    expected[candidates] = target[:-1]
    expected[6] += target[-1]
    counts = np.zeros(VOCABULARY)
    remote, local = ToyRemote(), ToyLocal()
    for seed in range(draws):
        tokens, _ = await run(replace(wanted, sampling=replace(sampling, seed=seed)), remote, local)
        counts[tokens[0].token_id] += 1
    assert not counts[expected == 0].any()
    there = expected > 0
    assert chisquare(counts[there], expected[there] / expected.sum() * draws).pvalue > 0.001


async def test_a_value_goes_as_its_placeholder_and_comes_back_as_text() -> None:
    filled = 0
    for first in range(1, VOCABULARY):
        fills = dict.fromkeys(("gus", "ivy", "kim"), PLACEHOLDER)
        wanted = request(prompt=[3, 1, first], guard=guard(frozenset(), fills), max_tokens=60, margin=0.0)
        remote = ToyRemote()
        reply = Reply(wanted, (), remote, ToyLocal(), TOYS)
        text = "".join([piece.text async for piece in reply.pieces()])
        filled += reply.stats.filled
        assert text.count("Gus Grey") == reply.stats.filled
        assert "[x]" not in text
        for prompt, _, _ in remote.calls:
            for at, token in enumerate(prompt[len(PROMPT) :]):
                if WORDS[token].strip() in fills:
                    assert token == int(np.argmax(toy_logprobs("remote", prompt[len(PROMPT) :][:at])))
    assert filled > 0


async def test_drafts_of_any_length_place_the_same_placeholders() -> None:
    fills = dict.fromkeys(("gus", "ivy", "kim", "bob"), PLACEHOLDER)
    wanted = request(guard=guard(fills=fills), max_tokens=80, margin=0.0)
    texts = [ids((await run(replace_config(wanted, length)))[0]) for length in (1, 3, 64)]
    assert texts[0] == texts[1] == texts[2]
    assert 6 in texts[0]


def replace_config(wanted: DecodeRequest, draft_length: int) -> DecodeRequest:
    return replace(wanted, config=replace(wanted.config, draft_length=draft_length))


@pytest.mark.parametrize("budget", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("sampling", [GREEDY, SamplingParams(seed=3)], ids=["greedy", "drawn"])
async def test_the_budget_is_a_bound_and_the_rest_is_the_remotes_own(
    budget: float, sampling: SamplingParams
) -> None:
    wanted = request(budget=budget, max_tokens=80, eos_ids=frozenset(), sampling=sampling, margin=0.0)
    tokens, stats = await run(wanted)
    assert stats.nats <= budget
    steered = [token for token in tokens if token.local_delta is not None]
    assert stats.spent
    # A budget of nothing leaves the first token unsteered already.
    assert stats.spent_at == len(steered)
    assert (len(steered) == 0) == (budget == 0.0)
    assert all(token.local_delta is None for token in tokens[len(steered) :])
    for token in tokens[len(steered) :]:
        assert sampling.temperature or token.token_id == token.drafted_id
    unbounded, free = await run(replace(wanted, budget=None))
    assert free.nats > 5.0
    assert not free.spent
    assert ids(unbounded)[: len(steered)] == ids(tokens)[: len(steered)]


async def test_the_choices_of_one_request_share_the_budget() -> None:
    wanted = request(budget=4.0, max_tokens=60, eos_ids=frozenset(), sampling=SamplingParams(seed=1))
    choices = Choices(Reply(wanted, (), ToyRemote(), ToyLocal(), TOYS).copies(4))
    assert [piece async for _, piece in choices.pieces()]
    assert 0 < choices.stats.nats <= 4.0
    assert choices.stats.spent
    ends = [one.stats.spent_at for one in choices.replies]
    assert choices.stats.spent_at == min(one for one in ends if one is not None)


def test_a_matcher_can_go_on_from_text() -> None:
    guarded = Guarded({("my", "dear"): frozenset({"hal"})})
    behind = PhraseMatcher(guarded, TOYS, before="Oh my dear")
    assert behind.held(np.arange(VOCABULARY)).nonzero()[0].tolist() == [WORDS.index(" hal")]


@pytest.mark.parametrize("max_tokens", range(1, 8))
async def test_a_placeholder_is_written_whole_or_not_at_all(max_tokens: int) -> None:
    long = Placeholder("[x]", "Gus Grey")
    fills = dict.fromkeys(("gus", "ivy", "kim", "bob", "jo"), long)
    guarded = Guarded({(): frozenset(fills)}, fills, (long,))
    wanted = request(
        guard=Guard(guarded, TOYS, {text: [6, 6, 6] for text in written(guarded)}),
        max_tokens=max_tokens,
        margin=0.0,
    )
    tokens, _ = await run(wanted)
    placed = [token.token_id for token in tokens if len(token.candidates) == 1]
    assert len(placed) % 3 == 0
    assert len(tokens) <= max_tokens
