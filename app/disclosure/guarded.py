"""The words that the small model must not help a reply to say, and what a reply says in place of some."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.disclosure.identifiers import alone, identifiers, regions, spellings
from app.disclosure.names import capitalised_names, name_parts, name_pieces
from app.disclosure.placeholders import FIRST_NAME, KINDS, LAST_NAME, Placeholder, Placeholders, of_field
from app.disclosure.words import Run, content, phrases, pieces, spaced, words
from app.profiles.disclosure import Disclosure, Identifier, Level
from app.profiles.profile import Hit, Profile
from app.prompts.message import Message
from app.prompts.private import PrivateContext

__all__ = ["Guarded", "Guarding", "Placeholder", "guarded"]

# Words in front of a guarded one that are looked at; with it they are the shortest run that is quoted.
CONTEXT = 4
# Words of a value that a placeholder stands for; a longer one is no value but a text.
MAX_FILLED = 5
# What ends a sentence, or a line.
SENTENCE_END = re.compile(r"[.!?:\n]")
# Characters of a field's value from which on it is looked for in earlier replies.
MIN_TURNED = 3


@dataclass(frozen=True, slots=True, repr=False)
class Guarded:
    """What is guarded in one conversation.

    `words`: for each run of none to four folded words, those that must not follow it by the small model's
    help; behind the empty run stand those that are guarded everywhere. `fills`: for the folded word that
    begins a value of level fill, what the reply says instead; each such word is guarded everywhere.
    `placeholders`: all that are filled in where they stand in the remote's text, whatever their case; no two
    have one text, and they do not depend on the conversation. `turning`: those whose values are turned back
    in earlier replies: the name and identifiers, unless they are open, and fields of level fill.
    """

    words: Mapping[Run, frozenset[str]] = field(default_factory=dict)
    fills: Mapping[str, Placeholder] = field(default_factory=dict)
    placeholders: tuple[Placeholder, ...] = ()
    turning: tuple[Placeholder, ...] = ()

    def __repr__(self) -> str:
        return f"Guarded({sum(map(len, self.words.values()))} words, {len(self.placeholders)} placeholders)"


def guarded(private: PrivateContext, messages: Sequence[Message], disclosure: Disclosure) -> Guarded:
    """What a reply to the conversation must not say by the small model's help.

    `messages` is the conversation as the remote sees it, with placeholders in place of values; what it says
    is free, in calls of tools and their results as well.
    """
    return Guarding(private, disclosure).behind(messages)


class Guarding:
    """What is guarded of a private context, read once, before it is known what the conversation says.
    `turning` is as in Guarded."""

    def __init__(self, private: PrivateContext, disclosure: Disclosure) -> None:
        self._guard = _Guard(disclosure)
        self._guard.read(private)
        self.turning = tuple(self._guard.turning)

    def behind(self, messages: Sequence[Message]) -> Guarded:
        """See `guarded`. For one conversation: what that says stays free."""
        guard = self._guard
        guard.free(text for one in messages for text in one.texts())
        following = {run: frozenset(after) for run, after in guard.following.items() if after}
        everywhere = following.get((), frozenset())
        fills = {word: one for word, one in guard.placeholders.fills.items() if word in everywhere}
        return Guarded(following, fills, guard.placeholders.every(), self.turning)


class _Guard:
    """Gathers what is guarded of a private context."""

    def __init__(self, disclosure: Disclosure) -> None:
        self.following: defaultdict[Run, set[str]] = defaultdict(set)
        self.placeholders = Placeholders()
        self.turning: list[Placeholder] = []
        self._own_name: frozenset[str] = frozenset()
        self._disclosure = disclosure
        self._regions: tuple[str, ...] = ()
        self._uncapitalised: set[str] = set()

    def read(self, private: PrivateContext) -> None:
        texts = [*_fields(private), *(text for hit in private.history for text in _texts(hit))]
        self._regions = regions(value for value in _fields(private))
        self._uncapitalised = {word for text in texts for word in _uncapitalised(text)}
        if private.profile is not None:
            self._name(private.profile.name)
            self._facts(private.profile)
        for preference in private.preferences:
            self._text(preference.text, self._disclosure.least)
        for hit in private.history:
            self._item(hit)
        for word in self.placeholders.fills:
            self.following[()].add(word)

    def free(self, texts: Iterable[str]) -> None:
        """Frees each word and each run that the texts have. A word of the name is freed where it is a name:
        "will" and "grace" are words as well."""
        for text in texts:
            run = words(text)
            named = _capitalised(text) if self._own_name.intersection(run) else set()
            for place, word in enumerate(run):
                for size in range(min(CONTEXT, place) + 1):
                    if word in self._own_name and not size and word not in named:
                        continue
                    if after := self.following.get(tuple(run[place - size : place])):
                        after.discard(word)

    def _name(self, name: str) -> None:
        level = self._disclosure.of_identifier("name", "open", alone=True)
        ends = _ends(name_parts(name))
        if level != "open":
            self._name_words(name)
            self._own_name = frozenset(word for word in words(name) if spaced(word))
            self.turning.append(Placeholder(KINDS["name"][0], name))
            self.turning += [
                Placeholder(text, part)
                for text, part in ends
                if all(content(word) and spaced(word) for word in words(part))
            ]
        if not ends or level not in ("open", "fill"):
            return
        for text, part in ends:
            # A part that would not be turned back is filled in only where the remote asks for it.
            whole = text == KINDS["name"][0]
            if level == "fill" and (whole or spaced(words(part)[0])):
                self.placeholders.fill(text, part, name=True)
            else:
                self.placeholders.add(text, part)
        for text in KINDS["name"]:
            self.placeholders.add(text, name)

    def _name_words(self, name: str) -> None:
        """Each part of a name, wherever it stands, and each word of it behind the one before: in scripts
        without spaces a given name may stand by itself."""
        before = ""
        for one in name_pieces(name):
            for word in one.words:
                if one.alone:
                    self.following[()].add(word)
                if before:
                    self.following[before,].add(word)
                before = word

    def _facts(self, profile: Profile) -> None:
        unnamed = 0
        for key, value in profile.fields:
            level = self._disclosure.of_field(key)
            kinds = self._text(value, level, key=key)
            if kinds or not 0 < len(words(value)) <= MAX_FILLED:
                continue
            text, known = of_field(key, unnamed + 1)
            unnamed += not known
            if level == "fill":
                whole = self.placeholders.fill(text, value)
                # Short ones and numbers are in many a text that has nothing to do with them.
                if len(whole.value) > MIN_TURNED and not whole.value.isdigit():
                    self.turning.append(whole)
            elif level == "open" and known:
                self.placeholders.add(text, value)

    def _item(self, hit: Hit) -> None:
        level = self._disclosure.of_item(hit.stored.item.disclosure)
        for text in _texts(hit):
            self._text(text, level)
        for quoted in map(words, _texts(hit)):
            for place in range(CONTEXT, len(quoted)):
                self.following[tuple(quoted[place - CONTEXT : place])].add(quoted[place])

    def _text(self, text: str, level: Level, *, key: str = "") -> bool:
        """Guards what a text of that level says; whether it is a field's value, and but an identifier.

        The level of a short value is all that counts for the names of others in it.
        """
        run = words(text)
        if level != "open":
            self._said(run, whole=bool(key))
        if not (key and len(run) <= MAX_FILLED):
            self._names_of_others(text, level)
        lone = False
        for one in identifiers(text, key=key, regions=self._regions):
            only = bool(key) and alone(text, one)
            self._identifier(one.kind, text[one.start : one.end], level, alone=only)
            lone |= only
        return lone

    def _names_of_others(self, text: str, within: Level) -> None:
        if self._disclosure.of_identifier("name", within, alone=False) == "open":
            return
        for run in capitalised_names(text):
            self._behind_each_other(run)
            self.following[()] |= {one for one in run if content(one) and one not in self._uncapitalised}

    def _identifier(self, kind: Identifier, value: str, within: Level, *, alone: bool) -> None:
        level = self._disclosure.of_identifier(kind, within, alone=alone)
        runs = spellings(value, kind, self._regions) if level != "open" else []
        if level in ("shape", "off"):
            self.turning.append(Placeholder(KINDS[kind][0], value))
        for run in runs:
            self._in_order(run)
        if level == "fill":
            whole = self.placeholders.fill(KINDS[kind][0], value)
            self.turning.append(whole)
            for word in (run[0] for run in runs if len(run) == 1 and len(run[0]) > 2):
                self.placeholders.fills.setdefault(word, whole)
        if level == "fill" or (level == "open" and alone):
            for text in KINDS[kind]:
                self.placeholders.add(text, value)

    def _said(self, run: Sequence[str], *, whole: bool) -> None:
        """Guards what says something in a run; with `whole` all of it, where that is nothing by itself."""
        telling = list(phrases(run))
        for phrase in telling:
            self.following[phrase[:-1]].add(phrase[-1])
        if whole and not telling:
            self._in_order(run)

    def _in_order(self, run: Sequence[str]) -> None:
        """Guards each word behind those in front of it, and everywhere the first that says something, and the
        first such word of a script with spaces, which is also said without what stands in front."""
        self._behind_each_other(run)
        telling = [word for word in run if content(word)] or run
        self.following[()].update(telling[:1], [word for word in telling if spaced(word)][:1])

    def _behind_each_other(self, run: Sequence[str]) -> None:
        for place in range(1, len(run)):
            self.following[tuple(run[max(place - CONTEXT, 0) : place])].add(run[place])


def _ends(parts: Sequence[str]) -> list[tuple[str, str]]:
    """The first and the last of the parts of a name, each behind the placeholder that stands for it. What is
    written as one in a script without spaces is the whole name."""
    whole = len(parts) == 1 and not all(map(spaced, words(parts[0])))
    first = KINDS["name"][0] if whole else FIRST_NAME
    return [*((first, part) for part in parts[:1]), *((LAST_NAME, part) for part in parts[1:][-1:])]


def _fields(private: PrivateContext) -> list[str]:
    return [value for _, value in private.profile.fields] if private.profile is not None else []


def _texts(hit: Hit) -> list[str]:
    """What is read of an item, and its title."""
    item = hit.stored.item
    return [hit.passage, *dict.fromkeys((item.title, item.answers))]


def _uncapitalised(text: str) -> Iterator[str]:
    """The words that a text has without a capital."""
    return (word for one in text.split() if not one[:1].isupper() for word in words(one))


def _capitalised(text: str) -> set[str]:
    """The folded words that a text has with a capital inside a sentence, or behind another such word."""
    found: set[str] = set()
    before, end = False, 0
    for one in pieces(text):
        between = text[end : one.start]
        inside = end > 0 and not SENTENCE_END.search(between)
        capital = text[one.start].isupper()
        if capital and (inside or before):
            found.update(one.words)
        before, end = capital, one.end
    return found
