"""Bars are for terminals; a log gets plain lines or nothing."""

from __future__ import annotations

import io

from app.cli.progress import ItemProgress, RichProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_items_are_counted_on_a_terminal() -> None:
    screen = Terminal()
    with ItemProgress("Adding items", 2500, screen) as progress:
        progress.advance(1000)
        progress.advance(1500)
    assert "Adding items" in screen.getvalue()
    assert "2500/2500" in screen.getvalue()


def test_a_log_gets_no_bar() -> None:
    log = io.StringIO()
    with ItemProgress("Adding items", 2, log) as progress:
        progress.advance(2)
    assert log.getvalue() == ""


def test_a_log_gets_a_line_for_each_stage() -> None:
    log = io.StringIO()
    with RichProgress(log) as progress:
        progress.stage("Fetching [it]", 2_000_000)
        progress.advance(2_000_000)
        progress.stage("Loading", None)
    assert log.getvalue() == "Fetching [it] (2.0 MB)\nLoading\n"
