"""KV caches and what is kept of them: appended, rolled back, copied, lent, and within their budget."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch

from app.local.engine.kv_cache import GROWTH, KVCache
from app.local.engine.owner import Owner
from app.local.engine.prefix_cache import WORTHLESS, PrefixCache
from app.tokenization.sequence import common_prefix

LAYERS, HEADS, SIZE = 2, 3, 4


def fill(cache: KVCache, ids: list[int]) -> None:
    """Append `ids` as a forward pass does; a token's keys and values say which it is, and in which layer."""
    for layer in range(LAYERS):
        values = torch.tensor(ids, dtype=torch.float32)[None, :, None].expand(HEADS, -1, SIZE)
        cache.append(layer, torch.stack([values + 0.25 * layer, -values]))
    cache.tokens += ids


def assert_holds(cache: KVCache, ids: list[int]) -> None:
    assert cache.tokens == ids
    for layer in range(LAYERS):
        keys, values = cache.view(layer, len(ids))
        wanted = torch.tensor(ids, dtype=torch.float32)[None, :, None].expand(HEADS, -1, SIZE)
        assert torch.equal(keys[0], wanted + 0.25 * layer)
        assert torch.equal(values[0], -wanted)


def filled(ids: list[int]) -> KVCache:
    cache = KVCache()
    fill(cache, ids)
    return cache


def test_what_is_appended_is_held_past_any_growth() -> None:
    cache, ids = KVCache(), list(range(3 * GROWTH))
    for start in range(0, len(ids), 50):
        fill(cache, ids[start : start + 50])
    assert_holds(cache, ids)


def test_what_is_rolled_back_is_written_over() -> None:
    cache = filled([1, 2, 3, 4])
    cache.rollback(2)
    fill(cache, [9])
    assert_holds(cache, [1, 2, 9])


def test_a_copy_and_its_original_go_their_own_ways() -> None:
    cache = filled(list(range(10)))
    other = cache.copy(6)
    fill(other, [77])
    cache.rollback(3)
    fill(cache, [55])
    assert_holds(other, [0, 1, 2, 3, 4, 5, 77])
    assert_holds(cache, [0, 1, 2, 55])


@pytest.mark.parametrize(
    ("left", "right", "shared"),
    [([], [1], 0), ([1, 2], [1, 2], 2), ([1, 2, 3], [1, 2], 2), ([1, 9, 3], [1, 2, 3], 1)],
)
def test_the_common_prefix_is_the_longest(left: list[int], right: list[int], shared: int) -> None:
    assert common_prefix(left, right) == common_prefix(right, left) == shared


LONG = list(range(100, 100 + 20 * WORTHLESS))


def kept(cache: PrefixCache, ids: list[int], owner: Owner | None = None) -> KVCache:
    """A sequence that was computed and given back."""
    lent = cache.lend(ids, owner)
    fill(lent, ids[len(lent.tokens) :])
    cache.give_back(lent)
    return lent


def test_a_conversation_that_goes_on_gets_its_own_cache_back() -> None:
    caches = PrefixCache(1 << 30)
    first = kept(caches, LONG)
    assert caches.lend([*LONG, 1, 2], None) is first


def test_a_new_conversation_copies_what_it_shares_and_leaves_the_old_one_whole() -> None:
    caches = PrefixCache(1 << 30)
    half = LONG[: len(LONG) // 2]
    first = kept(caches, LONG)
    second = caches.lend([*half, 1, 2, 3], None)
    assert second is not first
    assert_holds(second, half)
    assert_holds(first, LONG)
    # What is lent is read from as well, and never handed to a second borrower.
    fill(second, [1, 2, 3])
    third = caches.lend([*half, 1, 2, 4], None)
    assert third is not second
    assert_holds(third, [*half, 1, 2])


def test_nothing_in_common_but_a_templates_beginning_is_a_new_cache() -> None:
    caches = PrefixCache(1 << 30)
    kept(caches, LONG)
    assert caches.lend([*LONG[:WORTHLESS], 1, 2, 3], None).tokens == []


def test_past_the_budget_the_least_recently_used_goes() -> None:
    one = filled(LONG).nbytes
    caches = PrefixCache(2 * one)
    a, b, c = ([mark, *LONG[1:]] for mark in (1, 2, 3))
    kept(caches, a)
    kept(caches, b)
    kept(caches, a)
    kept(caches, c)
    assert caches.nbytes == 2 * one
    assert caches.lend(a, None).tokens == a
    assert caches.lend(c, None).tokens == c
    assert caches.lend(b, None).tokens == []


def test_what_is_lent_stays_when_the_budget_is_passed() -> None:
    caches = PrefixCache(0)
    lent = caches.lend(LONG, None)
    fill(lent, LONG)
    kept(caches, [1, 2, 3])
    assert_holds(lent, LONG)
    assert caches.nbytes == lent.nbytes
    caches.give_back(lent)
    assert caches.nbytes == 0


ANNA, BEN = Owner("anna", "1a", 0), Owner("ben", "2b", 0)


def held(caches: PrefixCache) -> list[KVCache]:
    """All that it holds on to."""
    return [*caches._idle, *caches._lent, *caches._disowned]


@pytest.mark.parametrize(
    "other",
    [None, ANNA, replace(BEN, version=1), replace(BEN, uid="3c")],
    ids=["nobody", "another profile", "a later version", "another profile of that id"],
)
@pytest.mark.parametrize("idle", [True, False])
def test_another_owner_s_cache_is_not_found(other: Owner | None, idle: bool) -> None:
    for mine, theirs in ((BEN, other), (other, BEN)):
        caches = PrefixCache(1 << 30)
        if idle:
            kept(caches, LONG, theirs)
        else:
            fill(caches.lend(LONG, theirs), LONG)
        assert caches.lend(LONG, mine).tokens == []
        assert caches.lend(LONG, theirs).tokens == LONG


def test_what_is_forgotten_is_gone_at_once_and_the_others_stay() -> None:
    caches = PrefixCache(1 << 30)
    kept(caches, LONG, ANNA)
    kept(caches, LONG, BEN)
    tensors = [weakref.ref(buffer) for cache in held(caches) for buffer in cache._layers.values()]
    assert caches.owners() == {ANNA, BEN}
    caches.forget({BEN})
    gc.collect()
    assert [tensor() is not None for tensor in tensors] == [True] * LAYERS + [False] * LAYERS
    assert [cache.owner for cache in held(caches)] == [ANNA]
    assert caches.owners() == {ANNA}
    assert caches.lend(LONG, BEN).tokens == []


def test_what_is_forgotten_while_it_is_lent_is_of_use_to_nobody_and_goes_when_given_back() -> None:
    caches = PrefixCache(1 << 30)
    lent = caches.lend(LONG, BEN)
    fill(lent, LONG)
    caches.forget({BEN})
    assert caches.owners() == frozenset()
    assert_holds(lent, LONG)  # the reply goes on
    assert caches.nbytes == lent.nbytes
    again = caches.lend(LONG, BEN)
    assert again.tokens == []
    caches.give_back(again)
    caches.give_back(lent)
    assert (held(caches), caches.nbytes) == ([], 0)


def test_a_copy_is_its_owner_s_as_well() -> None:
    caches = PrefixCache(1 << 30)
    kept(caches, LONG, BEN)
    copied = caches.lend([*LONG[: len(LONG) // 2], 1], BEN)
    assert copied.tokens
    caches.give_back(copied)
    caches.forget({BEN})
    assert held(caches) == []
