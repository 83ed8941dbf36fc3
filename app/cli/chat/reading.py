"""/preview: what the small model would read for a message, in a few paragraphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.cli.chat.wrapping import Segment
from app.cli.terminal import counted, one_line

ABOUT = {"person": "About the person", "preferences": "About how replies should be"}
TITLE = 60  # characters of an item's title


def paragraphs(shown: Mapping[str, Any]) -> Iterator[list[Segment]]:
    """A preview of docs/api.md, in paragraphs."""
    if not shown["prompts"]:
        yield [("The small model reads nothing of the person here, so the reply is not steered.", "")]
    for pair in shown["prompts"]:
        aware, agnostic = pair["context_aware"], pair["context_agnostic"]
        sizes = f"{counted(aware['tokens'], 'token')}, and {agnostic['tokens']:,} without what is private"
        yield [(f"{ABOUT[pair['about']]} ({sizes}):", "bold")]
        yield [(aware["prompt"].strip("\n") + "\n", "")]
    if shown["history"]:
        yield [("Chosen from the history:", "bold")]
        for item in shown["history"]:
            note = "" if item["included"] else " (it did not fit)"
            title = one_line(item["title"] or item["passage"], TITLE)
            yield [(f"  {item['id']}  {title}{note}", "")]
    kept = [one for one in shown["levels"] if one["level"] != "open"]
    if kept:
        yield [("Not open to the remote:", "bold")]
        for one in kept:
            yield [(f"  {one['level']:<5}  {one_line(one['text'], TITLE)}", "")]
    private = shown["private"]
    total = f"{counted(private['tokens'], 'token')} of private text, of at most {private['max_tokens']:,}"
    yield [(f"{total}; strength {shown['strength']}", "dim")]
