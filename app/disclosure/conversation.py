"""The public conversation as the remote may have it, and what its next reply is guarded by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from app.disclosure.filling import turned_back
from app.disclosure.guarded import Guarded, Guarding
from app.disclosure.withheld import withheld
from app.profiles.disclosure import Disclosure
from app.prompts.message import Message
from app.prompts.private import PrivateContext


@dataclass(frozen=True, repr=False)
class Disclosed:
    """`messages` with placeholders in the place of values; `private` is what the small model may read.

    `nats` is what earlier replies of the conversation have told.
    """

    messages: tuple[Message, ...]
    private: PrivateContext
    guarded: Guarded
    nats: float = 0.0


def disclosed(
    private: PrivateContext,
    messages: Sequence[Message],
    disclosure: Disclosure,
    as_told: Mapping[int, str] = MappingProxyType({}),
) -> Disclosed:
    """What a person has decided, for one reply.

    Values that a device wrote into earlier replies are turned back: in messages of the assistant alone, since
    what the user writes they say themselves, and what calls of tools and their results say the remote and the
    tools wrote. Of the messages in `as_told`, by their index, it is known what the remote has.
    """
    # What is withheld is guarded as well: other texts may say it.
    readable = _readable(withheld(private, disclosure))
    guarding = Guarding(private, disclosure)

    def back_in(index: int, one: Message) -> Message:
        if one.role != "assistant":
            return one
        text = as_told[index] if index in as_told else turned_back(one.content, guarding.turning)
        return replace(one, content=text)

    back = tuple(back_in(index, one) for index, one in enumerate(messages))
    return Disclosed(back, readable, guarding.behind(back))


def _readable(private: PrivateContext) -> PrivateContext:
    """Without a profile of which all is withheld: there is nobody to write as."""
    profile = private.profile
    empty = profile is not None and not profile.name and not profile.fields and not private.history
    return replace(private, profile=None) if empty else private
