"""The evaluation's cases: questions, the person who asks each, and what that person wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.errors import InvalidRequest
from app.evaluation.speed.cases import newest, read_lines
from app.profiles.profile import HistoryItem, Hit, Profile, ProfileDocument
from app.prompts.local_prompts import local_prompts
from app.prompts.message import Message
from app.prompts.private import PrivatePrompt
from app.tokenization.tokenizer import Tokenizer

EXPECTED = (
    'expected an object like {"id": "1", "query": "Write a toast.", "profile": {"name": "Ann"}, "history": '
    '[{"title": "Note", "text": "Dear all"}], "reference": "Dear friends"}'
)


@dataclass(frozen=True, repr=False)
class Case:
    """A question, the private context, and the user's own answer as `reference`, if there is one."""

    id: str
    messages: tuple[Message, ...]
    profile: Profile
    history: tuple[Hit, ...]
    reference: str | None


@dataclass(frozen=True, repr=False)
class CasePrompts:
    """A model's two prompts for a case, context-aware and context-agnostic."""

    aware: PrivatePrompt
    agnostic: tuple[int, ...]


def case_prompts(case: Case, tokenizer: Tokenizer, max_context_tokens: int) -> CasePrompts:
    """The prompts in a model's own tokens. Raises InvalidRequest when nothing of the context fits."""
    prompts = local_prompts(case.profile, case.history, case.messages, tokenizer, max_context_tokens)
    if prompts.aware is None:
        raise InvalidRequest(
            "Nothing of a case's profile fits. Raise COSTEER_MAX_CONTEXT_TOKENS, or leave the case out."
        )
    return CasePrompts(prompts.aware, prompts.agnostic)


def read_cases(
    path: Path, *, askers: Sequence[ProfileDocument] = (), top_k: int = 5, limit: int | None = None
) -> list[Case]:
    """The cases in the first `limit` lines of a JSONL file, with the last `top_k` items of each history.

    A line without a profile is a question, which becomes a case for each of the `askers`. Raises
    InvalidRequest, which names the line and never quotes it.
    """
    cases: list[Case] = []
    for number, line in read_lines(path)[:limit]:
        cases += _cases(line, f"{path}, line {number}", askers, top_k)
    if not cases:
        raise InvalidRequest(f"{path}: holds no case; {EXPECTED}")
    if len({case.id for case in cases}) < len(cases):
        raise InvalidRequest(f"{path}: two cases have the same id. Give each one its own.")
    return cases


def _cases(line: str, origin: str, askers: Sequence[ProfileDocument], top_k: int) -> list[Case]:
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
    messages = (Message("user", query),)
    if "profile" in found:
        fields, history = _fields(found, origin), _history(found, origin)
        reference = found.get("reference")
        if reference is not None and not isinstance(reference, str):
            raise InvalidRequest(f"{origin}: `reference` must be a text")
        profile = Profile(name, dict(fields).get("name", name), fields)
        return [Case(name, messages, profile, newest(history, top_k), reference)]
    if not askers:
        raise InvalidRequest(f"{origin}: has no profile. Give one in each line, or whose question it is.")
    return [
        Case(f"{name} {one.profile.id}", messages, one.profile, newest(one.history, top_k), None)
        for one in askers
    ]


def preference(wish: str) -> ProfileDocument:
    """A profile that says only what answers should be like, as arXiv 2507.04756 words it."""
    fields = (("preference", f"Your answer should be as {wish} as possible."),)
    return ProfileDocument(Profile(wish, wish, fields), ())


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
