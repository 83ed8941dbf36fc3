"""Which hosts are this machine, and that a password in a URL is shown to nobody."""

from __future__ import annotations

import pytest

from app.network.address import is_loopback, passwords, place, without_user


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost.",
        "app.localhost",
        "127.0.0.1",
        "127.9.8.7",
        "127.1",
        "2130706433",
        "0.0.0.0",  # noqa: S104
        "::1",
        "::1%lo",
        "::",
        "::ffff:127.0.0.1",
    ],
)
def test_it_is_this_machine_however_it_is_written(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "10.0.0.1",
        "128.0.0.1",
        "localhost.example.com",
        "127.example.com",
        "::2",
        "notlocalhost",
        "a\u00e9",
    ],
)
def test_it_is_another(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pa55@host:8001/v1", "http://host:8001/v1"),
        ("http://user:p%40a@[::1]/v1", "http://[::1]/v1"),
        ("http://us@er:pa@host", "http://host"),
        ("http://host/v1/a@b", "http://host/v1/a@b"),
        ("embedded", "embedded"),
    ],
)
def test_a_url_is_shown_without_its_user(url: str, shown: str) -> None:
    assert without_user(url) == shown


def test_a_password_is_known_as_it_is_written_and_as_it_is_sent() -> None:
    assert passwords("http://user:p%40a@host/v1") == ["dXNlcjpwQGE=", "p%40a", "p@a"]
    assert passwords("http://user@host/v1") == passwords("embedded") == passwords("http://[::1/v1") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h:8001/v1", "https://h:8002/v1"),
        ("http://h/v1", "http://h:8001/v1"),
        ("http://10.0.0.5/v1", "http://10.0.0.6/v1"),
        ("http://[fd00::1]/v1", "http://[fd00::2]/v1"),
        ("http://localhost:1/v1", "http://localhost:2/v1"),
        ("http://a.h/v1", "http://h/v1"),
    ],
)
def test_other_hosts_and_ports_are_other_places(one: str, other: str) -> None:
    assert place(one) != place(other)
    assert place(one) == place(one.upper().replace("/V1", "/other/path"))
