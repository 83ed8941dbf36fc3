"""The two prompts: context-agnostic is the public conversation, context-aware has the private part too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.profile import HistoryItem, Profile

INSTRUCTION = (
    "You write on behalf of the user described here. Let every reply reflect who they are, what they know "
    "and how they write."
)


@dataclass(frozen=True)
class Message:
    """One turn of the public conversation: `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, repr=False)
class PrivateMessage:
    """One message of the context-aware prompt. No Message, so that the remote's side does not take it."""

    role: str
    content: str


@dataclass(frozen=True, repr=False)
class PrivatePrompt:
    """Token ids of a context-aware prompt. No sequence, so that it cannot be sent where ids are."""

    ids: tuple[int, ...]


def describe(profile: Profile, history: Sequence[HistoryItem]) -> str:
    """The private text that the local model reads: what changes least comes first."""
    parts = [INSTRUCTION, f"The user is {profile.name}."]
    parts += [f"{key.replace('_', ' ').capitalize()}: {value}" for key, value in profile.fields]
    if history:
        parts.append("Texts the user wrote before:")
        parts += [f"# {item.title}\n{item.text}" if item.title else item.text for item in history]
    return "\n\n".join(parts)


def fit(profile: Profile, max_tokens: int, count: Callable[[str], int]) -> str:
    """The private text within `max_tokens`, as `count` measures them.

    History is in order of relevance and gives way first: items are taken until the next one does not fit,
    past those too long to be the first. Then whole fields go, from the last. Nothing is cut in half. Empty
    when not even one field fits.
    """
    if count(describe(profile, ())) > max_tokens:
        for kept_fields in range(len(profile.fields) - 1, 0, -1):
            shortened = replace(profile, fields=profile.fields[:kept_fields])
            if count(describe(shortened, ())) <= max_tokens:
                return describe(shortened, ())
        return ""
    kept: list[HistoryItem] = []
    for item in profile.history:
        if count(describe(profile, (*kept, item))) <= max_tokens:
            kept.append(item)
        elif kept:
            break
    return describe(profile, kept)


def context_aware(messages: Sequence[Message], private: str) -> tuple[PrivateMessage, ...]:
    """The conversation with the private text in front, in one system message.

    A system message that the conversation opens with follows in the same message, since many chat
    templates refuse a second one.
    """
    turns = [PrivateMessage(m.role, m.content) for m in messages]
    if turns and turns[0].role == "system":
        return (PrivateMessage("system", f"{private}\n\n{turns[0].content}"), *turns[1:])
    return (PrivateMessage("system", private), *turns)
