"""By which names and addresses mail and chats call a person."""

from __future__ import annotations

from collections.abc import Sequence

from app.disclosure.identifiers import identifiers
from app.profiles.profile import Profile
from app.sources.found import Person


def person_of(profile: Profile, me: Sequence[str]) -> Person:
    """Whose texts are wanted: the profile's name and the mail addresses in its fields, and those given."""
    addresses = [
        text[one.start : one.end]
        for key, text in profile.fields
        for one in identifiers(text, key=key)
        if one.kind == "email"
    ]
    names = [profile.name, *(one for one in me if "@" not in one)]
    addresses += [one for one in me if "@" in one]
    return Person(tuple(dict.fromkeys(names)), tuple(dict.fromkeys(addresses)))
