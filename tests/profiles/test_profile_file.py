"""A profile file becomes a profile, or every mistake in it is named by line and key, without its values."""

from __future__ import annotations

import json
import tomllib
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ProfileFileError
from app.profiles.document import FIELD
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.profile_file import dump_profile, parse_profile, read_profile_file
from app.profiles.toml_lines import Key, key_lines
from app.steering.strength import Strength

ISABEL = """\
id = "isabel"
name = "Isabel Martinez"
default = true
[fields]
writing_style = "playful"
"favourite bread" = "rye"
[[history]]
title = "Listing"
text = '''
about the bay
'''
[[history]]
text = "about the dog"
"""
# Two valid lines, so that what follows starts at line 3.
HEAD = 'id = "a"\nname = "A"\n'


def mistakes(source: str | bytes) -> list[str]:
    """The lines of the message below its first one, or its only one."""
    with pytest.raises(ProfileFileError) as caught:
        parse_profile(source if isinstance(source, bytes) else source.encode(), "me.toml")
    first, *rest = caught.value.message.splitlines()
    assert first.startswith("me.toml")
    return [line.strip() for line in rest] or [first]


def test_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "isabel.toml").write_text(ISABEL, encoding="utf-8")
    assert read_profile_file(tmp_path / "isabel.toml") == ProfileDocument(
        Profile(
            id="isabel",
            name="Isabel Martinez",
            fields=(("writing_style", "playful"), ("favourite bread", "rye")),
            is_default=True,
        ),
        (HistoryItem("Listing", "about the bay\n"), HistoryItem("", "about the dog")),
    )


def test_a_file_with_everything() -> None:
    source = f"""{HEAD}strength = 1
record_history = true
created_at = 2026-01-31T10:30:00+01:00
[[history]]
kind = "turn"
request = "y"
text = "x"
source = "letters/1.txt"
created_at = "2026-01-31T09:30:00.000001Z"
"""
    at = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    item = HistoryItem("", "x", "turn", "letters/1.txt", at.replace(microsecond=1), "y")
    assert parse_profile(source.encode(), "me.toml") == ProfileDocument(
        Profile("a", "A", strength=1.0, record_history=True), (item,), created_at=at
    )


@pytest.mark.parametrize(("toml", "strength"), [('"auto"', "auto"), ("0", 0.0), ("0.25", 0.25)])
def test_a_strength_is_a_number_or_auto(toml: str, strength: Strength) -> None:
    document = parse_profile(f"{HEAD}strength = {toml}\n".encode(), "me.toml")
    assert document.profile.strength == strength
    assert parse_profile(dump_profile(document), "me.json", "json") == document


def test_the_same_in_json(tmp_path: Path) -> None:
    (tmp_path / "isabel.JSON").write_text(json.dumps(tomllib.loads(ISABEL)), encoding="utf-8")
    assert read_profile_file(tmp_path / "isabel.JSON") == parse_profile(ISABEL.encode(), "me.toml")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('{"id": "a", "name": "A", "fi', "me.json, line 1, column 26: not valid JSON: Unterminated string."),
        ('{"id": "a",\n', "me.json, line 2, column 1: not valid JSON"),
        ("[" * 100_000, "me.json: not valid JSON: nested too deeply"),
        (
            '{"id": "a", "name": "A", "history": [' + "1, " * 11 + "1]}",
            "me.json has 12 mistakes:\n  history[0]: found a number; expected an object in braces\n"
            "  history[1]: found",
        ),
        (
            '{"id": "a", "name": "A"' + "".join(f', "k{number}": 1' for number in range(20_000)) + "}",
            "me.json has 20,000 mistakes. Is it a profile?",
        ),
        ("[]", "me.json has 1 mistake:\n  the file: found a list; expected"),
        ("null", "me.json has 1 mistake:\n  the file: found null; expected"),
        ('{"id": "a", "name": null}', "me.json has 1 mistake:\n  name: found null; expected text"),
        ('{"id": "a", "name": "\\ud800"}', "me.json has 1 mistake:\n  name: found half of a character"),
        (
            '{"id": "a", "name": "A", "history": [{"text": "x"}, {"text": "x", "titel": ""}]}',
            "me.json has 1 mistake:\n  history[1].titel: unknown key; did you mean title?",
        ),
    ],
)
def test_mistakes_in_json(source: str, message: str) -> None:
    with pytest.raises(ProfileFileError) as caught:
        parse_profile(source.encode(), "me.json", "json")
    assert caught.value.message.startswith(message)


def test_of_very_many_mistakes_the_first_are_named() -> None:
    listed = mistakes(HEAD + "[[history]]\ntext = 1\n" * 60)
    assert len(listed) == 51
    assert listed[0].startswith("line 4, history[0].text: found a number")
    assert listed[-1] == "and 10 more"


def test_the_smallest_file() -> None:
    assert parse_profile(HEAD.encode(), "me.toml") == ProfileDocument(Profile("a", "A"))


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    source = b"\xef\xbb\xbf" + ISABEL.replace("\n", "\r\n").encode()
    assert parse_profile(source, "me.toml") == parse_profile(ISABEL.encode(), "me.toml")


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    source = """\
# A comment, and a blank line.

id = "Not A Slug"
naem = "Isabel"
[fields]
age = 42
ok = '''
[fields]
age = 1
'''
"my key" = " "
default = false

[[history]]
text = "fine"
[[history]]
titel = "x"
"""
    assert mistakes(source) == [
        "line 1, name: missing; expected text of 1 to 200 characters, not blank",
        "line 3, id: found other characters; "
        "expected 1 to 64 lowercase letters, digits, - and _, like isabel",
        "line 4, naem: unknown key; did you mean name?",
        "line 6, fields.age: found a number; expected " + FIELD,
        'line 11, fields."my key": found nothing but blanks; expected ' + FIELD,
        "line 12, fields.default: found true or false; "
        "expected " + FIELD + " (the profile's own default has to stand above the first line in brackets)",
        "line 16, history[1].text: missing; expected text that is not blank, of at most 1,000,000 characters",
        "line 17, history[1].titel: unknown key; did you mean title?",
    ]


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ('name = "A"\nid = ""', "line 2, id: found 0 characters; expected 1 to 64"),
        ('name = "A"\nid = "' + "a" * 65 + '"', "line 2, id: found 65 characters"),
        ('name = "A"\nid = "isabel\\n"', "line 2, id: found other characters"),
        ('name = "A"\nid = 7', "line 2, id: found a number"),
        ('id = "a"\nname = ""', "line 2, name: found nothing but blanks"),
        (
            'id = "a"\nname = "' + "é" * 201 + '"',
            "line 2, name: found 201 characters; expected text",
        ),
        ('id = "a"\nname = "A\\u0000"', "line 2, name: found a NUL character"),
        (HEAD + 'default = "true"', "line 3, default: found text; expected true or false"),
        (HEAD + "default = 1", "line 3, default: found a number; expected true or false"),
        (HEAD + 'fields = "x"', "line 3, fields: found text; expected a table of at most"),
        (HEAD + '[[fields]]\na = "x"', "line 3, fields: found a list; expected a table of at most"),
        (HEAD + "[fields]\na = ['x']", "line 4, fields.a: found a list; expected a key of at most"),
        (HEAD + "[fields]\na = 2024-02-03", "line 4, fields.a: found a date"),
        (HEAD + "[fields]\na = 10:00:00", "line 4, fields.a: found a time"),
        (HEAD + "[fields]\na.b = 'x'", "line 4, fields.a: found a table"),
        (HEAD + "[fields.a]\nb = 'x'", "line 3, fields.a: found a table"),
        (HEAD + "[fields]\n'' = 'x'", 'line 4, fields."": found nothing but blanks'),
        (HEAD + '[fields]\n"a\\u0000" = "x"', 'line 4, fields."a\\u0000": found a NUL character'),
        (
            HEAD + '[history]\ntext = "x"',
            "line 3, history: found a table; expected a list of items",
        ),
        (
            HEAD + "history = [\n{text = 'x'},\n3]",
            "line 3, history[1]: found a number; expected a table under",
        ),
        (HEAD + "[[history]]\ntext = ''", "line 4, history[0].text: found nothing but blanks"),
        (
            HEAD + "[[history]]\ntext = 'x'\ntitle = []",
            "line 5, history[0].title: found a list; expected text",
        ),
        (
            HEAD + "[[history]]\ntext = 'x'\nid = 'y'",
            "line 5, history[0].id: unknown key; did you mean kind? (the profile's own id has to stand above",
        ),
        (HEAD + "[[history]]\ntext = 'x'\n[history.more]", "line 5, history[0].more: unknown key"),
        (HEAD + "[[histroy]]\n[[histroy]]", "line 3, histroy: unknown key; did you mean history?"),
        (HEAD + "Fields = 1", "line 3, Fields: unknown key; did you mean fields?"),
        (
            HEAD + "strength = 5",
            'line 3, strength: found another number; expected a number from 0 to 4, or "auto"',
        ),
        (HEAD + "strength = 'strong'", "line 3, strength: found other text; expected a number from 0 to 4"),
        (HEAD + "strength = true", "line 3, strength: found true or false; expected a number from 0 to 4"),
        (HEAD + "[fields]\na = '" + "x" * 10_001 + "'", "line 4, fields.a: found 10001 characters"),
        (HEAD + "[fields]\n" + "".join(f"a{n} = 'x'\n" for n in range(101)), "line 3, fields: found 101"),
        (HEAD + "[[history]]\ntext = 'x'\nkind = 'tale'", "line 5, history[0].kind: found other text"),
        (
            HEAD + "[[history]]\ntext = 'x'\ncreated_at = 2026-01-01T10:00:00",
            "line 5, history[0].created_at: found a time without a zone; expected a time with its zone",
        ),
        (HEAD + "created_at = 'today'", "line 3, created_at: found text that is no time"),
        (HEAD + "created_at = 2026-01-01", "line 3, created_at: found a date"),
        (
            HEAD + "zzz = 1",
            "line 3, zzz: unknown key; known are id, name, default, strength, record_history, fields",
        ),
    ],
)
def test_each_mistake(source: str, start: str) -> None:
    (only,) = mistakes(source)
    assert only.startswith(start)


@pytest.mark.parametrize(
    ("source", "start"),
    [
        (HEAD + "a = yes", "me.toml, line 3, column 5: not valid TOML: Invalid value."),
        (HEAD + 'a = "x "y" z"', "me.toml, line 3, column 9: not valid TOML: Expected newline"),
        (
            HEAD + r'home = "C:\Users\anna"',
            "me.toml, line 3, column 13: not valid TOML: Invalid hex value. A back",
        ),
        (
            HEAD + r'a = "\d"',
            "me.toml, line 3, column 8: not valid TOML: Unescaped '\\' in a string. A backslash in",
        ),
        (
            HEAD + f"[{'k' * 5000}]\n[{'k' * 5000}]",
            "me.toml, line 4, column 5002: not valid TOML: Cannot declare",
        ),
        (HEAD + "name = 'B'", "me.toml, line 3, column 11: not valid TOML: Cannot overwrite a value."),
        (HEAD + 'a = """\nx\n\n', "me.toml, line 3: not valid TOML: Unterminated string."),
        (HEAD + "a = '''\nx ] '\n\n", "me.toml, line 3: not valid TOML"),
        (HEAD + "a = [\n1,\n", "me.toml, line 3: not valid TOML"),
        (HEAD + "a =", "me.toml, line 3, column 4: not valid TOML: Invalid value."),
        (HEAD + "a = " + "9" * 5000, "me.toml, line 3: not valid TOML"),
        (HEAD + "a = " + "[" * 5000, "me.toml, line 3: not taken as TOML: nested too deeply."),
        (HEAD + "a = '\0'", "me.toml, line 3, column 6: not valid TOML"),
        (b'id = "a"\nname = "\xff"', "me.toml, line 2: not UTF-8 text; save the file"),
        (HEAD.encode("utf-16"), "me.toml, line 1: not UTF-8 text but UTF-16"),
        ("", "me.toml is empty: a profile needs at least"),
        (" \n\t\r\n", "me.toml is empty"),
        (b"\xef\xbb\xbf", "me.toml is empty"),
    ],
)
def test_what_is_not_toml(source: str | bytes, start: str) -> None:
    (only,) = mistakes(source)
    assert only.startswith(start)
    assert len(only) < 600


def test_text_in_the_wrong_quotes_is_told_the_right_ones() -> None:
    (only,) = mistakes(HEAD + r'home = "C:\Users\anna"')
    assert "in single quotes, 'C:\\Users'" in only
    assert parse_profile((HEAD + r"fields.home = 'C:\Users\anna'").encode(), "me.toml")
    (only,) = mistakes(HEAD + 'a = "x "y" z"')
    assert 'write \\" for it, or put the text in single quotes' in only


def test_a_name_of_any_length_is_cut_in_a_message() -> None:
    (only,) = mistakes(HEAD + f"{'k' * 100_000} = 1")
    assert only.startswith(f'line 3, "{"k" * 100}...": unknown key')
    assert len(only) < 400


def test_the_first_mistakes_of_many_are_those_that_stand_first() -> None:
    listed = mistakes(HEAD + "[fields]\na = 1\n" + "[[history]]\ntext = 1\n" * 20_000)
    assert listed[0].startswith("line 4, fields.a")
    assert listed[1].startswith("line 6, history[0].text")
    assert listed[50:] == ["and 19,951 more"]


def test_lines_may_end_as_on_an_old_mac() -> None:
    assert parse_profile(ISABEL.replace("\n", "\r").encode(), "me.toml") == parse_profile(
        ISABEL.encode(), "me"
    )
    (only,) = mistakes((HEAD + "a = 1").replace("\n", "\r"))
    assert only.startswith("line 3, a: unknown key")


def test_the_id_is_looked_at_before_the_rest() -> None:
    class Refused(Exception):
        pass

    def admit(profile_id: str) -> None:
        assert profile_id == "a"
        raise Refused

    for source, syntax in ((HEAD + "zzz = 1", "toml"), ('{"id": "a", "zzz": 1}', "json")):
        with pytest.raises(Refused):
            parse_profile(source.encode(), "me", "json" if syntax == "json" else "toml", admit)


def test_a_file_of_comments_misses_its_keys() -> None:
    assert [line.split(":")[0] for line in mistakes("# nothing\n")] == ["line 1, id", "line 1, name"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ProfileFileError, match=r"gone\.toml: cannot be read: No such file"):
        read_profile_file(tmp_path / "gone.toml")
    with pytest.raises(ProfileFileError, match="cannot be read: Is a directory"):
        read_profile_file(tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        'id = "Maria Secret"',
        'name = "secret\\u0000"',
        "[fields]\na = ['secret']\nb = ' '",
        "[[history]]\ntitle = 3\ntext = ['secret']",
        '[[history]]\ntext = "secret "quoted" text"',
        '[[history]]\ntext = """secret',
    ],
)
def test_no_value_is_quoted_even_in_a_traceback(source: str) -> None:
    with pytest.raises(ProfileFileError) as caught:
        parse_profile(source.encode(), "me.toml")
    assert "ecret" not in "".join(traceback.format_exception(caught.value))


def test_lines_of_keys_in_every_form() -> None:
    source = """\
[a.b] # ] [c]
"x.y" = 1
'l' . m = { n = 1, "o" = [ { p = 2 } ] } # x = 1
list = [
  1, # ]
  "]", '''
]
''',
]
  [[ t ]]
text = \"\"\"a\\
\\\"\"\" [[t]]
k = 1\"\"\"\"
[[t]]
[t.sub]
k = "#"
[[t.deep]]
[[t.deep]]
k = '"'
"""
    lines = key_lines(source)
    assert lines == {
        ("a",): 1,
        ("a", "b"): 1,
        ("a", "b", "x.y"): 2,
        ("a", "b", "l"): 3,
        ("a", "b", "l", "m"): 3,
        ("a", "b", "l", "m", "n"): 3,
        ("a", "b", "l", "m", "o"): 3,
        ("a", "b", "l", "m", "o", 0): 3,
        ("a", "b", "l", "m", "o", 0, "p"): 3,
        ("a", "b", "list"): 4,
        ("a", "b", "list", 0): 4,
        ("a", "b", "list", 1): 4,
        ("a", "b", "list", 2): 4,
        ("t",): 10,
        ("t", 0): 10,
        ("t", 0, "text"): 11,
        ("t", 1): 14,
        ("t", 1, "sub"): 15,
        ("t", 1, "sub", "k"): 16,
        ("t", 1, "deep"): 17,
        ("t", 1, "deep", 0): 17,
        ("t", 1, "deep", 1): 18,
        ("t", 1, "deep", 1, "k"): 19,
    }


# Pieces that look like the structure of a document when they stand inside a string or a comment.
noise = st.lists(
    st.sampled_from(
        ["x", " ", "#", "[", "]", "{", "}", "=", "'", '"', "[[history]]", "a = 1", "é", "\u2028"]
    ),
    max_size=8,
).map("".join)
paragraphs = st.lists(noise, max_size=4).map("\n".join)
values = st.one_of(
    noise.map(json.dumps),
    noise.map(lambda text: "'" + text.replace("'", "") + "'"),
    # A quote before the closing three belongs to the text, and so may one or two of them.
    st.tuples(paragraphs, st.sampled_from(["", '"', '""'])).map(
        lambda pair: '"""' + pair[0].replace('"', '\\"') + pair[1] + '"""'
    ),
    paragraphs.map(lambda text: "'''" + text.replace("'", "") + "'''"),
    st.lists(noise.map(json.dumps), max_size=3).map(lambda items: "[ # ]\n" + ",\n".join(items) + "\n]"),
    noise.map(lambda text: "{ a = " + json.dumps(text) + " }"),
)
between = st.lists(noise.map(lambda text: "# " + text), max_size=2).map("".join)


@given(st.lists(st.tuples(between, st.booleans(), noise, values), max_size=8))
def test_lines_of_any_document(statements: list[tuple[str, bool, str, str]]) -> None:
    source, table, tables = "", "", 0
    expected: dict[Key, int] = {}
    for number, (comment, new_table, name, value) in enumerate(statements):
        source += comment + "\n"
        if new_table:
            expected["items", tables] = source.count("\n") + 1
            table, tables = f"items{tables}", tables + 1
            source += "[[items]]" + comment + "\n"
        key = f"{number} {name}"
        where = ("items", tables - 1, key) if table else (key,)
        expected[where] = source.count("\n") + 1
        source += f"{json.dumps(key)} = {value} {comment}\n"
    found = key_lines(source)
    assert {key: found[key] for key in expected} == expected
