"""Whatever a file holds, its reader gives items that a history takes or says what it leaves out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.profiles.document import ItemIn, item_fields
from app.sources.formats import read
from app.sources.found import Found, LeftOut
from sources.made import ANNA, docx, mail, odt, paragraph, pdf

SUFFIXES = [".docx", ".odt", ".pdf", ".html", ".eml", ".mbox", ".json", ".jsonl", ".md", ".txt"]
MANIFEST = "<m:manifest xmlns:m='urn:m'/>"


@cache
def whole(suffix: str) -> bytes:
    """A file as a program writes it."""
    made: dict[str, Callable[[Path], object]] = {
        ".docx": lambda path: docx(path, paragraph("secret", "Heading1") * 3, "<dc:title>t</dc:title>"),
        ".odt": lambda path: odt(path, "<text:p>secret</text:p>" * 3, manifest=MANIFEST),
        ".pdf": lambda path: pdf(path, ["secret"], ["secret"], properties={"/Title": "t"}),
        ".html": lambda path: path.write_text(
            "<title>t</title><p>secret<blockquote type=cite>x</blockquote>"
        ),
        ".eml": lambda path: path.write_bytes(mail("secret", html="<p>secret")),
        ".mbox": lambda path: path.write_bytes((b"From - \n" + mail("secret", html="<p>secret") + b"\n") * 2),
        ".jsonl": lambda path: path.write_text('{"text": "secret"}\n{"text": "b", "title": "t"}'),
        ".json": lambda path: path.write_text('[{"text": "secret", "title": "t"}]'),
        ".md": lambda path: path.write_text(
            "---\ntitle: t\ndate: 2024-01-01\n---\n[[secret|x]] %%y%% secret"
        ),
        ".txt": lambda path: path.write_text("secret"),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder, "whole")
        made[suffix](path)
        return path.read_bytes()


def check(suffix: str, data: bytes) -> None:
    """The rules of a Reader, for a file with these bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"file{suffix}")
        path.write_bytes(data)
        parts = []
        for one in read(path, ANNA):
            if isinstance(one, Found):
                assert ItemIn.model_validate(item_fields(one.item)).item() == one.item
                assert one.item.source
                parts.append(one.part)
            else:
                assert isinstance(one, LeftOut)
                assert one.reason
                assert "secret" not in one.reason
                assert one.count > 0
        assert len(parts) == len(set(parts))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_whole_file_is_found(suffix: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, f"file{suffix}")
        path.write_bytes(whole(suffix))
        found = [one for one in read(path, ANNA) if isinstance(one, Found)]
        assert found
        assert "secret" in found[0].item.text
    check(suffix, whole(suffix))


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(min_size=1, max_size=300))
def test_any_bytes_are_read_or_refused(suffix: str, data: bytes) -> None:
    check(suffix, data)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(suffix: str, data: st.DataObject) -> None:
    """Some bytes of a whole file are others, and some are missing."""
    damaged = bytearray(whole(suffix))
    places = st.integers(0, len(damaged) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        damaged[place] = byte
    start, end = sorted((data.draw(places), data.draw(places)))
    if data.draw(st.booleans()):
        del damaged[start:end]
    check(suffix, bytes(damaged) or b"x")
