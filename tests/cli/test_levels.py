"""Levels of disclosure on the command line: given, changed one by one, shown where they are no defaults."""

from __future__ import annotations

import pytest

from app.profiles.disclosure import Disclosure, Identifier, Level
from cli.running import ANNA, done, done_json, misused, open_store, refused, written


@pytest.fixture(autouse=True)
def anna() -> None:
    done("profiles", "import", written("anna.toml", f'{ANNA}town = "Oslo"\n'))


def disclosure(profile: str = "anna") -> Disclosure:
    with open_store() as store:
        return store.profiles.get(profile).disclosure


def test_a_profile_is_created_with_levels() -> None:
    fields = ("--field", "job=Nurse", "--field", "town=Oslo")
    levels = ("--level", "job=off", "--level", "town=open", "--identifier", "url=off", "--budget", "2.5")
    done("profiles", "create", "bert", "--name", "B", *fields, "--least", "shape", *levels)
    assert disclosure("bert") == Disclosure(
        "shape", (("url", "off"),), (("job", "off"), ("town", "open")), 2.5
    )


def test_what_is_named_changes_and_the_rest_stays() -> None:
    done("profiles", "set", "anna", "--level", "occupation=off", "--identifier", "name=open", "--budget", "9")
    done("profiles", "set", "anna", "--level", "town=fill", "--identifier", "url=off", "--least", "shape")
    done("profiles", "set", "anna", "--level", "occupation=shape", "--name", "Anna")
    both: tuple[tuple[Identifier, Level], ...] = (("name", "open"), ("url", "off"))
    assert disclosure() == Disclosure("shape", both, (("occupation", "shape"), ("town", "fill")), 9.0)
    done("profiles", "set", "anna", "--remove-field", "town")
    assert disclosure() == Disclosure("shape", both, (("occupation", "shape"),), 9.0)
    done("profiles", "set", "anna", "--no-levels", "--identifier", "name=off")
    assert disclosure() == Disclosure(identifiers=(("name", "off"),), budget=9.0)
    done("profiles", "set", "anna", "--no-budget")
    assert disclosure() == Disclosure(identifiers=(("name", "off"),))
    done("profiles", "set", "anna", "--field", "hobby=Chess", "--level", "hobby=fill", "--no-levels")
    assert disclosure() == Disclosure(fields=(("hobby", "fill"),))


def test_a_field_with_an_equals_sign_has_its_level_too() -> None:
    done("profiles", "import", written("c.toml", 'id = "c"\nname = "C"\n[fields]\n"a=b" = "x"\n'))
    done("profiles", "set", "c", "--level", "a=b=fill")
    assert disclosure("c").fields == (("a=b", "fill"),)


def test_only_what_is_no_default_is_shown() -> None:
    assert "disclosure" not in done("profiles", "show", "anna")
    given = ("--level", "town=fill", "--level", "occupation=open", "--identifier", "name=open")
    done("profiles", "set", "anna", *given, "--least", "shape", "--budget", "0.5")
    assert (
        "\ndisclosure\n  least: shape\n  identifier name: open\n  field town: fill\n"
        "  budget: 0.5 nats a conversation\n"
    ) in done("profiles", "show", "anna")
    shown = done_json("profiles", "show", "anna")["disclosure"]
    assert shown["fields"] == {"town": "fill", "occupation": "open"}
    assert (shown["least"], shown["identifiers"], shown["budget"]) == ("shape", {"name": "open"}, 0.5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--level", "job=off"], "--level job: no field of the profile; it has occupation, town"),
        (["--level", "town=shut"], "--level town: found other text; expected open, shape, fill or off"),
        (["--identifier", "names=off"], "--identifier names: no kind of identifier; there are name, email"),
        (["--identifier", "name=shut"], "--identifier name: found other text; expected open, shape"),
        (["--remove-field", "town", "--level", "town=off"], "--level town: no field of the profile; it has"),
    ],
)
def test_a_wrong_level_is_refused_and_changes_nothing(arguments: list[str], says: str) -> None:
    done("profiles", "set", "anna", "--least", "shape")
    assert refused("profiles", "set", "anna", *arguments).startswith(f"error: {says}")
    assert disclosure() == Disclosure("shape")
    if "--remove-field" not in arguments:
        fields = ("--field", "occupation=x", "--field", "town=y")
        made = refused("profiles", "create", "bert", "--name", "B", *fields, *arguments)
        assert made.startswith(f"error: {says}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--level", "town"],
        ["--level", "town=off", "--level", "town=open"],
        ["--identifier", "name"],
        ["--least", "shut"],
        ["--budget", "-1"],
        ["--budget", "nan"],
        ["--budget", "inf"],
        ["--budget", "1", "--no-budget"],
    ],
)
def test_a_wrong_call_is_a_mistake_of_usage(arguments: list[str]) -> None:
    misused("profiles", "set", "anna", *arguments)
    assert disclosure() == Disclosure()


def test_items_are_added_with_a_level_unless_they_have_their_own() -> None:
    lines = written("a.jsonl", '{"text": "own", "disclosure": "off"}\n{"text": "none"}\n')
    done("history", "add", "anna", lines, written("b.md", "A day.\n"), "--level", "shape")
    done("history", "add", "anna", written("c.txt", "later"))
    levels = {one["text"]: one["disclosure"] for one in done_json("history", "list", "anna")}
    assert levels == {"own": "off", "none": "shape", "A day.": "shape", "later": "open"}
    misused("history", "add", "anna", "c.txt", "--level", "shut")


def test_an_item_s_level_is_changed_and_shown_where_it_is_not_open() -> None:
    done("history", "add", "anna", written("a.txt", "text"), written("b.txt", "more"))
    assert done("history", "level", "anna", "item_1", "fill") == "profile anna: item_1 is fill\n"
    shown = done("history", "show", "anna", "item_1")
    assert "level     fill\n" in shown
    assert "level" not in done("history", "show", "anna", "item_2")
    listed = done("history", "list", "anna").splitlines()
    assert ["fill" in line.split() for line in listed if "item_" in line] == [False, True]
    done("history", "level", "anna", "1", "open")
    assert [one["disclosure"] for one in done_json("history", "list", "anna")] == ["open", "open"]
    misused("history", "level", "anna", "item_1", "shut")
    assert "no history item" in refused("history", "level", "anna", "item_9", "off")
