"""The private text, and the context-aware prompt: the public conversation with that text in front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.profiles.profile import Hit, Profile
from app.profiles.terms import passages
from app.prompts.message import Message

INSTRUCTION = (
    "You write on behalf of the user described here. Let every reply reflect who they are, what they know "
    "and how they write."
)


@dataclass(frozen=True, repr=False)
class PrivateMessage:
    """One message of the context-aware prompt. Not a Message, so that the remote's side does not take it."""

    role: str
    content: str
    name: str | None = None

    def fields(self) -> dict[str, str]:
        """The message as a chat template takes it."""
        named = {"name": self.name} if self.name is not None else {}
        return {"role": self.role, "content": self.content, **named}


@dataclass(frozen=True, repr=False)
class PrivatePrompt:
    """Token ids of a context-aware prompt. Not a Sequence, so that it cannot be sent where ids are."""

    ids: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class PrivateText:
    """What the local model reads about the user, and the passages of their history that are in it."""

    text: str
    history: tuple[Hit, ...]


def describe(profile: Profile, history: Sequence[Hit]) -> str:
    """The private text that the local model reads: what changes least comes first."""
    parts = [INSTRUCTION, f"The user is {profile.name}."]
    parts += [f"{key.replace('_', ' ').capitalize()}: {value}" for key, value in profile.fields]
    for heading, kind in (("Texts the user wrote before:", "document"), ("Earlier exchanges:", "turn")):
        texts = [_shown(hit) for hit in history if hit.stored.item.kind == kind]
        parts += [heading, *texts] if texts else []
    return "\n\n".join(parts)


def fit(
    profile: Profile, history: Sequence[Hit], max_tokens: int, count: Callable[[str], int]
) -> PrivateText:
    """The private text of at most `max_tokens`, as `count` counts them.

    `history` is in order of relevance and is dropped first: each passage that still fits is taken. Then whole
    fields are dropped, the last first. Nothing is cut in half. Empty when not even one field fits.
    """
    if count(describe(profile, ())) > max_tokens:
        for kept_fields in range(len(profile.fields) - 1, 0, -1):
            shortened = replace(profile, fields=profile.fields[:kept_fields])
            if count(describe(shortened, ())) <= max_tokens:
                return PrivateText(describe(shortened, ()), ())
        return PrivateText("", ())
    kept: list[Hit] = []
    for hit in history:
        if count(describe(profile, (*kept, hit))) <= max_tokens:
            kept.append(hit)
    return PrivateText(describe(profile, kept), tuple(kept))


def _shown(hit: Hit) -> str:
    """A passage under its title, unless the passage itself begins with it, as a heading. The first one of a
    turn stands below what it answers."""
    item, title = hit.stored.item, hit.stored.item.title
    if item.kind == "turn" and item.request and hit.number == 0:
        return f"User: {passages(item.request)[0]}\n\nAssistant: {hit.passage}"
    headed = hit.passage.lstrip("#").lstrip().startswith(title)
    return hit.passage if headed else f"# {title}\n{hit.passage}"


def context_aware(messages: Sequence[Message], private: str) -> tuple[PrivateMessage, ...]:
    """The conversation with the private text in front, in one system message.

    A system message at the start of the conversation is appended to it, since many chat templates refuse
    a second one.
    """
    turns = [PrivateMessage(m.role, m.content, m.name) for m in messages]
    if turns and turns[0].role == "system":
        return (PrivateMessage("system", f"{private}\n\n{turns[0].content}"), *turns[1:])
    return (PrivateMessage("system", private), *turns)
