"""Finds what identifies a person in a text: names, addresses, telephone and other numbers.

Whether an address or a number exists is of no matter here: one that does not still tells who wrote it. So all
that looks like one is found, by patterns that take time linear in the text's length, and nothing is validated
but where digits or capitals alone would be too many: telephone numbers by libphonenumber, IBANs and card
numbers by their check digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice

from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberMatcher,
    format_number,
    is_valid_number,
    national_significant_number,
    parse,
    region_code_for_number,
)

from app.disclosure.names import name_pieces
from app.disclosure.words import Piece, Run, content, pieces, spaced, words
from app.profiles.disclosure import Disclosure, Identifier, Level
from app.profiles.folding import folded

# Every repetition is bounded, or begins where no character of its own stands before.
EMAIL = re.compile(r"(?<![\w.+-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
URL = re.compile(
    r"(?:https?://|\bwww\.)[^\s<>\"]+"
    r"|(?<![\w@.-])(?:[\w-]{1,63}\.){1,5}"
    r"(?:com|org|net|edu|gov|info|dev|app|blog|io|me|eu|uk|us|ca|au|nz|ie|de|at|ch|fr|es|it|pt|nl|be|dk|no|se"
    r"|fi|pl|cz|ru|ua|jp|cn|kr|in|br)\b(?!\.\w|@)(?:/[^\s<>\"]*)?",
    re.IGNORECASE,
)
URL_START = {"http", "https", "www"}
URL_END = ".,;:!?)]}'»”\u2019…"
# From six digits on, in groups: with a + or 00 in front, or as North Americans write them.
PHONE = re.compile(r"(?<![\w+])(?:\+|00)(?:[ ().\-/]{0,2}\d){6,15}(?!\d)")
AMERICAN = re.compile(r"(?<!\w)(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w)")
IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
CARD = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?!\w)")
STREETS = (
    "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Way|Court|Ct|Place|Pl|Square|Sq|Boulevard|Blvd|Terrace"
)
CAPITAL = r"[A-ZÀ-ÞĀ-ŽА-ЯІЇЄҐ][\w'\u2019-]{0,30}"
TOWN = rf"(?:,?\s{{1,2}}\d{{4,6}} {CAPITAL})?"
ADDRESSES = [
    # 12 Main Street, and what may follow: a town, a state, a postcode.
    rf"(?<!\w)\d{{1,5}}[A-Za-z]? (?:{CAPITAL} ){{1,4}}(?:{STREETS}|Close|Crescent|Gardens)\b\.?"
    rf"(?:,?\s{{1,2}}(?:{CAPITAL},? ){{0,3}}(?:[A-Z]{{2}} \d{{5}}|[A-Z]{{1,2}}\d[A-Z\d]? \d[A-Z]{{2}})\b)?",
    # Elmstraße 12; Storgata 12, 0315 Oslo; Kungs gatan 12
    r"(?<!\w)[^\W\d_][\w-]{1,40}(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee|gat[ae]n?|v[aä]gen|veien|vei|vej"
    rf"|gade|straat|laan|plein) \d{{1,4}} ?[a-zA-Z]?\b{TOWN}",
    rf"(?<!\w){CAPITAL} (?:gat[ae]n?|vei|vej|väg|Straße|Weg|Allee|Platz) \d{{1,4}} ?[a-zA-Z]?\b{TOWN}",
    # 12, rue de la Paix, 75002 Paris
    r"(?<!\w)\d{1,4},? (?:bis |ter )?(?i:rue|avenue|av\.|boulevard|bd|place|chemin|quai|impasse|allée)"
    rf"(?: (?:d[eu]s?|l[ae]s?|[ld]['\u2019]\w{{1,30}}|{CAPITAL})){{1,5}}{TOWN}",
    # Calle Mayor 12; Via Roma, 12; ul. Długa 5; ул. Ленина, д. 5
    r"(?<!\w)(?i:calle|avenida|plaza|paseo|via|viale|piazza|corso|rua|travessa|ul\.|ulica|улица|ул\.|вулиця)"
    rf"(?: (?:d[aeio]\w{{0,3}}|las?|los|el|{CAPITAL})){{1,4}},? (?:n[º.°] ?|д\. ?)?\d{{1,4}}\b{TOWN}",
]
ADDRESS = [re.compile(pattern) for pattern in ADDRESSES]
# In fields whose key says what they hold.
DIGITS = re.compile(r"(?<![\w+])(?:\+|\()?\d(?:[ ().\-/]{0,2}\d){4,24}(?!\w)")
NUMBER = re.compile(r"(?<!\w)[A-Za-z]{0,3}[ -]?\d(?:[ ./-]?\d|[A-Za-z](?=\d)){4,40}[A-Za-z]?(?!\w)")
PHONE_KEYS = ("phone", "mobile", "telefon", "handy", "fax", "whatsapp", "cellular")
NUMBER_KEYS = ("number", "account", "passport", "insurance", "social security", "licence", "license", "iban")
ADDRESS_KEYS = ("address", "adresse", "anschrift", "direccion", "indirizzo", "postcode", "zip code")
# Keys that are a word by themselves, as they are within others: tel in hotel, id in video.
PHONE_WORDS, NUMBER_WORDS = {"tel", "cell"}, {"id", "ssn", "card", "tax", "vat", "member", "customer", "bank"}
NOT_POSTAL = {"email", "mail", "e", "web", "ip", "mac", "url", "form"}
# What may stand between two words of one name.
WITHIN_NAME = re.compile(r"[\s.,'\u2019\-·]{0,3}")


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """An identifier of a text: where it starts and ends there. `named`: the person's name is in it, as in
    many an e-mail address."""

    kind: Identifier
    start: int
    end: int
    named: bool = False

    def __repr__(self) -> str:
        return f"Found({self.kind}, {self.end - self.start} characters)"


def identifiers(text: str, *, key: str = "", name: str = "", regions: Sequence[str] = ()) -> list[Found]:
    """The identifiers in a text, in order; none overlaps another.

    `key` is the field's, if the text is a field's value: it may say what the value is. `name` is the name of
    the person. `regions` are countries, as "NO", whose telephone numbers are found without their +47.
    """
    found = [
        *(Found("email", *one.span()) for one in EMAIL.finditer(text)),
        *(Found("url", one.start(), one.start() + len(one[0].rstrip(URL_END))) for one in URL.finditer(text)),
        *_phones(text, regions),
        *_numbers(text),
        *(Found("address", *one.span()) for pattern in ADDRESS for one in pattern.finditer(text)),
        *_said_by_key(text, key),
        *_names(text, name),
    ]
    return _apart([one for one in found if one.start < one.end])


def alone(text: str, found: Found) -> bool:
    """Whether an identifier is all that a text says."""
    return not words(text[: found.start]) and not words(text[found.end :])


def level_of(found: Found, within: Level, disclosure: Disclosure, *, alone: bool) -> Level:
    """The level of an identifier that stands within a field or text of level `within`. With a name that is
    off, what has the name in it is off too."""
    named = found.named and disclosure.of_identifier("name", within, alone=alone) == "off"
    return "off" if named else disclosure.of_identifier(found.kind, within, alone=alone)


def regions(texts: Iterable[str]) -> tuple[str, ...]:
    """The countries, as "NO", of the telephone numbers with +47 and the like in some texts."""
    numbers = [number for text in texts for one in PHONE.finditer(text) if (number := _parsed(one[0], ()))]
    return tuple(dict.fromkeys(code for one in numbers if (code := region_code_for_number(one))))


def spellings(text: str, kind: Identifier, regions: Sequence[str] = ()) -> list[Run]:
    """The ways in which an identifier may be said, as words: as it stands, without what all URLs begin with,
    digits in one word, a telephone number with and without its country."""
    run = words(text)
    if kind == "url":
        return [tuple(dropwhile(lambda word: word in URL_START, run))]
    found = [tuple(run)]
    if kind in ("phone", "number"):
        found.append(tuple(words("".join(one for one in text if one.isalnum()))))
    number = _parsed(text, regions) if kind == "phone" else None
    if number is not None:
        forms = PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164
        found += [tuple(words(format_number(number, form))) for form in forms]
        found.append((national_significant_number(number),))
    return [one for one in dict.fromkeys(found) if one]


def _parsed(text: str, regions: Sequence[str]) -> PhoneNumber | None:
    """The valid telephone number that a text is, if it is one."""
    for region in (None, *regions):
        try:
            number = parse(re.sub(r"^00", "+", text), region)
        except NumberParseException:
            continue
        if is_valid_number(number):
            return number
    return None


def _phones(text: str, regions: Sequence[str]) -> Iterator[Found]:
    for pattern in (PHONE, AMERICAN):
        yield from (Found("phone", *one.span()) for one in pattern.finditer(text))
    for one in DIGITS.finditer(text) if regions else ():
        for region in regions:
            for match in PhoneNumberMatcher(one[0], region):
                yield Found("phone", one.start() + match.start, one.start() + match.end)


def _numbers(text: str) -> Iterator[Found]:
    for one in IBAN.finditer(text):
        # Words in capitals may follow; the number ends where its check digits say.
        ends = (place for place in range(len(one[0]), 14, -1) if _iban(one[0][:place].replace(" ", "")))
        for end in islice(ends, 1):
            yield Found("number", one.start(), one.start() + len(one[0][:end].rstrip()))
    for one in CARD.finditer(text):
        if _luhn([int(digit) for digit in one[0] if digit.isdecimal()]):
            yield Found("number", *one.span())


def _iban(code: str) -> bool:
    """ISO 7064, mod 97-10: the first four characters last, and letters from A = 10 on."""
    return len(code) > 14 and int("".join(str(int(one, 36)) for one in code[4:] + code[:4])) % 97 == 1


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _said_by_key(text: str, key: str) -> Iterator[Found]:
    """What the key of a field says that its value is."""
    plain, parts = folded(key), set(words(key.replace("_", " ")))
    if any(one in plain for one in PHONE_KEYS) or parts & PHONE_WORDS:
        yield from (Found("phone", *one.span()) for one in DIGITS.finditer(text))
    elif any(one in plain for one in NUMBER_KEYS) or parts & NUMBER_WORDS:
        yield from (Found("number", *one.span()) for one in NUMBER.finditer(text))
    elif any(one in plain for one in ADDRESS_KEYS) and not parts & NOT_POSTAL:
        start = len(text) - len(text.lstrip())
        yield Found("address", start, start + len(text.strip()))


def _names(text: str, name: str) -> Iterator[Found]:
    """The person's name and parts of it; neighbours as one. In scripts without spaces a character that does
    not begin a part of the name counts beside another of its characters only."""
    parts = name_pieces(name)
    alone = {word for one in parts if one.alone for word in one.words}
    known = alone | {word for one in parts if one.goes_on for word in one.words}
    run: list[Piece] = []
    for one in pieces(text) if known else ():
        # A name that is a function word too counts with a capital only.
        upper = text[one.start].isupper()
        telling = any(word in known and (upper or not spaced(word) or content(word)) for word in one.words)
        if not telling:
            continue
        if run and not WITHIN_NAME.fullmatch(text, run[-1].end, one.start):
            yield from _named(run, alone)
            run = []
        run.append(one)
    yield from _named(run, alone)


def _named(run: list[Piece], alone: set[str]) -> Iterator[Found]:
    if len(run) > 1 or any(not alone.isdisjoint(one.words) for one in run):
        yield Found("name", run[0].start, run[-1].end, named=True)


def _apart(found: list[Found]) -> list[Found]:
    """What overlaps as one, of the longest one's kind: so nothing of any is left."""
    apart: list[Found] = []
    longest = 0
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not apart or one.start >= apart[-1].end:
            apart.append(one)
            longest = one.end - one.start
            continue
        last = apart[-1]
        kind = one.kind if one.end - one.start > longest else last.kind
        longest = max(longest, one.end - one.start)
        apart[-1] = Found(kind, last.start, max(last.end, one.end), last.named or one.named)
    return apart
