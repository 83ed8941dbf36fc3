"""An mbox is read as a stream: the person's mails, each once, and what is left out by reason."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sources.found import Found, LeftOut, Person
from app.sources.mail import mbox
from app.sources.mail.mbox import looks_like, read
from sources.made import ANNA, left, mail

LINES = [
    "From anna@example.com Tue Mar  5 10:00:00 2024",
    "From - Tue Mar 05 10:00:00 2024",
    "From - ",
    "From 182625943453455425@xxx Tue Mar 11 01:31:25 +0000 2025",
    "From ???@??? Tue Mar 05 10:00:00 2024",
    'From "Anna Ek" <anna@example.com> Tue Mar  5 10:00:00 2024',
    "From ",
]


def numbered(number: int, text: str = "", sender: str = "anna@example.com") -> bytes:
    return mail(text or f"Mail {number}.\n", sender=sender, Message_ID=f"<{number}@example.com>")


def written(folder: Path, *mails: bytes, line: str = LINES[0]) -> Path:
    path = folder / "Sent"
    path.write_bytes(b"".join(line.encode() + b"\n" + one + b"\n" for one in mails))
    return path


def results(path: Path, person: Person = ANNA) -> tuple[list[str], dict[str, int]]:
    found = list(read(path, person))
    reasons = Counter({one.reason: one.count for one in found if isinstance(one, LeftOut)})
    return [one.item.text for one in found if isinstance(one, Found)], dict(reasons)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_lines_that_programs_begin_a_mail_with_are_known(tmp_path: Path, line: str, ends: str) -> None:
    path = written(tmp_path, numbered(1), numbered(2), line=line)
    path.write_bytes(path.read_bytes().replace(b"\n", ends.encode()))
    assert looks_like(path)
    assert results(path) == (["Mail 1.", "Mail 2."], {})


def test_a_line_of_the_text_begins_no_mail(tmp_path: Path) -> None:
    text = (
        "From what I hear, at 10:00\nthey sail.\n\n>From here on: yes\n>>From there\n\nFrom 1 to 2\nBo: x\n"
    )
    found, _ = results(written(tmp_path, numbered(1, text), numbered(2)))
    assert found == [
        "From what I hear, at 10:00\nthey sail.\n\nFrom here on: yes\n\nFrom 1 to 2\nBo: x",
        "Mail 2.",
    ]


def test_each_mail_is_found_once_and_the_others_are_counted(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        numbered(1),
        numbered(2, sender="bo@example.com"),
        numbered(1),
        numbered(3, "> quoted\n"),
        numbered(4, sender="bo@example.com"),
        b"\n",
        b"Nonsense\n",
        numbered(5),
    )
    assert results(path) == (
        ["Mail 1.", "Mail 5."],
        {
            "mail that somebody else sent": 2,
            "the same mail again": 1,
            "mail with nothing of yours but a quotation or a signature": 1,
        },
    )
    assert [one.part for one in read(path, ANNA) if isinstance(one, Found)] == [
        "1@example.com",
        "5@example.com",
    ]


def test_what_is_no_mbox_says_so(tmp_path: Path) -> None:
    for data in (b"Dear Bo,\n", b"\0" * 10, b"From x\n"):
        (tmp_path / "a").write_bytes(data)
        assert left(read, tmp_path / "a").reason == "no mail in it"
        assert not looks_like(tmp_path / "a")
    assert left(read, written(tmp_path, numbered(1)), Person()).broken


def test_a_mail_that_is_too_large_is_left_out_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mbox, "MAX_MAIL", 2000)
    monkeypatch.setattr(mbox, "MAX_HEAD", 1000)
    endless = b"From: anna@example.com\n" + b"X: y\n" * 1000
    path = written(tmp_path, numbered(1, "x" * 5000), endless, numbered(2), b"X: " + b"y" * 200_000)
    found, reasons = results(path)
    assert found == ["Mail 2."]
    assert list(reasons.values()) == [1, 2]


def mails(count: int) -> Iterator[bytes]:
    attachment = b"A" * 76 + b"\n"
    for number in range(count):
        sender = "anna@example.com" if number % 4 == 0 else "bo@example.com"
        yield numbered(number, sender=sender) + attachment * 100


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = written(tmp_path, *mails(count))
        tracemalloc.start()
        assert sum(isinstance(one, Found) for one in read(path, ANNA)) == count / 4
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(8)
    assert peak(800) < peak(80) + 500_000
