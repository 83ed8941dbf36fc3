"""Files as programs write them, made for a test; and what readers find in them, in short."""

from __future__ import annotations

import zipfile
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from xml.sax.saxutils import escape

from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from app.profiles.profile import HistoryItem
from app.sources.found import Found, LeftOut, Person, Reader

ANNA = Person(names=("Anna",), addresses=("anna@example.com",))
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
ODF = "urn:oasis:names:tc:opendocument:xmlns"


def items(reader: Reader, path: Path, person: Person = ANNA) -> list[HistoryItem]:
    """The items of a file of which nothing is left out."""
    results = list(reader(path, person))
    assert all(isinstance(one, Found) for one in results), results
    return [one.item for one in results if isinstance(one, Found)]


def item(reader: Reader, path: Path, person: Person = ANNA) -> HistoryItem:
    (only,) = items(reader, path, person)
    return only


def left(reader: Reader, path: Path, person: Person = ANNA) -> LeftOut:
    """What is said of a file that gives nothing."""
    (only,) = reader(path, person)
    assert isinstance(only, LeftOut), only
    return only


def zipped(path: Path, **parts: str | bytes) -> Path:
    """A zip; names of parts have __ for a slash and _ for a dot."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name.replace("__", "/").replace("_", "."), content)
    return path


def docx(path: Path, body: str, core: str = "", main: str = "word__document_xml", space: str = W) -> Path:
    """Word's document with the paragraphs in `body`, written with the prefixes w and mc."""
    document = f'<w:document xmlns:w="{space}" xmlns:mc="{MC}"><w:body>{body}</w:body></w:document>'
    properties = (
        '<cp:coreProperties xmlns:cp="urn:cp" xmlns:dc="urn:dc" xmlns:dcterms="urn:dcterms">'
        f"{core}</cp:coreProperties>"
    )
    return zipped(path, **{main: document, "docProps__core_xml": properties})


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def odt(path: Path, body: str, meta: str = "", manifest: str = "") -> Path:
    """An OpenDocument text, its body written with the prefixes office, text, table, draw, svg and dc."""
    spaces = " ".join(
        f'xmlns:{name}="{ODF}:{name}:1.0"' for name in ("office", "text", "table", "draw", "meta")
    )
    spaces += f' xmlns:svg="{ODF}:svg-compatible:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    content = (
        f"<office:document-content {spaces}><office:body><office:text>{body}</office:text></office:body>"
        "</office:document-content>"
    )
    described = f"<office:document-meta {spaces}><office:meta>{meta}</office:meta></office:document-meta>"
    parts = {"content_xml": content, "meta_xml": described}
    if manifest:
        parts["META-INF__manifest_xml"] = manifest
    return zipped(path, **parts)


def pdf(
    path: Path,
    *pages: list[str],
    properties: dict[str, str] | None = None,
    password: str = "",
    owner: str = "",
) -> Path:
    """A PDF with the lines on each page, in Helvetica."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
            NameObject("/Encoding"): NameObject("/WinAnsiEncoding"),
        }
    )
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        shown = " ".join(f"0 -14 Td ({line}) Tj" for line in lines)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 50 800 Td {shown} ET".encode("cp1252"))
        page[NameObject("/Contents")] = writer._add_object(stream)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
    if properties:
        writer.add_metadata(properties)
    if password or owner:
        writer.encrypt(password, owner or password, algorithm="RC4-128")
    written = BytesIO()
    writer.write(written)
    path.write_bytes(written.getvalue())
    return path


def mail(
    text: str | None = "Dear Bo,\n\nthe boat is in the water.\n",
    *,
    sender: str = "Anna Ek <anna@example.com>",
    html: str | None = None,
    **headers: str | None,
) -> bytes:
    """A mail as a program sends it; headers are named with _ for -, and None leaves one out."""
    message = EmailMessage()
    given = {
        "From": sender,
        "To": "bo@example.com",
        "Subject": "The boat",
        "Date": "Tue, 05 Mar 2024 10:00:00 +0100",
        "Message-ID": "<boat@example.com>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    for name, value in given.items():
        if value is not None:
            message[name] = value
    if text is not None:
        message.set_content(text)
        if html is not None:
            message.add_alternative(html, subtype="html")
    elif html is not None:
        message.set_content(html, subtype="html")
    return message.as_bytes()
