"""What is said about a reply, a preview and the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.cli.chat.commands import COMMANDS
from app.cli.chat.manual import listed
from app.cli.chat.reading import paragraphs
from app.cli.chat.reply import Piece, Reply
from app.cli.chat.summary import summary

TOTALS: dict[str, Any] = {"steered": True, "tokens": 12, "changed": 3, "mishap": None}


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(1, totals=TOTALS), "12 tokens, 3 changed"),
        (
            Reply(1, totals={**TOTALS, "disclosed": {"held": 1, "filled": 2, "nats": 3}}),
            "12 tokens, 3 changed; 1 held back; 2 written in on this device",
        ),
        (Reply(1, totals={**TOTALS, "mishap": "the budget is spent"}), "the budget is spent"),
        (Reply(1, reason="no profile"), "not steered: no profile"),
        (Reply(1, [Piece("Hel")], stopped=True), "stopped"),
        (Reply(1, totals=TOTALS, finish_reason="length"), "cut at the limit of tokens"),
    ],
)
def test_a_reply_is_summed_up(reply: Reply, told: str) -> None:
    assert told in summary(reply)


def test_every_command_fits_a_narrow_terminal_and_the_documentation_has_it() -> None:
    lines = list(listed(60))
    assert max(map(len, lines)) <= 60
    document = (Path(__file__).parents[3] / "docs" / "chat.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert any(line.startswith(f"{command.name} ") for line in lines)
        assert f"`{command.name}" in document


def test_a_preview_says_what_is_read_and_what_is_kept_from_the_remote() -> None:
    prompt = {"prompt": "<aware>", "tokens": 40}
    levels = [
        {"text": "Anna", "what": "name", "level": "fill", "key": "signs", "item": None},
        {"text": "a\x1b nurse", "what": "field", "level": "shape", "key": "job", "item": None},
        {"text": "open to all", "what": "item", "level": "open", "key": None, "item": "item_1"},
    ]
    shown = {
        "prompts": [{"about": "person", "context_aware": prompt, "context_agnostic": {"tokens": 9}}],
        "history": [{"id": "item_1", "title": "", "passage": "Once.", "included": False}],
        "levels": levels,
        "private": {"tokens": 31, "max_tokens": 2048},
        "strength": "auto",
    }
    text = "\n".join("".join(part for part, _ in one) for one in paragraphs(shown))
    assert "About the person (40 tokens; 9 in what it is compared with):\n<aware>" in text
    assert "item_1  Once. (it did not fit)" in text
    assert "fill   name in field signs: Anna" in text
    assert "shape  field job: a\\x1b nurse" in text
    assert "open to all" not in text
    nothing = paragraphs({**shown, "prompts": [], "history": [], "levels": []})
    assert "not steered" in next(nothing)[0][0]
