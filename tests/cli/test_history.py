"""`costeer history`: added whole or not at all, listed, found and erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.running import ANNA, done, done_json, misused, open_store, refused, run, written


@pytest.fixture(autouse=True)
def anna() -> None:
    done("profiles", "import", written("anna.toml", ANNA))


def texts() -> list[str]:
    with open_store() as store:
        return [one.item.text for one in store.history.page("anna", limit=1000, newest_first=False).items]


def add(*names: str) -> None:
    done("history", "add", "anna", *(written(f"{name}.txt", f"text of {name}") for name in names))


def test_files_are_added_in_order_and_counted() -> None:
    said = done("history", "add", "anna", written("b.txt", "one"), written("a.jsonl", '{"text": "two"}\n'))
    assert said == "profile anna: added 2 items\n"
    assert texts() == ["one", "two"]


def test_standard_input_is_added_with_a_title_and_a_kind() -> None:
    done("history", "add", "anna", "-", "--title", "Toast", "--kind", "turn", stdin="To Anna!")
    (item,) = done_json("history", "list", "anna")
    assert (item["title"], item["text"], item["kind"], item["source"]) == ("Toast", "To Anna!", "turn", "")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bad.txt", b"\xff"),
        ("bad.txt", b"a\0b"),
        ("bad.md", b"  \n"),
        ("bad.txt", b"x" * 1_000_001),
        ("bad.jsonl", b'{"text": "x"}\n{"txt": "x"}\n'),
        ("bad.json", b'[{"text": "x"},'),
    ],
)
def test_nothing_is_stored_when_one_file_is_wrong(name: str, data: bytes) -> None:
    bad, good = written(name, data), written("good.txt", "fine")
    for files in ([good, bad], [bad, good]):
        assert f"  {name}" in refused("history", "add", "anna", *files)
        assert texts() == []


def test_what_is_left_out_of_a_folder_is_said() -> None:
    written("notes/a.md", "x")
    for number in range(22):
        written(f"notes/empty{number:02}.md", "\n")
    result = run("history", "add", "anna", "notes")
    assert (result.exit_code, result.stdout) == (0, "profile anna: added 1 item\n")
    first, *_, last = result.stderr.splitlines()
    assert first == "left out: notes/empty00.md: there is no text in it"
    assert last == "left out: 2 more"
    assert texts() == ["x"]


def test_a_mistake_in_jsonl_is_named_by_file_line_and_key() -> None:
    message = refused(
        "history", "add", "anna", written("a.jsonl", '{"text": "x"}\n{"txt": "y", "text": "z"}')
    )
    assert "a.jsonl, line 2: txt: unknown key; did you mean text?" in message


@pytest.mark.parametrize("paths", [["a.jsonl"], ["."], ["a.txt", "b.txt"], ["a.json"]])
@pytest.mark.parametrize("option", ["--title", "--request"])
def test_a_title_or_a_request_is_for_one_text(paths: list[str], option: str) -> None:
    assert option in misused("history", "add", "anna", *paths, option, "T")


def test_what_a_text_answers_is_added_listed_shown_and_found() -> None:
    done("history", "add", "anna", "-", "--request", "Write a toast.", stdin="To Anna!")
    assert done_json("history", "list", "anna")[0]["request"] == "Write a toast."
    assert "Write a toast." in done("history", "list", "anna")
    shown = done("history", "show", "anna", "item_1")
    assert "request   Write a toast.\n" in shown
    assert shown.endswith("\nTo Anna!\n")
    found = done("history", "search", "anna", "toasts")
    assert "item_1  Write a toast." in found
    assert "To Anna!" in found


@pytest.mark.parametrize("arguments", [[], ["-", "-"], ["a.txt", "--kind", "poem"]])
def test_a_wrong_call_is_a_mistake_of_usage(arguments: list[str]) -> None:
    misused("history", "add", "anna", *arguments)


def test_items_are_listed_newest_first_in_pages() -> None:
    add("one", "two", "three")
    first = run("history", "list", "anna", "--limit", "2")
    lines = [line.replace("│", " ").split()[:3] for line in first.stdout.splitlines()]
    assert [line for line in lines if "document" in line] == [
        ["item_3", "document", "three"],
        ["item_2", "document", "two"],
    ]
    assert "--after item_2" in first.stderr
    for after in ("item_2", "2"):
        rest = run("history", "list", "anna", "--after", after, "--json")
        assert '"id": "item_1"' in rest.stdout
        assert rest.stdout.count('"id"') == 1
        assert rest.stderr == ""


def test_an_item_without_a_title_is_listed_by_how_it_begins() -> None:
    done(
        "history", "add", "anna", written("a.jsonl", '{"text": "It rained\\nall day, ' + "and " * 100 + '"}')
    )
    assert "It rained all day, and" in done("history", "list", "anna")


def test_an_item_is_shown_whole() -> None:
    done("history", "add", "anna", written("notes/day.md", "# A day\n\n[red]Went out.[/red]\n"))
    for item in ("item_1", "1"):
        text = done("history", "show", "anna", item)
        for part in ("A day", "document", "notes/day.md", "# A day\n\n[red]Went out.[/red]\n"):
            assert part in text
    assert done_json("history", "show", "anna", "item_1")["text"] == "# A day\n\n[red]Went out.[/red]"


@pytest.mark.parametrize("command", ["show anna item_7", "delete anna item_7", "delete anna item_1 item_7"])
def test_an_item_that_is_not_there_is_named(command: str) -> None:
    add("one")
    assert "no history item" in refused("history", *command.split())
    assert len(texts()) == 1


@pytest.mark.parametrize("item", ["x", "item_", "item_-1", "item_x", "1.5", "²", "9" * 5000])
def test_what_is_no_id_is_a_mistake_of_usage(item: str) -> None:
    misused("history", "show", "anna", item)


def test_a_search_gives_scores_ids_titles_and_passages() -> None:
    add("boats", "trains")
    text = done("history", "search", "anna", "boats")
    assert "item_1  boats" in text
    assert "text of boats" in text
    assert "trains" not in text
    both = done_json("history", "search", "anna", "text BOATS")
    assert [one["id"] for one in both] == ["item_1", "item_2"]
    assert both[0]["score"] > both[1]["score"] > 0
    assert both[0]["passage"] == "text of boats"
    assert len(done_json("history", "search", "anna", "text", "--limit", "1")) == 1


@pytest.mark.parametrize(
    "query", ["", "nowhere", '" OR 1=1 --', "NEAR(", "*", "title:x AND", "'; DROP TABLE x"]
)
def test_a_search_takes_any_text_and_may_find_nothing(query: str) -> None:
    add("boats")
    result = run("history", "search", "anna", "--", query)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing matches" in result.stderr


def test_items_are_erased_by_id_or_all_at_once() -> None:
    add("one", "two", "three", "four")
    assert done("history", "delete", "anna", "item_2", "3", "3") == "profile anna: erased 2 items\n"
    assert texts() == ["text of one", "text of four"]
    assert "all 2 history items" in refused("history", "delete", "anna", "--all", stdin="y\n")
    assert len(texts()) == 2
    assert done("history", "delete", "anna", "--all", "--yes") == "profile anna: erased 2 items\n"
    assert texts() == []


def test_what_to_erase_has_to_be_said() -> None:
    misused("history", "delete", "anna")
    misused("history", "delete", "anna", "item_1", "--all")


def test_the_whole_life_of_a_profile() -> None:
    done("profiles", "create", "isabel", "--name", "Isabel Martinez", "--field", "occupation=Agent")
    for number in range(50):
        written(
            f"letters/{number % 5}/{number}.md",
            f"# Letter {number}\n\nThe house number{number} by the bay.\n",
        )
    assert done("history", "add", "isabel", "letters") == "profile isabel: added 50 items\n"
    (found,) = done_json("history", "search", "isabel", "number17")
    assert found["title"] == "Letter 17"
    done("profiles", "set", "isabel", "--field", "town=Lisbon", "--strength", "0.8", "--default", "--record")
    done("history", "delete", "isabel", found["id"])
    shown = done_json("profiles", "show", "isabel")
    assert (shown["history_count"], shown["fields"]) == (49, {"occupation": "Agent", "town": "Lisbon"})
    done("profiles", "export", "isabel", "isabel.json")
    done("profiles", "delete", "isabel", "--yes")
    folder = Path.cwd().parent / "data"
    assert not any(b"Isabel" in path.read_bytes() for path in folder.iterdir())
    assert done("profiles", "import", "isabel.json") == "profile isabel: created\n"
    assert done("profiles", "export", "isabel") == Path("isabel.json").read_text()
    again = {**done_json("profiles", "show", "isabel"), "newest": None}
    assert again == {**shown, "newest": None}
