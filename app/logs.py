"""The log: lines on the standard error, as text or as JSON, each with the request that it belongs to."""

from __future__ import annotations

import json
import logging
import re
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


Form = Literal["text", "json"]


# The id of the request that is being answered; empty outside of requests.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")


def write_log(level: Level, form: Form) -> None:
    """Write what this product says from `level` on, and of its libraries the warnings.

    Some libraries log what they are working on, SQL with its values for one: below a warning none is heard.
    """
    # Where a line cannot be written, for a full disk or a reader that has gone, nothing else is to suffer.
    logging.raiseExceptions = False
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("app").setLevel(level.upper())


class _WithoutQuotes(logging.Formatter):
    """Of an exception only its type and where it came from: its text may quote anything."""

    def formatException(self, ei: object) -> str:  # noqa: N802
        assert isinstance(ei, tuple)  # noqa: S101
        kind, _, tb = ei
        return "".join(traceback.format_tb(tb)) + getattr(kind, "__name__", "")


class Lines(_WithoutQuotes):
    """`LEVEL logger [request id]: message`."""

    def format(self, record: logging.LogRecord) -> str:
        request_id = REQUEST_ID.get()
        record.request = f" [{request_id}]" if request_id else ""
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """On one line, with nothing that a terminal would obey: a client or a remote may have said it."""
        return printable(super().formatMessage(record)).replace("\n", "\\n")

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s%(request)s: %(message)s")


class JsonLines(_WithoutQuotes):
    """An object a line: time, level, logger, message, request_id, and a record's `fields`, if it has any."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | getattr(record, "fields", {}))


# Control characters but line ends and tabs, those that turn the direction of writing, halves of characters.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with what a terminal would obey written out, as \\x1b; line ends and tabs stay."""
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
