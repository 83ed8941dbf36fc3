"""Reads one mail: an .eml file, Apple Mail's .emlx, or a file in a Maildir."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.sources.found import Found, LeftOut, Person
from app.sources.mail.mail import LARGE, MAX_MAIL, UNKNOWN, sent
from app.sources.place import is_folder

# A Maildir's folders for mail that is delivered, as they are named in https://cr.yp.to/proto/maildir.html.
DELIVERED = {"cur", "new"}


def read(path: Path, person: Person) -> Iterator[Found | LeftOut]:
    if not person.addresses:
        yield UNKNOWN
        return
    with path.open("rb") as stream:
        data = stream.read(MAX_MAIL + 1)
    if len(data) > MAX_MAIL:
        yield LeftOut(LARGE, broken=True)
    else:
        yield sent(_within(data) if path.suffix.lower() == ".emlx" else data, path, person)


def in_maildir(path: Path) -> bool:
    """Whether the file lies where a Maildir has its mail: in cur or new, beside the other and tmp."""
    folder = path.parent
    return folder.name in DELIVERED and is_maildir(folder.parent)


def is_maildir(folder: Path) -> bool:
    return all(is_folder(folder / name) for name in ("cur", "new", "tmp"))


def _within(data: bytes) -> bytes:
    """The mail in an .emlx: its first line says how many bytes there are before a property list."""
    count, _, rest = data.partition(b"\n")
    size = count.strip()
    return rest[: int(size)] if size.isdigit() and len(size) < 12 else data
