"""Pictures of an evaluation, as PNG files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.evaluation.interval import Interval
from app.evaluation.rules import PAPER_STRENGTH, REMOTE_ALONE, SHOWN
from app.evaluation.summary import Figures, Standing
from app.steering import strength
from app.strength import AUTO

SIZE = (7.2, 4.2)  # inches
DPI = 150
INK, QUIET, STEERED, OWN = "#222222", "#8a8a8a", "#0b6e99", "#c4560a"


def strengths(standings: Sequence[Standing], path: Path) -> None:
    """Strength against how much likelier what people wrote has become."""
    figure, axes = _axes()
    by_name = {one.rule: one for one in standings}
    constants = sorted(
        (value, by_name[name].gained)
        for name, value in (
            *((one.rule, _after(one.rule, "strength ")) for one in standings),
            (PAPER_STRENGTH, strength()),
            (REMOTE_ALONE, 0.0),
        )
        if value is not None and name in by_name
    )
    x = [value for value, _ in constants]
    gained = [interval for _, interval in constants]
    axes.fill_between(
        x, [one.low for one in gained], [one.high for one in gained], color=STEERED, alpha=0.15, linewidth=0
    )
    axes.plot(x, [one.value for one in gained], color=STEERED, marker="o", label="one strength everywhere")
    paper = by_name.get(PAPER_STRENGTH)
    if paper is not None:
        axes.annotate(
            "the paper's", (strength(), paper.gained.value), (-8, 6), textcoords="offset points", ha="right"
        )
    for one in standings:
        if one.rule.startswith(AUTO):
            axes.axhline(one.gained.value, color=OWN, linestyle="-", linewidth=1.2)
            axes.annotate(
                one.rule,
                (1, one.gained.value),
                (-4, 3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                color=OWN,
            )
            break
    shown = by_name.get(SHOWN)
    if shown is not None:
        axes.axhline(shown.gained.value, color=QUIET, linestyle="--", linewidth=1.2)
        axes.annotate(
            SHOWN,
            (1, shown.gained.value),
            (-4, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            color=QUIET,
        )
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel("strength")
    axes.set_ylabel("gained on the remote alone, nats per token")
    axes.set_title("How much likelier what people wrote has become", loc="left")
    axes.legend(loc="lower left", frameon=False)
    _save(figure, path)


def candidates(standings: Sequence[Standing], path: Path) -> None:
    """How many candidates the remote lists against how much is gained."""
    figure, axes = _axes()
    for prefix, label, colour in (
        ("strength 0.5, top ", "the remote's candidates alone", STEERED),
        (f"{AUTO}, top ", "auto: with five of the local model's", OWN),
    ):
        points = sorted(
            (top, one.gained) for one in standings if (top := _after(one.rule, prefix)) is not None
        )
        if points:
            _with_bars(axes, [top for top, _ in points], [one for _, one in points], label, colour)
    whole = next((one for one in standings if one.rule == "strength 0.5"), None)
    if whole is not None:
        axes.axhline(whole.gained.value, color=QUIET, linestyle="--", linewidth=1.2)
        axes.annotate(
            "whole vocabulary",
            (0, whole.gained.value),
            (4, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=QUIET,
        )
    axes.set_xscale("log")
    tops = sorted({int(top) for one in standings if (top := _after(one.rule, f"{AUTO}, top ")) is not None})
    axes.set_xticks(tops, [str(top) for top in tops])
    axes.minorticks_off()
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("tokens that the remote lists (top logprobs)")
    axes.set_ylabel("gained on the remote alone, nats per token")
    axes.set_title("What a short list costs", loc="left")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", frameon=False)
    _save(figure, path)


def replies(figures: Sequence[Figures], path: Path) -> None:
    """Harm against personalisation, a point a system."""
    figure, axes = _axes()
    for one in figures:
        colour = OWN if one.system == AUTO else INK if one.system == REMOTE_ALONE else STEERED
        axes.errorbar(
            one.perplexity.value,
            one.lift.value,
            xerr=_error([one.perplexity]),
            yerr=_error([one.lift]),
            fmt="o",
            color=colour,
            elinewidth=0.8,
            capsize=2,
        )
        axes.annotate(
            one.system,
            (one.perplexity.value, one.lift.value),
            (6, 5),
            textcoords="offset points",
            color=colour,
        )
    axes.set_xlabel("perplexity of the replies under the remote alone (harm)")
    axes.set_ylabel("likelier once the context is shown, nats per token")
    axes.set_title("Personalisation against harm", loc="left")
    axes.margins(x=0.15, y=0.15)
    _save(figure, path)


def _axes() -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _with_bars(axes: Axes, x: Sequence[float], y: Sequence[Interval], label: str, colour: str) -> None:
    axes.errorbar(
        x,
        [one.value for one in y],
        yerr=_error(y),
        label=label,
        color=colour,
        marker="o",
        elinewidth=0.8,
        capsize=2,
    )


def _error(intervals: Iterable[Interval]) -> list[list[float]]:
    both = [(one.value - one.low, one.high - one.value) for one in intervals]
    return [[low for low, _ in both], [high for _, high in both]]


def _after(name: str, prefix: str) -> float | None:
    """The number that follows `prefix`, if that is all of the name."""
    try:
        return float(name.removeprefix(prefix)) if name.startswith(prefix) else None
    except ValueError:
        return None


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Software": None})
