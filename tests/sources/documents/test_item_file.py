"""JSON and JSON lines of items are read by the history's own rules, and a mistake quotes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.profiles.profile import HistoryItem
from app.sources.documents.document import NO_TEXT
from app.sources.documents.item_file import read
from app.sources.found import Found, LeftOut
from sources.made import ANNA, left


def test_items_are_found_with_their_position(tmp_path: Path) -> None:
    lines = [{"text": "a"}, {"text": "b", "title": "t", "source": "s", "kind": "turn", "request": "r"}]
    path = tmp_path / "a.jsonl"
    path.write_text("\n\n".join(map(json.dumps, lines)))
    found = list(read(path, ANNA))
    assert found == [
        Found(HistoryItem("", "a", source=str(path)), "1"),
        Found(HistoryItem("t", "b", "turn", "s", None, "r"), "2"),
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(lines[:1]))
    assert [one.part for one in read(path, ANNA) if isinstance(one, Found)] == ["1"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": 1}', "line 2: text: found a number; expected text"),
        ("a.jsonl", '{"text": "a"}\n{"text": "secret", "secret": 1}', "line 2: an unknown key"),
        ("a.jsonl", '{"text": "secret', "line 1: not valid JSON"),
        ("a.jsonl", '{"text": "a"}\n{"txt": "a"}\n', "line 2: text: missing"),
        ("a.json", '[{"text": "a"}, {"text": ""}]', "item 2: text: found nothing but blanks"),
        ("a.json", '{"history": [], "secret": 1}', "the file: a whole profile"),
        ("a.json", "secret", "line 1: not valid JSON"),
        ("a.json", "", "line 1: not valid JSON"),
        ("a.jsonl", "{}".encode("utf-16").decode("latin-1"), "the file: not UTF-8 text"),
    ],
)
def test_a_mistake_is_named_by_its_place(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1"))
    one = left(read, path)
    assert one.broken
    assert one.reason.startswith(says)
    assert "secret" not in one.reason


def test_a_file_that_cannot_be_opened_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "none.jsonl", ANNA))


@pytest.mark.parametrize("text", ['{"name": "secret", "a": [1]}', "[[1, 2]]", "[1]", '"x"', '[{"txt": "a"}]'])
def test_json_of_something_else_is_no_mistake(tmp_path: Path, text: str) -> None:
    for name in ("a.json", "a.jsonl"):
        (tmp_path / name).write_text(text)
        assert left(read, tmp_path / name) == LeftOut("JSON of something else than items with a text")


def test_a_list_of_no_items_holds_no_text(tmp_path: Path) -> None:
    for name, text in (("a.json", "[]"), ("a.jsonl", "\n\n")):
        (tmp_path / name).write_text(text)
        assert left(read, tmp_path / name) == NO_TEXT
