"""The tables of an evaluation: rules, spread, systems, what they told, the frontier, differences, attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.evaluation.quality.identified import Found, Identified
from app.evaluation.quality.interval import Interval
from app.evaluation.quality.summary import Summary

RULES_NOTE = (
    "Each rule is judged at the temperature that suits it best, and gains on the remote alone at its own. "
    "The gap is what the remote would gain if it were shown the profile in the same form. `top 20`: the "
    "remote lists so many tokens at each position, the rule chooses among those, and all others stay as "
    "likely as the remote has them; `auto` adds five of the local model's."
)
SPREAD_NOTE = "Gain on the remote alone in nats per token, of each person's own text by itself."
SYSTEMS_NOTE = (
    "Likelier: how much likelier the remote finds the reply when it is shown the profile, in nats per token, "
    "and how much more that is than of its own replies. Perplexity is under the remote alone. Repetition is "
    "the share of runs of four words that came before. ROUGE-L and METEOR (without synonyms) are with what "
    "the person wrote. Requests are those to the remote per token."
)
TOLD_NOTE = (
    "What the remote heard, which has placeholders where values were filled in. With the name: replies that "
    "have a part of the person's name which the question had not. Said first: words of what is private that "
    "the reply was the first to say. Held: positions at which the guard kept back what steering would have "
    "chosen. Filled: values written in on the device, also where the remote wrote a placeholder by itself. "
    "These three are means over replies. Nats: what the steering of a reply told, in the median. Accepted: "
    "draft tokens of the remote that stayed. Systems whose name says no level steer as `all open` does: "
    "only runs of five words are held. `default levels` are those that nobody has changed. Unsteered: how "
    "many became so, since their budget was spent, and from what token on, in the median."
)
FRONTIER_NOTE = (
    "Gained: nats per token of what people wrote, by the rule that writes the replies. The other columns are "
    "of the replies; likelier is more than of the remote's own. With a margin, in nats, the remote's token "
    "stays unless another one is better by more. Requests are those to the remote per token."
)
AGAINST_NOTE = (
    "Means of the differences on the same texts and cases. Gained is in nats per token of what people wrote; "
    "log-perplexity is in nats per token of the replies, under the remote alone."
)
ATTACK_NOTE = (
    "How often the attacker takes the right one of so many people, in %; others than the right one are drawn "
    "in every way that there is. `first 32`: of all of them, by no more than 32 tokens of each reply. Ranks "
    "are from 1. Nats: how far the distributions that a reply was written by diverge from the remote's, over "
    "all its tokens; log N of them tell N people apart. Where questions are their askers' own they tell "
    "something too, as the remote alone shows; where who asks is drawn, the remote alone must be at chance."
)
BLACK_NOTE = (
    "The attacker takes the person under whose profile a model finds the reply likeliest. " + ATTACK_NOTE
)
WHITE_NOTE = (
    "The attacker has the small model, the remote's distributions and the rule as well, and takes the person "
    "by whose steered distributions the reply is likeliest; auto's, where a system does not steer. "
    + ATTACK_NOTE
)


@dataclass(frozen=True)
class Grid:
    """A table: its columns, its rows, and a note that explains them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def grids(summary: Summary) -> list[Grid]:
    """The tables that have rows."""
    every = (_rules(summary), _spread(summary), _systems(summary), _told(summary), _frontier(summary))
    found = (*every, _against(summary), *_attacks(summary.identified))
    return [grid for grid in found if grid.rows]


def cell(interval: Interval | None, digits: int, *, of: int = 1) -> str:
    """A figure with its interval; empty if there is none."""
    if interval is None:
        return ""
    value, low, high = (f"{of * one:.{digits}f}" for one in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"


def _rules(summary: Summary) -> Grid:
    first = summary.forms[0]
    several = len(summary.forms) > 1
    rows = tuple(
        (
            one.name,
            f"{one.temperature:g}",
            cell(one.nll, 3),
            cell(one.gained, 3),
            cell(one.closed, 0, of=100),
            *((cell(one.closed_first, 0, of=100),) if several else ()),
        )
        for one in summary.rules
    )
    columns = (
        *("rule", "temperature", "nats per token", "gained", "of the gap, %"),
        *((f"of the gap of {first}, %",) if several else ()),
    )
    return Grid(f"What people wrote: {_texts(summary)}", columns, rows, RULES_NOTE)


def _spread(summary: Summary) -> Grid:
    rows = tuple(
        (one.name, *(f"{each:.3f}" for each in one.quartiles), cell(one.gaining, 0, of=100))
        for one in summary.rules
    )
    columns = ("rule", "first quartile", "median", "third quartile", "people who gain, %")
    return Grid(f"Spread over people: {_texts(summary)}", columns, rows, SPREAD_NOTE)


def _systems(summary: Summary) -> Grid:
    rows = tuple(
        (
            one.system,
            *(cell(each[form], 3) for form in summary.forms for each in (one.lift, one.lifted)),
            cell(one.perplexity, 2),
            cell(one.repetition, 1, of=100),
            cell(one.rouge_l, 1, of=100),
            cell(one.meteor, 1, of=100),
            cell(one.tokens, 0),
            cell(one.per_second, 1),
            cell(one.requests, 3),
        )
        for one in summary.systems
    )
    columns = (
        "system",
        *(f"{name}{_by(summary, form)}" for form in summary.forms for name in ("likelier", "than its own")),
        *("perplexity", "repetition, %", "ROUGE-L, %", "METEOR, %", "tokens", "tokens/s", "requests"),
    )
    replies = summary.systems[0].replies if summary.systems else 0
    return _filled(Grid(f"Replies: {replies} of each system", columns, rows, SYSTEMS_NOTE))


def _told(summary: Summary) -> Grid:
    rows = tuple(
        (
            one.system,
            str(one.replies),
            f"{one.named}" if one.named is not None else "",
            cell(one.naming, 0, of=100),
            cell(one.said, 1),
            cell(one.held, 1),
            cell(one.filled, 1),
            f"{one.nats:.1f}",
            cell(one.acceptance, 1, of=100),
            f"{one.unsteered}, from {one.unsteered_from:g}" if one.unsteered else "",
        )
        for one in summary.told
    )
    columns = (
        *("system", "replies", "with the name", "with the name, %", "said first", "held", "filled", "nats"),
        *("accepted, %", "unsteered"),
    )
    return _filled(Grid("What replies told the remote", columns, rows, TOLD_NOTE))


def _frontier(summary: Summary) -> Grid:
    none: Mapping[str, Interval | None] = {}
    rows = tuple(
        (
            point.name,
            f"{point.strength:g}",
            f"{point.margin:g}",
            cell(written.requests if written else None, 3),
            cell(written.perplexity if written else None, 2),
            cell(point.gained, 3),
            *(cell((written.lifted if written else none).get(form), 3) for form in summary.forms),
            cell(written.rouge_l if written else None, 1, of=100),
            cell(written.meteor if written else None, 1, of=100),
        )
        for curve in summary.frontier
        for point in curve.points
        for written in [point.figures]
    )
    columns = (
        *("system", "strength", "margin", "requests", "perplexity", "gained"),
        *(f"likelier{_by(summary, form)}" for form in summary.forms),
        *("ROUGE-L, %", "METEOR, %"),
    )
    return _filled(Grid("What each strength brings, and what harm it does", columns, rows, FRONTIER_NOTE))


def _against(summary: Summary) -> Grid:
    rows = tuple(
        (
            one.name,
            cell(one.gained, 3),
            *(cell(one.lift.get(form), 3) for form in summary.forms),
            cell(one.harm, 3),
            cell(one.repetition, 1, of=100),
            cell(one.rouge_l, 1, of=100),
            cell(one.meteor, 1, of=100),
        )
        for one in summary.differences
    )
    columns = (
        *("compared", "gained"),
        *(f"likelier{_by(summary, form)}" for form in summary.forms),
        *("log-perplexity", "repetition, %", "ROUGE-L, %", "METEOR, %"),
    )
    return _filled(Grid(f"Against {summary.against}", columns, rows, AGAINST_NOTE))


def _attacks(every: Sequence[Identified]) -> list[Grid]:
    if not every:
        return []
    title = f"attack: {every[0].replies} replies of each system, {every[0].candidates} people"
    black, white = ([(one, getattr(one, box)) for one in every] for box in ("black", "white"))
    return [
        _attack(f"Black box {title}", black, BLACK_NOTE),
        _attack(f"White box {title}", white, WHITE_NOTE),
    ]


def _attack(title: str, every: Sequence[tuple[Identified, Found]], note: str) -> Grid:
    sizes = list(every[0][1].first)
    lengths = sorted({length for _, found in every for length in found.by_length})
    rows = [
        (
            one.system,
            *(cell(found.first[size], 0, of=100) for size in sizes),
            cell(found.rank, 1),
            *(cell(found.by_length.get(length), 0, of=100) for length in lengths),
            cell(one.nats, 1),
        )
        for one, found in every
    ]
    most = sizes[-1]
    chance = *(f"{100 / size:.0f}" for size in sizes), f"{(most + 1) / 2:.1f}"
    rows.append(("chance", *chance, *(f"{100 / most:.0f}" for _ in lengths), ""))
    columns = (
        *("system", *(f"of {size}, %" for size in sizes), "rank"),
        *(f"first {length}, %" for length in lengths),
        "nats",
    )
    return _filled(Grid(title, columns, tuple(rows), note))


def _by(summary: Summary, form: str) -> str:
    return f" [{form}]" if len(summary.forms) > 1 else ""


def _texts(summary: Summary) -> str:
    return f"{summary.texts} texts of {summary.tokens:,} tokens"


def _filled(grid: Grid) -> Grid:
    """Without the columns of which every row has nothing."""
    kept = [number for number in range(len(grid.columns)) if any(row[number] for row in grid.rows)]
    columns, *rows = (tuple(row[number] for number in kept) for row in (grid.columns, *grid.rows))
    return Grid(grid.title, columns, tuple(rows), grid.note)
