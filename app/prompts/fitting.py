"""Fits what is read of a person into a number of tokens, by leaving out whole parts of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.prompts.private import PrivateContext


def fit(private: PrivateContext, max_tokens: int, count: Callable[[PrivateContext], int]) -> PrivateContext:
    """As much of the context as `max_tokens` hold, as `count` counts its tokens; nothing is cut in half.

    The history gives way first: each passage, the most relevant first, is taken that still fits. Then whole
    facts give way, the last first. The preferences are counted by themselves, since they are read apart, and
    of them the last give way.
    """

    def fits(one: PrivateContext) -> bool:
        return count(one) <= max_tokens

    preferences = PrivateContext(preferences=private.preferences)
    while preferences.preferences and not fits(preferences):
        preferences = replace(preferences, preferences=preferences.preferences[:-1])
    person, history = PrivateContext(private.profile), private.history
    while person.profile is not None and not fits(person):
        person, history = _less(person), ()
    for hit in history:
        if fits(more := replace(person, history=(*person.history, hit))):
            person = more
    if person.profile is not None and not person.profile.fields and not person.history:
        person = PrivateContext()  # a name alone says nothing
    return replace(person, preferences=preferences.preferences)


def _less(person: PrivateContext) -> PrivateContext:
    """Without the last fact, and with the last one the whole profile goes."""
    assert person.profile is not None  # noqa: S101  # as the caller has seen
    fields = person.profile.fields[:-1]
    return PrivateContext(replace(person.profile, fields=fields) if fields else None)
