"""`costeer backup` and `restore`: one private file, said what is in it, and nothing lost by mistake."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cli.running import ANNA, BERT, done, on_terminal, open_store, refused, run, written

FILE = "backup.db"
DATA = Path("../data")


@pytest.fixture
def people() -> None:
    done("profiles", "import", written("anna.toml", ANNA), written("bert.toml", BERT))
    done("keys", "create", "--admin")


def ids() -> list[str]:
    with open_store() as store:
        return [one.profile.id for one in store.profiles.list()]


@pytest.mark.usefixtures("people")
def test_a_backup_is_private_and_says_what_is_in_it_and_what_is_not() -> None:
    result = run("backup", FILE)
    assert result.stdout.startswith(f"{FILE}: 2 profiles, 1 history item, 1 API key, 0.")
    assert "Settings are not in it" in result.stderr
    assert stat.S_IMODE(Path(FILE).stat().st_mode) == 0o600
    assert sorted(one.name for one in Path.cwd().iterdir()) == ["anna.toml", FILE, "bert.toml"]


@pytest.mark.usefixtures("people")
def test_what_was_backed_up_comes_back() -> None:
    done("backup", FILE)
    done("profiles", "delete", "anna", "--yes")
    result = run("restore", FILE, "--yes")
    assert result.stdout == f"{FILE}: restored 2 profiles, 1 history item, 1 API key\n"
    assert "The state before is" in result.stderr
    assert ids() == ["anna", "bert"]


@pytest.mark.usefixtures("people")
def test_nothing_is_overwritten_unasked() -> None:
    written(FILE, "mine")
    assert "add --force" in refused("backup", FILE)
    assert Path(FILE).read_text() == "mine"
    done("backup", FILE, "--force")
    assert "Nobody can be asked here: add --yes" in refused("restore", FILE)
    Path("folder").mkdir()
    assert "is no file" in refused("backup", "folder", "--force")
    for name in ("costeer.db", "costeer.db.mine.backup"):
        assert "keeps files of such names" in refused("backup", str(DATA / name), "--force")
    assert "is the database itself" in refused("restore", str(DATA / "costeer.db"), "--yes")
    assert ids() == ["anna", "bert"]


@pytest.mark.usefixtures("people")
def test_into_an_empty_folder_it_restores_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    done("backup", FILE)
    monkeypatch.setenv("COSTEER_DATA_DIR", "other")
    assert "restored 2 profiles" in done("restore", FILE)
    assert "Isabel" not in done("profiles", "list")
    assert "bert" in done("profiles", "list")


def test_a_backup_without_an_admin_key_opens_all_and_says_so() -> None:
    done("profiles", "import", written("anna.toml", ANNA))
    done("backup", FILE)
    done("keys", "create", "--admin")
    assert "requests without a key open all profiles again" in run("restore", FILE, "--yes").stderr


def test_where_there_is_nothing_there_is_nothing_to_copy() -> None:
    assert "There is nothing to copy yet" in refused("backup", FILE)
    assert not DATA.exists()
    assert "there is no such file" in refused("restore", FILE)


@pytest.mark.usefixtures("people")
def test_what_cannot_be_written_or_read_is_named_and_leaves_nothing() -> None:
    assert "cannot be written" in refused("backup", "nowhere/backup.db")
    written("letter.txt", "Dear Anna")
    assert "letter.txt: it is no backup" in refused("restore", "letter.txt", "--yes")
    assert ids() == ["anna", "bert"]


@pytest.mark.usefixtures("people")
def test_a_path_that_the_system_refuses_is_named() -> None:
    name = "a" * 300
    for command in ("backup", "restore"):
        assert refused(command, name).startswith(f"error: {name}: File name too long.")


@pytest.mark.usefixtures("people")
def test_progress_is_for_a_terminal_and_ends_before_the_question() -> None:
    shown = on_terminal(60, f"backup {FILE}", f"restore {FILE} --yes")
    assert "Copying the database" in shown
    assert "restored 2 profiles" in shown
