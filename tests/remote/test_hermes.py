"""Calls are read from a model's text the same however it is cut, and what is no call stays text."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.remote.hermes import CLOSE, OPEN, Call, CallScanner, first_value, read_call

NAMES = ("look_up", "wait")


def scanned(*pieces: str, bare: tuple[str, ...] = NAMES) -> list[str | Call]:
    """What the pieces are, with neighbouring texts joined."""
    scanner = CallScanner(bare)
    found = [one for piece in pieces for one in scanner.push(piece)] + scanner.flush()
    joined: list[str | Call] = []
    for one in found:
        if isinstance(one, str) and joined and isinstance(joined[-1], str):
            joined[-1] += one
        else:
            joined.append(one)
    assert scanner.calls == sum(isinstance(one, Call) for one in found)
    return joined


def written(name: str, arguments: str) -> str:
    return f'{OPEN}\n{{"name": "{name}", "arguments": {arguments}}}\n{CLOSE}'


BARE = '{"name": "wait", "arguments": {}}'
FRAGMENTS = (OPEN, CLOSE, "<tool", "_call>", BARE, '{"name":"', "{", "}", "a", "\n", "é")
CALLS = (written("wait", '{"n": 1}'), written("wait", "nothing"))
TEXTS = st.lists(st.sampled_from((*FRAGMENTS, *CALLS))).map("".join)


@given(text=TEXTS, cuts=st.lists(st.integers(0, 60)))
def test_however_the_text_is_cut_the_same_comes_out(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert scanned(*pieces) == scanned(text)


@given(text=st.text().filter(lambda text: OPEN not in text), cut=st.integers(0, 20))
def test_text_without_calls_comes_out_as_it_is(text: str, cut: int) -> None:
    assert "".join(map(str, scanned(text[:cut], text[cut:], bare=()))) == text


ARGUMENTS = st.dictionaries(st.text(), st.recursive(st.none() | st.text() | st.integers(), st.lists))


@given(arguments=ARGUMENTS, ascii_only=st.booleans(), indent=st.none() | st.integers(0, 3))
def test_arguments_are_kept_as_they_were_written(
    arguments: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    value = json.dumps(arguments, ensure_ascii=ascii_only, indent=indent)
    call = read_call(f' {{"id": [1, {{}}], "name" : "wait",\n"arguments" :{value} , "more": null}}\n')
    assert call == Call("wait", value)


def test_text_comes_before_calls_and_none_behind_the_first() -> None:
    text = "Let me see.\n" + written("look_up", '{"word": "é"}') + "\nand\n" + written("wait", "{}") + " Bye."
    assert scanned(text) == ["Let me see.\n", Call("look_up", '{"word": "é"}'), Call("wait", "{}")]


def test_text_is_given_back_as_soon_as_it_is_no_marker() -> None:
    scanner = CallScanner(NAMES)
    assert scanner.push("A <tool") == ["A "]
    assert scanner.push("s") == ["<tools"]
    assert scanner.push(OPEN) == []
    assert scanner.push('{"name": "wait", "arguments": {}}') == []
    assert scanner.push("</tool_call") == []
    assert scanner.push(">") == [Call("wait", "{}")]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        '{"name": "wait"}',
        '{"arguments": {}}',
        '{"name": "", "arguments": {}}',
        '{"name": 1, "arguments": {}}',
        '{"name": "wait", "arguments": [1]}',
        '{"name": "wait", "arguments": "now"}',
        '[{"name": "wait", "arguments": {}}]',
        '{"name": "wait", "arguments": {"a": "\n"}}',
        '{"name": "wait", "arguments": ' + "[" * 5000,
    ],
)
def test_what_is_no_call_stays_text(body: str) -> None:
    text = f"a{OPEN}{body}{CLOSE}b"
    assert scanned(text) == [text]
    assert scanned(f"a{OPEN}{body}") == [f"a{OPEN}{body}"]


def test_a_call_that_the_end_of_the_reply_closes_is_one() -> None:
    assert scanned(OPEN + '\n{"name": "wait", "arguments": {}}') == [Call("wait", "{}")]


def test_arguments_that_were_written_as_text_are_taken_out_of_it() -> None:
    assert read_call('{"name": "wait", "arguments": "{\\"n\\": 1}"}') == Call("wait", '{"n": 1}')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('\n{"name": "wait", "arguments": {"n": 1}}\n', [Call("wait", '{"n": 1}')]),
        (
            '{"name": "wait", "arguments": {}}\n{"name": "look_up", "arguments": {}}',
            [Call("wait", "{}"), Call("look_up", "{}")],
        ),
        ('{"name": "other", "arguments": {}}', ['{"name": "other", "arguments": {}}']),
        ('{"name": "wait", "arguments": {}} So.', ['{"name": "wait", "arguments": {}} So.']),
        ('{"name": "wait", "argum', ['{"name": "wait", "argum']),
        ('A {"name": "wait", "arguments": {}}', ['A {"name": "wait", "arguments": {}}']),
        ("  ", ["  "]),
        ('{"name": "x"}' + written("wait", "{}"), ['{"name": "x"}', Call("wait", "{}")]),
    ],
)
def test_a_reply_that_is_json_of_calls_alone_is_these_calls(text: str, expected: list[str | Call]) -> None:
    assert scanned(text) == expected
    assert scanned(*text) == expected


def test_a_value_is_whole_once_its_last_brace_is_there() -> None:
    assert first_value(' {"a": {"b": "}"}') is None
    assert first_value(' {"a": {"b": "}"}}}\n') == '{"a": {"b": "}"}}'
    assert first_value("[1]") is None
