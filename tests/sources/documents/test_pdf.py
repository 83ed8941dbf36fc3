"""PDFs give their text; what has none, or may not be read, says so."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pypdf import PdfWriter

from app.sources.documents import pdf as reader
from app.sources.documents.pdf import read
from app.sources.found import Found, LeftOut
from app.sources.refusal import DAMAGED
from sources.made import ANNA, item, left, pdf


def test_lines_are_kept_and_hyphens_at_their_ends_are_mended(tmp_path: Path) -> None:
    lines = ["Dear Bo,", "the mast is a spar of alu-", "minium, made in the Anglo-", "Saxon way."]
    properties = {"/Title": "The boat", "/CreationDate": "D:20240305100000+01'00'"}
    found = item(read, pdf(tmp_path / "a.pdf", lines, properties=properties))
    assert found.text == "Dear Bo,\nthe mast is a spar of aluminium, made in the Anglo-Saxon way."
    assert (found.title, found.created_at) == ("The boat", datetime(2024, 3, 5, 9, tzinfo=UTC))


def test_a_title_that_a_program_gave_is_none(tmp_path: Path) -> None:
    made = pdf(tmp_path / "Rigging.pdf", ["x"], properties={"/Title": "Microsoft Word - a.doc"})
    assert item(read, made).title == "Rigging"


def test_numbers_and_running_heads_of_pages_are_left_out(tmp_path: Path) -> None:
    pages = [["The log of the boat", f"Day {day} was", "calm", f"Page {day} of 4"] for day in range(1, 5)]
    text = item(read, pdf(tmp_path / "a.pdf", *pages)).text
    assert text == "\n".join(f"Day {day} was\ncalm" for day in range(1, 5))
    assert item(read, pdf(tmp_path / "b.pdf", ["We met in", "2024"])).text == "We met in\n2024"
    assert item(read, pdf(tmp_path / "c.pdf", ["It ended.", "- 1 -"], ["And so on"])).text == (
        "It ended.\n\nAnd so on"
    )


def test_a_password_for_changes_alone_keeps_nobody_from_reading(tmp_path: Path) -> None:
    assert item(read, pdf(tmp_path / "a.pdf", ["Hello"], owner="secret")).text == "Hello"
    protected = left(read, pdf(tmp_path / "b.pdf", ["Hello"], password="secret"))
    assert (protected.reason, protected.broken) == ("protected by a password; save it without", True)


def test_a_scan_is_no_text(tmp_path: Path) -> None:
    one = left(read, pdf(tmp_path / "a.pdf", []))
    assert one.reason.startswith("a PDF without text; it may be scanned")
    with (tmp_path / "b.pdf").open("wb") as stream:
        PdfWriter().write(stream)
    assert left(read, tmp_path / "b.pdf").reason.startswith("a PDF without text")


def test_damage_is_named_and_nothing_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = pdf(tmp_path / "a.pdf", ["Hello secret"]).read_bytes()
    damaged = (b"%PDF-1.7\n", b"secret", whole[: len(whole) // 3], whole.replace(b"obj", b"secret"))
    with caplog.at_level(logging.DEBUG):
        for data in damaged:
            (tmp_path / "b.pdf").write_bytes(data)
            assert left(read, tmp_path / "b.pdf").reason == DAMAGED
    assert not caplog.records


def test_work_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pdf(tmp_path / "a.pdf", ["Hello"], ["there"], ["again"])
    monkeypatch.setattr(reader, "MAX_OPERATIONS", 5)
    assert left(read, path).reason == "too much is drawn in it"
    monkeypatch.setattr(reader, "MAX_PAGES", 2)
    assert left(read, path).reason == "more than 2 pages; split it"
    monkeypatch.undo()
    monkeypatch.setattr(reader, "MAX_DRAWING", 60)
    long = pdf(tmp_path / "b.pdf", ["Hello"], ["there " * 20])
    drawing, found = read(long, ANNA)
    assert drawing == LeftOut("a page that is a drawing", 1)
    assert isinstance(found, Found)
    assert found.item.text == "Hello"
    monkeypatch.setattr(reader, "MAX_LEFT_OUT", 0)
    assert left(read, long).reason == "too much is drawn in it"
    monkeypatch.undo()
    monkeypatch.setattr(reader, "MAX_DRAWN", 60)
    assert left(read, long).reason == "too much is drawn in it"
