"""The question of one reply: what is typed and what is piped; and the addresses that are asked."""

from __future__ import annotations

import httpx
import pytest

from app.cli.chat import command
from app.cli.chat.address import Answer, answer, configured, given
from app.cli.chat.one_shot import joined
from app.errors import CoSteerError
from app.settings.settings import Settings
from cli.running import misused, refused


@pytest.mark.parametrize(
    ("words", "piped", "question"),
    [
        ("Shorten this:", "A letter.\n", "Shorten this:\n\nA letter."),
        ("Hello.", "", "Hello."),
        ("Hello.", " \n\n", "Hello."),
        ("", "\nA letter,\n  indented.\r\n", "A letter,\n  indented."),
        (" ", "\n", ""),
    ],
)
def test_what_is_typed_goes_before_what_is_piped(words: str, piped: str, question: str) -> None:
    assert joined(words, piped) == question


def test_nothing_to_answer_is_a_mistake() -> None:
    assert "There is nothing to answer" in refused("chat", stdin="\n")
    assert "There is nothing to answer" in refused("chat", "--json", stdin=" ")
    assert "not UTF-8" in refused("chat", "Shorten:", stdin=b"\xff\xfe\xff")


def test_a_pipe_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MOST_PIPED", 1)
    assert "more than 1 MiB" in refused("chat", "Shorten:", stdin=b"a" * (2**20 + 1))
    assert "No CoSteer server" not in refused("chat", "Shorten:", stdin=b"\xff" * (2**20 + 1))


@pytest.mark.parametrize(
    "option",
    [["--strength", "5"], ["--max-tokens", "0"], ["--temperature", "3"], ["--temperature", "nan"]],
)
def test_an_option_that_no_reply_can_have_is_a_mistake_of_usage(option: list[str]) -> None:
    assert option[0] in misused("chat", *option, "Hello.")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_the_server_is_where_the_settings_say(host: str, address: str) -> None:
    assert configured(Settings(host=host)) == address
    assert configured(Settings(host=host, port=0)) is None


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", " http://h:1/v1/ "])
def test_an_address_may_be_a_base_url(url: str) -> None:
    assert given(url) == "http://h:1"


@pytest.mark.parametrize("url", ["h:1", "ftp://h", "http://", "http://h:x", "http://u:p@h", "http://h/a", ""])
def test_one_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CoSteerError, match="--url must be"):
        given(url)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"<html>", b"null", b'{"parts": {}}', b"\xff"])
def test_what_answers_in_another_form_is_another_server(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, content=body))
    assert answer("http://h:1") is Answer.ANOTHER


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ConnectTimeout])
def test_where_nothing_is_reached_no_server_answers(
    monkeypatch: pytest.MonkeyPatch, failure: type[httpx.TransportError]
) -> None:
    def fails(*_: object, **__: object) -> httpx.Response:
        raise failure("away")

    monkeypatch.setattr(httpx, "get", fails)
    assert answer("http://h:1") is Answer.NONE
