"""What commands print, in any encoding, at any width, to a terminal, a file, or a reader that has left."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from app import weights
from app.profile import HistoryItem, Profile, ProfileDocument
from cli.running import done, on_terminal, open_store, process, started

NAME = "Žižková Ελλάδα 東京"
LONG = "a-profile-whose-id-is-as-long-as-an-id-can-be-which-is-64-letter"


@pytest.fixture(autouse=True)
def person() -> None:
    with open_store() as store:
        document = ProfileDocument(
            Profile(LONG, NAME, (("città", "Kraków\there"),)),
            (HistoryItem("Título 東", f"bay {NAME}", source="notes — 東.md"),),
        )
        store.profiles.put(document)
        store.keys.create(NAME, LONG)


SHOWN = [
    "profiles list",
    f"profiles show {LONG}",
    f"history list {LONG}",
    f"history show {LONG} item_1",
    f"history search {LONG} bay",
    "keys list",
    "models list",
    "doctor",
    "--help",
    "profiles delete --help",
]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "ascii:surrogateescape"])
@pytest.mark.parametrize("command", SHOWN)
def test_no_encoding_of_the_output_is_too_small(command: str, encoding: str) -> None:
    result = process(*command.split(), PYTHONIOENCODING=encoding)
    assert b"Traceback" not in result.stderr
    assert result.returncode in ({0, 1} if command == "doctor" else {0}), result.stderr
    text = result.stdout.decode(encoding.partition(":")[0])
    if LONG in command or command == "profiles list":
        assert "?" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_nor_is_that_of_a_message_about_what_is_wrong(encoding: str) -> None:
    for arguments in (["profiles", "show", NAME], ["history", "add", LONG, f"{NAME}.md"], ["profiles", NAME]):
        result = process(*arguments, PYTHONIOENCODING=encoding)
        assert result.returncode in {1, 2}
        assert b"Traceback" not in result.stderr
        result.stderr.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16"])
def test_what_is_for_programs_is_utf_8_whatever_the_output_s_encoding(encoding: str) -> None:
    exported = process("profiles", "export", LONG, "-", PYTHONIOENCODING=encoding).stdout
    assert json.loads(exported.decode())["name"] == NAME
    (listed,) = json.loads(process("profiles", "list", "--json", PYTHONIOENCODING=encoding).stdout.decode())
    assert listed["name"] == NAME


@pytest.mark.parametrize("command", ["profiles list", f"profiles export {LONG}", "models list", "--help"])
def test_a_reader_that_has_left_is_no_error_with_a_traceback(command: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    arguments, variables = started(*command.split())
    result = subprocess.run(
        arguments, env=variables, stdout=theirs, stderr=subprocess.PIPE, pass_fds=(), check=False
    )
    os.close(theirs)
    assert result.stderr == b""


@pytest.mark.parametrize("command", ["profiles list", f"profiles export {LONG}", "keys list --json"])
def test_nor_is_an_output_that_is_closed(command: str) -> None:
    arguments, variables = started(*command.split())
    shell = ["sh", "-c", '"$@" >&-', "sh", *arguments]
    result = subprocess.run(shell, env=variables, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("columns", [20, 80, 160])
def test_an_id_is_never_cut_nor_broken(columns: int) -> None:
    for command in (["profiles", "list"], ["keys", "list"]):
        assert LONG in on_terminal(columns, *command)
    text = on_terminal(columns, "models", "list")
    assert all(name in text for name in weights.BUNDLES)
    assert "item_1" in on_terminal(columns, "history", "list", LONG)


def test_a_table_is_drawn_for_people_and_plain_for_programs() -> None:
    assert "┃" in on_terminal(160, "models", "list")
    for command in (["models", "list"], ["profiles", "list"], ["keys", "list"], ["history", "list", LONG]):
        for columns in ("20", "80"):
            text = process(*command, COLUMNS=columns, FORCE_COLOR="1").stdout.decode()
            assert not re.search("[\u2500-\u257f\x1b…]", text)
            rows = [line.split("\t") for line in text.splitlines()]
            assert len({len(row) for row in rows}) == 1
            assert len(rows) > 1


def test_a_tab_in_a_text_stays_one_and_none_breaks_a_row() -> None:
    assert "Kraków\there" in done("profiles", "show", LONG)
    with open_store() as store:
        store.keys.create("a\tb", LONG)
    assert done("keys", "list").splitlines()[-1].split("\t")[1] == "a b"


def test_without_colour_nothing_is_coloured() -> None:
    coloured = re.compile("\x1b\\[[0-9;]*3[0-7]m")
    assert coloured.search(on_terminal(80, "profiles", "--help"))
    for command in (["profiles", "--help"], ["profiles", "list"]):
        assert not coloured.search(on_terminal(80, *command, NO_COLOR="1"))
