"""`costeer history add`: the same content is recognised, and what is kept and left out can be seen before."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli.intake import known_as
from app.disclosure.person import person_of
from app.profiles.origin import Root
from app.profiles.profile import HistoryItem, Profile
from app.sources import survey as survey_module
from cli.running import ANNA, done, done_json, misused, open_store, refused, run, written


@pytest.fixture(autouse=True)
def anna() -> None:
    done("profiles", "import", written("anna.toml", ANNA))


def items() -> dict[str, str]:
    """Title and text of each item, in order."""
    return {one["title"]: one["text"] for one in reversed(done_json("history", "list", "anna"))}


def add(*arguments: str) -> str:
    return done("history", "add", "anna", *arguments).splitlines()[0].removeprefix("profile anna: ")


def test_a_folder_that_is_added_again_is_read_for_what_changed() -> None:
    for name in ("a", "b", "c", "d"):
        written(f"notes/{name}.md", f"# {name}\n\nAbout {name}.")
    assert add("notes") == "added 4 items"
    assert add("notes") == "added 0 items, unchanged 4"
    written("notes/a.md", "# a\n\nAnother a.")
    Path("notes/b.md").rename("notes/e.md")
    Path("notes/c.md").unlink()
    written("notes/f.md", "# d\n\nAbout d.")
    written("notes/g.md", "# g\n\nAbout g.")
    said = "added 1 item, updated 1, unchanged 1, moved 1, same as others 1, vanished 1"
    assert add("notes") == f"{said} (costeer history sync --prune removes them)"
    assert items() == {
        "a": "# a\n\nAnother a.",
        "b": "# b\n\nAbout b.",
        "c": "# c\n\nAbout c.",
        "d": "# d\n\nAbout d.",
        "g": "# g\n\nAbout g.",
    }
    # The words of what was replaced are not found any more.
    assert [one["title"] for one in done_json("history", "search", "anna", "another")] == ["a"]


def test_what_was_stored_before_files_were_remembered_is_recognised() -> None:
    written("notes/a.md", "# a\n\nAbout a.")
    with open_store() as store:
        text = "# a\n\nAbout a."
        store.history.add("anna", [HistoryItem("a", text), HistoryItem("b", text)])
    assert add("notes") == "added 0 items, moved 1"
    written("notes/a.md", "# a\n\nAnother.")
    assert add("notes") == "added 0 items, updated 1"
    assert len(items()) == 2


def test_the_same_text_typed_twice_is_stored_once() -> None:
    for said in ("added 1 item", "added 0 items, same as others 1"):
        assert (
            done("history", "add", "anna", "-", "--title", "T", stdin="Hello.") == f"profile anna: {said}\n"
        )


def test_a_level_of_the_person_s_own_stays_and_one_that_is_given_is_set() -> None:
    written("notes/a.md", "One.")
    written("notes/b.md", "Two.")
    add("notes", "--level", "shape")
    done("history", "level", "anna", "item_1", "off")
    written("notes/a.md", "One, changed.")
    assert add("notes") == "added 0 items, updated 1, unchanged 1"
    levels = [one["disclosure"] for one in done_json("history", "list", "anna")]
    assert levels == ["shape", "off"]
    assert add("notes", "--level", "fill") == "added 0 items, updated 2"
    assert {one["disclosure"] for one in done_json("history", "list", "anna")} == {"fill"}


def test_a_correction_by_hand_and_a_title_stay_until_the_file_changes() -> None:
    written("a.txt", "As the file says.")
    add("a.txt", "--title", "Mine", "--request", "Say it.")
    with open_store() as store:
        store.history.update("anna", 1, lambda one: replace(one, text="By hand."))
    assert add("a.txt") == "added 0 items, unchanged 1"
    assert items() == {"Mine": "By hand."}
    written("a.txt", "As the file says now.")
    assert add("a.txt") == "added 0 items, updated 1"
    assert items() == {"a": "As the file says now."}


def test_a_line_put_in_before_others_leaves_them_their_levels() -> None:
    written("a.jsonl", '{"text": "one"}\n{"text": "two"}\n')
    add("a.jsonl")
    done("history", "level", "anna", "item_2", "off")
    written("a.jsonl", '{"text": "new"}\n{"text": "one"}\n{"text": "two"}\n')
    assert add("a.jsonl") == "added 1 item, unchanged 2"
    levels = {one["text"]: one["disclosure"] for one in done_json("history", "list", "anna")}
    assert levels == {"one": "open", "two": "off", "new": "open"}


def test_a_file_of_a_folder_with_mistakes_is_left_out_and_one_that_is_named_refused() -> None:
    written("notes/good.md", "Fine.")
    written("notes/bad.md", b"\xff\xfe\xfa")
    written("notes/bad.jsonl", '{"txt": "x"}')
    result = run("history", "add", "anna", "notes")
    assert result.exit_code == 0
    assert "profile anna: added 1 item\n" in result.stdout
    assert sorted(line.split(":")[1] for line in result.stderr.splitlines()) == [
        " notes/bad.jsonl",
        " notes/bad.md",
    ]
    message = refused("history", "add", "anna", "notes/bad.jsonl", "notes/bad.md", "nowhere.txt")
    assert "nothing was stored, there are 4 mistakes:" in message
    assert "notes/bad.jsonl, line 1: txt: unknown key; did you mean text?" in message
    assert "nowhere.txt: cannot be read: No such file or directory" in message
    assert len(items()) == 1


def test_a_file_that_was_good_and_is_broken_now_keeps_its_items() -> None:
    written("notes/a.md", "Fine.")
    written("notes/b.md", "Fine too.")
    add("notes")
    written("notes/a.md", b"\xff\xfe\xfa")
    assert add("notes") == "added 0 items, unchanged 1"
    assert done("history", "sync", "anna", "notes", "--prune").splitlines()[0].endswith("unchanged 1")
    assert len(items()) == 2


def test_a_dry_run_says_what_would_be_kept_and_why_the_rest_is_not() -> None:
    written("notes/a.md", "Fine.")
    written("notes/b.txt", "Fine too.")
    written("notes/empty.md", "")
    written("notes/picture.png", b"\x89PNG")
    folder = Path.cwd().parent / "data"
    with open_store() as store:
        store.history.add("anna", [HistoryItem("", "Before.")])
    before = {path: path.read_bytes() for path in folder.iterdir()}
    result = run("history", "add", "anna", "notes", "--dry-run")
    assert result.exit_code == 0
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0] == ["profile anna: would add 2 items"]
    assert ["Markdown", "2", "1", "1"] in lines
    assert ["text", "1", "1", "0"] in lines
    assert ["there is no text in it", "1", "1"] in lines
    assert "left out: notes/empty.md: there is no text in it" in result.stderr
    assert "left out: notes/picture.png: not a kind of file that is read" in result.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    found = done_json("history", "add", "anna", "notes", "--dry-run")
    assert (found["added"], found["kinds"]["text"]) == (2, {"files": 1, "items": 1, "left_out": 0})
    assert {
        "file": "notes/empty.md",
        "reason": "there is no text in it",
        "count": 1,
        "broken": False,
    } in found["left_out"]
    assert list(items()) == [""]


def test_a_pipe_and_a_name_of_two_lines_in_a_folder_hold_nothing_up() -> None:
    written("notes/a.md", "Fine.")
    written("notes/b\nadded 9 items.txt", b"\xff\xff")
    os.mkfifo("notes/pipe.txt")
    result = run("history", "add", "anna", "notes", "--dry-run")
    assert "left out: notes/b added 9 items.txt: not UTF-8 text" in result.stderr
    assert [".txt", "0", "0", "1"] in [line.split("\t") for line in result.stdout.splitlines()]


def test_a_dry_run_needs_a_database_that_is_there_and_new(tmp_path: Path) -> None:
    path = written("a.txt", "x")
    with closing(sqlite3.connect(tmp_path / "data" / "costeer.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0007'")
    assert "upgrades it" in refused("history", "add", "anna", path, "--dry-run")
    (tmp_path / "data" / "costeer.db").unlink()
    assert "no database yet" in refused("history", "add", "anna", path, "--dry-run")
    assert not (tmp_path / "data" / "costeer.db").exists()


def test_programs_get_the_numbers() -> None:
    written("notes/a.md", "Fine.")
    found = done_json("history", "add", "anna", "notes")
    assert found == {
        "added": 1,
        "updated": 0,
        "unchanged": 0,
        "moved": 0,
        "same": 0,
        "vanished": 0,
        "removed": 0,
        "kinds": {"Markdown": {"files": 1, "items": 1, "left_out": 0}},
        "left_out": [],
    }


def test_texts_that_are_too_many_for_the_memory_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey_module, "HELD", 10)
    for name in ("a", "b", "c"):
        written(f"notes/{name}.txt", f"A text of {name}.")
    written("notes/d.jsonl", '{"text": "one"}\n{"text": "two"}\n')
    assert add("notes") == "added 5 items"
    stored = reversed(done_json("history", "list", "anna"))
    texts = ["A text of a.", "A text of b.", "A text of c.", "one", "two"]
    assert [one["text"] for one in stored] == texts


def test_a_folder_without_a_file_to_read_is_a_mistake() -> None:
    Path("empty").mkdir()
    assert "empty: a folder without any file that is read" in refused("history", "add", "anna", "empty")


def test_a_file_whose_name_is_no_text_is_added_once() -> None:
    Path("notes").mkdir()
    with open(b"notes/\xff.txt", "w") as file:  # noqa: PTH123
        file.write("Fine.")
    assert add("notes") == "added 1 item"
    assert add("notes") == "added 0 items, unchanged 1"


def test_whose_texts_are_wanted_is_known_from_the_profile_and_the_folders() -> None:
    profile = Profile("anna", "Anna Ek", (("contact", "anna@example.org, or call"), ("job", "Nurse")))
    person = person_of(profile, ["Annie", "ek@example.com", "Anna Ek"])
    assert person.names == ("Anna Ek", "Annie")
    assert person.addresses == ("anna@example.org", "ek@example.com")
    roots = [Root("/chats", ("Annie",)), Root("/other", ("Bert",))]
    assert known_as(["A."], "/chats/a.txt", roots) == ("A.", "Annie")


def test_me_is_given_to_who_reads() -> None:
    head = "From: Anna <me@example.org>\nTo: b@example.org\nSubject: Hi\nMessage-ID: <1@x>\n\n"
    written("mail/a.eml", f"{head}Dear Bert,\nhello.\n")
    assert add("mail") == "added 0 items"
    assert add("mail", "--me", "me@example.org") == "added 1 item"


def test_sources_do_not_show_the_way_to_a_folder_that_is_kept_in_step() -> None:
    written("deep/notes/a.md", "Fine.")
    done("history", "sync", "anna", "deep/notes")
    assert [one["source"] for one in done_json("history", "list", "anna")] == ["notes/a.md"]


def test_a_wrong_option_is_a_mistake_of_usage() -> None:
    misused("history", "sync", "anna", "x", "--watch", "--dry-run")
