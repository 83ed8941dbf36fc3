"""`costeer profiles draft`: nothing is kept that was not accepted, over a model that copies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import FakeTokenizer
from proposals.copying import CopyingModel
from typer.testing import Result

import app.assembly
import app.local.model
from app.cli import draft
from app.local import weights
from app.profiles.profile import Profile
from cli.running import ANNA, done, done_json, misused, open_store, refused, run, written

LETTER = "Dear Mum,\n\nI grew up in Lund. My dog Toby sleeps. We have two cats.\n\nAll the best,\nAnna"


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[CopyingModel]:
    """Weights that need no fetching; a profile with two letters."""
    model = CopyingModel()
    runner = SimpleNamespace(tokenizer=FakeTokenizer())

    def opened(_settings: object, _stack: AsyncExitStack, _progress: object) -> Any:
        return runner

    monkeypatch.setattr(weights, "resolve", lambda name, **_: name)
    monkeypatch.setattr(app.assembly, "open_local", opened)
    monkeypatch.setattr(app.local.model, "LocalModel", lambda _: model)
    done("profiles", "import", written("anna.toml", ANNA))
    other = LETTER.replace("Mum", "Dad")
    done("history", "add", "anna", written("one.txt", LETTER), written("two.txt", other))
    yield model
    assert model.open == 0


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who can be asked."""
    monkeypatch.setattr(draft, "asked", lambda: True)


def profile() -> Profile:
    with open_store() as store:
        return store.profiles.get("anna")


def answered(*answers: str) -> Result:
    return run("profiles", "draft", "anna", stdin="".join(f"{one}\n" for one in answers))


def proposed() -> dict[str, str]:
    return {one["value"]: one["key"] for one in done_json("profiles", "draft", "anna")["data"]}


def test_json_prints_the_proposals_and_stores_nothing(model: CopyingModel) -> None:
    before = profile()
    found = proposed()
    assert found == {
        "All the best, Anna": "signs_off",
        "Lund": "home_town",
        "dog Toby": "pets",
        "cats": "pets",
    }
    assert (profile(), profile().version) == (before, before.version)
    assert model.read


def test_without_a_terminal_it_says_so_and_reads_nothing(model: CopyingModel) -> None:
    assert "--json" in refused("profiles", "draft", "anna")
    assert model.read == []


@pytest.mark.usefixtures("person")
def test_each_is_shown_with_its_passage_and_what_is_accepted_is_kept() -> None:
    shown = answered("a", "d", "accept", "a")
    assert shown.exit_code == 0
    for part in ("1/4  field  ", "pets: dog Toby", "My dog Toby sleeps.", "item_", "% sure", "level fill"):
        assert part in shown.stdout
    assert "profile anna: 3 of 4 proposals accepted" in shown.stdout
    order = list(proposed_of(shown))
    kept = [order[0], *order[2:]]
    texts = "; ".join(text for _, text in profile().fields)
    assert all(one in texts for one in kept)
    assert order[1] not in texts


def proposed_of(shown: Result) -> list[str]:
    """The values, as they were asked about."""
    return [line.partition(": ")[2] for line in shown.stdout.splitlines() if "  field  " in line]


@pytest.mark.usefixtures("person")
def test_values_of_one_field_are_joined() -> None:
    answered("a", "a", "a", "a")
    assert set(dict(profile().fields)["pets"].split("; ")) == {"dog Toby", "cats"}
    assert dict(profile().fields)["occupation"] == "Nurse"


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("answers", [("q",), ("d", "d", "d", "d"), (), ("x", "", "drop", "quit")])
def test_nothing_is_kept_that_was_not_accepted(answers: tuple[str, ...]) -> None:
    before = profile()
    assert "0 of 4 proposals accepted" in answered(*answers).stdout
    assert (profile(), profile().version) == (before, before.version)


@pytest.mark.usefixtures("person")
def test_ctrl_c_keeps_what_was_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = iter(["accept"])

    def answer() -> str:
        for one in replies:
            return one
        raise KeyboardInterrupt

    monkeypatch.setattr(draft, "_answer", answer)
    ended = answered()
    assert ended.exit_code == 130
    assert "1 of 4 proposals accepted" in ended.stdout
    assert len(profile().fields) == 2


@pytest.mark.usefixtures("person")
def test_an_edit_is_kept_as_it_was_typed_and_asked_again_if_it_cannot_be() -> None:
    shown = answered("e", "", "", "q")
    assert shown.exit_code == 0  # Enter keeps key and text
    assert len(profile().fields) == 2
    shown = answered("edit", "k" * 101, "tea", "drink", "tea", "q")
    assert "error: " in shown.stderr
    assert dict(profile().fields)["drink"] == "tea"


@pytest.mark.usefixtures("person")
def test_an_edit_can_be_dropped() -> None:
    before = profile()
    assert "0 of 4 proposals accepted" in answered("e", "", "-", "q").stdout
    assert profile() == before


@pytest.mark.usefixtures("person")
def test_a_preference_is_edited_with_its_opposite() -> None:
    text = f"1. {'We went to the shore and back again that day, as we do. ' * 6}"
    for number in range(3):
        done("history", "add", "anna", written(f"long{number}.txt", f"{text}{number}"))
    answers = ["d"] * 10
    shown = answered(*answers)
    kinds = [
        line.split()[1] for line in shown.stdout.splitlines() if "% sure" not in line and "/" in line[:5]
    ]
    place = kinds.index("preference")
    answered(*["d"] * place, "e", "Rhyme. | Use prose. | Both.", "Rhyme. | Use prose.", "q")
    (one,) = profile().preferences
    assert (one.text, one.opposite) == ("Rhyme.", "Use prose.")


def test_a_profile_without_a_history_and_one_that_is_not_there_are_refused() -> None:
    done("profiles", "create", "bert", "--name", "Bert Ask")
    assert "costeer history add" in refused("profiles", "draft", "bert", "--json")
    assert "carl" in refused("profiles", "draft", "carl", "--json")
    assert "seconds" in misused("profiles", "draft", "anna", "--seconds", "0")


def test_a_time_that_is_no_number_is_a_mistake_of_usage(model: CopyingModel) -> None:
    assert "--seconds" in misused("profiles", "draft", "anna", "--json", "--seconds", "nan")
