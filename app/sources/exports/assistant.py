"""What a person wrote to an assistant, such as ChatGPT or Claude: their messages, or exchanges with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from app.profiles.plain_text import foreign
from app.profiles.profile import MAX_TEXT, HistoryItem, turn
from app.sources.exports.archive import HEAD, Damaged, Wanted, opened
from app.sources.exports.cleaning import SHORT, cleaned, long_enough, prose
from app.sources.exports.json_stream import Cut, JsonStream, Unreadable
from app.sources.exports.parts import Parts
from app.sources.found import Found, LeftOut

LONG = f"more than {MAX_TEXT:,} characters"
TOO_SHORT = f"a message of {SHORT} outside of code"
UNANSWERED = "a question without an answer"
NO_CONVERSATION = "an entry that is no conversation"
CUT = "the rest of the file is no JSON; is it complete? Export it again"


@dataclass(frozen=True, slots=True, repr=False)
class Said:
    """A message of the person or of the model; `key` names it within its file."""

    mine: bool
    key: str
    text: str
    when: datetime | None


def conversations(path: Path, wanted: Wanted, marker: str) -> Iterator[dict[str, object] | LeftOut]:
    """The conversations of a JSON file, or of those wanted in an archive: objects with the key `marker`, one
    in memory at a time. The file is a list of them, a single one, or an object with the list `conversations`.
    Raises OSError."""
    try:
        for _, stream in opened(path, wanted):
            if encoding := foreign(stream.peek(HEAD)):
                yield LeftOut(f"not UTF-8 text but {encoding}; save it with the encoding UTF-8", broken=True)
                continue
            for value in _values(JsonStream(stream)):
                if isinstance(value, LeftOut) or (isinstance(value, dict) and marker in value):
                    yield value
                else:
                    yield LeftOut(NO_CONVERSATION, broken=True)
    except Damaged as error:
        yield LeftOut(error.reason, broken=True)


def _values(json: JsonStream) -> Iterator[object]:
    try:
        if json.peek() == b"[":
            for _ in json.items():
                yield from _value(json)
        elif json.peek() == b"{":
            for value in _value(json):
                listed = value.get("conversations") if isinstance(value, dict) else None
                yield from listed if isinstance(listed, list) else [value]
        else:
            raise Cut
    except Cut:
        yield LeftOut(CUT, broken=True)


def _value(json: JsonStream) -> Iterator[object]:
    try:
        yield json.value()
    except Unreadable as error:
        yield LeftOut(f"a conversation that cannot be read: {error.reason}", broken=True)


def line(parents: Mapping[str, object], leaf: Hashable) -> tuple[list[str], object]:
    """The keys from the root of a tree to a leaf, and the parent of the first, which is in the tree only
    where the tree runs in a circle."""
    found: dict[str, None] = {}
    key: object = leaf
    while isinstance(key, str) and key in parents and key not in found:
        found[key] = None
        key = parents[key]
    return list(reversed(found)), key


def newest(times: Mapping[str, datetime | None], parents: Mapping[str, object]) -> str | None:
    """The leaf of a tree that was written last; without times the last one that the file has."""
    inner = {parent for parent in parents.values() if isinstance(parent, str)}
    found, best = None, None
    for key in parents:
        if key in inner:
            continue
        time = times.get(key)
        if found is None or best is None or (time is not None and time >= best):
            found, best = key, time or best
    return found


def written(
    said: Sequence[Said], title: str, identity: object, parts: Parts, *, exchanges: bool
) -> Iterator[Found | LeftOut]:
    """The person's messages that are long enough, each a document; with `exchanges` each message with what
    the model answered, as a turn. `identity` is the conversation's, if it is a text."""
    within = f"{identity}/" if isinstance(identity, str) and identity.strip() else ""
    passed: Counter[str] = Counter()
    for found in _turns(said, title) if exchanges else _messages(said, title):
        if isinstance(found, Found):
            yield parts.found(found.item, f"{within}{found.part}")
        else:
            passed[found] += 1
    yield from (LeftOut(reason, count) for reason, count in passed.items())


def _messages(said: Sequence[Said], title: str) -> Iterator[Found | str]:
    for one in said:
        if one.mine:
            text = prose(cleaned(one.text))
            if not long_enough(text):
                yield TOO_SHORT
            elif len(text) > MAX_TEXT:
                yield LONG
            else:
                yield Found(HistoryItem(title, text, created_at=one.when), one.key)


def _turns(said: Sequence[Said], title: str) -> Iterator[Found | str]:
    question: Said | None = None
    answers: list[str] = []
    for one in (*said, None):
        if one is not None and not one.mine:
            answers.append(cleaned(one.text))
            continue
        if question is not None:
            yield _turn(question, "\n\n".join(filter(None, answers)), title)
        question, answers = one, []


def _turn(question: Said, reply: str, title: str) -> Found | str:
    asked = cleaned(question.text)
    if not asked or not reply:
        return UNANSWERED
    if len(reply) > MAX_TEXT:
        return LONG
    return Found(replace(turn(asked, reply), title=title, created_at=question.when), question.key)
