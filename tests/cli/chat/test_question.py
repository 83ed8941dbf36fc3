"""The question of one reply: what is typed and what is piped; and the addresses that are asked."""

from __future__ import annotations

import pytest

from app.cli.chat.address import configured, given
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
