"""What tomllib would take minutes and gigabytes for is refused before, by its line."""

from __future__ import annotations

import pytest

from app.errors import ProfileFileError
from app.profiles.profile_file import parse_profile
from app.profiles.toml_bounds import MAX_DEPTH, MAX_TOKENS, TomlTooMuch, check_bounds

HEAD = 'id = "a"\nname = "A"\n'


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a." * 50_000 + "b = 1", "a key of more than 10 parts"),
        ('"a" . ' * 50_000 + "b = 1", "a key of more than 10 parts"),
        ("[" + "a." * 50_000 + "b]", "a key of more than 10 parts"),
        ("[[" + "a." * 50_000 + "b]]", "a key of more than 10 parts"),
        ("a = {" + "b." * 50_000 + "c = 1}", "a key of more than 10 parts"),
        ("a = " + "[" * 50_000, "nested too deeply"),
        ("a = " + "{a=" * 50_000, "nested too deeply"),
        ("a = " + "[{a = " * 50_000 + '"' + '\\"' * 100_000, "nested too deeply"),
        ("[[a]]\n" * 300_000, "too many keys and lines"),
        ("a = [" + "1," * 1_000_000 + "]", "too many keys and lines"),
    ],
    ids=range(10),
)
def test_a_document_past_a_bound_is_refused_by_its_line(source: str, reason: str) -> None:
    with pytest.raises(ProfileFileError) as caught:
        parse_profile((HEAD + source).encode(), "me.toml")
    line = 166_667 if source.startswith("[[a]]") else 3
    place, _, words = caught.value.message.partition(": not taken as TOML: ")
    assert words.startswith(reason)
    if "a]]\n" not in source:
        assert place == f"me.toml, line {line}"


@pytest.mark.parametrize(
    "source",
    [
        "a." * (MAX_DEPTH - 1) + "b = 1",
        "a = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        "[a]\n[b.c]\nd.e = 1.5 # x.x.x.x.x.x.x.x.x.x.x.x.x [[[[[[[[[[[[[[",
        'a = "' + "." * 5000 + "[" * 5000 + "\"\nb = '''" + "{\n" * 5000 + "'''",
        "a = [" + "1.5, " * 1000 + "]\n" + "[[b]]\n" * 1000,
        "]]]] a = [1]",
        '"' * 100_000,
    ],
    ids=range(7),
)
def test_what_is_within_the_bounds_is_left_to_tomllib(source: str) -> None:
    check_bounds(source)


def test_lines_inside_strings_count() -> None:
    with pytest.raises(TomlTooMuch) as caught:
        check_bounds("a = '''\n\n\n'''\n" + '"""\n"""\n# [\n' + "[" * (MAX_DEPTH + 1))
    assert caught.value.line == 8


def test_the_items_of_a_large_history_are_within_the_bounds() -> None:
    check_bounds('[[history]]\ntitle = "T"\ntext = "x.y"\n' * (MAX_TOKENS // 11))


def test_a_broken_string_behind_a_broken_number_takes_no_long() -> None:
    source = f'{HEAD}a = {"9" * 5000}\nb = "' + '\\"' * 500_000
    with pytest.raises(
        ProfileFileError, match=r"line 3: not valid TOML: a number with thousands of digits\."
    ):
        parse_profile(source.encode(), "me.toml")
