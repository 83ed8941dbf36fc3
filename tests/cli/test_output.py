"""What commands print, in any encoding, at any width, to a terminal, a file, or a reader that has left."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from app.local import weights
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
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
    "--help",
    "profiles delete --help",
]
WRONG = [f"profiles show '{NAME}'", f"history add {LONG} '{NAME}.md'", f"profiles '{NAME}'"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "ascii:surrogateescape"])
def test_no_encoding_of_the_output_is_too_small(encoding: str) -> None:
    result = process(*SHOWN, PYTHONIOENCODING=encoding)
    assert (result.returncode, result.stderr) == (0, b"")
    text = result.stdout.decode(encoding.partition(":")[0])
    assert text.count(LONG) == 3
    assert "?" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_nor_is_that_of_a_message_about_what_is_wrong(encoding: str) -> None:
    result = process(*WRONG, PYTHONIOENCODING=encoding)
    assert result.returncode == 1 + 1 + 2
    text = result.stderr.decode(encoding)
    assert "Traceback" not in text
    assert text.count("error: ") == 2


def test_the_examination_is_shown_in_ascii_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_LOCAL_MODEL", f"/nowhere/{NAME}")
    result = process("doctor", PYTHONIOENCODING="ascii")
    assert result.stderr == b""
    assert "/nowhere/?i?kov? " in result.stdout.decode("ascii")


def test_the_examination_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_PORT", "0")
    for columns, encoding in ((20, "utf-8"), (80, "ascii")):
        text = on_terminal(columns, "doctor", PYTHONIOENCODING=encoding)
        assert "Checking: settings" in text
        assert "costeer models pull" in " ".join(text.split())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16"])
def test_what_is_for_programs_is_utf_8_whatever_the_output_s_encoding(encoding: str) -> None:
    exported = process(f"profiles export {LONG} -", PYTHONIOENCODING=encoding).stdout
    assert json.loads(exported.decode())["name"] == NAME
    (listed,) = json.loads(process("profiles list --json", PYTHONIOENCODING=encoding).stdout.decode())
    assert listed["name"] == NAME


@pytest.mark.parametrize("line", ["profiles list", f"profiles export {LONG}", "--help"])
def test_a_reader_that_has_left_is_no_error_with_a_traceback(line: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command, variables = started(line)
    result = subprocess.run(command, env=variables, stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    assert result.stderr == b""


def test_nor_is_an_output_that_is_closed() -> None:
    command, variables = started("profiles list", f"profiles export {LONG}", "keys list --json")
    shell = ["sh", "-c", '"$@" >&-', "sh", *command]
    result = subprocess.run(shell, env=variables, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("columns", [20, 80, 160])
def test_an_id_is_never_cut_nor_broken(columns: int) -> None:
    text = on_terminal(columns, "profiles list", "keys list", "models list", f"history list {LONG}")
    assert text.count(LONG) == 2
    assert all(name in text for name in [*weights.BUNDLES, "item_1"])
    assert ("┃" in text) == (columns > 20)


def test_a_table_is_plain_text_for_programs() -> None:
    for line in ("models list", "profiles list", "keys list", f"history list {LONG}"):
        text = process(line, COLUMNS="20", FORCE_COLOR="1").stdout.decode()
        assert not re.search("[\u2500-\u257f\x1b…]", text)
        for table in text.split("\n\n"):  # a blank line parts two tables
            rows = [row.split("\t") for row in table.splitlines()]
            assert len({len(row) for row in rows}) == 1
            assert len(rows) > 1


def test_a_tab_in_a_text_stays_one_and_none_breaks_a_row() -> None:
    assert "Kraków\there" in done("profiles", "show", LONG)
    with open_store() as store:
        store.keys.create("a\tb", LONG)
    assert done("keys", "list").splitlines()[-1].split("\t")[1] == "a b"


def test_without_colour_nothing_is_coloured() -> None:
    coloured = re.compile("\x1b\\[[0-9;]*3[0-7]m")
    assert coloured.search(on_terminal(80, "doctor"))
    assert not coloured.search(on_terminal(80, "doctor", "profiles --help", "profiles list", NO_COLOR="1"))
