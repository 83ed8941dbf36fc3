"""The evaluation's cases: questions, the person who asks each, and what that person wrote."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from app.errors import InvalidRequest
from app.evaluation.quality.askers import Asker
from app.evaluation.quality.forms import FORMS, PRODUCT
from app.evaluation.quality.history import Choose, newest_items
from app.evaluation.speed.cases import read_lines
from app.profiles.profile import HistoryItem, Profile
from app.prompts.local_prompts import local_prompts
from app.prompts.message import Message
from app.prompts.private import Contrast, PrivateContext, PrivatePrompt
from app.prompts.template import rendered
from app.tokenization.tokenizer import Tokenizer

EXPECTED = (
    'expected an object like {"id": "1", "query": "Write a toast.", "profile": {"name": "Ann"}, "history": '
    '[{"title": "Note", "text": "Dear all"}], "reference": "Dear friends"}'
)


SEED = 19  # of draws of people


@dataclass(frozen=True, repr=False)
class Case:
    """A question, what is known of who asks it, and their own answer as `reference`, if there is one."""

    id: str
    messages: tuple[Message, ...]
    private: PrivateContext
    reference: str | None


@dataclass(frozen=True, repr=False)
class CasePrompts:
    """A model's prompts for a case: those that steer, the one that shows it everything, and the conversation
    as it is."""

    contrasts: tuple[Contrast, ...]
    shown: PrivatePrompt
    public: tuple[int, ...]


def case_prompts(
    case: Case, tokenizer: Tokenizer, max_context_tokens: int, form: str = PRODUCT
) -> CasePrompts:
    """The prompts in a model's own tokens. Raises InvalidRequest when nothing of the context fits."""
    way = FORMS[form]
    prompts = local_prompts(case.private, case.messages, tokenizer, max_context_tokens, form=way.readings)
    if not prompts.pairs:
        raise InvalidRequest(
            "Nothing of a case's profile fits. Raise COSTEER_MAX_CONTEXT_TOKENS, or leave the case out."
        )
    shown = tokenizer.encode(rendered(tokenizer, way.shown(case.messages, prompts.private)))
    return CasePrompts(prompts.contrasts(), PrivatePrompt(tuple(shown)), tuple(tokenizer.chat(case.messages)))


def read_cases(
    path: Path,
    *,
    askers: Sequence[Asker] = (),
    choose: Choose = newest_items,
    top_k: int = 5,
    lines: Sequence[Collection[int]] = (),
    limit: int | None = None,
    drawn: Sequence[Asker] = (),
) -> list[Case]:
    """The cases in a JSONL file, with `top_k` items of each history at most, which `choose` chooses.

    They are in the `lines` of these numbers, from 1, or in all, and of those in the first `limit`. A line
    without a profile is a question, which becomes a case for each of the `askers`. With `drawn` people each
    question is asked by one of them instead, drawn by the line's number, and has no reference. Raises
    InvalidRequest, which names the line and never quotes it, and what `choose` raises.
    """
    numbered = [one for one in read_lines(path) if not lines or any(one[0] in some for some in lines)]
    if lines and not numbered:
        raise InvalidRequest(f"{path}: has none of these lines.")
    cases: list[Case] = []
    for number, line in numbered[:limit]:
        asked = _asked(line, f"{path}, line {number}", askers or drawn[:1])
        if drawn:
            (name, query, *_), *_ = asked
            asker = drawn[int(np.random.default_rng((SEED, number)).integers(len(drawn)))]
            asked = [(f"{name} {asker.name}", query, asker, None)]
        for name, query, asker, reference in asked:
            messages = (Message("user", query),)
            history = choose(asker.history, messages, top_k) if asker.history else ()
            private = PrivateContext(asker.profile, history, asker.preferences)
            cases.append(Case(name, messages, private, reference))
    if not cases:
        raise InvalidRequest(f"{path}: holds no case; {EXPECTED}")
    if len({case.id for case in cases}) < len(cases):
        raise InvalidRequest(f"{path}: two cases have the same id. Give each one its own.")
    return cases


def read_people(path: Path, askers: Sequence[Asker] = ()) -> list[Asker]:
    """Everybody who has a profile, in the file or among the `askers` of its questions, in an order that is
    drawn, but the same each time. Raises InvalidRequest, as read_cases does."""
    found = {
        asker.name: asker
        for number, line in read_lines(path)
        for _, _, asker, _ in _asked(line, f"{path}, line {number}", askers)
        if asker.profile is not None
    }
    people = list(found.values())
    return [people[place] for place in np.random.default_rng(SEED).permutation(len(people))]


def _asked(line: str, origin: str, askers: Sequence[Asker]) -> list[tuple[str, str, Asker, str | None]]:
    """The cases of a line: id, question, who asks it, and the reference."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"{origin}: not JSON ({error.msg}); {EXPECTED}") from None
    if not isinstance(found, dict):
        raise InvalidRequest(f"{origin}: {EXPECTED}")
    name, query = found.get("id"), found.get("query")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not isinstance(query, str) or not query.strip():
        raise InvalidRequest(f"{origin}: {EXPECTED}")
    if "profile" in found:
        fields, history = _fields(found, origin), _history(found, origin)
        reference = found.get("reference")
        if reference is not None and not isinstance(reference, str):
            raise InvalidRequest(f"{origin}: `reference` must be a text")
        profile = Profile(name, dict(fields).get("name", name), fields)
        return [(name, query, Asker(name, profile, (), tuple(history)), reference)]
    if not askers:
        raise InvalidRequest(f"{origin}: has no profile. Give one in each line, or whose question it is.")
    return [(f"{name} {one.name}", query, one, None) for one in askers]


def _fields(found: dict[str, Any], origin: str) -> tuple[tuple[str, str], ...]:
    fields = found["profile"]
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise InvalidRequest(f"{origin}: `profile` must be an object of texts")
    return tuple(fields.items())


def _history(found: dict[str, Any], origin: str) -> list[HistoryItem]:
    history = found.get("history") or []
    if not isinstance(history, list):
        raise InvalidRequest(f"{origin}: `history` must be a list of objects with `title` and `text`")
    items = []
    for item in history:
        title, text = (item.get("title"), item.get("text")) if isinstance(item, dict) else (None, None)
        if not isinstance(title, str) or not isinstance(text, str):
            raise InvalidRequest(f"{origin}: `history` must be a list of objects with `title` and `text`")
        request = item.get("request", "")
        if not isinstance(request, str):
            raise InvalidRequest(f"{origin}: `request` of a history's item must be a text")
        items.append(HistoryItem(title, text, request=request))
    return items
