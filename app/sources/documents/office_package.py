"""Reads the XML parts of an office document, a zip (ISO/IEC 21320-1), in bounded memory and time.

Parts are parsed as they are unpacked, so what a part unpacks to is never whole in memory. Document types are
refused: no office program writes one, and entities can grow without end.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, Protocol
from xml.parsers import expat

from app.sources.refusal import DAMAGED, Refused

# Bytes of a part when it is unpacked. A million characters in runs of their own take less.
MAX_PART = 64 * 2**20
# Tags of a part, a paragraph of text having some ten.
MAX_TAGS = 3_000_000
# Bytes of the list of parts: about a hundred for each.
MAX_LIST = 2**20
CHUNK = 2**16
# What ends a zip, the size of its list of parts 12 bytes in; a comment of at most 64 KiB comes after it.
END = b"PK\x05\x06"
END_SIZE = 22
# What stands before that where the list may be longer than 4 GiB, 20 bytes long.
LONG_LIST = b"PK\x06\x07"
MAX_PROPERTIES = 100
# What an office program writes for a document with a password, and Word before 2007 for any.
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Handler(Protocol):
    """Takes the events of a part. A name is the namespace, a blank and the local name."""

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, data: str) -> None: ...


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Raises Refused for what is no zip, or one with more parts than a document has."""
    with path.open("rb") as stream:
        if stream.read(len(COMPOUND)) == COMPOUND:
            raise Refused("protected by a password, or of Word before 2007; save it without, as .docx")
        size = stream.seek(0, 2)
        stream.seek(max(0, size - END_SIZE - 2**16))
        before, end, rest = stream.read().rpartition(END)
        long = before[-20:-16] == LONG_LIST or int.from_bytes(rest[8:12], "little") > MAX_LIST
        if not end or long:
            raise Refused(DAMAGED)
        with zipfile.ZipFile(stream) as package:
            yield package


def parse(package: zipfile.ZipFile, part: str, handler: Handler) -> None:
    """Raises Refused for a part that is too large, and the errors of zipfile and expat for a damaged one."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = _no_document_type
    size = tags = 0
    with package.open(part) as stream:
        while data := stream.read(CHUNK):
            size += len(data)
            tags += data.count(b"<")
            if size > MAX_PART or tags > MAX_TAGS:
                raise Refused(f"it unpacks to more than {MAX_PART // 2**20} MiB or {MAX_TAGS:,} tags")
            parser.Parse(data, False)
    parser.Parse(b"", True)


def has(package: zipfile.ZipFile, part: str) -> bool:
    return part in package.NameToInfo


def _no_document_type(*_: object) -> NoReturn:
    raise Refused(DAMAGED)


class Properties:
    """The texts of a part that has properties as elements: of each local name the first."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._name = ""

    def start(self, name: str, _: dict[str, str]) -> None:
        self._name = name.rpartition(" ")[2]

    def end(self, _: str) -> None:
        self._name = ""

    def text(self, data: str) -> None:
        if self._name and len(self.found) < MAX_PROPERTIES:
            self.found.setdefault(self._name, data)


def properties(package: zipfile.ZipFile, part: str) -> dict[str, str]:
    """The properties of a document by their local names; none if the part is missing."""
    found = Properties()
    if has(package, part):
        parse(package, part, found)
    return found.found
