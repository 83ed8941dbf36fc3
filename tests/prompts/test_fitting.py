"""What is read of a person fits a limit: history gives way first, then facts; preferences by themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import as_hits
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.profile import HistoryItem
from app.prompts.fitting import fit
from app.prompts.private import PrivateContext
from prompts.examples import ANNA, HISTORY, PEOPLE, PERSON, PREFERENCES


def person_size(private: PrivateContext) -> int:
    """Characters of a person, with a few for each part."""
    facts = [private.profile.name, *map("".join, private.profile.fields)] if private.profile else []
    texts = [hit.stored.item.answers + hit.passage for hit in private.history]
    return sum(len(one) + 3 for one in (*facts, *texts))


def size(private: PrivateContext) -> int:
    """Of a person or of preferences, whichever is more, since each is counted by itself."""
    sides = zip(*((one.text, one.opposite) for one in private.preferences), strict=True)
    return max([person_size(private), *(sum(len(one) + 3 for one in side) for side in sides)])


@given(PEOPLE, st.integers(0, 1000))
def test_what_is_kept_fits_and_nothing_of_it_is_cut(private: PrivateContext, limit: int) -> None:
    kept = fit(private, limit, size)
    assert size(kept) <= limit
    assert [hit for hit in private.history if hit in kept.history] == list(kept.history)
    assert private.preferences[: len(kept.preferences)] == kept.preferences
    if kept.profile is not None:
        assert private.profile is not None
        facts = private.profile.fields[: len(kept.profile.fields)]
        assert kept.profile == replace(private.profile, fields=facts)


@given(PEOPLE, st.integers(0, 1000))
def test_history_gives_way_before_facts(private: PrivateContext, limit: int) -> None:
    kept = fit(private, limit, size)
    if kept.history:
        assert kept.profile == private.profile


@given(PEOPLE, st.integers(0, 1000))
def test_a_person_and_preferences_take_no_room_from_each_other(private: PrivateContext, limit: int) -> None:
    kept = fit(private, limit, size)
    alone = fit(replace(private, preferences=()), limit, size)
    wished = fit(PrivateContext(preferences=private.preferences), limit, size)
    assert kept == replace(alone, preferences=wished.preferences)


@given(PEOPLE, st.integers(0, 1000))
def test_what_is_left_out_had_no_room_behind_what_goes_first(private: PrivateContext, limit: int) -> None:
    kept = fit(private, limit, size)
    bare = private.profile is None or not private.profile.fields
    if bare or kept.profile == private.profile:
        for number, hit in enumerate(private.history):
            if hit not in kept.history:
                before = tuple(one for one in private.history[:number] if one in kept.history)
                assert size(PrivateContext(private.profile, (*before, hit))) > limit
    else:
        assert private.profile is not None
        facts = len(kept.profile.fields) if kept.profile is not None else 0
        one_more = replace(private.profile, fields=private.profile.fields[: facts + 1])
        assert size(PrivateContext(one_more)) > limit
    if kept.preferences != private.preferences:
        wished = private.preferences[: len(kept.preferences) + 1]
        assert size(PrivateContext(preferences=wished)) > limit


@given(PEOPLE)
def test_all_is_kept_where_all_just_fits(private: PrivateContext) -> None:
    """But for a name without facts and texts, which says nothing."""
    bare = private.profile is not None and not private.profile.fields and not private.history
    assert fit(private, size(private), size) == (replace(private, profile=None) if bare else private)


def test_the_least_relevant_text_gives_way_first() -> None:
    alike = as_hits([HistoryItem("", f"Text number {number}.") for number in range(3)])
    ranked = (alike[2], alike[0], alike[1])
    for count in (0, 1, 2):
        room = size(PrivateContext(ANNA, ranked[: count + 1])) - 1
        assert fit(PrivateContext(ANNA, ranked), room, size).history == ranked[:count]


@pytest.mark.parametrize("place", [0, 1, 4])
def test_one_text_that_is_too_long_does_not_keep_the_others_out(place: int) -> None:
    (long,) = as_hits([HistoryItem("Memoirs", "page " * 500)])
    offered = replace(PERSON, history=(*HISTORY[:place], long, *HISTORY[place:]))
    assert fit(offered, 1000, size) == PERSON


def test_facts_give_way_from_the_last_and_a_name_alone_goes_too() -> None:
    for facts in (3, 2, 1):
        fewer = replace(ANNA, fields=ANNA.fields[:facts])
        room = size(replace(PERSON, profile=fewer, history=()))
        assert fit(PERSON, room, size) == PrivateContext(fewer, (), PREFERENCES)
    assert fit(PERSON, room - 1, size) == PrivateContext(None, (), PREFERENCES)


def test_preferences_go_last_from_the_last_and_with_no_room_there_is_nothing() -> None:
    for wishes in (3, 2, 1):
        expected = PrivateContext(None, (), PREFERENCES[:wishes])
        assert fit(PERSON, size(expected), size) == expected
    assert fit(PERSON, 0, size) == PrivateContext()
