"""Takes out of a mail's text what its writer wrote: without quotations, forwarded mail and signatures.

By RFC 3676 (quoted lines and the signature's mark) and by what mail programs write in some twenty languages:
the line above a quotation, the divider above a forwarded mail, Outlook's block of headers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.sources.mail.mail_phrases import (
    DIVIDER,
    FORWARDED,
    FROM,
    LIST_FOOTER,
    OPENS,
    SENT,
    SENT_FROM,
    SUBJECT,
    TO,
    WROTE,
)

# The line above a quotation is wrapped to at most so many lines, of so many characters.
WRAPPED = 3
LONGEST = 400
# What the line has beside the verb: an address, a time, a year.
DETAIL = re.compile(r"\S@\S|\d{1,2}[:.h]\d{2}|\b(?:19|20)\d{2}|<\S+>")
ADDRESS = re.compile(r"<\s*\S+@\S+\s*>|\(\S+@\S+\)|\S@\S+\s*:")
WHEN = re.compile(r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d{2}")
# Zoho's has dashes for a colon.
ENDS = re.compile(r"(?:[:\N{FULLWIDTH COLON}]|@.{3,100} wrote(?: -+)?)$")
# Lines that Outlook's block of headers takes at most.
BLOCK = 8
RULE = re.compile(r"[\s_*=—-]{5,}$")
LIST_RULE = re.compile(r"\s*[_-]{2,}\s*$")
PGP_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
PGP_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"


def own_words(text: str) -> str:
    """What the writer of the mail wrote, "" if nothing. Line ends must be line feeds."""
    lines = _above_dividers(_signed(text).replace("\N{NO-BREAK SPACE}", " ").split("\n"))
    # Who answers between the lines of a quotation may have a telephone's signature above that.
    between = any(line.startswith(">") for line in lines)
    return "\n".join(_without_signature(_without_quotations(lines), between=between)).strip()


def unflowed(text: str, *, delete_space: bool) -> str:
    """A text of format=flowed (RFC 3676) with its paragraphs on one line each."""
    out: list[str] = []
    depth = None  # of the line that goes on; None if none does
    for line in text.split("\n"):
        bare = line.lstrip(">")
        quotes = len(line) - len(bare)
        bare = bare.removeprefix(" ")
        if depth == quotes and bare != "-- ":
            out[-1] += bare
        else:
            out.append(f"{'>' * quotes} {bare}" if quotes else bare)
        flows = bare.endswith(" ") and bare != "-- "
        depth = quotes if flows else None
        if flows and delete_space:
            out[-1] = out[-1][:-1]
    return "\n".join(out)


def _signed(text: str) -> str:
    """The text within a signature of PGP (RFC 9580, 7), whose lines that begin with a dash have another."""
    _, begun, rest = text.partition(PGP_SIGNED)
    if not begun:
        return text
    inner = rest.partition(PGP_SIGNATURE)[0].partition("\n\n")[2]
    return "\n".join(line.removeprefix("- ") for line in inner.split("\n"))


def _above_dividers(lines: Sequence[str]) -> list[str]:
    """The lines above the first mail that is quoted or forwarded without marks on its lines."""
    for number, line in enumerate(lines):
        if DIVIDER.fullmatch(line) or FORWARDED.fullmatch(line) or _headers_begin(lines, number):
            kept = list(lines[:number])
            while kept and (not kept[-1].strip() or RULE.match(kept[-1])):
                kept.pop()
            return kept
    return list(lines)


def _headers_begin(lines: Sequence[str], number: int) -> bool:
    """Whether a block of headers begins here, as Outlook and others write it: who and when, in any order, and
    to whom or what about."""
    if not (FROM.match(lines[number]) or SENT.match(lines[number])):
        return False
    block = lines[number : number + BLOCK]
    first, second = (any(name.match(line) for line in block) for name in (FROM, SENT))
    return first and second and any(TO.match(line) or SUBJECT.match(line) for line in block)


def _without_quotations(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    number = 0
    while number < len(lines):
        if lines[number].startswith(">"):
            number += 1
            continue
        taken = _attribution(lines, number)
        if taken:
            number += taken
            if not _quotation_follows(lines, number):
                break  # the quotation has no marks, so it is all that follows
            continue
        kept.append(lines[number])
        number += 1
    return kept


def _attribution(lines: Sequence[str], number: int) -> int:
    """The number of lines that say whom the quotation below is of; 0 if these do not."""
    if not lines[number].strip():
        return 0
    joined = ""
    for count, line in enumerate(lines[number : number + WRAPPED], 1):
        # Gmail wraps an address behind its <, too.
        within = line.startswith(">") and joined.count("<") > joined.count(">")
        if not line.strip() or (line.startswith(">") and not within):
            return 0
        joined = f"{joined} {line.strip()}".strip()
        if len(joined) > LONGEST:
            return 0
        if count > 1 and not _goes_on(lines[number], line):
            return 0
        if ENDS.search(joined):
            detailed = DETAIL.search(joined) or _quotation_follows(lines, number + count)
            names = WROTE.search(joined) and detailed
            # There is no verb in some languages, and in Yandex's and Yahoo's lines.
            dated = ADDRESS.search(joined) and WHEN.search(joined)
            return count if names or dated else 0
    return 0


def _goes_on(first: str, line: str) -> bool:
    """Whether a line may be wrapped into another; a sentence that stands above an attribution is none."""
    begins = OPENS.match(first) or WHEN.search(first)
    return bool(begins) and not first.rstrip().endswith((".", "!", "?")) and not OPENS.match(line)


def _quotation_follows(lines: Sequence[str], number: int) -> bool:
    following = next((line for line in lines[number : number + BLOCK] if line.strip()), "")
    return following.startswith(">")


def _without_signature(lines: Sequence[str], *, between: bool) -> list[str]:
    """The lines above a signature. Below a telephone's there is a quotation without marks, if anything,
    unless what is quoted has marks, and the writer has answered `between` its lines."""
    kept = list(lines)
    for number, line in enumerate(lines):
        telephone = not between and SENT_FROM.fullmatch(line) and number and not lines[number - 1].strip()
        if line in {"-- ", "--"} or telephone or _list_begins(lines, number):
            kept = kept[:number]
            break
    while kept and (not kept[-1].strip() or SENT_FROM.fullmatch(kept[-1]) or RULE.match(kept[-1])):
        kept.pop()
    return kept


def _list_begins(lines: Sequence[str], number: int) -> bool:
    """Whether the footer of a mailing list begins here."""
    return bool(LIST_RULE.match(lines[number])) and any(
        LIST_FOOTER.search(line) for line in lines[number + 1 : number + 4]
    )
