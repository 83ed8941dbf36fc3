"""What a reply was the first to say of what is private: a measure, whatever the levels are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.disclosure.words import Run, phrases, words
from app.prompts.message import Message
from app.prompts.private import PrivateContext


def first_said(private: PrivateContext, messages: Sequence[Message], reply: str) -> list[str]:
    """The words of content, folded, that the reply says, the private context has and the conversation has
    not; each once, in the reply's order. In scripts without spaces pairs of characters count as words."""
    told = {phrase for text in _read(private) for phrase in phrases(words(text))}
    runs = [words("\n".join(one.texts())) for one in messages]
    # A character that stands alone in the reply may be a part of a longer word there.
    public = {phrase for run in runs for phrase in (*phrases(run), *((word,) for word in run))}
    said: dict[Run, None] = dict.fromkeys(phrases(words(reply)))
    return ["".join(phrase) for phrase in said if phrase in told and phrase not in public]


def _read(private: PrivateContext) -> Iterator[str]:
    """The texts that are read of a person."""
    if private.profile is not None:
        yield private.profile.name
        yield from (value for _, value in private.profile.fields)
    yield from (one.text for one in private.preferences)
    for hit in private.history:
        yield from (hit.passage, hit.stored.item.answers)
