"""What holds for whatever a reader is given: bounds of items, and unique parts that stay the same."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from app.profiles.document import MAX_TITLE, ItemIn, item_fields
from app.profiles.profile import MAX_TEXT, longest_request
from app.sources.found import Found, LeftOut, Person

ANNA = Person(names=("Anna Ek",), addresses=("anna@ek.example",))
NOBODY = Person()


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(path: Path, files: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def sorted_out(found: Iterator[Found | LeftOut]) -> tuple[list[Found], Counter[str]]:
    """What was found, and how often each reason was given."""
    kept: list[Found] = []
    reasons: Counter[str] = Counter()
    for one in found:
        if isinstance(one, Found):
            kept.append(one)
        else:
            reasons[one.reason] += one.count
    return kept, reasons


def hold(read: Callable[[], Iterator[Found | LeftOut]], secret: str = "") -> None:
    """Asserts that every item can be stored, that parts are unique and the same when read again, and that no
    reason quotes what is secret."""
    kept, reasons = sorted_out(read())
    for one in kept:
        item = one.item
        assert len(item.text) <= MAX_TEXT and len(item.title) <= MAX_TITLE
        assert len(item.request) <= longest_request(item.kind)
        assert ItemIn.model_validate(item_fields(item)).item() == item
        assert one.part
    parts = [one.part for one in kept]
    assert len(set(parts)) == len(parts)
    assert all(count > 0 for count in reasons.values())
    assert not secret or not any(secret in reason for reason in reasons)
    again, counted = sorted_out(read())
    assert [(one.part, one.item) for one in again] == [(one.part, one.item) for one in kept]
    assert counted == reasons
