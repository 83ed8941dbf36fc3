"""Lines that begin with a slash, and what of them are messages."""

from __future__ import annotations

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from app.cli.chat.commands import COMMANDS, NAMES, message, parsed
from app.cli.chat.prompt import Completing
from app.errors import InvalidRequest


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_known_in_any_case_with_what_it_takes(name: str) -> None:
    assert parsed(name) == (name, "")
    assert parsed(f"{name.upper()}   Anna  ") == (name, "Anna")


@pytest.mark.parametrize("line", ["hello", "", "//etc/hosts is what?", "a /help"])
def test_other_lines_are_messages(line: str) -> None:
    assert parsed(line) is None


def test_a_message_may_begin_with_a_slash() -> None:
    assert message("//etc is what?") == "/etc is what?"
    assert message("a // b") == "a // b"


@pytest.mark.parametrize(
    ("line", "told"), [("/hlep", "Did you mean /help?"), ("/xyzzy", "/help lists them"), ("/", "//")]
)
def test_a_command_that_there_is_not_is_told_with_what_there_is(line: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parsed(line)
    assert told in caught.value.message


def completions(text: str) -> list[str]:
    completer = Completing(lambda: ["anna", "bert"])
    return [one.text for one in completer.get_completions(Document(text), CompleteEvent())]


def test_commands_and_what_they_take_are_completed() -> None:
    assert [one.strip() for one in completions("/")] == [command.name for command in COMMANDS]
    assert completions("/pr") == ["/profile ", "/preview "]
    assert completions("/q") == ["/quit"]
    assert completions("/profile ") == ["anna", "bert"]
    assert completions("/profile b") == ["bert"]
    assert completions("/level s") == ["shape"]
    assert completions("/strength a") == ["auto"]
    assert completions("hello /pr") == completions("/quit ") == []
