"""Texts in many scripts, and people who have written some."""

from __future__ import annotations

from hypothesis import strategies as st

from app.profiles.disclosure import IDENTIFIERS, LEVELS, Disclosure
from app.profiles.profile import HistoryItem, Hit, Preference, Profile, StoredItem
from app.prompts.message import Message
from app.prompts.private import PrivateContext

SNIPPETS = [
    "anna.ek@example.org",
    "+47 22 85 50 50",
    "https://www.example.com/anna",
    "DE89 3704 0044 0532 0130 00",
    "Elmstraße 12",
    "Isabel Moreno-Díaz",
    "MORENO",
    "the old mill",
    "Жанна Ёлкина",
    "王小明",
    "東京都に住んでいます",
    "김민수",
    "naïve Žižková",
    "12",
    "Marius Solberg",
    "O'Brien",
    "ｶﾞ か\u3099 ½ ㎏ soft\u00adhyphen",
    ". ",
    ", ",
    "\n",
]
ANY = st.text(max_size=30)
TEXTS = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=8), max_size=6).map(" ".join)
NAMES = st.sampled_from(
    ["Isabel Moreno-Díaz", "Dr. Anna Ek", "Жанна Ёлкина", "王小明", "김민수", "Ek, Anna", "Conor O'Brien"]
)
FIELDS = st.dictionaries(
    st.sampled_from(["employer", "city", "email", "phone", "address", "account number", "dream"]),
    TEXTS,
    max_size=4,
).map(lambda fields: tuple(fields.items()))
PROFILES = st.builds(Profile, id=st.just("someone"), name=NAMES | ANY, fields=FIELDS)
ITEMS = st.builds(HistoryItem, TEXTS, TEXTS, request=TEXTS, disclosure=st.sampled_from(LEVELS))
HISTORIES = st.lists(ITEMS, max_size=2).map(
    lambda items: tuple(Hit(StoredItem(n, one), one.text, 0, 0.0) for n, one in enumerate(items, 1))
)
PREFERENCES = st.lists(st.builds(Preference, TEXTS, ANY), max_size=2, unique_by=lambda one: one.text).map(
    tuple
)
PEOPLE = st.builds(PrivateContext, st.none() | PROFILES, HISTORIES, PREFERENCES)
MESSAGES = st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), TEXTS), max_size=3)
CHOICES = st.sampled_from(LEVELS)
DISCLOSURES = st.builds(
    Disclosure,
    CHOICES,
    st.dictionaries(st.sampled_from(IDENTIFIERS), CHOICES).map(lambda chosen: tuple(chosen.items())),
    st.dictionaries(st.sampled_from(["employer", "city", "email", "dream"]), CHOICES).map(
        lambda chosen: tuple(chosen.items())
    ),
)


def wrote(text: str, *, title: str = "", request: str = "", number: int = 1, **level: str) -> Hit:
    item = HistoryItem(title, text, request=request, **level)  # type: ignore[arg-type]
    return Hit(StoredItem(number, item), text, 0, 0.0)


ISABEL = Profile(
    "isabel",
    "Isabel Moreno",
    (("employer", "The Old Mill"), ("email", "isa@example.org"), ("city", "Bergen"), ("dream", "a sloop")),
)
