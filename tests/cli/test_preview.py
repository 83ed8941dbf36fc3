"""`costeer profiles preview`: exactly what the small model would read, over a tokenizer without weights."""

from __future__ import annotations

from typing import NoReturn

import pytest
from fakes import FakeTokenizer

import app.tokenization.tokenizer
from app.local import weights
from app.prompts.message import Message
from cli.running import ANNA, done, done_json, misused, refused, run, written


@pytest.fixture(autouse=True)
def tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model folder that needs no fetching, and a token for each byte."""
    monkeypatch.setattr(weights, "resolve", lambda name, **_: name)
    monkeypatch.setattr(app.tokenization.tokenizer, "Tokenizer", lambda *_, **__: FakeTokenizer())
    done("profiles", "import", written("anna.toml", ANNA))
    done("history", "add", "anna", written("Boats.txt", "I love boats."), written("Trains.txt", "No trains."))


def test_both_prompts_are_what_the_model_would_read() -> None:
    shown = done_json("profiles", "preview", "anna", "About boats?")
    fake, messages = FakeTokenizer(), (Message("user", "About boats?"),)
    (pair,) = shown["prompts"]
    aware, agnostic = pair["context_aware"], pair["context_agnostic"]
    assert agnostic == {"prompt": fake.render(messages), "tokens": len(fake.chat(messages))}
    places = []
    for part in ("Anna Ek", "Occupation: Nurse", "Boats", "I love boats."):
        assert aware["prompt"].count(part) == 1, part
        places.append(aware["prompt"].index(part))
    assert places == sorted(places)
    assert "About boats?" in aware["prompt"][places[-1] :]
    assert aware["tokens"] == len(fake.encode(aware["prompt"]))
    assert 0 < aware["tokens"] - agnostic["tokens"] <= shown["private"]["tokens"]


def test_preferences_and_their_opposites_have_prompts_of_their_own() -> None:
    options = ("--preference", "Rhyme. | Use prose.", "--preference", "Hum.")
    shown = done_json("profiles", "preview", "anna", "About boats?", *options)
    person, wished = shown["prompts"]
    assert (person["about"], wished["about"], wished["weight"]) == ("person", "preferences", 1.6)
    assert "Rhyme." not in str(person)
    assert "Anna" not in str(wished)
    assert "About boats?\n\nRhyme. Hum." in wished["context_aware"]["prompt"]
    assert "About boats?\n\nUse prose." in wished["context_agnostic"]["prompt"]
    assert [one["included"] for one in shown["preferences"]] == [True, True]
    text = done("profiles", "preview", "anna", "About boats?", *options)
    assert "About how replies should be: context-agnostic prompt, " in text


def test_the_history_is_shown_with_scores_and_whether_it_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    boats, trains = done_json("profiles", "preview", "anna", "boats")["history"]
    assert (boats["title"], boats["included"], boats["passage"]) == ("Boats", True, "I love boats.")
    assert (trains["title"], trains["score"]) == ("Trains", 0)
    assert boats["score"] > 0
    monkeypatch.setenv("COSTEER_MAX_CONTEXT_TOKENS", "170")
    shown = done_json("profiles", "preview", "anna", "boats")
    assert [item["included"] for item in shown["history"]] == [False, False]
    assert shown["private"]["tokens"] <= shown["private"]["max_tokens"] == 170
    assert "(did not fit)" in done("profiles", "preview", "anna", "boats")


def test_preferences_that_find_no_room_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_MAX_CONTEXT_TOKENS", "300")
    options = ("--preference", "Short.", "--preference", "Long, " * 30)
    shown = done_json("profiles", "preview", "anna", "boats", *options)
    assert [one["included"] for one in shown["preferences"]] == [True, False]
    text = done("profiles", "preview", "anna", "boats", *options)
    assert "Preferences that did not fit, 1:\n\n  Long, " in text


def test_people_get_prompts_scores_and_counts() -> None:
    text = done("profiles", "preview", "anna", "boats")
    for part in (
        "About the person: context-aware prompt, ",
        "context-agnostic prompt, ",
        "item_1  Boats",
        "strength auto",
    ):
        assert part in text


def test_the_message_can_come_by_the_standard_input() -> None:
    given = done("profiles", "preview", "anna", "Über boats?")
    assert done("profiles", "preview", "anna", stdin="Über boats?\n") == given
    assert done("profiles", "preview", "anna", "-", stdin="Über boats?\n") == given


def test_preferences_of_the_call_take_the_place_of_the_profile_s() -> None:
    done("profiles", "set", "anna", "--preference", "Answer briefly.")
    own, none, given = (
        str(done_json("profiles", "preview", "anna", "boats", *options)["prompts"][1:])
        for options in ([], ["--no-preferences"], ["--preference", "In rhymes. | In prose."])
    )
    assert "Answer briefly." in own
    assert none == "[]"
    assert "In rhymes." in given and "In prose." in given and "Answer briefly." not in given
    misused("profiles", "preview", "anna", "boats", "--preference", "x", "--no-preferences")
    assert "--preference: found nothing" in refused("profiles", "preview", "anna", "x", "--preference", " ")


def test_a_call_and_a_setting_can_only_be_stricter_than_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    done("profiles", "set", "anna", "--least", "shape", "--budget", "5")
    monkeypatch.setenv("COSTEER_DISCLOSURE_BUDGET", "4")
    shown = done_json("profiles", "preview", "anna", "boats", "--least", "open", "--budget", "9")
    assert (shown["disclosure"]["least"], shown["disclosure"]["budget"]) == ("shape", 4)
    text = done("profiles", "preview", "anna", "boats", "--least", "fill", "--budget", "1.5")
    assert "Disclosure: least: fill; budget: 1.5 nats a conversation\n" in text
    done("profiles", "set", "anna", "--no-levels", "--no-budget")
    monkeypatch.delenv("COSTEER_DISCLOSURE_BUDGET")
    assert "Disclosure" not in done("profiles", "preview", "anna", "boats")


def test_a_setting_that_withholds_all_leaves_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nurse" in str(done_json("profiles", "preview", "anna", "boats")["prompts"])
    monkeypatch.setenv("COSTEER_DISCLOSURE", "off")
    assert done_json("profiles", "preview", "anna", "boats")["prompts"] == []


def test_what_is_not_open_is_listed_with_its_level() -> None:
    done("profiles", "set", "anna", "--field", "mail=Ask\nek@example.org.", "--level", "occupation=off")
    done("history", "level", "anna", "item_2", "off")
    text = done("profiles", "preview", "anna", "boats")
    assert (
        "\nNot open to the remote, 4 phrases:\n\n"
        "  fill   name: Anna Ek\n"
        "  off    field occupation: Nurse\n"
        "  shape  email in field mail: ek@example.org\n"
        "  off    item_2: Trains\n"
    ) in text
    shown = done_json("profiles", "preview", "anna", "boats")["levels"]
    assert {"text": "Boats", "what": "item", "level": "open", "key": None, "item": "item_1"} in shown
    text = done("profiles", "preview", "anna", "boats", "--least", "shape")
    assert "  shape  field mail: Ask ek@example.org.\n" in text
    assert "  shape  item_1: Boats\n" in text
    done("profiles", "set", "anna", "--no-levels", "--identifier", "name=open", "--identifier", "email=open")
    done("history", "level", "anna", "item_2", "open")
    assert "Not open" not in done("profiles", "preview", "anna", "boats")


@pytest.mark.parametrize("message", [b"", b" \n", b"\xff"])
def test_a_message_that_is_none_is_refused(message: bytes) -> None:
    assert "message" in refused("profiles", "preview", "anna", stdin=message)


def test_where_nothing_is_steered_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    done("profiles", "set", "anna", "--strength", "0")
    assert "the strength is 0" in done("profiles", "preview", "anna", "boats")
    shown = done_json("profiles", "preview", "anna", "boats")
    assert (shown["prompts"], shown["history"]) == ([], [])
    done("profiles", "set", "anna", "--strength", "auto")
    monkeypatch.setenv("COSTEER_MAX_CONTEXT_TOKENS", "0")
    assert "there is nothing to steer by that fits" in done("profiles", "preview", "anna", "boats")


def test_a_tokenizer_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        raise OSError("no tokenizer.json\nin many lines")

    monkeypatch.setattr(app.tokenization.tokenizer, "Tokenizer", broken)
    message = refused("profiles", "preview", "anna", "boats")
    assert "no tokenizer.json" in message
    assert "COSTEER_LOCAL_MODEL" in message


def test_an_unknown_profile_is_said_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "resolve", lambda *_, **__: pytest.fail("weights before the profile"))
    assert run("profiles", "preview", "nobody", "x").exit_code == 1
