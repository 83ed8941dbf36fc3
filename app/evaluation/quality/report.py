"""Formats an evaluation as a Markdown page with tables and plots, and every reply under its question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.evaluation.quality import frontier_picture, pictures
from app.evaluation.quality.cases import Case
from app.evaluation.quality.grids import Grid, grids
from app.evaluation.quality.summary import Summary
from app.evaluation.quality.written import Written


def write_report(
    folder: Path,
    summary: Summary,
    arguments: Mapping[str, Any],
    cases: Sequence[Case],
    written: Mapping[str, Mapping[str, Written]],
) -> None:
    """Write `report.md` with its plots, and `replies.md`; `written` has the replies by system and case."""
    drawn = _draw(folder, summary)
    lines = ["# Evaluation", ""]
    lines += [", ".join(f"{name.replace('_', ' ')} {value}" for name, value in arguments.items()) + ".", ""]
    for grid in grids(summary):
        lines += [f"## {grid.title}", "", *_markdown(grid), "", f"{grid.note} Intervals are of 95%.", ""]
    lines += [f"![{title}]({name})" for name, title in drawn.items()]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if written:
        (folder / "replies.md").write_text(side_by_side(cases, written), encoding="utf-8")


def side_by_side(cases: Sequence[Case], written: Mapping[str, Mapping[str, Written]]) -> str:
    """The replies to each case under its question; `written` by system and case."""
    lines = ["# Replies", ""]
    for case in cases:
        replies = [(system, by_case[case.id]) for system, by_case in written.items() if case.id in by_case]
        if replies:
            lines += [f"## {case.id}", "", *_quoted(case.messages[-1].content), ""]
        for system, reply in replies:
            lines += [f"**{system}**", "", *_quoted(reply.text), ""]
    return "\n".join(lines)


def _draw(folder: Path, summary: Summary) -> dict[str, str]:
    """Draw what there is to draw; gives the titles of the plots by their files."""
    drawn: dict[str, str] = {}
    if summary.rules:
        first = [one for one in summary.rules if one.form == summary.forms[0] or one is summary.rules[0]]
        pictures.strengths(first, folder / "strengths.png")
        pictures.candidates(first, folder / "candidates.png")
        drawn |= {"strengths.png": "Strength against gain", "candidates.png": "List against gain"}
    if summary.systems:
        pictures.replies(summary.systems, summary.forms[0], folder / "replies.png")
        frontier_picture.frontier(summary, folder / "frontier.png")
        drawn |= {
            "replies.png": "Personalisation against harm",
            "frontier.png": "What each strength brings, against harm",
        }
    return drawn


def _markdown(grid: Grid) -> list[str]:
    rows = [grid.columns, tuple("---" for _ in grid.columns), *grid.rows]
    return [f"| {' | '.join(row)} |" for row in rows]


def _quoted(text: str) -> list[str]:
    return [f"> {line}".rstrip() for line in text.strip().split("\n")]
