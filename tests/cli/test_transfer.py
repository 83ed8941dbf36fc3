"""`costeer profiles import` and `export`: nothing is lost, and nothing erased that nobody asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.profile_file import dump_profile
from app.steering.strength import Strength
from cli.running import ANNA, BERT, done, done_json, misused, open_store, refused, written

PILOT = ANNA.replace("Nurse", "Pilot")


def stored() -> dict[str, Profile]:
    with open_store() as store:
        return {line.profile.id: line.profile for line in store.profiles.list()}


def occupation() -> str:
    return dict(stored()["anna"].fields)["occupation"]


def test_an_import_says_what_became_of_each_profile() -> None:
    anna, bert = written("anna.toml", ANNA), written("bert.toml", BERT)
    assert done("profiles", "import", anna, bert) == "profile anna: created\nprofile bert: created\n"
    assert stored() == {
        "anna": Profile("anna", "Anna Ek", (("occupation", "Nurse"),)),
        "bert": Profile("bert", "Bert Ask", is_default=True),
    }
    assert done_json("history", "list", "bert")[0]["text"] == "Once."
    assert done("profiles", "import", anna, bert) == "profile anna: unchanged\nprofile bert: unchanged\n"
    written("anna.toml", PILOT)
    said = done("profiles", "import", "--replace", anna, bert)
    assert said == "profile anna: replaced\nprofile bert: unchanged\n"
    assert occupation() == "Pilot"


def test_a_profile_that_exists_and_differs_is_refused_with_what_would_go() -> None:
    done("profiles", "import", written("bert.toml", BERT))
    done("history", "add", "bert", written("a.txt", "a"), written("b.txt", "b"))
    message = refused("profiles", "import", written("anna.toml", ANNA), "bert.toml")
    assert "bert: --replace would erase its 3 history items" in message
    assert "--keep" in message
    assert stored().keys() == {"bert"}
    assert done_json("profiles", "show", "bert")["history_count"] == 3


def test_an_import_can_leave_what_exists_alone() -> None:
    done("profiles", "import", written("anna.toml", ANNA))
    kept = done("profiles", "import", "--keep", written("anna.toml", PILOT), written("bert.toml", BERT))
    assert kept == "profile anna: kept\nprofile bert: created\n"
    assert occupation() == "Nurse"


def test_keeping_and_replacing_exclude_each_other() -> None:
    misused("profiles", "import", "--keep", "--replace", written("anna.toml", ANNA))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ANNA.replace("name", "nmae"), "line 2, nmae: unknown key; did you mean name?"),
        (ANNA.replace('"Nurse"', "Nurse"), "line 4"),
        ("", "is empty"),
    ],
)
def test_a_broken_file_is_named_by_line_and_nothing_is_stored(text: str, says: str) -> None:
    good, broken = written("good.toml", BERT), written("broken.toml", text)
    for files in ([broken, good], [good, broken]):
        for more in ([], ["--keep"], ["--replace"]):
            message = refused("profiles", "import", *files, *more)
            assert "broken.toml" in message
            assert says in message
            assert stored() == {}


def test_a_file_that_is_not_there_is_named() -> None:
    good = written("good.toml", BERT)
    assert "nowhere.toml: cannot be read" in refused("profiles", "import", good, "nowhere.toml")
    assert stored() == {}


def test_two_files_with_one_id_are_a_mistake() -> None:
    message = refused("profiles", "import", written("one.toml", ANNA), written("two.toml", PILOT))
    assert "two.toml" in message
    assert "'anna'" in message
    assert stored() == {}


def test_import_without_a_file_says_how_to_use_it() -> None:
    assert "FILE" in misused("profiles", "import")


def test_an_export_is_json_on_the_standard_output_or_in_a_private_file() -> None:
    done("profiles", "import", written("bert.toml", BERT))
    said = done("profiles", "export", "bert", "bert.json")
    assert said.startswith("bert.json: 1 history item, ")
    assert Path("bert.json").stat().st_mode & 0o777 == 0o600
    with open_store() as store:
        expected = dump_profile(store.profiles.export("bert")).decode()
    assert Path("bert.json").read_text() == expected
    assert done("profiles", "export", "bert") == done("profiles", "export", "bert", "-") == expected
    assert {path.name for path in Path().iterdir()} == {"bert.toml", "bert.json"}


def test_an_export_overwrites_only_by_force() -> None:
    done("profiles", "import", written("bert.toml", BERT))
    written("bert.json", "mine")
    assert "--force" in refused("profiles", "export", "bert", "bert.json")
    assert Path("bert.json").read_text() == "mine"
    done("profiles", "export", "bert", "bert.json", "--force")
    assert '"Bert Ask"' in Path("bert.json").read_text()


@pytest.mark.parametrize("name", [".", "/dev/null", "nowhere/bert.json"])
def test_an_export_to_what_is_no_file_is_refused(name: str) -> None:
    done("profiles", "import", written("bert.toml", BERT))
    assert refused("profiles", "export", "bert", name, "--force").startswith("error: ")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("strength", [0.1, "auto", None])
def test_an_export_comes_back_exactly(strength: Strength | None) -> None:
    fields = (("z", "a\n\tb"), ("a", 'quote " and \\ and \x1b'), ("日本", "語🌊"))
    items = (HistoryItem("t", "one\r\ntwo"), HistoryItem("", "User: a", "turn", "chat"))
    with open_store() as store:
        person = Profile("anna", "Anna", fields, True, strength, True)
        store.profiles.create(ProfileDocument(person, items))
        before = store.profiles.export("anna")
    done("profiles", "export", "anna", "anna.json")
    done("profiles", "delete", "anna", "--yes")
    assert done("profiles", "import", "anna.json") == "profile anna: created\n"
    with open_store() as store:
        assert store.profiles.export("anna") == before
    assert done("profiles", "import", "anna.json") == "profile anna: unchanged\n"


def test_a_truncated_export_is_refused_at_any_length() -> None:
    done("profiles", "import", written("bert.toml", BERT))
    whole = done("profiles", "export", "bert").rstrip()
    done("profiles", "delete", "bert", "--yes")
    for size in range(1, len(whole), 29):
        message = refused("profiles", "import", written("bert.json", whole[:size]))
        assert "bert.json" in message
    assert stored() == {}


def test_the_samples_are_listed_and_imported_once() -> None:
    ids = {"ingrid", "isabel", "walter"}
    assert ids <= set(done("profiles", "samples").split())
    assert {
        line.split()[1].rstrip(":") for line in done("profiles", "samples", "--import").splitlines()
    } == ids
    done("profiles", "set", "isabel", "--name", "Another")
    assert "profile isabel: kept" in done("profiles", "samples", "--import")
    assert stored()["isabel"].name == "Another"
