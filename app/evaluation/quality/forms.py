"""The forms in which a person can be shown to a model, to be compared with the product's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.profiles.profile import Hit
from app.prompts.message import Message
from app.prompts.private import (
    INSTRUCTION,
    Letter,
    PrivateContext,
    PrivateMessage,
    Reading,
    about_person,
    about_replies,
    introduction,
    opposites,
    wishes,
)
from app.steering.strength import PREFERENCE_WEIGHT

PRODUCT = "letter"  # whose name is left out of the names of rules and systems
WRITTEN = "Texts the user wrote before:"
EXCHANGED = "Earlier exchanges:"


def named(name: str, form: str) -> str:
    """A rule's or a system's name in reports, with the form of its prompts unless that is the product's."""
    return name if form == PRODUCT else f"{name} [{form}]"


@dataclass(frozen=True)
class Shape:
    """A form. The defaults are the product's, see prompts/private.py.

    `person` writes the conversation with what is known of the person. The preferences stand in the system
    message (`front`), behind each question (`behind`), or both, and steer by a contrast of their own
    (`apart`) of this `weight`, against their opposites (`opposite`) or against nothing.
    """

    person: Callable[[Sequence[Message], PrivateContext], Letter] = about_person
    front: bool = True
    behind: bool = True
    opposite: bool = True
    apart: bool = True
    weight: float = PREFERENCE_WEIGHT

    def readings(
        self, messages: Sequence[Message], private: PrivateContext, *, once: bool = False
    ) -> tuple[Reading, ...]:
        """The pairs of letters that steer. None without a private context. `once`: see prompts/private.py."""
        plain, known = about_replies(messages, ()), self.person(messages, private)
        wished, against = wishes(private.preferences), opposites(private.preferences) if self.opposite else []
        turns = 1 if once else _turns(messages)
        if not self.apart:
            aware, agnostic = self._wished(known, wished, turns), self._wished(plain, against, turns)
            return (Reading("person", aware, agnostic, 1.0),) if aware != plain else ()
        found = [Reading("person", known, plain, 1.0)] if known != plain else []
        if wished:
            aware, agnostic = self._wished(plain, wished, turns), self._wished(plain, against, turns)
            found.append(Reading("preferences", aware, agnostic, self.weight))
        return tuple(found)

    def shown(self, messages: Sequence[Message], private: PrivateContext) -> Letter:
        """All in one letter, as a remote would be shown it."""
        known = self.person(messages, private)
        return self._wished(known, wishes(private.preferences), _turns(messages))

    def _wished(self, letter: Letter, texts: Sequence[str], turns: int) -> Letter:
        """The letter, whose last `turns` messages are the conversation, with how replies should be."""
        wished = " ".join(texts)
        if not wished:
            return letter
        if self.behind:
            start = len(letter) - turns
            asked = [_added(one, wished) if one.role == "user" else one for one in letter[start:]]
            letter = (*letter[:start], *asked)
        return _in_front(letter, [wished]) if self.front else letter


def _turns(messages: Sequence[Message]) -> int:
    """How many messages there are besides a system message in front."""
    return len(messages) - (1 if messages and messages[0].role == "system" else 0)


def _added(message: PrivateMessage, text: str) -> PrivateMessage:
    return replace(message, content=f"{message.content.rstrip()}\n\n{text}")


def _in_front(letter: Letter, parts: Sequence[str]) -> Letter:
    """The letter with the parts in front of what its system message says, or in a new one."""
    if letter and letter[0].role == "system":
        own = replace(letter[0], content="\n\n".join([*parts, letter[0].content]))
        return own, *letter[1:]
    return PrivateMessage("system", "\n\n".join(parts)), *letter


def _without_facts(messages: Sequence[Message], private: PrivateContext) -> Letter:
    return about_person(messages, replace(private, profile=None))


def _without_texts(messages: Sequence[Message], private: PrivateContext) -> Letter:
    return about_person(messages, replace(private, history=()))


def _facts_last(messages: Sequence[Message], private: PrivateContext) -> Letter:
    letter = _without_facts(messages, private)
    if (profile := private.profile) is None:
        return letter
    last = max((place for place, one in enumerate(letter) if one.role == "user"), default=len(letter))
    return tuple(
        replace(one, content=f"{introduction(profile)}\n\n{one.content}") if place == last else one
        for place, one in enumerate(letter)
    )


def _constant_requests(messages: Sequence[Message], private: PrivateContext) -> Letter:
    """Without what the texts answer, as if no item had a title or a request."""
    bare = tuple(
        replace(hit, stored=replace(hit.stored, item=replace(hit.stored.item, title="", request="")))
        for hit in private.history
    )
    return about_person(messages, replace(private, history=bare))


def _headings(messages: Sequence[Message], private: PrivateContext) -> Letter:
    """Everything in one system message, under headings, preferences among the facts."""
    if private == PrivateContext():
        return about_replies(messages, ())
    parts = [introduction(private.profile) if private.profile is not None else INSTRUCTION]
    parts += [f"Preference: {one.text}" for one in private.preferences]
    for heading, kind in ((WRITTEN, "document"), (EXCHANGED, "turn")):
        texts = [_headed(hit) for hit in private.history if hit.stored.item.kind == kind]
        parts += [heading, *texts] if texts else []
    return _in_front(about_replies(messages, ()), parts)


def _headed(hit: Hit) -> str:
    """A passage under its title, unless it begins with that itself; an exchange with both sides."""
    item = hit.stored.item
    if item.kind == "turn":
        return f"User: {item.request}\n\nAssistant: {hit.passage}"
    headed = hit.passage.lstrip("#").lstrip().startswith(item.title)
    return hit.passage if headed else f"# {item.title}\n{hit.passage}"


FORMS: dict[str, Shape] = {
    PRODUCT: Shape(),
    "headings": Shape(_headings, front=False, behind=False, opposite=False, apart=False),
    "no facts": Shape(_without_facts),
    "no texts": Shape(_without_texts),
    "no requests": Shape(_constant_requests),
    "facts last": Shape(_facts_last),
    "no opposite": Shape(opposite=False),
    "preference in front": Shape(behind=False),
    "preference behind": Shape(front=False),
    "one contrast": Shape(apart=False),
}
