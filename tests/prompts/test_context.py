"""What a reply may tell is the strictest of what the profile, the setting and the request say."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles.disclosed import ANY_LEVEL, BUDGETS

from app.profiles.disclosure import LEVELS, Disclosure, strictest
from app.profiles.profile import Profile
from app.prompts.context import PersonalContext, personal_context
from app.prompts.message import Message
from app.prompts.retrieval import Retriever
from prompts.examples import ANNA

# At strength 0 no history is looked up.
NO_RETRIEVER = cast(Any, None)
BOUNDS = st.lists(st.builds(Disclosure, ANY_LEVEL, budget=BUDGETS), max_size=3)


def context(profile: Profile | None, *bounds: Disclosure) -> PersonalContext:
    retriever: Retriever = NO_RETRIEVER
    return personal_context(
        retriever, profile, (Message("user", "Hi"),), asked=0.0, default=1.0, bounds=bounds
    )


def test_without_bounds_it_is_the_profile_s_own() -> None:
    own = Disclosure("shape", (("name", "off"),), (("occupation", "off"),), 4.0)
    assert context(replace(ANNA, disclosure=own)).disclosure == own
    assert context(None).disclosure == Disclosure()


@given(st.builds(Disclosure, ANY_LEVEL, budget=BUDGETS), BOUNDS)
def test_no_bound_makes_it_less_strict(own: Disclosure, bounds: list[Disclosure]) -> None:
    found = context(replace(ANNA, disclosure=own), *bounds).disclosure
    everyone = [own, *bounds]
    assert found.least == strictest(*(one.least for one in everyone))
    budgets = [one.budget for one in everyone if one.budget is not None]
    assert found.budget == (min(budgets) if budgets else None)
    assert (found.identifiers, found.fields) == (own.identifiers, own.fields)


@pytest.mark.parametrize("order", list(permutations(["open", "off", "fill"])))
def test_bounds_hold_without_a_profile_in_any_order(order: tuple[Any, ...]) -> None:
    bounds = [Disclosure(level, budget=float(LEVELS.index(level))) for level in order]
    assert context(None, *bounds).disclosure == Disclosure("off", budget=0.0)
