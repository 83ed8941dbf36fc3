"""Whose questions they are: a profile with its history, or nobody's but for what replies should be like."""

from __future__ import annotations

from dataclasses import dataclass

from app.profiles.profile import HistoryItem, Preference, Profile, ProfileDocument

# What the paper's four preferences (arXiv 2507.04756) are the opposite of.
OPPOSITES = {
    "concise": "Your answer should be as verbose as possible.",
    "creative": "Your answer should be as plain and conventional as possible.",
    "uplifting": "Your answer should be as sober and matter-of-fact as possible.",
    "verbose": "Your answer should be as concise as possible.",
}


@dataclass(frozen=True, repr=False)
class Asker:
    """Who puts a question; `name` tells the cases of one question apart. `history` is oldest first."""

    name: str
    profile: Profile | None
    preferences: tuple[Preference, ...]
    history: tuple[HistoryItem, ...] = ()


def somebody(document: ProfileDocument) -> Asker:
    """The person of a profile file."""
    profile = document.profile
    return Asker(profile.id, profile, profile.preferences, document.history)


def wish(word: str) -> Asker:
    """Nobody in particular who wants answers to be concise, say, as arXiv 2507.04756 words it."""
    wanted = Preference(f"Your answer should be as {word} as possible.", OPPOSITES.get(word, ""))
    return Asker(word, None, (wanted,))


def preferring(preference: Preference) -> Asker:
    """Nobody in particular with a preference; its texts are the name, as results go by it."""
    name = " | ".join(filter(None, (preference.text, preference.opposite)))
    return Asker(name, None, (preference,))
