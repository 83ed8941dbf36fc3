"""A conversation as Markdown and as JSON."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from app.cli.chat.conversation import Conversation, Exchange, Wishes
from app.cli.chat.reply import Piece, Reply
from app.cli.chat.saving import destination, save
from app.errors import InvalidRequest


@pytest.fixture
def conversation() -> Conversation:
    exchanges = [
        Exchange("Say hello.", Reply(1, [Piece("Hello"), Piece(" there.\n")]), "anna"),
        Exchange("Again?", Reply(2, [Piece("Hel")], stopped=True)),
    ]
    return Conversation(Wishes(system="Be brief."), exchanges=exchanges)


def test_markdown_has_every_turn(conversation: Conversation) -> None:
    save(Path("talk.md"), conversation)
    assert Path("talk.md").read_text(encoding="utf-8") == (
        "# Conversation\n\n## System\n\nBe brief.\n\n"
        "## You\n\nSay hello.\n\n## Reply (anna)\n\nHello there.\n\n"
        "## You\n\nAgain?\n\n## Reply\n\nHel\n\n*(stopped here)*\n"
    )


def test_json_has_messages_that_an_api_takes(conversation: Conversation) -> None:
    save(Path("talk.JSON"), conversation)
    messages = json.loads(Path("talk.JSON").read_bytes())["messages"]
    assert [one["role"] for one in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert (messages[2]["content"], messages[2]["profile"]) == ("Hello there.\n", "anna")
    assert [one["stopped"] for one in messages if one["role"] == "assistant"] == [False, True]


def test_nobody_else_can_read_it(conversation: Conversation) -> None:
    save(Path("talk.md"), conversation)
    assert stat.S_IMODE(Path("talk.md").stat().st_mode) == 0o600


@pytest.mark.parametrize(("name", "told"), [("", "takes a file"), ("a.txt", ".md or .json"), ("a", ".md")])
def test_a_file_that_it_cannot_be_is_refused(name: str, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        destination(name)


def test_a_folder_is_refused() -> None:
    Path("talk.md").mkdir()
    with pytest.raises(InvalidRequest, match="is a folder"):
        destination("talk.md")


@pytest.mark.parametrize("name", ["a" * 5_000 + ".md", "a\0.md", "file/talk.md"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    Path("file").touch()
    with pytest.raises(InvalidRequest, match="no file of that name"):
        destination(name)


def test_a_link_is_replaced_and_what_it_leads_to_stays(conversation: Conversation) -> None:
    Path("other.md").write_text("mine", encoding="utf-8")
    Path("talk.md").symlink_to("other.md")
    save(destination("talk.md"), conversation)
    assert Path("other.md").read_text(encoding="utf-8") == "mine"
    assert not Path("talk.md").is_symlink()
