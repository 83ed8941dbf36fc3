"""Drafts what a profile could say: reads its history and asks the small model about it, within limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from app.disclosure.identifiers import Found, alone, identifiers, level_of
from app.local.engine.owner import Owner
from app.local.interface import RowModel
from app.profiles.disclosure import Disclosure, Level, strictest
from app.profiles.profile import Profile
from app.prompts.context import decided
from app.proposals.asking import Answer, ask
from app.proposals.candidates import Candidate, candidates
from app.proposals.fields import contacts
from app.proposals.habits import habits
from app.proposals.leanings import LEANINGS, ORDINARY, weighed
from app.proposals.proposal import Proposal, unknown
from app.proposals.ranking import proposals
from app.proposals.reading import History, OwnText, read
from app.proposals.scoring import Scoring, Tokenizer
from app.proposals.sentences import LONGEST, Sentence, one_line, sentences
from app.proposals.weighing import described

Stage = Literal["reading", "fields", "preferences"]
Clock = Callable[[], float]

# Passages that the model is asked about, in all and for one field.
ASKED, ASKED_EACH = 48, 8
# Texts that preferences are weighed on, and the least words of one; fewer texts weigh nothing.
WEIGHED, FEWEST, FEWEST_WORDS = 8, 3, 40
# The most proposals of preferences that the model has weighed.
MOST_LEANINGS = 3
SECONDS = 120.0
# The share of the time that fields may take.
FIELDS_SHARE = 0.6
# How sure a contact is that a sentence calls the writer's own, and the most of them that are proposed.
CONTACT, MOST_CONTACTS = 0.9, 3


@dataclass(frozen=True, slots=True)
class Step:
    """How far a stage has got."""

    stage: Stage
    done: int
    total: int


@dataclass(frozen=True, slots=True, repr=False)
class Drafted:
    """The proposals, fields first, the surest first. `texts` were looked at; with `cut`, the time was over
    before all was asked."""

    proposals: tuple[Proposal, ...]
    texts: int
    cut: bool


@dataclass(slots=True)
class _Time:
    """The time that the model may take; `cut` once something was left out since it was over."""

    clock: Clock
    start: float
    seconds: float
    cut: bool = False

    def over(self, share: float = 1.0) -> bool:
        late = self.clock() - self.start >= self.seconds * share
        self.cut |= late
        return late


class Drafter:
    """Makes proposals with a local model. It reads a history and stores nothing; errors are the store's and
    the model's."""

    def __init__(
        self,
        history: History,
        model: RowModel,
        tokenizer: Tokenizer,
        *,
        bounds: Sequence[Disclosure] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        """`bounds` are the setting's: what is off by them is not read."""
        self._history = history
        self._model = model
        self._tokenizer = tokenizer
        self._bounds = bounds
        self._clock = clock

    async def draft(self, profile: Profile, seconds: float = SECONDS) -> AsyncGenerator[Step | Drafted, None]:
        """Steps of the stages, and then what is proposed. The model works for about `seconds` at most."""
        disclosure = decided(profile, self._bounds)
        yield Step("reading", 0, 1)
        texts = await asyncio.to_thread(read, self._history, profile, disclosure)
        found = await asyncio.to_thread(_candidates, texts)
        counted = await asyncio.to_thread(_counted, texts, profile)
        yield Step("reading", 1, 1)
        limit = _Time(self._clock, self._clock(), seconds)
        scoring = Scoring(self._model.kept_for(Owner.of(profile)), self._tokenizer)
        answers: list[Answer] = []
        for number, candidate in enumerate(found):
            yield Step("fields", number, len(found))
            if limit.over(FIELDS_SHARE):
                break
            answers.append(await ask(scoring, candidate))
        yield Step("fields", len(found), len(found))
        own = _weighable(texts)
        every = [*ORDINARY, *(one.text for one in own)] if own else []
        words: list[Mapping[str, float]] = []
        for number, text in enumerate(every):
            yield Step("preferences", number, len(every))
            if limit.over():
                break
            words.append(await described(scoring, text))
        yield Step("preferences", len(every), len(every))
        leanings = _leanings(words, own)
        facts = [one for one in counted if one.kind == "field"] + proposals(answers)
        others = [one for one in counted if one.kind == "preference"] + leanings
        new = [_with_level(one, profile, disclosure) for one in unknown([*facts, *others], profile)]
        yield Drafted(tuple(new), len({one.item_id for one in texts}), limit.cut)


def _candidates(texts: Sequence[OwnText]) -> list[Candidate]:
    """At most ASKED, each field in its turn."""
    each: dict[str, list[Candidate]] = {}
    for one in candidates(sentences((text.item_id, text.text) for text in texts)):
        own = each.setdefault(one.field.key, [])
        if len(own) < ASKED_EACH:
            own.append(one)
    turns = (one for turn in zip_longest(*each.values()) for one in turn if one is not None)
    return [one for one, _ in zip(turns, range(ASKED), strict=False)]


def _counted(texts: Sequence[OwnText], profile: Profile) -> list[Proposal]:
    """What needs no model: habits, of documents alone, and contacts."""
    documents = [(one.item_id, one.text) for one in texts if one.kind == "document" and not one.part]
    return [*habits(documents), *_contacts(sentences((one.item_id, one.text) for one in texts), profile.name)]


def _contacts(own: Iterable[Sentence], name: str) -> list[Proposal]:
    """Those that most sentences give, the newest of them first."""
    found: dict[tuple[str, str], Proposal] = {}
    for sentence in own:
        for key, place in contacts(sentence.text, name):
            one = _contact(sentence, key, place)
            before = found.setdefault((key, one.value), replace(one, passages=0))
            found[key, one.value] = replace(before, passages=before.passages + 1)
    return sorted(found.values(), key=lambda one: -one.passages)[:MOST_CONTACTS]


def _contact(sentence: Sentence, key: str, place: Found) -> Proposal:
    value = sentence.text[place.start : place.end]
    return Proposal("field", key, value, sentence.text, place.start, place.end, sentence.item_id, CONTACT)


def _weighable(texts: Sequence[OwnText]) -> list[OwnText]:
    long = [
        one
        for one in texts
        if one.kind == "document" and not one.part and len(one.text.split()) >= FEWEST_WORDS
    ][:WEIGHED]
    return long if len(long) >= FEWEST else []


def _leanings(words: Sequence[Mapping[str, float]], own: Sequence[OwnText]) -> list[Proposal]:
    """The surest leanings, by the words that fit ordinary texts and then some of the person's own."""
    ordinary, read = words[: len(ORDINARY)], words[len(ORDINARY) :]
    if len(read) < FEWEST:
        return []
    found = []
    for leaning in LEANINGS:
        scores = [[one[leaning.is_] - one[leaning.is_not] for one in each] for each in (read, ordinary)]
        result = weighed(*scores)
        if result.holds(leaning.least):
            best = own[result.best]
            passage = one_line(best.text[:LONGEST])
            found.append(
                Proposal(
                    "preference",
                    "",
                    leaning.text,
                    passage,
                    0,
                    len(passage),
                    best.item_id,
                    result.confidence,
                    len(read),
                    leaning.opposite,
                )
            )
    return sorted(found, key=lambda one: -one.confidence)[:MOST_LEANINGS]


def _with_level(one: Proposal, profile: Profile, disclosure: Disclosure) -> Proposal:
    """A field's level, as the profile's own decisions and the defaults have it."""
    if one.kind != "field":
        return one
    level: Level = disclosure.of_field(one.key)
    for found in identifiers(one.value, key=one.key, name=profile.name):
        level = strictest(level, level_of(found, level, disclosure, alone=alone(one.value, found)))
    return replace(one, level=level)
