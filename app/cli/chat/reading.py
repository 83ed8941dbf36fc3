"""/preview: what the small model would read for a message, in a few paragraphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.cli.chat.wrapping import Segment
from app.cli.terminal import counted, one_line

ABOUT = {"person": "About the person", "preferences": "About how replies should be"}
KEY = 40  # characters of a field's key
TITLE = 60  # characters of an item's title
BLANK: list[Segment] = []


def paragraphs(shown: Mapping[str, Any]) -> Iterator[list[Segment]]:
    """A preview of docs/api.md, in paragraphs."""
    if not shown["prompts"]:
        yield [("The small model reads nothing of the person here, so the reply is not steered.", "")]
    for pair in shown["prompts"]:
        aware, agnostic = pair["context_aware"], pair["context_agnostic"]
        sizes = f"{counted(aware['tokens'], 'token')}; {agnostic['tokens']:,} in what it is compared with"
        yield [(f"{ABOUT[pair['about']]} ({sizes}):", "bold")]
        yield [(aware["prompt"].strip("\n") + "\n", "")]
    if shown["history"]:
        yield [("Chosen from the history:", "bold")]
        for item in shown["history"]:
            note = "" if item["included"] else " (it did not fit)"
            title = one_line(item["title"] or item["passage"], TITLE)
            yield [(f"  {item['id']}  {title}{note}", "")]
        yield BLANK
    kept = [one for one in shown["levels"] if one["level"] != "open"]
    if kept:
        yield [("Not open to the remote:", "bold")]
        for one in kept:
            yield [(f"  {one['level']:<5}  {_place(one)}: {one_line(one['text'], TITLE)}", "")]
        yield BLANK
    private = shown["private"]
    total = f"{counted(private['tokens'], 'token')} of private text, of at most {private['max_tokens']:,}"
    yield [(f"{total}; strength {shown['strength']}", "dim")]


def _place(one: Mapping[str, Any]) -> str:
    """What a phrase is and where it stands: name, field job, item_7, email in field contact."""
    place = f"field {one_line(one['key'], KEY)}" if one["key"] is not None else one["item"]
    if place is None:
        return str(one["what"])
    return place if one["what"] in ("field", "item") else f"{one['what']} in {place}"
