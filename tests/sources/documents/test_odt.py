"""OpenDocument texts are read as their reader sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.sources.documents.odt import read
from app.sources.refusal import DAMAGED
from sources.made import item, left, odt, zipped


def text_of(folder: Path, body: str) -> str:
    return item(read, odt(folder / "a.odt", body)).text


def test_blanks_are_those_that_are_counted(tmp_path: Path) -> None:
    body = (
        "<text:p>  One\n   two<text:s text:c='3'/>three<text:span> <text:s/>four</text:span><text:tab/>five"
        "<text:line-break/> six<text:s text:c='x'/><text:s text:c='99999999'/>end</text:p>"
    )
    assert text_of(tmp_path, body) == "One two   three  four\tfive\nsix" + " " * 101 + "end"


def test_comments_notes_indexes_and_deletions_are_left_out(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:p>no</text:p></text:tracked-changes>"
        "<text:table-of-content><text:p>no</text:p></text:table-of-content>"
        "<text:p>Kept<office:annotation><dc:creator>no</dc:creator><text:p>no</text:p></office:annotation> on"
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>no</text:p>"
        "</text:note-body></text:note>.<draw:frame><svg:title>no</svg:title><svg:desc>no</svg:desc>"
        "<draw:text-box><text:p>box</text:p></draw:text-box></draw:frame> End</text:p>"
    )
    assert text_of(tmp_path, body) == "box\n\nKept on. End"


def test_lists_and_tables_are_lines(tmp_path: Path) -> None:
    body = (
        "<text:h text:outline-level='1'>To do</text:h><text:list><text:list-item><text:p>mast</text:p>"
        "</text:list-item><text:list-item><text:p>sail</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>who</text:p></table:table-cell>"
        "<table:table-cell><text:p>what</text:p></table:table-cell></table:table-row></table:table>"
    )
    assert text_of(tmp_path, body) == "To do\n\n- mast\n- sail\nwho\twhat"


@pytest.mark.parametrize(
    ("given", "style", "title"),
    [
        ("The boat", "Title", "The boat"),
        ("Unbenannt 1", "Title", "First"),
        ("", "Title", "First"),
        ("", "P1", "Head"),
    ],
)
def test_the_title_is_the_given_one_else_the_document_s_own(
    tmp_path: Path, given: str, style: str, title: str
) -> None:
    meta = f"<dc:title>{given}</dc:title><meta:creation-date>2024-03-05T09:00:00.5</meta:creation-date>"
    body = f"<text:p text:style-name='{style}'>First</text:p><text:h text:outline-level='1'>Head</text:h>"
    found = item(read, odt(tmp_path / "letter.odt", body, meta))
    assert (found.title, found.created_at) == (title, datetime(2024, 3, 5, 9, tzinfo=UTC))


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    manifest = "<m:manifest xmlns:m='urn:m'><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>"
    protected = odt(tmp_path / "a.odt", "", manifest=manifest)
    assert left(read, protected).reason == "protected by a password; save it without"
    for number, content in enumerate(("<x/>", "<x>", "\0")):
        assert left(read, zipped(tmp_path / f"{number}.odt", content_xml=content)).reason == DAMAGED
    assert left(read, zipped(tmp_path / "c.odt", other_xml="<x/>")).reason == DAMAGED
    assert left(read, odt(tmp_path / "d.odt", "<text:p> </text:p>")).reason == "there is no text in it"
