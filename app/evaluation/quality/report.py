"""Formats an evaluation as tables, on the terminal, and as a Markdown page with plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.evaluation.quality import pictures
from app.evaluation.quality.cases import Case
from app.evaluation.quality.interval import Interval
from app.evaluation.quality.summary import Summary
from app.evaluation.quality.writing import Written

RULES_NOTE = (
    "Each rule is judged at the temperature that suits it best, and gains on the remote alone at its own. "
    "The gap is what the remote would gain if it were shown the profile. `top 20`: the remote lists so many "
    "tokens at each position, the rule chooses among those, and all others stay as likely as the remote has "
    "them; `auto` adds five of the local model's."
)
SYSTEMS_NOTE = (
    "Likelier: how much likelier the remote finds the reply when it is shown the profile, in nats per token, "
    "and how much more that is than of its own replies. Perplexity is under the remote alone. Repetition is "
    "the share of runs of four words that came before. ROUGE-L and METEOR (without synonyms) are with what "
    "the person wrote."
)


@dataclass(frozen=True)
class Grid:
    """A table: its columns, its rows, and a note that explains them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def grids(summary: Summary) -> list[Grid]:
    """One table for the rules and one for the systems, each if it has results."""
    found = []
    if summary.rules:
        rows = tuple(
            (
                one.rule,
                f"{one.temperature:g}",
                cell(one.nll, 3),
                cell(one.gained, 3),
                cell(one.closed, 0, of=100),
            )
            for one in summary.rules
        )
        title = f"What people wrote: {summary.texts} texts of {summary.tokens:,} tokens"
        columns = ("rule", "temperature", "nats per token", "gained", "of the gap, %")
        found.append(Grid(title, columns, rows, RULES_NOTE))
    if summary.systems:
        own = any(one.rouge_l for one in summary.systems)
        rows = tuple(
            (
                one.system,
                cell(one.lift, 3),
                cell(one.lifted, 3),
                cell(one.perplexity, 2),
                cell(one.repetition, 1, of=100),
                *((cell(one.rouge_l, 1, of=100), cell(one.meteor, 1, of=100)) if own else ()),
                cell(one.tokens, 0),
                cell(one.per_second, 1),
            )
            for one in summary.systems
        )
        columns = (
            "system",
            "likelier",
            "than its own",
            "perplexity",
            "repetition, %",
            *(("ROUGE-L, %", "METEOR, %") if own else ()),
            "tokens",
            "tokens/s",
        )
        title = f"Replies: {summary.systems[0].replies} of each system"
        found.append(Grid(title, columns, rows, SYSTEMS_NOTE))
    return found


def cell(interval: Interval | None, digits: int, *, of: int = 1) -> str:
    """A figure with its interval; empty if there is none."""
    if interval is None:
        return ""
    value, low, high = (f"{of * one:.{digits}f}" for one in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"


def write_report(
    folder: Path,
    summary: Summary,
    arguments: Mapping[str, Any],
    cases: Sequence[Case],
    written: Mapping[str, Mapping[str, Written]],
) -> None:
    """Write `report.md` with its plots, and `replies.md`; `written` has the replies by system and case."""
    drawn: dict[str, str] = {}
    if summary.rules:
        pictures.strengths(summary.rules, folder / "strengths.png")
        pictures.candidates(summary.rules, folder / "candidates.png")
        drawn |= {"strengths.png": "Strength against gain", "candidates.png": "List against gain"}
    if summary.systems:
        pictures.replies(summary.systems, folder / "replies.png")
        drawn |= {"replies.png": "Personalisation against harm"}
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


def _markdown(grid: Grid) -> list[str]:
    rows = [grid.columns, tuple("---" for _ in grid.columns), *grid.rows]
    return [f"| {' | '.join(row)} |" for row in rows]


def _quoted(text: str) -> list[str]:
    return [f"> {line}".rstrip() for line in text.strip().split("\n")]
