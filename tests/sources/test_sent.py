"""Files that were sent: known again by what they say, and read under a name that leads nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.origin import Known, Origin, content_hash
from app.profiles.profile import HistoryItem
from app.sources import sent as module
from app.sources.found import LeftOut
from app.sources.sent import SentFile, Step, hashes, label_of, leaf, read_sent, refusal
from sources.made import ANNA, docx, mail, paragraph


def sent(folder: Path, label: str, content: bytes | str) -> SentFile:
    path = folder / leaf(label_of(label))
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return SentFile(label_of(label), path)


def steps(one: SentFile, known: set[str] | None = None) -> list[Step]:
    return list(read_sent(one, ANNA, None, set() if known is None else known))


def item(one: SentFile) -> HistoryItem:
    (step,) = steps(one)
    (new,) = step.new
    return new.item


@given(st.text())
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    made = leaf(label_of(name))
    assert PurePosixPath(made).name == made and made not in {"", ".", ".."}
    assert not made.startswith(".") and len(made.encode()) < 255
    assert "\0" not in made and "\\" not in made and ":" not in made


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..", "file"),
        ("", "without a name"),
        ("C:\\notes\\a.txt", "a.txt"),
        ("a\0b.md", "ab.md"),
        ("a:b?.md", "a_b_.md"),
        ("2024-05-01.md", "2024-05-01.md"),
        ("Chat WhatsApp con José.txt", "Chat WhatsApp con José.txt"),
        ("x" * 500 + ".docx", "x" * 60 + ".docx"),
        (".htaccess", "htaccess"),
        ("\N{CJK UNIFIED IDEOGRAPH-4E00}" * 70 + ".docx", "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 45 + ".docx"),
        ("\U00020000" * 70 + "." + "\U00020000" * 12, "\U00020000" * 22 + "." + "\U00020000" * 12),
        ("x." + "y" * 100, "x." + "y" * 58),
    ],
)
def test_a_name_keeps_what_readers_take_of_it(name: str, made: str) -> None:
    assert leaf(label_of(name)) == made


def test_an_item_is_called_by_the_name_that_the_person_gave(tmp_path: Path) -> None:
    one = item(sent(tmp_path, "Letters/What? A: letter*.txt", "Dear Ruth."))
    assert (one.title, one.source) == ("What? A: letter*", "Letters/What? A: letter*.txt")
    docx(tmp_path / "Report.docx", paragraph("A title", "Heading1") + paragraph("It rained."))
    assert item(SentFile("Report.docx", tmp_path / "Report.docx")).title == "A title"
    assert item(sent(tmp_path, "2024-05-01.md", "It rained.")).created_at is not None


def test_what_is_stored_is_known_by_what_it_says_or_said(tmp_path: Path) -> None:
    one = sent(tmp_path, "a.txt", "Dear Ruth.")
    known: set[str] = set()
    (first,) = steps(one, known)
    (second,) = steps(one, known)
    assert (len(first.new), first.known, len(second.new), second.known) == (1, 0, 0, 1)
    (new,) = first.new
    assert new.origin.file == new.origin.part == ""
    corrected = Known(1, Origin(read=new.origin.read), content_hash(HistoryItem("a", "By hand.")))
    (third,) = steps(one, hashes([corrected]))
    assert third.known == 1
    (fourth,) = steps(sent(tmp_path, "b.txt", "Dear Ruth."), hashes([corrected]))  # called otherwise alone
    assert fourth.known == 1


def test_a_long_file_comes_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(json.dumps({"text": f"Text {number}."}) + "\n" for number in range(2500))
    one = sent(tmp_path, "many.jsonl", lines)
    assert [len(step.new) for step in read_sent(one, ANNA, None, set(), lambda: 0)] == [1000, 1000, 500]
    ticks: Iterator[int] = count()
    short = read_sent(one, ANNA, None, set(), lambda: next(ticks))
    assert sum(len(step.new) for step in short) == 2500
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 20)
    assert max(len(step.new) for step in read_sent(one, ANNA, None, set(), lambda: 0)) <= 3


def test_a_level_is_for_items_that_do_not_say_theirs(tmp_path: Path) -> None:
    lines = '{"text": "One."}\n{"text": "Two.", "disclosure": "off"}\n'
    one = sent(tmp_path, "a.jsonl", lines)
    (step,) = read_sent(one, ANNA, "shape", set())
    assert [new.item.disclosure for new in step.new] == ["shape", "off"]


def test_a_file_that_gives_nothing_and_has_a_mistake_is_refused(tmp_path: Path) -> None:
    (broken,) = steps(sent(tmp_path, "broken.docx", b"PK\x03\x04 cut off"))
    assert refusal(0, broken.left) == broken.left[0] and broken.left[0].broken
    (others,) = steps(sent(tmp_path, "a.eml", mail(sender="Bo <bo@example.com>")))
    assert refusal(0, others.left) is None and others.left
    assert refusal(1, [LeftOut("a part", broken=True)]) is None
