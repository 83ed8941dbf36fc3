"""The log: lines on standard error, as text or as JSON, each with the id of the request it belongs to."""

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
    """Log this product's records from `level` on, and warnings and errors of its libraries.

    Some libraries log the data they handle, SQL with its values for one: below a warning none is logged.
    """
    # A line that cannot be written, because of a full disk or a closed pipe, must not break anything else.
    logging.raiseExceptions = False
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("app").setLevel(level.upper())


class _WithoutQuotes(logging.Formatter):
    """Formats an exception as its type and traceback only: its text may quote anything."""

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
        """On one line, with terminal control characters escaped: a client or a remote may have sent them."""
        return printable(super().formatMessage(record)).replace("\n", "\\n")

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s%(request)s: %(message)s")


class JsonLines(_WithoutQuotes):
    """An object per line: time, level, logger, message, request_id, and a record's `fields`, if any."""

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


# Control characters except line ends and tabs, line separators, bidirectional marks, lone surrogates.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with terminal control characters escaped, as \\x1b; line ends and tabs stay."""
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
