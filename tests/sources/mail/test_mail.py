"""A mail that the person sent becomes an item of what they wrote in it."""

from __future__ import annotations

import builtins
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.profiles.profile import HistoryItem
from app.sources.found import Found, LeftOut, Person
from app.sources.mail import mail as reader
from app.sources.mail.mail import sent
from app.sources.mail.mail_file import read
from app.sources.refusal import DAMAGED
from sources.made import ANNA, item, left, mail

PATH = Path("mail/boat.eml")


def kept(data: bytes, person: Person = ANNA) -> HistoryItem:
    found = sent(data, PATH, person)
    assert isinstance(found, Found), found
    return found.item


def said(data: bytes, person: Person = ANNA) -> str:
    one = sent(data, PATH, person)
    assert isinstance(one, LeftOut), one
    return one.reason


def test_a_mail_is_its_text_under_its_subject() -> None:
    found = sent(mail(Subject="AW: [EXTERN] Re[2]: Fwd: Grüße vom Boot"), PATH, ANNA)
    assert found == Found(
        HistoryItem(
            "Grüße vom Boot",
            "Dear Bo,\n\nthe boat is in the water.",
            source="mail/boat.eml",
            created_at=datetime(2024, 3, 5, 9, tzinfo=UTC),
        ),
        "boat@example.com",
    )


@pytest.mark.parametrize(
    ("sender", "address", "own"),
    [
        ("anna@example.com", "Anna@Example.com", True),
        ("Anna <anna+boat@example.com>", "anna@example.com", True),
        ("A. Ek <a.n.na@googlemail.com>", "anna@gmail.com", True),
        ("a.nna@example.com", "anna@example.com", False),
        ('"anna@example.com" <bo@example.com>', "anna@example.com", False),
        ("Bo <bo@example.com>", "anna@example.com", False),
        ('"Anna <anna@example.com>" <bo@example.com>', "anna@example.com", False),
        ('"Anna \\" <anna@example.com> <bo@example.com>', "anna@example.com", False),
        ("bo@example.com (anna@example.com)", "anna@example.com", False),
        ("anna@example.com (at home, not anna@work.example)", "anna@example.com", True),
        ("Bo <bo@example.com>, Anna <anna@example.com>", "anna@example.com", False),
        ('"Ek, Anna" <anna@example.com>', "anna@example.com", True),
    ],
)
def test_a_mail_is_the_person_s_by_its_sender_s_address(sender: str, address: str, own: bool) -> None:
    one = sent(mail(sender=sender), PATH, Person(addresses=(address,)))
    assert isinstance(one, Found) == own
    if isinstance(one, LeftOut):
        assert (one.reason, one.broken) == ("mail that somebody else sent", False)


def test_without_an_address_nobody_s_mail_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(mail())
    one = left(read, path, Person(names=("Anna",)))
    assert one.broken
    assert one.reason.endswith("name your address, --me you@example.com")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Auto_Submitted": "auto-replied"}, reader.AUTOMATIC),
        ({"Auto_Submitted": "no"}, ""),
        ({"Precedence": "bulk"}, reader.AUTOMATIC),
        ({"Precedence": "list", "List_Id": "<boats.example.com>"}, ""),
        ({"X_Autoreply": "yes"}, reader.AUTOMATIC),
        ({"Subject": "Automatische Antwort: Boot"}, reader.AUTOMATIC),
        ({"X_Gmail_Labels": "Entwürfe,Wichtig"}, reader.DRAFT),
        ({"X_Gmail_Labels": "Trash,Sent"}, reader.DELETED),
        ({"X_Gmail_Labels": "Sent,Opened"}, ""),
        ({"X_Gmail_Labels": "Spam"}, reader.SPAM),
        ({"X_Spam_Flag": "YES"}, reader.SPAM),
        ({"X_Mozilla_Status": "0009"}, reader.DELETED),
        ({"X_Mozilla_Status": "0001"}, ""),
        ({"X_Unsent": "1"}, reader.DRAFT),
    ],
)
def test_what_the_headers_tell_of_a_mail_counts(headers: dict[str, str], reason: str) -> None:
    one = sent(mail(**headers), PATH, ANNA)
    assert (one.reason if isinstance(one, LeftOut) else "") == reason


def raw(kind: str, body: str, encoding: str = "7bit", **headers: str) -> bytes:
    """A mail written by hand, its body as it goes over the wire."""
    lines = ["From: anna@example.com", f"Content-Type: {kind}", f"Content-Transfer-Encoding: {encoding}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode("latin-1")


@pytest.mark.parametrize(
    ("kind", "body", "encoding", "text"),
    [
        ("text/plain; charset=utf-8", "Zo=C3=AB, at=\r\n last=2E", "quoted-printable", "Zoë, at last."),
        ("text/plain; charset=utf-8", "Wm/Dqw==", "base64", "Zoë"),
        ("text/plain; charset=us-ascii", "Zo\xeb \x96 \x80", "8bit", "Zoë - €"),
        ("text/plain; charset=ansi", "Zo\xeb", "8bit", "Zoë"),
        ("text/plain; charset=iso-8859-1", "Zo\xc3\xab", "8bit", "ZoÃ«"),
        ("text/plain", "Zo\xc3\xab", "8bit", "Zoë"),
        ("text/plain; charset=punycode", "Zo", "7bit", "Zo"),
        ("text/plain; charset=utf-8; format=flowed", "One \r\ntwo.\r\n", "7bit", "One two."),
        ("text/plain; charset=utf-8; format=flowed; delsp=yes", "On \r\ne.\r\n", "7bit", "One."),
        ("text/html; charset=utf-8", "<p>One<br>two", "7bit", "One\ntwo"),
        ("nonsense", "One", "nonsense", "One"),
    ],
)
def test_encodings_are_what_mail_has(kind: str, body: str, encoding: str, text: str) -> None:
    assert kept(raw(kind, body, encoding)).text.replace("–", "-") == text


@pytest.mark.parametrize(
    ("subject", "title"),
    [
        ("=?utf-8?q?Zo=C3=AB?= =?utf-8?q?_now?=", "Zoë now"),
        ("=?nonsense?q?Zoe?=", "Zoe"),
        ("=?utf-8?b?!!!?=", ""),
        ("Zo\xeb", "Zoë"),
        ("Re: R: I: SV: one", "one"),
        ("Real boats", "Real boats"),
        ("", ""),
    ],
)
def test_the_subject_is_decoded(subject: str, title: str) -> None:
    assert kept(raw("text/plain", "x", Subject=subject)).title == title


def test_the_plain_part_is_preferred_and_html_is_read_where_there_is_no_other() -> None:
    both = mail("Plain.\n", html="<p>Rich.</p>")
    assert kept(both).text == "Plain."
    assert kept(mail(" \n", html="<p>Rich.</p>")).text == "Rich."
    assert kept(mail(None, html="<p>Rich.</p>")).text == "Rich."


@pytest.mark.parametrize(
    "below",
    [
        '<div class="gmail_quote"><div class="gmail_attr">On Mon, Mar 4, 2024 at 9:00 AM Bo &lt;bo@x.org&gt; '
        'wrote:<br></div><blockquote class="gmail_quote">When?</blockquote></div>',
        '<div class="moz-cite-prefix">Am 04.03.24 um 09:00 schrieb Bo:<br></div>'
        '<blockquote type="cite">When?</blockquote>',
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Bo</div><div>When?</div>',
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>Von:</b> Bo</p></div><p>When?</p>',
        '<div class="gmail_signature">Anna Ek, nurse</div>',
        '<div id="Signature">Anna Ek, nurse</div>',
        "<div>---------- Forwarded message ---------<br>From: Bo</div><div>When?</div>",
        '<div class="yahoo_quoted"><div>On Monday, Bo wrote:</div><div>When?</div></div>',
        '<div style="display:none">tracked</div>',
    ],
)
def test_quotations_in_html_are_left_out(below: str) -> None:
    assert kept(mail(None, html=f"<div>At ten.<br></div>{below}")).text == "At ten."


def test_answers_within_a_quotation_of_gmail_s_are_kept() -> None:
    html = (
        '<div class="gmail_quote"><div class="gmail_attr">On Mon, Mar 4, 2024 at 9:00 AM Bo '
        '&lt;bo@example.com&gt; wrote:</div><blockquote class="gmail_quote">When?</blockquote>'
        "<div>At ten.</div>"
        '<blockquote class="gmail_quote">Where?</blockquote><div>At the pier.</div></div>'
    )
    assert kept(mail(None, html=html)).text.split() == ["At", "ten.", "At", "the", "pier."]


def parts(kind: str, *inner: str) -> bytes:
    body = "".join(f"--b\r\n{one}\r\n" for one in inner) + "--b--\r\n"
    return raw(f'{kind}; boundary="b"', body)


PLAIN = "Content-Type: text/plain\r\n\r\n{}"


def test_a_text_around_attachments_is_one_and_attachments_are_none() -> None:
    attached = 'Content-Type: text/plain; name="a.txt"\r\nContent-Disposition: attachment\r\n\r\nno'
    named = 'Content-Type: text/plain; name="a.txt"\r\n\r\nno'
    forwarded = "Content-Type: message/rfc822\r\n\r\nFrom: bo@example.com\r\n\r\nno"
    mixed = parts("multipart/mixed", PLAIN.format("One."), attached, named, forwarded, PLAIN.format("Two."))
    assert kept(mixed).text == "One.\nTwo."
    assert kept(parts("multipart/signed", PLAIN.format("One."), PLAIN.format("signature"))).text == "One."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (parts("multipart/report", PLAIN.format("x")), reader.AUTOMATIC),
        (parts("multipart/digest", PLAIN.format("x")), reader.AUTOMATIC),
        (parts("multipart/encrypted", PLAIN.format("x")), reader.ENCRYPTED),
        (raw("application/pkcs7-mime; smime-type=enveloped-data", "x"), reader.ENCRYPTED),
        (raw("text/plain", "-----BEGIN PGP MESSAGE-----\n\nx"), reader.ENCRYPTED),
        (raw("text/calendar", "BEGIN:VCALENDAR"), reader.CALENDAR),
        (
            parts("multipart/alternative", PLAIN.format("x"), "Content-Type: text/calendar\r\n\r\nx"),
            reader.CALENDAR,
        ),
        (mail("> all of it\n"), reader.QUOTED_ONLY),
        (mail(""), reader.QUOTED_ONLY),
        (raw("image/png", "x"), reader.QUOTED_ONLY),
    ],
)
def test_mail_without_words_of_the_person_is_left_out(data: bytes, reason: str) -> None:
    one = sent(data, PATH, ANNA)
    assert one == LeftOut(reason)


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Tue, 05 Mar 2024 10:00:00 -0500", datetime(2024, 3, 5, 15, tzinfo=UTC)),
        ("Tue, 05 Mar 2024 10:00:00 -0000", datetime(2024, 3, 5, 10, tzinfo=UTC)),
        ("5 Mar 24 10:00 GMT", datetime(2024, 3, 5, 10, tzinfo=UTC)),
        ("Thu, 01 Jan 1970 00:00:00 +0000", None),
        ("yesterday", None),
        ("Tue, 99 Mar 2024 10:00:00 +9999", None),
        ("", None),
    ],
)
def test_the_date_is_the_header_s_in_utc(date: str, moment: datetime | None) -> None:
    assert kept(raw("text/plain", "x", Date=date)).created_at == moment


def test_a_mail_without_an_id_is_told_by_its_content() -> None:
    one, same, other = (sent(raw("text/plain", text), PATH, ANNA) for text in ("a", "a", "b"))
    assert isinstance(one, Found)
    assert isinstance(same, Found)
    assert isinstance(other, Found)
    assert one.part == same.part != other.part


def test_mail_in_html_alone_needs_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lxml", None)
    monkeypatch.delitem(sys.modules, "app.sources.documents.html_text", raising=False)
    assert 'pip install "costeer[sources]"' in said(mail(None, html="<p>x"))
    assert kept(mail("Plain.\n", html="<p>x")).text == "Plain."


def test_damage_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(1000))
    assert said(b"From: anna@example.com\n" + nested) == DAMAGED

    def fails(*_: object) -> str:
        raise builtins.AttributeError("secret")

    monkeypatch.setattr(reader, "own_words", fails)
    assert said(mail()) == DAMAGED


def test_apple_mail_s_file_is_the_mail_within(tmp_path: Path) -> None:
    path = tmp_path / "1.emlx"
    data = mail("Hello.\n")
    path.write_bytes(b"%d       \n%s<?xml version='1.0'?><plist>no</plist>" % (len(data), data))
    assert item(read, path).text == "Hello."


def test_a_mail_that_is_too_large_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sources.mail.mail_file.MAX_MAIL", 100)
    path = tmp_path / "a.eml"
    path.write_bytes(mail("x" * 200))
    assert left(read, path).reason == "mail of more than 40 MiB"
