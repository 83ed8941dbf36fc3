"""Renders a conversation in a chat template, also one that takes no system message and no calls of tools, or
wants strict turns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from app.errors import InvalidRequest
from app.prompts.message import Message, ToolCall
from app.prompts.private import PrivateMessage

Conversation = Sequence[PrivateMessage]
Turn = TypeVar("Turn", Message, PrivateMessage)
TOOL = "tool"
# How templates that are no JSON write these.
PYTHON = {"true": "True", "false": "False", "null": "None"}


class Template(Protocol):
    """A model's chat template; see Tokenizer."""

    def render(self, messages: Conversation, *, continue_final: bool = False, thinks: bool = True) -> str: ...


def rendered(
    template: Template, messages: Conversation, *, continue_final: bool = False, thinks: bool = True
) -> str:
    """The conversation as text, with all of it there and in its order.

    Some templates refuse a system message, or two turns of one role; others leave messages out, or move the
    system message behind the earlier turns. So the conversation is tried as it is, then with neighbours of
    one role joined, then with the system message as the user's words in front; and all of that without calls
    of tools and their results, which many templates do not know. A template may leave something out whatever
    the shape, as old reasoning: then the shape counts that keeps most, the first among equals. Raises
    InvalidRequest where the template refuses all of them.
    """
    best, most = None, -1
    refusal: InvalidRequest | None = None
    whole = len(messages) + sum(len(one.calls) for one in messages)
    for shape in _shapes(messages):
        try:
            text = template.render(shape, continue_final=continue_final, thinks=thinks)
        except InvalidRequest as error:
            refusal = refusal or error
            continue
        kept = len(_found(text, messages))
        if kept > most:
            best, most = text, kept
        if kept == whole:
            break
    if best is None:
        assert refusal is not None  # noqa: S101  # a template renders or refuses
        raise refusal
    return best


def has_calls(messages: Sequence[Turn]) -> bool:
    """Whether tools were called in the conversation."""
    return any(one.calls or one.role == TOOL for one in messages)


def holds_calls(text: str, messages: Conversation) -> bool:
    """Whether a rendered conversation has all calls, by name and arguments, and the results of all."""
    found = set(_found(text, messages))
    return all(
        (place, number) in found
        for place, one in enumerate(messages)
        for number in range(0 if one.role == TOOL else 1, len(one.calls) + 1)
    )


def without_calls(messages: Sequence[Turn]) -> list[Turn]:
    """The conversation of texts alone: without the results of tools, the calls, and messages that only call.

    Templates refuse an empty conversation; where nothing is left it is an empty question.
    """
    kept = [
        replace(one, calls=())
        for one in messages
        if one.role != TOOL and (not one.calls or one.content.strip())
    ]
    return kept or [replace(one, role="user", content="", calls=(), answers=None) for one in messages[:1]]


def _shapes(messages: Conversation) -> Iterator[Conversation]:
    """Each is tried where the ones before lose something."""
    yield from _joined_shapes(messages)
    if has_calls(messages):
        yield from _joined_shapes(without_calls(messages))


def _joined_shapes(messages: Conversation) -> Iterator[Conversation]:
    yield messages
    yield (joined := _joined(messages))
    unnamed = _joined([replace(one, name=None) for one in messages])
    if unnamed != joined:
        yield unnamed
    if unnamed and unnamed[0].role == "system":
        yield _joined([replace(unnamed[0], role="user"), *unnamed[1:]])


def _joined(messages: Conversation) -> list[PrivateMessage]:
    """Neighbours of one speaker as one message. What is said behind a call is apart from it, and so are the
    results of two calls."""
    joined: list[PrivateMessage] = []
    for one in messages:
        before = joined[-1] if joined else None
        if (
            before is None
            or one.role == TOOL
            or (before.role, before.name) != (one.role, one.name)
            or (before.calls and one.content)
        ):
            joined.append(one)
        else:
            both = f"{before.content}\n\n{one.content}" if one.content or not one.calls else before.content
            joined[-1] = replace(one, content=both, calls=(*before.calls, *one.calls))
    return joined


def _found(text: str, messages: Conversation) -> list[tuple[int, int]]:
    """Which of the messages and their calls stand in the text, each behind the one before: a message by its
    place and 0, a call by its message's place and its number from 1."""
    found: list[tuple[int, int]] = []
    at = 0
    for place, one in enumerate(messages):
        if (end := _end(text, one.content.strip(), at)) is not None:
            found.append((place, 0))
            at = end
        for number, call in enumerate(one.calls, 1):
            if (end := _end_of_call(text, call, at)) is not None:
                found.append((place, number))
                at = end
    return found


def _end(text: str, said: str, at: int) -> int | None:
    start = text.find(said, at)
    return start + len(said) if start >= 0 else None


def _end_of_call(text: str, call: ToolCall, at: int) -> int | None:
    """Where a call ends in the text behind `at`: its name, and behind that all of its arguments, which
    templates write as JSON or in a form of their own."""
    named = _end(text, call.name, at)
    if named is None:
        return None
    last = named
    for value in call.values():
        ends = [end for one in _spellings(value) if (end := _end(text, one, named)) is not None]
        if not ends:
            return None
        last = max(last, min(ends))
    return last


def _spellings(value: str) -> set[str]:
    """A value as it is, as JSON has it within quotes, and as Python writes it."""
    quoted = {json.dumps(value, ensure_ascii=plain)[1:-1] for plain in (False, True)}
    return {value, *quoted, PYTHON.get(value, value)}
