"""Of a folder those files are looked at that people write, each once and in a stable order."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path

import pytest

from app.sources.walk import Candidate, PassedOver, walk


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    top = tmp_path / "notes"
    top.mkdir()
    monkeypatch.chdir(tmp_path)
    return top


def write(*names: str) -> None:
    for name in names:
        path = Path("notes", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def read(*paths: str) -> list[str]:
    return [str(one.path) for one in walk(map(Path, paths or ["notes"])) if isinstance(one, Candidate)]


def passed(*paths: str) -> dict[str, str]:
    found = walk(map(Path, paths or ["notes"]))
    return {str(one.path): one.left.reason for one in found if isinstance(one, PassedOver)}


def test_files_come_sorted_and_a_folder_s_own_first() -> None:
    write("b/c.md", "b/a.txt", "z.docx", "a/x.pdf", "M.md")
    assert read() == [
        "notes/M.md",
        "notes/z.docx",
        "notes/a/x.pdf",
        "notes/b/a.txt",
        "notes/b/c.md",
    ]
    assert list(walk([Path("notes/M.md")])) == [Candidate(Path("notes/M.md"), explicit=True)]
    assert not any(one.explicit for one in walk([Path("notes")]) if isinstance(one, Candidate))


def test_hidden_ones_are_passed_over_without_a_word() -> None:
    write(".DS_Store", ".git/a.md", ".obsidian/b.md", ".trash/c.md", ".hidden.md", "a.md")
    assert (read(), passed()) == (["notes/a.md"], {})


def test_what_is_no_text_is_counted_and_not_opened() -> None:
    write("a.md", "b.PNG", "~$c.docx", "d.canvas", "node_modules/e.md", ".f.md.icloud", "Sent", "g.doc")
    assert read() == ["notes/Sent", "notes/a.md", "notes/g.doc"]
    assert passed() == {
        "notes/b.PNG": "not a kind of file that is read",
        "notes/~$c.docx": "a lock of an office program",
        "notes/d.canvas": "not a kind of file that is read",
        "notes/node_modules": "a folder of programs' own files",
        "notes/f.md": "not loaded from iCloud yet",
    }


def test_each_file_is_read_once_however_many_links_lead_to_it(folder: Path) -> None:
    write("b.md", "sub/c.md")
    Path("notes/a.md").symlink_to(folder / "b.md")
    Path("notes/again").symlink_to(folder / "sub")
    Path("notes/loop").symlink_to(folder)
    assert read() == ["notes/b.md", "notes/sub/c.md"]
    assert read("notes/b.md", "notes", "notes/sub", "notes/b.md") == ["notes/b.md", "notes/sub/c.md"]
    assert read("notes/a.md") == ["notes/a.md"]
    Path("linked").symlink_to("notes")
    assert read("linked") == ["linked/b.md", "linked/sub/c.md"]


def test_links_out_of_the_folder_are_named(tmp_path: Path) -> None:
    write("a.md")
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.md").write_text("x")
    Path("notes/c.md").symlink_to(other / "b.md")
    Path("notes/out").symlink_to(other)
    out = "a link out of the folder; name it to add what is there"
    assert (read(), passed()) == (["notes/a.md"], {"notes/c.md": out, "notes/out": out})


def test_what_is_no_file_is_named() -> None:
    write("a.md")
    Path("notes/gone.md").symlink_to("nowhere.md")
    Path("notes/loop.md").symlink_to("loop.md")
    os.mkfifo("notes/pipe.txt")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("notes/socket.txt")
        assert read() == ["notes/a.md"]
    found = passed()
    assert found["notes/pipe.txt"] == "a named pipe and no file; take it out of the folder"
    assert found["notes/socket.txt"] == "a socket and no file; take it out of the folder"
    assert found["notes/loop.md"].startswith("cannot be read: ")
    assert found["notes/gone.md"] == "cannot be read: No such file or directory"


def test_a_folder_without_any_file_says_so() -> None:
    assert passed() == {"notes": "a folder without any file that is read"}


def test_a_folder_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write("shut/a.md", "b.md")
    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert passed() == {"notes/shut": "cannot be read: Permission denied"}
    assert read() == ["notes/b.md"]


def test_below_a_folder_that_is_locked_nothing_is_known_and_the_rest_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("listed/a.md", "locked/b.md", "c.md")
    state = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.parent.name in {"listed", "locked"}:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return state(path, follow_symlinks=follow_symlinks)

    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "stat", stat)
    assert read() == ["notes/c.md"]
    assert passed() == {
        "notes/listed/a.md": "cannot be read: Permission denied",
        "notes/locked": "cannot be read: Permission denied",
    }
    assert passed("notes/locked") == {"notes/locked": "cannot be read: Permission denied"}
    assert read("notes/locked/b.md") == ["notes/locked/b.md"]


def test_a_maildir_is_what_was_delivered_to_it() -> None:
    write("cur/1.host:2,S", "new/2.host", "tmp/3.host")
    for name in ("cur", "new", "tmp"):
        write(f".Sent/{name}/4.host:2,S")
    write(".other/a.md")
    assert read() == [
        "notes/.Sent/cur/4.host:2,S",
        "notes/.Sent/new/4.host:2,S",
        "notes/cur/1.host:2,S",
        "notes/new/2.host",
    ]


# Vaults


def settings(**files: object) -> None:
    for name, content in files.items():
        path = Path("notes/.obsidian", name.replace("__", "/") + ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", ["templates", "Templates"])
def test_templates_are_left_out_wherever_they_lie(name: str) -> None:
    write("a.md", f"x/{name}/b.md")
    assert read() == ["notes/a.md"]
    assert passed() == {f"notes/x/{name}": "templates; name the folder to add it"}
    assert read(f"notes/x/{name}") == [f"notes/x/{name}/b.md"]


def test_a_vault_names_its_templates_and_attachments() -> None:
    write("a.md", "Meta/Forms/b.md", "templates/c.md", "Files/d.pdf", "x/media/e.pdf", "More/f.md")
    settings(
        templates={"folder": "Meta/Forms/"},
        app={"attachmentFolderPath": "Files"},
        plugins__templater_obsidian={},
    )
    assert read() == ["notes/a.md", "notes/More/f.md", "notes/templates/c.md", "notes/x/media/e.pdf"]
    assert passed()["notes/Files"] == "attachments of notes; name the folder to add it"
    settings(app={"attachmentFolderPath": "./media"})
    assert "notes/x/media" in passed()
    path = Path("notes/.obsidian/plugins/templater-obsidian/data.json")
    path.parent.mkdir(parents=True)
    path.write_text('{"templates_folder": "More"}')
    assert passed()["notes/More"] == passed()["notes/Meta/Forms"] == "templates; name the folder to add it"
    assert "notes/x/Forms" not in passed("notes/x")


@pytest.mark.parametrize("given", [{"folder": "/"}, {"folder": ""}, {"folder": 1}, [], "x", {"folder": ".."}])
def test_settings_that_name_no_folder_leave_the_notes(given: object) -> None:
    write("a.md")
    settings(templates=given, app=given)
    assert read() == ["notes/a.md"]


def test_damaged_settings_are_none() -> None:
    write("a.md", "templates/b.md", ".obsidian/x")
    Path("notes/.obsidian/templates.json").write_bytes(b"\xff{")
    assert read() == ["notes/a.md"]
