"""An upload to a history: JSON, JSON lines or plain text, as items; all of them or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.api.body import JSON, Body, decoded, parsed, validated
from app.api.schemas.history import UploadQuery
from app.api.validation_errors import TOLD
from app.errors import InvalidRequest
from app.profiles.document import MAX_TITLE, ItemIn
from app.profiles.heading import title_of
from app.profiles.plain_text import numbered_lines, unified
from app.profiles.profile import HistoryItem

LINES = ("application/jsonl", "application/x-ndjson")
MARKDOWN = "text/markdown"
TEXT = ("text/plain", MARKDOWN)
TYPES = (JSON, *LINES, *TEXT)


def items_of(body: Body, query: UploadQuery) -> list[HistoryItem]:
    """The items, at least one. Blocks: for a worker thread.

    Line ends of plain text are line feeds in the item, as they are when the command line reads a file; what
    JSON has escaped stays. A Markdown text without a title of the query's has its own.

    Raises InvalidRequest, which names the first mistakes by line or number, and by key.
    """
    text = unified(decoded(body.data))
    if body.media_type in TEXT:
        own = {"title": title_of(text)[:MAX_TITLE]} if body.media_type == MARKDOWN else {}
        given = query.model_dump(include=query.model_fields_set)
        return [validated(ItemIn, {"text": text, **own, **given}).item()]
    for name in sorted(query.model_fields_set):
        raise InvalidRequest(
            f"{name} is for {' and '.join(TEXT)}; in JSON each item has its own.", param=name
        )
    items, mistakes = [], []
    for item in _lines(text) if body.media_type in LINES else _json(text):
        if isinstance(item, InvalidRequest):
            mistakes.append(item)
        else:
            items.append(item)
        if len(mistakes) == TOLD:
            break
    if mistakes:
        raise InvalidRequest(" ".join(one.message for one in mistakes), param=mistakes[0].param)
    if not items:
        raise InvalidRequest("The body holds no item; send at least one.")
    return items


def _lines(text: str) -> Iterator[HistoryItem | InvalidRequest]:
    for number, line in numbered_lines(text):
        place = f"line {number}"
        try:
            yield validated(ItemIn, parsed(line, place), place=place).item()
        except InvalidRequest as mistake:
            yield mistake


def _json(text: str) -> Iterator[HistoryItem | InvalidRequest]:
    value = parsed(text)
    if not isinstance(value, list):
        yield validated(ItemIn, value).item()
        return
    yield from _listed(value)


def _listed(values: Sequence[object]) -> Iterator[HistoryItem | InvalidRequest]:
    for number, value in enumerate(values):
        try:
            yield validated(ItemIn, value, steps=(number,), within=values).item()
        except InvalidRequest as mistake:
            yield mistake
