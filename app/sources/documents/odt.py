"""Reads OpenDocument texts: content.xml of an .odt (OASIS OpenDocument 1.3, part 3) as its reader sees it.

What was deleted while changes were tracked, comments, footnotes and indexes are left out; headers and footers
lie in a part of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

from app.sources.documents.document import document
from app.sources.documents.given_title import given_title
from app.sources.documents.office_package import has, opened, parse, properties
from app.sources.documents.paragraphs import Paragraphs
from app.sources.documents.written_date import written_date
from app.sources.found import Found, LeftOut, Person
from app.sources.refusal import DAMAGED, Refused, refusing

DROPPED = {
    *("tracked-changes", "annotation", "note", "forms", "sequence-decls", "variable-decls"),
    *("user-field-decls", "dde-connection-decls", "table-of-content", "illustration-index", "table-index"),
    *("object-index", "user-index", "alphabetical-index", "bibliography", "ruby-text", "hidden-text"),
    *("binary-data", "title-template", "desc", "event-listeners"),
}
BREAKS = {"tab": "\t", "line-break": "\n", "soft-page-break": ""}
# Programs write one blank and count the others.
BLANKS = re.compile(r"[ \t\r\n]+")
MAX_BLANKS = 100


@refusing
def read(path: Path, _: Person) -> Iterator[Found | LeftOut]:
    with opened(path) as package:
        if _protected(package):
            raise Refused("protected by a password; save it without")
        body = Body()
        parse(package, "content.xml", body)
        meta = properties(package, "meta.xml")
    if not body.begun:
        raise Refused(DAMAGED)
    title = given_title(meta.get("title", "")) or body.title or path.stem
    created = written_date(meta.get("creation-date", "")) or written_date(meta.get("date", ""))
    yield document(path, body.paragraphs.text(), title=title, created_at=created)


class Manifest:
    """Whether a part is encrypted, by META-INF/manifest.xml."""

    def __init__(self) -> None:
        self.encrypted = False

    def start(self, name: str, _: dict[str, str]) -> None:
        self.encrypted |= name.endswith(" encryption-data")

    def end(self, _: str) -> None:
        pass

    def text(self, _: str) -> None:
        pass


def _protected(package: ZipFile) -> bool:
    manifest = Manifest()
    if has(package, "META-INF/manifest.xml"):
        parse(package, "META-INF/manifest.xml", manifest)
    return manifest.encrypted


class Body:
    """Collects the paragraphs below office:text; `title` is a paragraph of the style Title, else the first
    heading of the first level."""

    def __init__(self) -> None:
        self.paragraphs = Paragraphs()
        self.begun = False
        self._titled = ""
        self._headed = ""
        self._texts: list[list[str]] = []  # a paragraph may hold a text box with paragraphs
        self._kinds: list[str] = []
        self._depth = 0
        self._dropped = 0
        self._lists = 0

    @property
    def title(self) -> str:
        return self._titled or self._headed

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        space, _, local = name.rpartition(" ")
        if self._dropped:
            return
        # A drawing's title and description say for screen readers what it shows.
        if local in DROPPED or (local == "title" and "svg" in space):
            self._dropped = self._depth
            return
        match local:
            case "text" if space.endswith(":office:1.0"):
                self.begun = True
            case "p" | "h" if self.begun:
                self._texts.append([])
                self._kinds.append(_kind(local, attributes))
            case "s" if self._texts:
                count = _value(attributes, "c") or "1"
                self._texts[-1].append(" " * min(int(count), MAX_BLANKS) if count.isdecimal() else " ")
            case "list-item":
                self._lists += 1
            case "table-row":
                self.paragraphs.row()
            case "table-cell" | "covered-table-cell":
                self.paragraphs.cell()
            case _ if local in BREAKS and self._texts:
                self._texts[-1].append(BREAKS[local])

    def end(self, name: str) -> None:
        self._depth -= 1
        if self._dropped:
            self._dropped = 0 if self._depth < self._dropped else self._dropped
            return
        match name.rpartition(" ")[2]:
            case "p" | "h" if self._texts:
                self._paragraph("".join(self._texts.pop()).strip(" "), self._kinds.pop())
            case "list-item":
                self._lists -= 1
            case "table-row":
                self.paragraphs.end_row()

    def _paragraph(self, text: str, kind: str) -> None:
        if kind == "title":
            self._titled = self._titled or text.strip()
        if kind == "heading":
            self._headed = self._headed or text.strip()
        self.paragraphs.add(text, listed=self._lists > 0)

    def text(self, data: str) -> None:
        if not self._texts or self._dropped:
            return
        blank = not self._texts[-1] or self._texts[-1][-1].endswith((" ", "\n"))
        data = BLANKS.sub(" ", data.replace("\N{SOFT HYPHEN}", ""))
        self._texts[-1].append(data.removeprefix(" ") if blank else data)


def _kind(local: str, attributes: dict[str, str]) -> str:
    if _value(attributes, "style-name") == "Title":
        return "title"
    return "heading" if local == "h" and _value(attributes, "outline-level") in {"", "1"} else ""


def _value(attributes: dict[str, str], key: str) -> str:
    return next((text for name, text in attributes.items() if name.rpartition(" ")[2] == key), "")
