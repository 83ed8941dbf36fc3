"""Formats the summary for people: tables, and sentences for what is in none of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.evaluation.speed.quartiles import Quartiles
from app.evaluation.speed.run import ENOUGH
from app.evaluation.speed.summary import Summary

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table of text cells; each row is as long as `columns`."""

    columns: Row
    rows: tuple[Row, ...]


def tables(summary: Summary) -> Iterator[Table]:
    """The modes side by side, then the comparisons between them, if there are any."""
    yield Table(("", *(mode.mode for mode in summary.modes)), tuple(_rows(summary)))
    compared = tuple(_compared(summary))
    if compared:
        yield Table(("the same prompts, compared", "median (quartiles)"), compared)


def sentences(summary: Summary) -> Iterator[str]:
    """Notes on the figures, one line each."""
    yield "Figures are medians with their quartiles."
    if short := sum(mode.short for mode in summary.modes):
        yield (
            f"{short} of {sum(mode.replies for mode in summary.modes)} replies ended before {ENOUGH} tokens: "
            "they count for the first token only."
        )
    if summary.bound is not None:
        one, eight = summary.bound.pass_ms
        yield (
            "The bound is the fastest schedule for the same tokens and rejections: with a pace of "
            f"{summary.bound.pace_ms:.1f} ms per token, {summary.bound.distance_ms:.1f} ms more after each "
            f"rejected one, and passes of the local model of {one:.1f} ms over one token and {eight:.1f} ms "
            "over eight, none of them in vain."
        )
        yield (
            "Drafts that continued after a rejected token took a median of "
            f"{summary.bound.restart_ms:.1f} ms longer to their first token than the fastest one."
        )
    if summary.repeated:
        yield (
            f"{summary.repeated} times the recording lacked something: the remote was asked for it, and the "
            "reply written again. If the remote runs on this machine, end it and repeat this for figures "
            "without it."
        )
    for together in summary.together:
        yield (
            f"{together.replies} replies at once: {together.tokens_per_second:.1f} tokens/s in all, "
            f"{together.over_one:.2f} times one after the other; the slowest had "
            f"{together.slowest_over_fastest:.2f} of the fastest one's tokens/s."
        )
    if summary.peak_memory_bytes is not None:
        yield f"Peak memory of this process: {summary.peak_memory_bytes / 1e6:,.0f} MB."


def _rows(summary: Summary) -> Iterator[Row]:
    modes = summary.modes
    yield ("replies", *(str(mode.replies) for mode in modes))
    yield _row("first token, ms", [mode.first_token_ms for mode in modes], 0)
    yield _row("tokens/s after it", [mode.tokens_per_second for mode in modes], 1)
    yield _row("draft accepted", [mode.acceptance for mode in modes], 2)
    yield _row("remote requests per token", [mode.requests_per_token for mode in modes], 2)
    yield _row("local model, ms/token", [mode.local_ms_per_token for mode in modes], 1)
    yield _row("waited for it, ms/token", [mode.local_wait_ms_per_token for mode in modes], 1)
    yield _row("its prompts: prefilled", [mode.prefilled for mode in modes], 0)
    yield _row("its prompts: in cache", [mode.found for mode in modes], 0)


def _row(label: str, figures: Sequence[Quartiles | None], digits: int) -> Row:
    return (label, *(_cell(figure, digits) for figure in figures))


def _compared(summary: Summary) -> Iterator[Row]:
    for ratio in summary.ratios:
        yield f"tokens/s: {ratio.mode} / {ratio.over}", _cell(ratio.tokens_per_second, 2)
    if summary.bound is not None:
        yield "bound of draft and verify / plain stream", _cell(summary.bound.over_plain, 2)
        yield "the same, if the local model cost nothing", _cell(summary.bound.remote_alone, 2)
        yield "share of the bound reached", _cell(summary.bound.share, 2)
    for knob in summary.knobs:
        yield f"{knob.mode}: time per token saved, %", _cell(knob.time_saved, 1, of=100)
        if knob.tokens_changed is not None:
            yield f"{knob.mode}: tokens changed, %", _cell(knob.tokens_changed, 1, of=100)


def _cell(figure: Quartiles | None, digits: int, *, of: int = 1) -> str:
    if figure is None:
        return ""
    middle, low, high = (f"{of * value:,.{digits}f}" for value in (figure.median, figure.q1, figure.q3))
    between = "-" if figure.q1 >= 0 else " to "
    return f"{middle} ({low}{between}{high})"
