"""The log's lines: text or JSON, with the request's id, and of an exception never its text."""

from __future__ import annotations

import io
import json
import logging
import sys
from contextvars import copy_context

import pytest

from app.logs import REQUEST_ID, JsonLines, Lines, write_log


def record(*, failed: bool = False) -> logging.LogRecord:
    info = None
    if failed:
        try:
            raise ValueError("Lotte's secret")
        except ValueError:
            info = sys.exc_info()
    made = logging.LogRecord("app.x", logging.INFO, __file__, 1, "said %d", (7,), info)
    made.fields = {"status": 200}
    return made


def test_a_line_of_json_is_an_object_with_the_fields() -> None:
    line = json.loads(JsonLines().format(record()))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "logger": "app.x", "message": "said 7", "status": 200}


def test_within_a_request_its_id_is_told() -> None:
    def formatted() -> list[str]:
        REQUEST_ID.set("abc")
        return [Lines().format(record()), json.loads(JsonLines().format(record()))["request_id"]]

    assert copy_context().run(formatted) == ["INFO app.x [abc]: said 7", "abc"]
    assert Lines().format(record()) == "INFO app.x: said 7"


@pytest.mark.parametrize("formatter", [Lines(), JsonLines()])
def test_an_exception_is_told_by_type_and_place_and_not_quoted(formatter: logging.Formatter) -> None:
    text = formatter.format(record(failed=True))
    assert "ValueError" in text
    assert "test_logs.py" in text
    assert "Lotte's secret" not in text.replace('raise ValueError(\\"Lotte', "").replace(
        'raise ValueError("Lotte', ""
    )


def test_a_log_that_cannot_be_written_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk may be full, and whoever read the standard error may have gone."""
    root, ours = logging.getLogger(), logging.getLogger("app")
    before = root.handlers[:], root.level, ours.level
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    try:
        write_log("info", "text")
        ours.info("said")
    finally:
        root.handlers[:], (root.level, ours.level) = before[0], before[1:]
