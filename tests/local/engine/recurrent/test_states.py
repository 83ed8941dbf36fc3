"""Models whose layers have a state say after rollbacks, copies and branches what they say without."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch

from app.local.engine.branch import Branch
from app.local.engine.foreign import ATTENTION, ForeignDecoder
from app.local.engine.kv_cache import KVCache
from app.local.engine.prefix_cache import PrefixCache
from app.local.engine.ragged import Part, RaggedBatch
from app.local.engine.recurrent.plan import LAG, MOST_ROWS
from app.local.engine.recurrent.states import APART, MOST
from app.local.engine.scheduler import Job, Lease, Scheduler
from app.local.engine.trial import objection
from local.engine.small_models import STATEFUL, close, made, passed, random_ids, theirs

CPU = torch.device("cpu")
GAIN = 2.0  # of the weights: with more, float32's rounding shows in transformers' own results
ERROR = 1e-5


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    """With one thread: two would wait for each other at each of many small operations."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(threads)


def both(name: str) -> tuple[Any, ForeignDecoder]:
    """A model in transformers' code, and a decoder of the same weights."""
    model = made(STATEFUL[name], gain=GAIN)
    return model, ForeignDecoder(made(STATEFUL[name], ATTENTION, GAIN))


def wanted(model: Any, cache: KVCache, part: Part) -> torch.Tensor:
    """The rows of a part after its pass, from transformers without a cache."""
    ids = cache.tokens
    rows = [theirs(model, ids, part.keep)] if part.keep else []
    rows += [theirs(model, [*ids[: one.start], *one.ids], len(one.ids)) for one in part.branches]
    return torch.cat(rows)


@pytest.mark.parametrize("name", STATEFUL)
def test_passes_rollbacks_copies_and_branches_in_any_order_leave_transformers_logprobs(name: str) -> None:
    model, decoder = both(name)
    assert objection(decoder, model.config, CPU) is None
    chance, cache, beside = random.Random(1), KVCache(), KVCache()
    other = random_ids(200)
    for _ in range(14):
        length = len(cache.tokens)
        if chance.random() < 0.5:
            cache.rollback(chance.randrange(max(0, length - 12), length + 1))
        elif chance.random() < 0.4:
            cache = cache.copy(chance.randrange(length + 1))
        ids = random_ids(chance.choice([1, 2, 3, 8, 13, 100]) if length < 150 else 2)
        end, start = len(cache.tokens) + len(ids), cache.states.start
        branches = [
            Branch(chance.randrange(max(start, end - 10), end + 1), random_ids(chance.choice([1, 2, 3])))
            for _ in range(chance.choice([0, 1, 2]))
        ]
        part = Part(cache, ids, chance.randrange(1, len(ids) + 1), branches)
        got, last = passed(decoder, [part, Part(beside, other[len(beside.tokens) :][:3], 1)])
        close(got, wanted(model, cache, part), ERROR)
        close(last, theirs(model, beside.tokens, 1), ERROR)


@pytest.mark.parametrize("name", ["qwen3_5", "lfm2", "granite"])
def test_in_bfloat16_it_errs_no_more_than_transformers(name: str) -> None:
    model, decoder = both(name)
    ids = random_ids(64)
    exact = theirs(model, ids, 64)
    own = (theirs(model.to(torch.bfloat16), ids, 64) - exact).square().mean().sqrt()
    decoder = ForeignDecoder(made(STATEFUL[name], ATTENTION, GAIN).to(torch.bfloat16))
    [got] = passed(decoder, [Part(KVCache(), ids, 64)])
    assert (got - exact).square().mean().sqrt() < 1.25 * own


def test_a_rejected_draft_is_rolled_back_without_computing_a_token_again() -> None:
    _, decoder = both("granite")
    cache = KVCache()
    passed(decoder, [Part(cache, random_ids(100), 1)])
    for _ in range(20):
        before = len(cache.tokens)
        passed(decoder, [Part(cache, random_ids(9), 9)])
        cache.rollback(before + 2)
        assert len(cache.tokens) == before + 2
        assert len(cache.tokens) - cache.states.start <= MOST_ROWS + LAG + 9


def test_snapshots_are_bounded_count_as_memory_and_stay_where_prompts_ended() -> None:
    model, decoder = both("qwen3_5")
    cache, ends = KVCache(), []
    for _ in range(MOST + 3):
        passed(decoder, [Part(cache, random_ids(APART + 20), 1)])
        ends.append(len(cache.tokens))
    starts = [one.start for one in cache.states._snapshots]
    assert len(starts) == MOST
    assert starts[-1] == ends[-1] - 1 - LAG
    held = cache.nbytes
    cache.rollback(starts[-1] - 1)
    assert len(cache.tokens) == starts[-2]
    assert cache.nbytes < held
    [rows] = passed(decoder, [Part(cache, random_ids(3), 3)])
    close(rows, theirs(model, cache.tokens, 3), ERROR)


def test_a_cache_lent_by_prefix_has_no_state_of_what_comes_after_it() -> None:
    model, decoder = both("qwen3_5")
    caches, shared = PrefixCache(1 << 30), random_ids(150)

    def computed(ids: Sequence[int]) -> tuple[int, KVCache]:
        cache = caches.lend(ids, None)
        cache.rollback(min(len(cache.tokens), len(ids) - 1))
        found = len(cache.tokens)
        [rows] = passed(decoder, [Part(cache, ids[found:], 1)])
        close(rows, theirs(model, ids, 1), ERROR)
        return found, cache

    _, prefix = computed(shared)
    caches.give_back(prefix)
    found, first = computed([*shared, *random_ids(100)])
    assert found == 150
    caches.give_back(first)
    # The first has gone on by far more than it can roll back: what is copied is the snapshot.
    found, second = computed([*shared, *random_ids(100)])
    assert second is not first
    assert 150 - found <= LAG + 2


async def test_a_prompt_in_many_passes_with_branches_before_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last part of a prompt may be short, and branches leave the sequence before it."""
    model, decoder = both("qwen3_5")
    sizes = []

    def forward(parts: Sequence[Part]) -> list[torch.Tensor]:
        with torch.inference_mode():
            sizes.append(len(parts[0].ids))
            return passed(decoder, parts)

    monkeypatch.setattr("app.local.engine.scheduler.MOST", 48)
    ids, branch = random_ids(48 * 3 + 2), Branch(48 * 3 - 25, [1, 2])
    finish: Callable[[list[torch.Tensor]], torch.Tensor] = torch.cat
    scheduler = Scheduler(forward, PrefixCache(1 << 30))
    try:
        lease = Lease()
        rows = await scheduler.run(Job(lease, [ids], 1, finish, branches=[[branch]]))
        assert sizes == [48, 48, 48, 2]
        expected = [theirs(model, ids, 1), theirs(model, [*ids[: branch.start], 1, 2], 2)]
        close(rows, torch.cat(expected), ERROR)
        # A branch from long before what is held: some tokens are computed again.
        early = Job(lease, [[*ids, 5]], 1, finish, branches=[[Branch(100, [3])]])
        close(
            await scheduler.run(early),
            torch.cat([theirs(model, [*ids, 5], 1), theirs(model, [*ids[:100], 3], 1)]),
            ERROR,
        )
        assert APART <= early.found <= 100
    finally:
        scheduler.close()


def test_a_pass_that_fails_halfway_leaves_nothing_behind() -> None:
    model, decoder = both("qwen3_5")
    cache, ids = KVCache(), random_ids(120)
    passed(decoder, [Part(cache, ids, 1)])
    layers = RaggedBatch([Part(cache, random_ids(70), 1)], CPU)
    layers.plans()
    cache.clear()
    assert (cache.tokens, cache.states.nbytes) == ([], 0)
    close(passed(decoder, [Part(cache, ids, 1)])[0], theirs(model, ids, 1), ERROR)
