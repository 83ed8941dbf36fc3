"""Reads Word's documents: the main part of a .docx (ECMA-376, WordprocessingML) as its reader sees it.

Insertions that are tracked count, deletions do not; comments, footnotes, headers and footers lie in parts of
their own and are left out. So are the second rendering of a text box, fields' codes, hidden text, and tables
of contents.
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

MAIN = "word/document.xml"
# Word counts its main parts at times, and Strict documents have the same names in other namespaces.
MAIN_PARTS = re.compile(r"word/document\d*\.xml")
TEXTS = ("wordprocessingml", "/math")
DROPPED = {"del", "moveFrom", "instrText", "delText", "delInstrText", "pPrChange", "rPrChange"}
BREAKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
# Word's own smileys, characters of the font Wingdings.
SYMBOLS = {"F04A": ":-)", "F04B": ":-|", "F04C": ":-("}
CONTENTS = re.compile(r"(?:TOC|Verzeichnis|TM|TDC|Sommario|Inhopg|Innehll)(?:\d|Heading)|Inhaltsverzeichnis")
# Ids of styles are those of the language in which the document was begun, without their accents.
HEADINGS = re.compile(
    r"(?:Title|Titel|Titre|Titolo|T[ií]tulo|Ttulo|Tittel|Otsikko|Rubrik"
    r"|(?:Heading|berschrift|Titre|Ttulo|Titolo|Kop|Rubrik|Overskrift|Otsikko|Nagwek)1)"
)
LISTS = ("ListBullet", "ListNumber")
OFF = {"0", "false", "off"}


@refusing
def read(path: Path, _: Person) -> Iterator[Found | LeftOut]:
    with opened(path) as package:
        body = Body()
        parse(package, _main(package), body)
        core = properties(package, "docProps/core.xml")
    title = given_title(core.get("title", "")) or body.title or path.stem
    # A document that was saved from an older one has the older one's date of creation.
    created = written_date(core.get("created", "")) or written_date(core.get("modified", ""))
    yield document(path, body.paragraphs.text(), title=title, created_at=created)


def _main(package: ZipFile) -> str:
    if has(package, MAIN):
        return MAIN
    for name in package.namelist():
        if MAIN_PARTS.fullmatch(name):
            return name
    raise Refused(DAMAGED)


class Body:
    """Collects the paragraphs; `title` is the first that has the style of a title or a first heading."""

    def __init__(self) -> None:
        self.paragraphs = Paragraphs()
        self.title = ""
        # Runs may hold a text box, which holds paragraphs: both lie on stacks.
        self._texts: list[list[str]] = [[]]
        self._styles: list[str] = [""]
        self._listed: list[bool] = [False]
        self._hidden: list[bool] = []
        self._path: list[str] = []
        self._dropped = 0  # the depth at which something is left out began; 0 if nothing is
        self._chosen: list[bool] = []
        self._reading = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        above = self._path[-1] if self._path else ""
        self._path.append(local)
        if self._dropped:
            return
        if local in DROPPED or (local == "Fallback" and self._chosen and self._chosen[-1]):
            self._dropped = len(self._path)
        elif local == "AlternateContent":
            self._chosen.append(False)
        elif local == "Choice" and self._chosen:
            self._chosen[-1] = True
        elif any(kind in space for kind in TEXTS):
            self._begin(local, above, attributes)

    def _begin(self, local: str, above: str, attributes: dict[str, str]) -> None:
        match local:
            case "p":
                self._texts.append([])
                self._styles.append("")
                self._listed.append(False)
            case "r":
                self._texts.append([])
                self._hidden.append(False)
            case "t":
                self._reading = True
            case "pStyle":
                self._styles[-1] = _value(attributes)
            case "numPr" if above == "pPr":
                self._listed[-1] = True
            case "vanish" if above == "rPr" and self._path[-3:-2] == ["r"] and self._hidden:
                self._hidden[-1] = _value(attributes) not in OFF
            case "sym":
                self._texts[-1].append(SYMBOLS.get(_value(attributes, "char").upper(), ""))
            case "tr":
                self.paragraphs.row()
            case "tc":
                self.paragraphs.cell()
            # A tab stop in a paragraph's properties has the same name.
            case _ if local in BREAKS and above == "r":
                self._texts[-1].append(BREAKS[local])

    def end(self, name: str) -> None:
        space, _, local = name.rpartition(" ")
        if self._dropped:
            self._dropped = 0 if self._dropped == len(self._path) else self._dropped
            self._path.pop()
            return
        self._path.pop()
        if local == "AlternateContent" and self._chosen:
            self._chosen.pop()
        elif any(kind in space for kind in TEXTS):
            self._finish(local)

    def _finish(self, local: str) -> None:
        match local:
            case "t":
                self._reading = False
            case "r" if self._hidden and len(self._texts) > 1:
                run = self._texts.pop()
                if not self._hidden.pop():
                    self._texts[-1] += run
            case "p" if len(self._texts) > 1:
                self._paragraph("".join(self._texts.pop()), self._styles.pop(), self._listed.pop())
            case "tr":
                self.paragraphs.end_row()

    def _paragraph(self, text: str, style: str, listed: bool) -> None:
        if CONTENTS.match(style):
            return
        if not self.title and HEADINGS.fullmatch(style):
            self.title = text.strip()
        self.paragraphs.add(text, listed=listed or style.startswith(LISTS))

    def text(self, data: str) -> None:
        if self._reading and not self._dropped:
            self._texts[-1].append(data.replace("\N{SOFT HYPHEN}", ""))


def _value(attributes: dict[str, str], key: str = "val") -> str:
    """An attribute by its local name; "" if there is none."""
    return next((text for name, text in attributes.items() if name.rpartition(" ")[2] == key), "")
