"""Placeholders: constant texts, the same for everybody, in place of values on the remote's side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from app.disclosure.words import content, pieces, spaced, words
from app.profiles.disclosure import Identifier

# The first is what the device writes; the remote may write the others by itself.
KINDS: dict[Identifier, tuple[str, ...]] = {
    "name": ("[Your name]", "[Your full name]"),
    "email": ("[Your email address]", "[Your email]"),
    "phone": ("[Your phone number]", "[Your phone]", "[Your telephone number]"),
    "address": ("[Your address]",),
    "number": ("[Your account number]",),
    "url": ("[Your website]",),
}
FIRST_NAME, LAST_NAME = "[Your first name]", "[Your last name]"
# Fields that many people have: of these the remote may know that they are what is meant. Of a field that its
# person has named, the name is private too.
COMMON = """
age, birthday, birth date, birthplace, city, city of birth, class, club, college, company, company name,
country, course, date of birth, degree, department, diet, doctor, education, employer, ethnicity, faith,
family, field, gender, grade, hobby, hobbies, home town, hometown, husband, industry, interests, job, job
title, language, languages, location, major, manager, marital status, mother tongue, nationality,
neighbourhood, neighborhood, nickname, occupation, organisation, organization, partner, party, pet, place of
birth, place of work, position, profession, pronouns, region, religion, role, salary, school, spouse, state,
street, subject, supervisor, team, title, town, trade, university, wife, workplace, years     of experience
"""
SCHEMES = {"http", "https", "www"}  # in front of many an address
LABELS = frozenset(" ".join(label.split()) for label in COMMON.split(","))


@dataclass(frozen=True, slots=True, repr=False)
class Placeholder:
    """What the remote is told in place of a value."""

    text: str
    value: str

    def __repr__(self) -> str:
        return f"Placeholder({self.text!r})"


class Placeholders:
    """Gathers placeholders. `fills`: for the folded word that begins a value, what is said instead."""

    def __init__(self) -> None:
        self.fills: dict[str, Placeholder] = {}
        self._made: dict[tuple[str, str], Placeholder] = {}
        self._values: Counter[str] = Counter()

    def every(self) -> tuple[Placeholder, ...]:
        """All of them, in the order in which they were made; no two have one text."""
        return tuple(self._made.values())

    def add(self, text: str, value: str) -> Placeholder:
        """The placeholder for a value. A second value for one text gets a number: "[Your email 2]"."""
        value = value.strip()
        if (made := self._made.get((text, value))) is not None:
            return made
        self._values[text] += 1
        number = self._values[text]
        numbered = text if number == 1 else f"{text[:-1]} {number}]"
        made = self._made[text, value] = Placeholder(numbered, value)
        return made

    def fill(self, text: str, value: str, *, name: bool = False) -> Placeholder:
        """Adds a placeholder that is written where the value begins: at its first word of content, of three
        letters or digits. Words in front of that are said without help, so then the rest alone is written.

        Characters of scripts without spaces begin too many words, so they begin a `name` at most.
        """
        whole = self.add(text, value)
        value, leading = whole.value, False
        for one in pieces(value):
            if one.words[0] in SCHEMES:
                leading = True
                continue
            if all(content(word) and (len(word) > 2 or (name and not spaced(word))) for word in one.words):
                rest = f"[Rest of {text[1].lower()}{text[2:]}"
                self.fills.setdefault(one.words[0], self.add(rest, value[one.start :]) if leading else whole)
                break
            leading = True
        return whole


def of_field(key: str, number: int) -> tuple[str, bool]:
    """The placeholder for a field, the `number`th that has none of its own, and whether it is one of
    those that many people have."""
    label = " ".join(words(key.replace("_", " ")))
    known = label in LABELS
    return (f"[Your {label}]" if known else f"[Detail {number}]"), known
