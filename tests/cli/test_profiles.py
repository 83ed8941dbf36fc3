"""`costeer profiles`: created, listed, shown, changed and erased."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import ProfileNotFound
from app.profiles.profile import Preference, Profile
from cli.running import ANNA, BERT, ROOT, done, done_json, misused, open_store, refused, run, written


def profile(profile_id: str) -> Profile:
    with open_store() as store:
        return store.profiles.get(profile_id)


@pytest.fixture
def anna() -> Profile:
    done("profiles", "import", written("anna.toml", ANNA))
    return profile("anna")


def test_a_profile_is_created_with_all_that_is_named() -> None:
    fields = ["--field", "occupation=Nurse", "--field", "a key=x=y"]
    said = done("profiles", "create", "anna", "--name", "Anna Ek", *fields, "--strength", "1.5", "--default")
    assert said == "profile anna: created\n"
    assert profile("anna") == Profile(
        "anna", "Anna Ek", (("occupation", "Nurse"), ("a key", "x=y")), is_default=True, strength=1.5
    )
    done("profiles", "create", "bert", "--name", "Bert", "--record")
    assert profile("bert") == Profile("bert", "Bert", record_history=True)


def test_an_id_that_exists_is_refused(anna: Profile) -> None:
    assert "'anna' already" in refused("profiles", "create", "anna", "--name", "Another")
    assert profile("anna") == anna


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["Anna", "--name", "A"], "ID"),
        (["anna", "--name", " "], "--name"),
        (["anna", "--name", "x" * 201], "--name"),
        (["anna", "--name", "A", "--field", "x= "], "--field"),
        (["anna", "--name", "A", *[part for n in range(101) for part in ("--field", f"f{n}=x")]], "--field"),
    ],
)
def test_what_a_profile_cannot_have_is_named_by_its_option(arguments: list[str], option: str) -> None:
    assert refused("profiles", "create", *arguments).startswith(f"error: {option}: ")
    with open_store() as store:
        assert store.profiles.list() == []


def test_all_mistakes_of_an_option_are_named_at_once() -> None:
    message = refused("profiles", "create", "Anna", "--name", " ", "--field", "x= ")
    assert all(option in message for option in ("ID: ", "--name: ", "--field: "))


@pytest.mark.parametrize(
    "arguments",
    [
        ["anna"],
        ["anna", "--name", "A", "--field", "no equals sign"],
        ["anna", "--name", "A", "--field", "x=1", "--field", "x=2"],
    ],
)
def test_a_wrong_call_is_a_mistake_of_usage(arguments: list[str]) -> None:
    misused("profiles", "create", *arguments)


@pytest.mark.parametrize("strength", ["5", "-1", "nan", "much", "AUTO"])
def test_a_wrong_strength_is_a_mistake_of_usage_that_says_what_one_is(anna: Profile, strength: str) -> None:
    for command in (["create", "bert", "--name", "B"], ["set", "anna"]):
        message = misused("profiles", *command, "--strength", strength)
        assert "'--strength'" in message
        assert 'give a number from 0 to 4, or "auto"' in message
    assert profile("anna") == anna


def test_a_strength_can_be_auto_and_is_shown_so(anna: Profile) -> None:
    assert "auto (from the settings)" in done("profiles", "show", "anna")
    done("profiles", "set", "anna", "--strength", "auto")
    done("profiles", "create", "bert", "--name", "B", "--strength", "auto")
    assert profile("anna").strength == profile("bert").strength == "auto"
    (line,) = [line for line in done("profiles", "show", "anna").splitlines() if line.startswith("strength")]
    assert line.split() == ["strength", "auto"]
    assert "auto" in done("profiles", "list")
    assert [one["strength"] for one in done_json("profiles", "list")] == ["auto", "auto"]


def test_profiles_are_listed_with_what_they_hold(anna: Profile) -> None:
    done("profiles", "import", written("bert.toml", BERT))
    done("profiles", "set", "bert", "--record", "--strength", "0.25")
    lines = [line.replace("│", " ").split() for line in done("profiles", "list").splitlines()]
    assert ["anna", "Anna", "Ek", "0"] in [line[:4] for line in lines]
    assert ["bert", "Bert", "Ask", "yes", "0.25", "yes", "1"] in [line[:7] for line in lines]
    assert "Nurse" not in done("profiles", "list")
    listed = done_json("profiles", "list")
    assert [(one["id"], one["history_count"]) for one in listed] == [("anna", 0), ("bert", 1)]


def test_without_any_it_says_how_to_make_one() -> None:
    assert "costeer profiles create" in run("profiles", "list").stderr
    assert done_json("profiles", "list") == []


def test_a_profile_is_shown_with_its_newest_items(anna: Profile) -> None:
    for number in range(7):
        done("history", "add", "anna", written(f"note {number}.txt", f"text {number}"))
    text = done("profiles", "show", "anna")
    for shown in ("Anna Ek", "occupation: Nurse", "7 items", "auto (from the settings)", "note 6", "note 2"):
        assert shown in text
    assert "note 1" not in text
    shown = done_json("profiles", "show", "anna")
    assert (shown["name"], shown["history_count"], shown["strength"]) == ("Anna Ek", 7, None)
    assert [item["title"] for item in shown["newest"]] == [f"note {number}" for number in (6, 5, 4, 3, 2)]


def test_what_is_named_changes_and_nothing_else(anna: Profile) -> None:
    done("profiles", "set", "anna", "--field", "town=Oslo", "--strength", "2", "--record", "--default")
    fields = (("occupation", "Nurse"), ("town", "Oslo"))
    assert profile("anna") == Profile("anna", "Anna Ek", fields, True, 2.0, True)
    done("profiles", "set", "anna", "--field", "occupation=Pilot", "--no-default", "--no-record")
    done("profiles", "set", "anna", "--remove-field", "town", "--no-strength", "--name", "Anna")
    assert profile("anna") == Profile("anna", "Anna", (("occupation", "Pilot"),))


def test_preferences_are_given_with_an_opposite_or_without(anna: Profile) -> None:
    given = ["--preference", "Answer briefly. | Answer at length.", "--preference", "Use a|b"]
    done("profiles", "create", "bert", "--name", "Bert", *given)
    two = (Preference("Answer briefly.", "Answer at length."), Preference("Use a|b"))
    assert profile("bert") == Profile("bert", "Bert", preferences=two)
    text = done("profiles", "show", "bert")
    assert "preferences\n  Answer briefly. | Answer at length.\n  Use a|b\n" in text
    shown = done_json("profiles", "show", "bert")["preferences"]
    assert shown[1] == {"text": "Use a|b", "opposite": ""}
    assert "preferences" not in done("profiles", "show", "anna")


def test_those_given_replace_the_ones_before_and_all_can_be_removed(anna: Profile) -> None:
    done("profiles", "set", "anna", "--preference", "One.", "--preference", "Two.")
    done("profiles", "set", "anna", "--preference", "Three.")
    assert profile("anna").preferences == (Preference("Three."),)
    done("profiles", "set", "anna", "--name", "Anna")
    assert profile("anna").preferences == (Preference("Three."),)
    done("profiles", "set", "anna", "--no-preferences")
    assert profile("anna") == replace(anna, name="Anna")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([" "], "found nothing but blanks; expected text of at most 1,000 characters and perhaps, behind"),
        ([" | Answer at length."], "found nothing but blanks"),
        (["x" * 1001], "found 1001 characters"),
        ([f"x | {'y' * 1001}"], "found 1001 characters"),
        (["x", "x | y"], "found the text of [0] again"),
        ([str(number) for number in range(21)], "found 21; expected a list of at most 20"),
    ],
)
def test_a_wrong_preference_is_refused_and_changes_nothing(
    anna: Profile, given: list[str], says: str
) -> None:
    options = [part for one in given for part in ("--preference", one)]
    for command in (["create", "bert", "--name", "B"], ["set", "anna"]):
        message = refused("profiles", *command, *options)
        assert message.startswith("error: --preference: ")
        assert says in message
    assert profile("anna") == anna


@pytest.mark.parametrize("given", ["a | b | c", "a |", "a | "])
def test_a_preference_has_one_opposite(anna: Profile, given: str) -> None:
    for command in (["create", "bert", "--name", "B"], ["set", "anna"]):
        message = misused("profiles", *command, "--preference", given)
        assert "--preference takes TEXT or 'TEXT | OPPOSITE'" in message
    assert profile("anna") == anna


@pytest.mark.parametrize(
    "arguments",
    [
        ["--remove-field", "town"],
        ["--name", ""],
        ["--name", "Other", *[part for n in range(100) for part in ("--field", f"f{n}=x")]],
        ["--name", "Other", "--remove-field", "town"],
    ],
)
def test_a_change_that_cannot_be_changes_nothing(anna: Profile, arguments: list[str]) -> None:
    refused("profiles", "set", "anna", *arguments)
    assert profile("anna") == anna


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--preference", "x", "--no-preferences"],
        ["--strength", "1", "--no-strength"],
        ["--field", "x=y", "--remove-field", "x"],
        ["--field", "x"],
    ],
)
def test_a_contradiction_is_a_mistake_of_usage(anna: Profile, arguments: list[str]) -> None:
    misused("profiles", "set", "anna", *arguments)
    assert profile("anna") == anna


def test_erasing_takes_history_and_keys_and_says_so(anna: Profile) -> None:
    done("history", "add", "anna", written("a.txt", "one"), written("b.txt", "two"))
    done("keys", "create", "--profile", "anna")
    said = done("profiles", "delete", "anna", "--yes")
    assert said == "profile anna: erased, with 2 history items and 1 API key\n"
    with pytest.raises(ProfileNotFound):
        profile("anna")
    assert done_json("keys", "list") == []


def test_nothing_is_erased_where_nobody_can_be_asked(anna: Profile) -> None:
    message = refused("profiles", "delete", "anna", stdin="y\n")
    assert "--yes" in message
    assert "0 history items" in message
    assert profile("anna") == anna


def on_a_terminal(command: list[str], answer: bytes) -> int:
    """The exit status of a command at which somebody types the answer to its question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from app.cli import main; main()", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(process.stderr.fileno(), 1000)
        os.write(ours, answer)
        process.stderr.read()
        return process.wait(timeout=30)
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)


def test_on_a_terminal_it_asks_first(anna: Profile) -> None:
    command = ["profiles", "delete", "anna"]
    assert on_a_terminal(command, b"n\n") == 0
    assert profile("anna") == anna
    end_of_input = b"\x04"
    assert on_a_terminal(command, end_of_input) == 130
    assert profile("anna") == anna
    assert on_a_terminal(command, b"y\n") == 0
    with pytest.raises(ProfileNotFound):
        profile("anna")


def test_the_sample_profiles_can_be_imported() -> None:
    files = sorted(map(str, (ROOT / "profiles").glob("*.toml")))
    done("profiles", "import", "--keep", *files)
    assert {one["id"] for one in done_json("profiles", "list")} == {Path(name).stem for name in files}
