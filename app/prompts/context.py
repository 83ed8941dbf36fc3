"""What is read of a person for one reply: their profile, the passages of their history, how strongly it
steers, and what of it the reply may tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.profiles.disclosure import Disclosure
from app.profiles.profile import Hit, Preference, Profile
from app.prompts.message import Message
from app.prompts.private import PrivateContext
from app.prompts.retrieval import Retriever
from app.steering.strength import Strength, resolve_strength, steers


@dataclass(frozen=True, repr=False)
class PersonalContext:
    """`history` has the most relevant passages first, and none at strength 0. `preferences` are the request's
    own, else the profile's. Without a profile and preferences the reply is the remote's own. `disclosure` is
    what the reply may tell the remote."""

    profile: Profile | None
    history: tuple[Hit, ...]
    strength: Strength
    preferences: tuple[Preference, ...] = ()
    disclosure: Disclosure = field(default_factory=Disclosure)

    @property
    def private(self) -> PrivateContext:
        """What the prompts are written from."""
        return PrivateContext(self.profile, self.history, self.preferences)


def personal_context(
    retriever: Retriever,
    profile: Profile | None,
    messages: Sequence[Message],
    *,
    asked: Strength | None,
    default: Strength,
    preferences: tuple[Preference, ...] | None = None,
    bounds: Sequence[Disclosure] = (),
    remember: bool = True,
) -> PersonalContext:
    """The context for a conversation. `asked` is the request's own strength, `default` the setting's;
    `preferences` are the request's own, None leaves them to the profile. `bounds` are the setting's and the
    request's disclosure, whose least level and budget can only make the profile's stricter.

    Reads the database: for a worker thread. `remember` is the retriever's. Raises StoreError.
    """
    strength = resolve_strength(asked, profile.strength if profile is not None else None, default)
    if preferences is None:
        preferences = profile.preferences if profile is not None else ()
    history: Sequence[Hit] = ()
    if profile is not None and steers(strength):
        history = retriever.choose(profile.id, messages, remember=remember)
    return PersonalContext(profile, tuple(history), strength, preferences, decided(profile, bounds))


def decided(profile: Profile | None, bounds: Iterable[Disclosure]) -> Disclosure:
    """What a profile has decided, at least as strict as the bounds."""
    disclosure = profile.disclosure if profile is not None else Disclosure()
    for bound in bounds:
        disclosure = disclosure.at_least(bound.least).within(bound.budget)
    return disclosure
