"""Word's documents are read as their reader sees them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.sources.documents import office_package
from app.sources.documents.docx import read
from app.sources.refusal import DAMAGED
from sources.made import docx, item, left, paragraph, zipped

REFUSED = "it unpacks to more than 64 MiB or 3,000,000 tags"


def text_of(folder: Path, body: str) -> str:
    return item(read, docx(folder / "a.docx", body)).text


def test_paragraphs_stand_apart_unless_the_writer_parted_them(tmp_path: Path) -> None:
    assert text_of(tmp_path, paragraph("Dear Bo,") + paragraph("bye.")) == "Dear Bo,\n\nbye."
    parted = paragraph("Anna Ek") + paragraph("Main Street 1") + "<w:p/>" + paragraph("Dear Bo,")
    assert text_of(tmp_path, parted) == "Anna Ek\nMain Street 1\n\nDear Bo,"


def test_runs_are_parts_of_words_and_breaks_are_breaks(tmp_path: Path) -> None:
    body = (
        '<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:r><w:t>Pro</w:t></w:r><w:r><w:t>ject'
        "\N{SOFT HYPHEN}s</w:t><w:tab/><w:t>a</w:t><w:br/><w:t>b</w:t><w:noBreakHyphen/><w:t>c</w:t>"
        '<w:sym w:font="Wingdings" w:char="F04A"/></w:r></w:p>'
    )
    assert text_of(tmp_path, body) == "Projects\ta\nb-c:-)"


def test_what_is_deleted_hidden_or_a_field_s_code_is_not_read(tmp_path: Path) -> None:
    body = (
        "<w:p><w:r><w:t>Kept</w:t></w:r><w:del><w:r><w:delText>no</w:delText><w:t>no</w:t></w:r></w:del>"
        "<w:ins><w:r><w:t> new</w:t></w:r></w:ins><w:moveFrom><w:r><w:t>no</w:t></w:r></w:moveFrom>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>no</w:t></w:r>"
        '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> seen</w:t></w:r></w:p>'
    )
    assert text_of(tmp_path, body) == "Kept new seen"


def test_a_text_box_is_read_once_and_the_paragraph_around_it_goes_on(tmp_path: Path) -> None:
    def box(word: str) -> str:
        return f"<w:txbxContent>{paragraph(word)}</w:txbxContent>"

    body = (
        "<w:p><w:r><w:t>Before</w:t></w:r><w:r><mc:AlternateContent>"
        f'<mc:Choice Requires="wps">{box("box")}</mc:Choice><mc:Fallback>{box("box")}</mc:Fallback>'
        "</mc:AlternateContent></w:r><w:r><w:t> after</w:t></w:r></w:p>"
    )
    assert text_of(tmp_path, body) == "box\n\nBefore after"
    alone = body.replace("<mc:Choice", "<mc:Other").replace("</mc:Choice>", "</mc:Other>")
    assert text_of(tmp_path, alone).count("box") == 2


def test_lists_and_tables_are_lines(tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        return "<w:tr>" + "".join(f"<w:tc>{cell}</w:tc>" for cell in cells) + "</w:tr>"

    listed = paragraph("mast").replace("<w:p>", "<w:p><w:pPr><w:numPr/></w:pPr>")
    inner = f"<w:tbl>{row(paragraph('x'), paragraph('y'))}</w:tbl>"
    table = f"<w:tbl>{row(paragraph('who') + paragraph('is'), paragraph('what'))}{row(inner, '')}</w:tbl>"
    body = paragraph("To do:") + listed + paragraph("mast", "ListBullet2") + table + paragraph("End")
    assert text_of(tmp_path, body) == "To do:\n\n- mast\n- mast\nwho is\twhat\nx\ty\n\nEnd"


def test_tables_of_contents_are_left_out(tmp_path: Path) -> None:
    body = paragraph("Contents", "TOCHeading") + paragraph("One 1", "TOC1") + paragraph("One", "Heading1")
    found = item(read, docx(tmp_path / "a.docx", body + paragraph("Text.")))
    assert (found.title, found.text) == ("One", "One\n\nText.")


@pytest.mark.parametrize(
    ("given", "style", "title"),
    [
        ("The boat", "", "The boat"),
        ("Microsoft Word - boat.docx", "Titel", "First"),
        ("Dokument1", "berschrift1", "First"),
        ("", "", "letter"),
    ],
)
def test_the_title_is_the_given_one_else_the_document_s_own(
    tmp_path: Path, given: str, style: str, title: str
) -> None:
    core = f"<dc:title>{given}</dc:title><dcterms:created>2024-03-05T09:00:00Z</dcterms:created>"
    found = item(read, docx(tmp_path / "letter.docx", paragraph("First", style), core))
    assert (found.title, found.created_at) == (title, datetime(2024, 3, 5, 9, tzinfo=UTC))


def test_other_names_of_the_main_part_and_strict_documents_are_read(tmp_path: Path) -> None:
    other = docx(tmp_path / "a.docx", paragraph("x"), main="word__document2_xml")
    assert item(read, other).text == "x"
    strict = docx(
        tmp_path / "b.docx", paragraph("x"), space="http://purl.oclc.org/ooxml/wordprocessingml/main"
    )
    assert item(read, strict).text == "x"


def test_what_is_no_document_is_named(tmp_path: Path) -> None:
    protected = tmp_path / "a.docx"
    protected.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512))
    assert left(read, protected).reason.startswith("protected by a password, or of Word before 2007")
    whole = docx(tmp_path / "b.docx", paragraph("x")).read_bytes()
    for number, data in enumerate((b"", b"PK\x03\x04", whole[:-30], whole[:60] + whole[90:])):
        path = tmp_path / f"{number}.docx"
        path.write_bytes(data)
        one = left(read, path)
        assert one.broken
        assert one.reason == DAMAGED
    assert left(read, zipped(tmp_path / "c.docx", xl__workbook_xml="<x/>")).reason == DAMAGED
    assert left(read, docx(tmp_path / "d.docx", "<w:p/>")).reason == "there is no text in it"


def test_a_document_that_unpacks_or_expands_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = docx(tmp_path / "a.docx", paragraph("x" * 100) * 25_000)
    assert left(read, long).reason.startswith("a text of more than 1,000,000 characters")
    bomb = docx(tmp_path / "b.docx", "<w:p>" + " " * 80 * 2**20 + "</w:p>")
    assert bomb.stat().st_size < 2**20
    assert left(read, bomb).reason == REFUSED
    empty = docx(tmp_path / "c.docx", "<w:p/>" * 300_000)
    assert left(read, empty).reason.startswith("a text of more than 1,000,000 characters")
    entities = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
    assert left(read, zipped(tmp_path / "d.docx", word__document_xml=entities)).reason == DAMAGED
    deep = docx(tmp_path / "e.docx", "<w:p><w:r>" * 50_000 + "<w:t>x</w:t>" + "</w:r></w:p>" * 50_000)
    assert item(read, deep).text == "x"
    monkeypatch.setattr(office_package, "MAX_TAGS", 1000)
    tags = docx(tmp_path / "f.docx", "<w:p>" + "<w:r/>" * 4000 + "</w:p>")
    assert left(read, tags).reason == "it unpacks to more than 64 MiB or 1,000 tags"
