"""`costeer keys`: shown once, found again by the store, and gone when deleted."""

from __future__ import annotations

import pytest

from cli.running import ANNA, done, done_json, misused, open_store, refused, run, written


@pytest.fixture(autouse=True)
def anna() -> None:
    done("profiles", "import", written("anna.toml", ANNA))


def test_a_key_stands_alone_on_the_standard_output_and_works() -> None:
    result = run("keys", "create", "--profile", "anna", "--label", "mail")
    secret = result.stdout.strip()
    assert result.stdout == f"{secret}\n"
    assert secret not in result.stderr
    for told in ("'anna'", "base_url  http://127.0.0.1:8000/v1", "api_key", "once"):
        assert told in result.stderr
    with open_store() as store:
        key = store.keys.identify(secret)
    assert key is not None
    assert (key.profile_id, key.label) == ("anna", "mail")


def test_the_first_admin_key_says_that_keys_are_needed_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_HOST", "::")
    monkeypatch.setenv("COSTEER_PORT", "81")
    closes = "every request needs a key"
    assert closes not in run("keys", "create", "--profile", "anna").stderr
    first, second = run("keys", "create", "--admin"), run("keys", "create", "--admin")
    assert closes in first.stderr
    assert closes not in second.stderr
    assert "http://[::1]:81/v1" in first.stderr
    with open_store() as store:
        key = store.keys.identify(first.stdout.strip())
    assert key is not None
    assert key.is_admin


def test_keys_are_listed_without_their_secrets() -> None:
    secret = done("keys", "create", "--profile", "anna", "--label", "mail client").strip()
    done("keys", "create", "--admin")
    text = done("keys", "list")
    assert secret not in text + done("keys", "list", "--json")
    lines = [line.split("\t")[:3] for line in text.splitlines()]
    assert lines == [["id", "label", "profile"], ["1", "mail client", "anna"], ["2", "", "all (admin)"]]
    one, two = done_json("keys", "list")
    assert (one["id"], one["label"], one["profile"], one["admin"]) == (1, "mail client", "anna", False)
    assert (two["profile"], two["admin"], two["last_used_at"]) == (None, True, None)


def test_a_deleted_key_opens_nothing() -> None:
    secret = done("keys", "create", "--profile", "anna").strip()
    done("keys", "create", "--admin")
    assert done("keys", "delete", "1") == "key 1: deleted\n"
    with open_store() as store:
        assert store.keys.identify(secret) is None
    assert "no key 1" in refused("keys", "delete", "1")


def test_the_last_admin_key_is_asked_about_first() -> None:
    done("keys", "create", "--profile", "anna")
    for _ in range(2):
        done("keys", "create", "--admin")
    assert done("keys", "delete", "1") == "key 1: deleted\n"
    assert done("keys", "delete", "2") == "key 2: deleted\n"
    message = refused("keys", "delete", "3")
    assert "last admin key" in message
    assert "--yes" in message
    with open_store() as store:
        assert store.keys.required()
    result = run("keys", "delete", "3", "--yes")
    assert (result.exit_code, result.stdout) == (0, "key 3: deleted\n")
    assert "without a key" in result.stderr
    with open_store() as store:
        assert not store.keys.required()


def test_only_yes_on_a_terminal_deletes_the_last_admin_key(monkeypatch: pytest.MonkeyPatch) -> None:
    done("keys", "create", "--admin")
    monkeypatch.setattr("app.cli.terminal.asked", lambda: True)
    assert "Nothing was changed" in run("keys", "delete", "1", stdin="n\n").stderr
    with open_store() as store:
        assert store.keys.required()
    assert "without a key" in run("keys", "delete", "1", stdin="y\n").stderr
    with open_store() as store:
        assert not store.keys.required()


def test_a_key_is_for_one_profile_or_for_all() -> None:
    misused("keys", "create")
    misused("keys", "create", "--admin", "--profile", "anna")
    misused("keys", "delete", "first")
    assert "no key 9223372036854775808" in refused("keys", "delete", str(2**63))
    assert "--label" in refused("keys", "create", "--admin", "--label", "x" * 201)
    assert done_json("keys", "list") == []
