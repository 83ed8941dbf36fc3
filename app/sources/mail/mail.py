"""Takes a mail that the person sent (RFC 5322, MIME) as an item: what they wrote in it, under its subject."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email import message_from_bytes
from email.header import Header, decode_header
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path

from app.profiles.plain_text import unified
from app.profiles.profile import MAX_TEXT
from app.sources.documents.document import TOO_LONG, document, one_line
from app.sources.found import Found, LeftOut, Person
from app.sources.mail.mail_phrases import AWAY, DRAFT_LABELS, SPAM_LABELS, SUBJECT_PREFIX, TRASH_LABELS
from app.sources.mail.quoted import own_words, unflowed
from app.sources.refusal import DAMAGED, NOT_INSTALLED, Refused

# Bytes of a mail with its attachments. Providers allow 25 MB, a third more as it is sent.
MAX_MAIL = 40 * 2**20
# Parts of a mail, each with a line that may end it: with every part every line takes longer to read.
MAX_PARTS = 100
MAX_DEPTH = 20
# Characters of a header that are read, and of the one that says who sent it.
MAX_HEADER = 5000
MAX_SENDER = 500
MAX_ID = 250
OTHERS = LeftOut("mail that somebody else sent")
UNKNOWN = LeftOut(
    "mail, and which of it is yours is not known: name your address, --me you@example.com",
    broken=True,
    who=True,
)
AUTOMATIC = "mail that a program sent: an answer in absence, a report, a digest"
CALENDAR = "an invitation, or an answer to one"
ENCRYPTED = "encrypted mail"
DELETED = "mail that was deleted"
DRAFT = "a draft that was not sent"
SPAM = "spam"
QUOTED_ONLY = "mail with nothing of yours but a quotation or a signature"
LARGE = f"mail of more than {MAX_MAIL // 2**20} MiB"

BRACKETED = re.compile(r"<\s*([^<>\s]+@[^<>\s]+)\s*>")
NAMES = re.compile(r'"(?:[^"\\]|\\.)*(?:"|$)|\([^()]*\)')
BARE = re.compile(r"[^\s<>\"(),:;]+@[^\s<>\"(),:;]+")
LABELS = {DRAFT: DRAFT_LABELS, DELETED: TRASH_LABELS, SPAM: SPAM_LABELS}
# Thunderbird keeps what is deleted until it compacts the folder.
EXPUNGED = 0x0008
# As browsers read them, since programs write the one and mean the other (https://encoding.spec.whatwg.org).
CHARSETS = {
    **dict.fromkeys(("ascii", "us-ascii", "iso8859-1", "latin-1"), "cp1252"),
    **{"iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"},
}
# Codecs that are no charsets of text; some take the square of the time.
NO_CHARSETS = {
    "punycode",
    "idna",
    "unicode-escape",
    "raw-unicode-escape",
    "unicode_escape",
    "undefined",
    "mbcs",
}


def judged(head: Message, person: Person) -> LeftOut | None:
    """Why a mail with these headers is left out; None if it may be one that the person sent."""
    senders = _addresses(_raw(head, "From")[:MAX_SENDER])
    if not senders or not senders <= {_plain(address) for address in person.addresses}:
        return OTHERS
    reason = _flagged(head) or _automatic(head)
    return LeftOut(reason) if reason else None


def sent(data: bytes, path: Path, person: Person) -> Found | LeftOut:
    """The mail's text if the person sent it. Never raises; its part is the Message-ID, or a hash."""
    if data.lower().count(b"boundary") > MAX_PARTS:
        return LeftOut(DAMAGED, broken=True)
    try:
        message = message_from_bytes(data)
        left = judged(message, person)
        return left or _found(message, data, path)
    except Refused as refused:
        return refused.left
    except Exception:  # whatever the parser comes upon
        return LeftOut(DAMAGED, broken=True)


def _found(message: Message, data: bytes, path: Path) -> Found | LeftOut:
    text = own_words(unified(_body(message)))
    if not text:
        return LeftOut(QUOTED_ONLY)
    subject = _subject(_decoded_header(message, "Subject"))
    part = one_line(_raw(message, "Message-ID")).strip("<> ")
    if not part or len(part) > MAX_ID:
        part = hashlib.sha256(data).hexdigest()[:32]
    return document(path, text, title=subject, created_at=_date(message), part=part)


def _flagged(head: Message) -> str:
    """The reason by what a mail program has noted in the headers; "" if there is none."""
    labels = {one.strip(' "').lower() for one in _decoded_header(head, "X-Gmail-Labels").split(",")}
    for reason, names in LABELS.items():
        if labels & names:
            return reason
    with suppress(ValueError):
        if int(_raw(head, "X-Mozilla-Status")[:8] or "0", 16) & EXPUNGED:
            return DELETED
    if _raw(head, "X-Unsent").strip() == "1":
        return DRAFT
    spam = (_raw(head, "X-Spam-Flag"), _raw(head, "X-Spam-Status"))
    return SPAM if any(flag.strip().lower().startswith("yes") for flag in spam) else ""


def _automatic(head: Message) -> str:
    kind = head.get_content_type()
    if kind == "text/calendar":
        return CALENDAR
    if kind == "multipart/encrypted" or (
        kind.endswith("pkcs7-mime") and "signed" not in _raw(head, "Content-Type")
    ):
        return ENCRYPTED
    sent_by_itself = _raw(head, "Auto-Submitted").strip().lower()
    by_program = (
        (sent_by_itself and not sent_by_itself.startswith("no"))
        or _raw(head, "Precedence").strip().lower() in {"bulk", "junk", "auto_reply"}
        or any(head.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Reply"))
        or kind in {"multipart/report", "multipart/digest"}
        or AWAY.match(_decoded_header(head, "Subject"))
    )
    return AUTOMATIC if by_program else ""


def _addresses(header: str) -> set[str]:
    """Those in angle brackets, so that a name with an @ is none; without brackets all. What is in quotation
    marks or a comment is a name, whatever it looks like."""
    header = NAMES.sub(" ", header)
    return {_plain(address) for address in BRACKETED.findall(header) or BARE.findall(header)}


def _plain(address: str) -> str:
    """The mailbox that an address leads to: what stands behind a plus, and Gmail's dots, make no other."""
    name, _, domain = address.strip().casefold().rpartition("@")
    name = name.partition("+")[0] or name
    if domain in {"gmail.com", "googlemail.com"}:
        name, domain = name.replace(".", ""), "gmail.com"
    return f"{name}@{domain}"


def _raw(message: Message, name: str) -> str:
    return str(message.get(name, ""))[:MAX_HEADER]


def _decoded_header(message: Message, name: str) -> str:
    """The header's text with its encoded words (RFC 2047), and bytes without any, decoded."""
    raw: object = message.get(name, "")  # a Header where bytes are no ASCII
    if not isinstance(raw, Header):
        raw = str(raw)[:MAX_HEADER]
    try:
        parts = decode_header(raw)
    except Exception:  # a word that is encoded wrongly
        return str(raw)
    return "".join(
        text if isinstance(text, str) else _text(text, charset or "utf-8") for text, charset in parts
    )


def _text(data: bytes, charset: str) -> str:
    """Decodes by the charset that is named, else as UTF-8, else as Windows-1252."""
    with suppress(LookupError, ValueError):
        name = codecs.lookup(charset).name
        name = CHARSETS.get(name, name)
        if name not in NO_CHARSETS:
            return data.decode(name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _subject(subject: str) -> str:
    """Without the marks of answers and forwarded mail."""
    subject = one_line(subject)
    while found := SUBJECT_PREFIX.match(subject):
        subject = subject[found.end() :]
    return subject


def _date(message: Message) -> datetime | None:
    with suppress(TypeError, ValueError, OverflowError, IndexError):
        return parsedate_to_datetime(_raw(message, "Date"))
    return None


def _body(message: Message) -> str:
    """The mail's text: its plain parts, else its HTML as text."""
    parts = list(_texts(message, 0))
    text = "\n".join(text for kind, text in parts if kind == "plain")
    if not text.strip():
        text = "\n".join(_from_html(text) for kind, text in parts if kind == "html")
    if "-----BEGIN PGP MESSAGE-----" in text:
        raise Refused(ENCRYPTED, broken=False)
    return text


def _texts(part: Message, depth: int) -> Iterator[tuple[str, str]]:
    """The parts that are the mail itself, each as "plain" or "html" and its text: no attachments, and nothing
    of mails that lie within."""
    kind = part.get_content_type()
    if depth > MAX_DEPTH or part.get_content_disposition() == "attachment":
        return
    inner = part.get_payload()
    if kind.startswith("multipart/") and isinstance(inner, list):
        yield from _of_parts(kind, [one for one in inner if isinstance(one, Message)], depth)
    elif kind == "text/calendar":
        raise Refused(CALENDAR, broken=False)
    elif kind == "text/vnd.google.email-reaction+json":
        raise Refused(AUTOMATIC, broken=False)
    elif kind in {"text/plain", "text/html"} and not part.get_filename():
        yield kind.removeprefix("text/"), _payload(part, plain=kind == "text/plain")


def _of_parts(kind: str, parts: list[Message], depth: int) -> Iterator[tuple[str, str]]:
    if kind in {"multipart/related", "multipart/signed"}:  # one text, and what it shows or is signed by
        parts = parts[:1]
    texts = [text for one in parts for text in _texts(one, depth + 1)]
    if kind == "multipart/alternative" and any(one == "plain" and text.strip() for one, text in texts):
        texts = [(one, text) for one, text in texts if one == "plain"]
    yield from texts


def _payload(part: Message, *, plain: bool) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    if len(data) > 4 * MAX_TEXT:
        raise Refused(TOO_LONG.reason)
    text = _text(data, str(part.get_content_charset() or "utf-8"))
    if plain and str(part.get_param("format", "")).lower() == "flowed":
        delete = str(part.get_param("delsp", "")).lower() == "yes"
        return unflowed(unified(text), delete_space=delete)
    return text


def _from_html(html: str) -> str:
    try:
        from app.sources.documents.html_text import mail_text  # noqa: PLC0415  # lxml need not be installed
    except ImportError:
        raise Refused(f"mail in HTML alone; {NOT_INSTALLED}") from None
    return mail_text(html)
