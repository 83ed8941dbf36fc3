"""Profiles at random, each with a disclosure of its own fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from app.profiles.disclosure import IDENTIFIERS, LEVELS, Disclosure
from app.profiles.profile import Profile

ANY_LEVEL = st.sampled_from(LEVELS)
BUDGETS = st.none() | st.floats(0, allow_nan=False, allow_infinity=False)


def disclosed(profiles: SearchStrategy[Profile]) -> SearchStrategy[Profile]:
    def with_levels(profile: Profile) -> SearchStrategy[Profile]:
        disclosures = st.builds(
            Disclosure, ANY_LEVEL, _levels(IDENTIFIERS), _levels(tuple(dict(profile.fields))), BUDGETS
        )
        return disclosures.map(lambda one: replace(profile, disclosure=one))

    return profiles.flatmap(with_levels)


def _levels(keys: tuple[Any, ...]) -> SearchStrategy[tuple[Any, ...]]:
    return st.dictionaries(st.sampled_from(keys), ANY_LEVEL).map(_pairs) if keys else st.just(())


def _pairs(levels: dict[Any, Any]) -> tuple[Any, ...]:
    return tuple(levels.items())
