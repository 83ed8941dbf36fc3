"""Files become items of a history, or every mistake in them is named by file, line and key."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.errors import InvalidRequest
from app.profiles.history_file import MAX_LINE, read_history
from app.profiles.profile import MAX_TEXT, HistoryItem, Kind


@pytest.fixture(autouse=True)
def folder(clean_environment: Path) -> Path:
    return clean_environment


def written(name: str, text: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def read(
    *paths: str,
    stdin: bytes = b"",
    title: str | None = None,
    kind: Kind | None = None,
    request: str | None = None,
) -> list[HistoryItem]:
    return read_history(paths, io.BytesIO(stdin), title=title, kind=kind, request=request)


def mistakes(*paths: str, stdin: bytes = b"", request: str | None = None) -> list[str]:
    """The lines of the message below its first one."""
    with pytest.raises(InvalidRequest) as caught:
        read(*paths, stdin=stdin, request=request)
    first, *rest = caught.value.message.splitlines()
    assert first.startswith("nothing was stored")
    return [line.strip() for line in rest]


# Texts


def test_a_text_file_is_an_item_with_its_name_for_a_title() -> None:
    assert read(written("notes/My day.txt", "Went out.\n")) == [
        HistoryItem("My day", "Went out.\n", source="notes/My day.txt")
    ]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# A day\n\nWent out.", "A day"),
        ("Before.\n\n  ## A *day* ##  \nx", "A *day*"),
        ("```\n# no heading\n```\n# Heading", "Heading"),
        ("#no heading, nor #that", "file"),
        ("\ufeff# A day", "A day"),
        ("# A day\r\nx", "A day"),
        (f"# {'x' * 2000}", "x" * 1000),
    ],
)
def test_the_first_heading_is_the_title(text: str, title: str) -> None:
    for name in ("file.md", "file.txt"):
        assert [item.title for item in read(written(name, text))] == [title]


def test_in_other_files_a_hash_is_no_heading() -> None:
    assert read(written("run.py", "# not a title\nprint()"))[0].title == "run"


def test_standard_input_is_one_text() -> None:
    assert read("-", stdin=b"# A\nb") == [HistoryItem("A", "# A\nb")]
    assert read("-", stdin=b"b", title="Toast", kind="turn") == [HistoryItem("Toast", "b", "turn")]
    assert read("-", stdin=b"b") == [HistoryItem("", "b")]


def test_a_text_may_say_what_it_answers() -> None:
    (item,) = read(written("a.md", "# A\nb"), request="Write a.")
    assert (item.request, item.title, item.text) == ("Write a.", "A", "# A\nb")
    (message,) = mistakes("a.md", request="x" * 10_001)
    assert message.startswith("a.md: request: found 10001 characters; expected text of at most 10,000")


def test_an_exchange_as_earlier_versions_wrote_it_is_taken_apart() -> None:
    text = "User: Soup?\n\nAssistant: Soup."
    turn = HistoryItem("", "Soup.", "turn", request="Soup?")
    assert read(written("a.jsonl", json.dumps({"text": text, "kind": "turn"}))) == [turn]
    assert read(written("b.jsonl", json.dumps({"text": text})), kind="turn") == [turn]
    assert read("-", stdin=text.encode(), kind="turn") == [turn]
    assert read("-", stdin=text.encode()) == [HistoryItem("", text)]


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_a_text() -> None:
    assert read(written("a.txt", b"\xef\xbb\xbfone\r\ntwo\r\n"))[0].text == "one\ntwo\n"
    assert read(written("a.txt", b"one\rtwo\r"))[0].text == "one\ntwo\n"


def test_front_matter_gives_the_title_and_stays_in_the_text() -> None:
    text = "---\n# a comment\ntitle: A day\n---\n# Heading\n"
    assert read(written("a.md", text)) == [HistoryItem("A day", text, source="a.md")]
    assert read(written("a.md", text.replace("title", "date")))[0].title == "Heading"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"fine\ncaf\xe9\n", "a.txt, line 2: not UTF-8 text"),
        (b"a\nb\nc\0d", "a.txt, line 3: a NUL character"),
        ("Dear all".encode("utf-16"), "a.txt, line 1: not UTF-8 text but UTF-16; save it"),
        (b"", "a.txt: there is no text"),
        (b" \n\t", "a.txt: there is no text"),
        (b"x" * (MAX_TEXT + 1), "a.txt: the text has more than 1,000,000 characters; split"),
        ("語🌊".encode() * MAX_TEXT, "a.txt: the text has more than 1,000,000 characters; split"),
    ],
    ids=["latin-1", "nul", "utf-16", "empty", "blank", "long", "longer"],
)
def test_a_text_that_cannot_be_stored_is_named(data: bytes, says: str) -> None:
    (message,) = mistakes(written("a.txt", data))
    assert message.startswith(says)
    (message,) = mistakes("-", stdin=data)
    assert message.startswith(says.replace("a.txt", "standard input"))


def test_the_longest_text_is_taken() -> None:
    text = "🌊" * MAX_TEXT
    assert read(written("a.txt", text))[0].text == text


# JSONL and JSON

LINE = {
    "text": "a",
    "title": "t",
    "kind": "turn",
    "request": "r",
    "source": "s",
    "created_at": "2026-01-31T10:30:00+01:00",
}
ITEM = HistoryItem("t", "a", "turn", "s", datetime(2026, 1, 31, 9, 30, tzinfo=UTC), "r")


def test_a_line_of_jsonl_is_an_item() -> None:
    lines = f'\ufeff{json.dumps(LINE)}\r\n\n  \n{{"text": "b"}}'
    assert read(written("a.jsonl", lines)) == [ITEM, HistoryItem("", "b")]


def test_json_is_an_item_or_a_list_of_them() -> None:
    assert read(written("a.json", json.dumps(LINE, indent=1))) == [ITEM]
    assert read(written("a.JSON", json.dumps([LINE, {"text": "b"}]))) == [ITEM, HistoryItem("", "b")]


def test_a_kind_is_of_those_that_name_none() -> None:
    path = written("a.jsonl", '{"text": "a"}\n{"text": "b", "kind": "document"}')
    assert [item.kind for item in read(path, kind="turn")] == ["turn", "document"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"text": "a", "titel": "b"}', "titel: unknown key; did you mean title?"),
        ('{"title": "b"}', "text: missing"),
        ('{"text": " "}', "text: found nothing but blanks"),
        ('{"text": "a\\u0000"}', "text: found a NUL character"),
        ('{"text": "\\ud800"}', "text: found half of a character"),
        ('{"text": 7}', "text: found a number"),
        ('{"text": null}', "text: found null"),
        ('{"text": "a", "kind": "essay"}', "kind: found other text"),
        ('{"text": "a", "created_at": "yesterday"}', "created_at: found text that is no time"),
        ('{"text": "a", "created_at": "2026-01-31T09:30:00"}', "created_at: found a time without a zone"),
        (json.dumps({"text": "x" * (MAX_TEXT + 1)}), "text: found 1000001 characters; expected"),
        ("[1]", "found a list; expected an object"),
    ],
)
def test_a_mistake_in_jsonl_is_named_by_line_and_key(line: str, says: str) -> None:
    (message,) = mistakes(written("a.jsonl", f'{{"text": "fine"}}\n\n{line}\n'))
    assert message.startswith(f"a.jsonl, line 3: {says}")
    (message,) = mistakes(written("a.json", f'[{{"text": "fine"}}, {line}]'))
    key = f"[1].{says}" if says[:5] != "found" else f"[1]: {says}"
    assert message.startswith(f"a.json: {key}")


@pytest.mark.parametrize(
    "line", ['{"text": "a"', '{"text": "a",}', "text", '{"text": "a", "text": "b"}', "NaN x"]
)
def test_a_line_that_is_no_json_is_named(line: str) -> None:
    (message,) = mistakes(written("a.jsonl", f'{{"text": "fine"}}\n{line}\n{{"text": "fine"}}'))
    assert message.startswith("a.jsonl, line 2")
    assert "not valid JSON" in message


def test_a_line_that_is_no_utf_8_is_named() -> None:
    (message,) = mistakes(written("a.jsonl", b'{"text": "fine"}\n{"text": "\xff"}\n'))
    assert message.startswith("a.jsonl, line 2: not UTF-8")
    (message,) = mistakes(written("a.json", b'[{"text": "fine"},\n{"text": "\xff"}]\n'))
    assert message.startswith("a.json, line 2: not UTF-8")


def test_a_file_of_jsonl_in_another_encoding_is_one_mistake() -> None:
    (message,) = mistakes(written("a.jsonl", '{"text": "a"}\n{"text": "b"}\n'.encode("utf-16")))
    assert message.startswith("a.jsonl: not UTF-8 text but UTF-16")


def test_lines_of_jsonl_may_end_as_on_an_old_mac() -> None:
    assert [one.text for one in read(written("a.jsonl", '{"text": "a"}\r{"text": "b\\r"}\r'))] == ["a", "b\r"]
    first, second = mistakes(written("a.jsonl", '{"text": "a"}\r1\r{"text": "b"}\n2'))
    assert (first[:15], second[:15]) == ("a.jsonl, line 2", "a.jsonl, line 4")


def test_an_object_of_very_many_keys_is_one_mistake() -> None:
    keys = ", ".join(f'"k{number}": 1' for number in range(20_000))
    (message,) = mistakes(written("a.jsonl", f'{{"text": "a", {keys}}}'))
    assert message == "a.jsonl, line 1: the object: 20,000 mistakes. Is it an item?"
    (message,) = mistakes(written("a.jsonl", f'{{"text": "a", "{"k" * 5000}": 1}}'))
    assert len(message) < 300


def test_a_huge_line_is_named_and_the_rest_is_read_on() -> None:
    huge = '{"text": "' + "x" * MAX_LINE * 2 + '"}'
    first, second = mistakes(written("a.jsonl", f"{huge}\n[]\n"))
    assert first.startswith("a.jsonl, line 1: text: has more than 1,000,000 characters; split")
    assert second.startswith("a.jsonl, line 2")


def test_truncated_json_is_refused_at_any_length() -> None:
    whole = json.dumps([LINE, LINE])
    for size in range(1, len(whole)):
        (message,) = mistakes(written("a.json", whole[:size]))
        assert "Is the file complete?" in message


def test_an_exported_profile_is_for_another_command() -> None:
    (message,) = mistakes(written("a.json", '{"id": "a", "name": "A", "history": []}'))
    assert "costeer profiles import" in message


# Files


def test_what_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("notes").mkdir()
    assert mistakes("notes", "gone.txt") == [
        "notes: cannot be read: Is a directory",
        "gone.txt: cannot be read: No such file or directory",
    ]

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    written("secret.txt", "x")
    monkeypatch.setattr(Path, "open", refuse)  # permissions would not stop the tests of a root user
    assert mistakes("secret.txt") == ["secret.txt: cannot be read: Permission denied"]


def test_a_file_s_name_need_not_be_text() -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (item,) = read(written(name, "x"))
    assert (item.title, item.source) == ("caf\ufffd", "caf\ufffd.txt")


def test_all_mistakes_of_all_files_are_counted_and_fifty_told() -> None:
    good = written("good.txt", "fine")
    wrong = written("wrong.jsonl", "[]\n" * 70)
    *told, last = mistakes(good, wrong, good)
    assert len(told) == 50
    assert told[49].startswith("wrong.jsonl, line 50: ")
    assert last == "and 20 more"


def test_no_mistake_quotes_what_is_private() -> None:
    lines = [
        '{"text": "secret"',
        '{"text": "a", "kind": "secret"}',
        '["secret"]',
        '{"text": "secret\\u0000"}',
    ]
    assert "secret" not in str(
        mistakes(written("a.jsonl", "\n".join(lines)), written("b.txt", b"secret\xff"))
    )
