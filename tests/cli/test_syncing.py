"""`costeer history sync` and `sources`: folders are remembered, and nothing is erased unasked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.running import ANNA, done, done_json, open_store, refused, run, written


@pytest.fixture(autouse=True)
def anna() -> None:
    done("profiles", "import", written("anna.toml", ANNA))


def sync(*arguments: str) -> str:
    result = run("history", "sync", "anna", *arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()[0].removeprefix("profile anna: ")


def texts() -> list[str]:
    with open_store() as store:
        return [one.item.text for one in store.history.page("anna", limit=1000, newest_first=False).items]


def test_folders_are_remembered_with_their_options_and_read_again() -> None:
    written("notes/a.md", "One.")
    written("letters/b.md", "Two.")
    assert "no folder was named yet" in refused("history", "sync", "anna")
    assert sync("notes", "--level", "shape", "--kind", "turn", "--me", "Annie") == "added 1 item"
    assert sync("letters") == "added 1 item"
    written("notes/c.md", "Three.")
    written("letters/d.md", "Four.")
    assert sync() == "added 2 items, unchanged 2"
    listed = {one["text"]: (one["kind"], one["disclosure"]) for one in done_json("history", "list", "anna")}
    assert listed["Three."] == ("turn", "shape")
    assert listed["Four."] == ("document", "open")
    rows = done_json("history", "sources", "anna")
    top = Path.cwd().resolve()
    assert rows == [
        {
            "folder": str(top / "notes"),
            "items": 2,
            "state": "there",
            "me": ["Annie"],
            "kind": "turn",
            "level": "shape",
        },
        {"folder": str(top / "letters"), "items": 2, "state": "there", "me": [], "kind": None, "level": None},
    ]
    assert f"{top}/notes\t2\tthere\tAnnie\tturn\tshape" in done("history", "sources", "anna")
    # Named again, it keeps the options that are not given.
    assert sync("notes", "--me", "A.") == "added 0 items, unchanged 2"
    assert done_json("history", "sources", "anna")[0]["me"] == ["A."]
    assert done_json("history", "sources", "anna")[0]["level"] == "shape"


def test_an_option_without_a_folder_is_for_all_that_were_named_before() -> None:
    written("notes/a.md", "One.")
    written("letters/b.md", "Two.")
    sync("notes", "letters", "--level", "shape")
    assert sync("--level", "off") == "added 0 items, updated 2"
    assert {one["disclosure"] for one in done_json("history", "list", "anna")} == {"off"}
    assert [one["level"] for one in done_json("history", "sources", "anna")] == ["off", "off"]


def test_a_folder_that_is_forgotten_leaves_its_items() -> None:
    written("notes/a.md", "One.")
    sync("notes")
    assert "is read no more" in done("history", "sources", "anna", "--forget", "notes")
    assert done_json("history", "sources", "anna") == []
    assert texts() == ["One."]
    assert "no such folder" in refused("history", "sources", "anna", "--forget", "notes")
    assert run("history", "sources", "anna").stderr.startswith("There are none yet")


def test_what_vanished_is_erased_only_if_that_is_wanted() -> None:
    for name in ("a", "b", "c"):
        written(f"notes/{name}.md", f"Secret of {name}.")
    written("notes/d.jsonl", '{"text": "one"}\n{"text": "two"}\n')
    assert sync("notes") == "added 5 items"
    Path("notes/a.md").unlink()
    written("notes/d.jsonl", '{"text": "two"}\n')
    for _ in range(2):
        assert sync() == "added 0 items, unchanged 3, vanished 2 (--prune removes them)"
    assert len(texts()) == 5
    assert sync("--dry-run") == "would add 0 items, unchanged 3, vanished 2 (--prune removes them)"
    assert sync("--prune") == "added 0 items, unchanged 3, removed 2"
    assert texts() == ["Secret of b.", "Secret of c.", "two"]
    data = Path.cwd().parent / "data"
    assert not any(
        b"Secret of a" in path.read_bytes() or b"a.md" in path.read_bytes() for path in data.iterdir()
    )


@pytest.mark.parametrize("gone", ["missing", "empty", "hidden file only"])
def test_a_disk_that_is_not_there_erases_nothing(gone: str) -> None:
    written("disk/notes/a.md", "One.")
    sync("disk")
    shutil.rmtree("disk")
    if gone != "missing":
        Path("disk").mkdir()
    if gone == "hidden file only":
        written("disk/.placeholder", "x")
    result = run("history", "sync", "anna", "--prune")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "profile anna: added 0 items"
    assert "what was read of it stays" in result.stderr
    assert texts() == ["One."]
    assert done_json("history", "sources", "anna")[0]["state"] == (
        "not there" if gone == "missing" else "empty"
    )


def test_an_item_that_is_erased_by_hand_takes_its_place_along_and_its_file_brings_it_back() -> None:
    written("notes/very-private-name.md", "One.")
    written("notes/b.md", "Two.")
    sync("notes")
    done("history", "delete", "anna", "item_1", "item_2")
    data = Path.cwd().parent / "data"
    assert not any(b"very-private-name" in path.read_bytes() for path in data.iterdir())
    assert sync() == "added 2 items"


def test_a_file_in_two_folders_is_read_once_by_the_options_of_the_deeper_one() -> None:
    written("notes/a.md", "One.")
    written("notes/diary/b.md", "Two.")
    assert sync("notes", "notes/diary") == "added 2 items"
    assert sync("notes/diary", "--level", "off") == "added 0 items, updated 1"
    written("notes/diary/c.md", "Three.")
    assert sync() == "added 1 item, unchanged 2"
    levels = {one["text"]: one["disclosure"] for one in done_json("history", "list", "anna")}
    assert levels == {"One.": "open", "Two.": "off", "Three.": "off"}


def test_a_folder_within_the_one_that_is_named_keeps_its_own_options() -> None:
    written("notes/a.md", "One.")
    written("notes/diary/b.md", "Two.")
    sync("notes/diary", "--level", "fill")
    sync("notes")
    written("notes/diary/c.md", "Three.")
    assert sync("notes") == "added 1 item, unchanged 2"
    assert sync("notes", "--level", "shape") == "added 0 items, updated 1, unchanged 2"

    def levels() -> dict[str, str]:
        return {one["text"]: one["disclosure"] for one in done_json("history", "list", "anna")}

    assert levels() == {"One.": "shape", "Two.": "fill", "Three.": "fill"}
    assert sync("notes", "--level", "off") == "added 0 items, updated 3"
    assert set(levels().values()) == {"off"}
    assert [one["level"] for one in done_json("history", "sources", "anna")] == ["fill", "off"]
    # It may be on a disk that is not connected.
    shutil.rmtree("notes/diary")
    Path("notes/diary").mkdir()
    assert sync("notes", "--prune") == "added 0 items, unchanged 1"
    assert len(texts()) == 3


def test_what_is_added_from_a_folder_kept_in_step_has_the_folder_s_options() -> None:
    written("notes/a.md", "One.")
    sync("notes", "--level", "off", "--kind", "turn")
    written("notes/b.md", "Two.")
    written("notes/inner/c.md", "Three.")
    written("notes/inner/d.md", "Four.")
    done("history", "add", "anna", "notes/b.md")
    done("history", "add", "anna", "notes/inner/d.md", "--level", "shape")
    assert sync("notes/inner") == "added 1 item, unchanged 1"
    listed = {one["text"]: (one["disclosure"], one["kind"]) for one in done_json("history", "list", "anna")}
    assert listed == {
        "One.": ("off", "turn"),
        "Two.": ("off", "turn"),
        "Three.": ("off", "turn"),
        "Four.": ("shape", "turn"),
    }


def test_who_the_person_is_in_a_folder_holds_for_those_within() -> None:
    mail = (
        "From: Anna <a@work.example>\nSubject: Hello\nMessage-ID: <1@x>\n\nThe boat is ready, and so am I.\n"
    )
    written("mail/work/a.eml", mail)
    assert sync("mail", "--me", "a@work.example") == "added 1 item"
    assert sync("mail/work", "--me", "a@home.example", "--prune") == "added 0 items, unchanged 1"
    assert [one["me"] for one in done_json("history", "sources", "anna")] == [
        ["a@work.example"],
        ["a@home.example"],
    ]


def test_a_folder_that_does_not_exist_is_named() -> None:
    assert "nowhere: there is no such folder" in refused("history", "sync", "anna", "nowhere")
    assert done_json("history", "sources", "anna") == []


def test_a_dry_run_remembers_no_folder() -> None:
    written("notes/a.md", "One.")
    assert sync("notes", "--dry-run") == "would add 1 item"
    assert done_json("history", "sources", "anna") == []
    assert texts() == []


def test_a_folder_that_moved_takes_its_items_along() -> None:
    written("notes/a.md", "One.")
    sync("notes")
    done("history", "level", "anna", "item_1", "off")
    Path("notes").rename("papers")
    assert sync("papers") == "added 0 items, moved 1"
    assert [one["disclosure"] for one in done_json("history", "list", "anna")] == ["off"]


def test_a_folder_that_is_named_in_another_case_is_the_one_that_was_named_before() -> None:
    written("notes.jsonl", '{"text": "One."}\n')
    sync("notes.jsonl", "--level", "off")
    Path("Notes.jsonl").hardlink_to("notes.jsonl")
    assert sync("Notes.jsonl") == "added 0 items, unchanged 1"
    written("notes.jsonl", '{"text": "Two."}\n')
    assert sync("Notes.jsonl") == "added 0 items, updated 1"
    assert [one["level"] for one in done_json("history", "sources", "anna")] == ["off"]


def test_files_that_change_names_make_nothing_less_strict() -> None:
    written("notes/a.md", "Private.")
    written("notes/b.md", "Public.")
    written("notes/c.md", "Also private.")
    sync("notes")
    done("history", "level", "anna", "item_1", "off")
    done("history", "level", "anna", "item_3", "shape")
    Path("notes/a.md").rename("notes/d.md")
    Path("notes/b.md").rename("notes/a.md")
    Path("notes/d.md").rename("notes/b.md")
    Path("notes/c.md").rename("notes/d.md")
    written("notes/c.md", "New.")
    assert sync() == "added 1 item, updated 3"
    levels = {one["text"]: one["disclosure"] for one in done_json("history", "list", "anna")}
    assert levels == {"Private.": "off", "Public.": "off", "Also private.": "shape", "New.": "shape"}


def test_the_folders_go_with_their_profile() -> None:
    written("notes/a.md", "One.")
    sync("notes")
    done("profiles", "delete", "anna", "--yes")
    done("profiles", "import", "anna.toml")
    assert done_json("history", "sources", "anna") == []
