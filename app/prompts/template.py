"""Renders a conversation in a chat template, also one that takes no system message or wants strict turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from app.errors import InvalidRequest
from app.prompts.private import PrivateMessage

Conversation = Sequence[PrivateMessage]


class Template(Protocol):
    """A model's chat template; see Tokenizer."""

    def render(self, messages: Conversation, *, continue_final: bool = False) -> str: ...


def rendered(template: Template, messages: Conversation, *, continue_final: bool = False) -> str:
    """The conversation as text, with all of it there and in its order.

    Some templates refuse a system message, or two turns of one role; others leave messages out, or move the
    system message behind the earlier turns. So the conversation is tried as it is, then with neighbours of
    one role joined, then with the system message as the user's words in front. A template may leave something
    out whatever the shape, as old reasoning: then the shape counts that keeps most, the first among equals.
    Raises InvalidRequest where the template refuses all of them.
    """
    best, most = None, -1
    refusal: InvalidRequest | None = None
    for shape in _shapes(messages):
        try:
            text = template.render(shape, continue_final=continue_final)
        except InvalidRequest as error:
            refusal = refusal or error
            continue
        kept = _kept(text, messages)
        if kept > most:
            best, most = text, kept
        if kept == len(messages):
            break
    if best is None:
        assert refusal is not None  # noqa: S101  # a template renders or refuses
        raise refusal
    return best


def _shapes(messages: Conversation) -> Iterator[Conversation]:
    """Each is tried where the ones before lose something."""
    yield messages
    yield (joined := _joined(messages))
    unnamed = _joined([replace(one, name=None) for one in messages])
    if unnamed != joined:
        yield unnamed
    if unnamed and unnamed[0].role == "system":
        yield _joined([replace(unnamed[0], role="user"), *unnamed[1:]])


def _joined(messages: Conversation) -> list[PrivateMessage]:
    """Neighbours of one speaker as one message."""
    joined: list[PrivateMessage] = []
    for one in messages:
        if joined and (joined[-1].role, joined[-1].name) == (one.role, one.name):
            joined[-1] = replace(one, content=f"{joined[-1].content}\n\n{one.content}")
        else:
            joined.append(one)
    return joined


def _kept(text: str, messages: Conversation) -> int:
    """How many of the messages stand in the text, each behind the one before."""
    kept = place = 0
    for one in messages:
        found = text.find(content := one.content.strip(), place)
        if found >= 0:
            kept, place = kept + 1, found + len(content)
    return kept
