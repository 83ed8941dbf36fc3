"""Reads an HTML file as an item: its text, without navigation and scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.sources.documents.document import document
from app.sources.documents.html_text import page_of
from app.sources.found import Found, LeftOut, Person
from app.sources.refusal import refusing

BOOKMARKS = b"<!DOCTYPE NETSCAPE-Bookmark-file"
# Bytes: the tree takes some ten times as much.
MAX_PAGE = 20 * 2**20


@refusing
def read(path: Path, _: Person) -> Iterator[Found | LeftOut]:
    with path.open("rb") as stream:
        data = stream.read(MAX_PAGE)
    if data.lstrip().startswith(BOOKMARKS):
        yield LeftOut("a browser's bookmarks")
        return
    page = page_of(data)
    yield document(path, page.text, title=page.title or path.stem, created_at=page.created_at)
