"""What the local model reads of a person, in the shape that it was taught to read: a conversation.

It reads the public conversation twice for the person: once behind a system message that says who they are and
behind their earlier texts, each as the assistant's answer to what it was once written for, and once as it is.
If there are preferences it reads it twice more: with how replies should be, in the system message and behind
each question, and with the opposite there. What the two readings of a pair differ in is what steers.

Calls of tools and their results are part of the conversation. What the tools are is not: their schemas are
long and say nothing of the person, and whether one is called is not the local model's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.profiles.profile import Hit, Preference, Profile
from app.prompts.message import Message, ToolCall, template_fields
from app.steering.strength import PREFERENCE_WEIGHT

INSTRUCTION = (
    "You write on behalf of the user described here. Let every reply reflect who they are, what they know "
    "and how they write."
)
# What a text is shown as an answer to that has neither a request nor a title.
WRITE = "Write a text."


@dataclass(frozen=True, repr=False)
class PrivateMessage:
    """One message of a private prompt. Not a Message, so that the remote's side does not take it."""

    role: str
    content: str
    name: str | None = None
    calls: tuple[ToolCall, ...] = ()
    answers: str | None = None

    def fields(self) -> dict[str, Any]:
        """The message as a chat template takes it."""
        return template_fields(self.role, self.content, self.name, self.calls, self.answers)


@dataclass(frozen=True, repr=False)
class PrivatePrompt:
    """Token ids of a prompt with private text. Not a Sequence, so that it cannot be sent where ids are."""

    ids: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class PrivateContext:
    """What is read of a person for one reply; `history` has the most relevant passages first."""

    profile: Profile | None = None
    history: tuple[Hit, ...] = ()
    preferences: tuple[Preference, ...] = ()


@dataclass(frozen=True, repr=False)
class Contrast:
    """Two prompts for the same reply, whose difference steers it. `weight` multiplies the strength."""

    aware: PrivatePrompt
    agnostic: PrivatePrompt
    weight: float = 1.0


Letter = tuple[PrivateMessage, ...]
About = Literal["person", "preferences"]


@dataclass(frozen=True, repr=False)
class Reading:
    """The two letters of a contrast, and what they are about."""

    about: About
    aware: Letter
    agnostic: Letter
    weight: float


def readings(
    messages: Sequence[Message], private: PrivateContext, *, once: bool = False
) -> tuple[Reading, ...]:
    """What the local model reads for one reply. None without a private context. With `once`, how replies
    should be stands behind the last question alone."""
    found = []
    if private.profile is not None or private.history:
        found.append(Reading("person", about_person(messages, private), about_replies(messages, ()), 1.0))
    if private.preferences:
        wished, unwished = (
            about_replies(messages, side(private.preferences), once=once) for side in (wishes, opposites)
        )
        found.append(Reading("preferences", wished, unwished, PREFERENCE_WEIGHT))
    return tuple(found)


def about_person(messages: Sequence[Message], private: PrivateContext) -> Letter:
    """The conversation as the one who knows the person reads it: what changes least comes first, so that the
    KV cache of it serves the next conversation too."""
    facts = introduction(private.profile) if private.profile is not None else ""
    system, rest = _with_system(messages, facts)
    return (*system, *(turn for hit in _as_written(private.history) for turn in _answered(hit)), *rest)


def about_replies(messages: Sequence[Message], wishes: Sequence[str], *, once: bool = False) -> Letter:
    """The conversation with how replies should be, in front and behind each question: a small model follows
    what stands behind the last question best. Behind all of them it stands so that a conversation that goes
    on begins as before, in the KV cache too; with `once` behind the last alone. Without wishes it is the
    conversation itself."""
    wished = " ".join(wishes)
    system, rest = _with_system(messages, wished)
    asked = [place for place, one in enumerate(rest) if one.role == "user"]
    for place in (asked[-1:] if once else asked) if wished else ():
        rest[place] = replace(rest[place], content=f"{rest[place].content.rstrip()}\n\n{wished}")
    return (*system, *rest)


def wishes(preferences: Sequence[Preference]) -> list[str]:
    """How replies should be."""
    return [one.text for one in preferences]


def opposites(preferences: Sequence[Preference]) -> list[str]:
    """What replies should not be, as far as that is said."""
    return [one.opposite for one in preferences if one.opposite]


def introduction(profile: Profile) -> str:
    """Who the user is; a name that is not to be read is empty."""
    name = [f"The user is {profile.name}."] if profile.name else []
    facts = [f"{key.replace('_', ' ').capitalize()}: {text}" for key, text in profile.fields]
    return "\n\n".join([INSTRUCTION, *name, *facts])


def _with_system(messages: Sequence[Message], text: str) -> tuple[list[PrivateMessage], list[PrivateMessage]]:
    """The conversation's system message and the rest, with a text in front of what the system message says:
    many chat templates refuse a second one."""
    turns = [PrivateMessage(one.role, one.content, one.name, one.calls, one.answers) for one in messages]
    system = turns[:1] if turns and turns[0].role == "system" else []
    rest = turns[len(system) :]
    if text:
        both = "\n\n".join(part for part in (text, *(one.content for one in system)) if part)
        system = [PrivateMessage("system", both, system[0].name if system else None)]
    return system, rest


def _as_written(history: Sequence[Hit]) -> list[Hit]:
    """In the order of their writing: it helps as much as any other, and new conversations that find the same
    texts begin alike."""
    return sorted(history, key=lambda hit: (hit.stored.id, hit.number))


def _answered(hit: Hit) -> tuple[PrivateMessage, PrivateMessage]:
    """An earlier text, or the passage of it that was found, as the answer that the user got."""
    request = hit.stored.item.answers or WRITE
    return PrivateMessage("user", request), PrivateMessage("assistant", hit.passage)
