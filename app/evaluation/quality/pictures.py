"""Plots of an evaluation, as PNG files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.evaluation.quality.interval import Interval
from app.evaluation.quality.replies import Figures
from app.evaluation.quality.rules import (
    BEST_CONSTANT,
    LOCAL_ALONE,
    PAPER_STRENGTH,
    REMOTE_ALONE,
    SHOWN,
    auto,
    constant,
)
from app.evaluation.quality.texts import Standing
from app.steering.formula import strength
from app.steering.strength import AUTO

SIZE = (7.2, 4.2)  # inches
DPI = 150
TOP = 20  # logprobs that a vLLM lists per position unless configured otherwise
INK, QUIET, STEERED, OWN = "#222222", "#8a8a8a", "#0b6e99", "#c4560a"


def strengths(standings: Sequence[Standing], path: Path) -> None:
    """Plots strength against the gain in log-likelihood of what people wrote."""
    figure, axes = _axes()
    by_name = {one.rule: one for one in standings}
    at = {one.rule: value for one in standings if (value := _after(one.rule, "strength ")) is not None}
    at |= {
        name: value for name, value in ((REMOTE_ALONE, 0.0), (PAPER_STRENGTH, strength())) if name in by_name
    }
    names = sorted(at, key=lambda name: at[name])
    x, gained = [at[name] for name in names], [by_name[name].gained for name in names]
    low, high = [one.low for one in gained], [one.high for one in gained]
    axes.fill_between(x, low, high, color=STEERED, alpha=0.15, linewidth=0)
    label = "one strength everywhere, whole vocabulary"
    axes.plot(x, [one.value for one in gained], color=STEERED, marker="o", label=label)
    if PAPER_STRENGTH in at:
        end = (strength(), by_name[PAPER_STRENGTH].gained.value)
        axes.annotate("the paper's", end, (-10, -4), textcoords="offset points", ha="right", color=STEERED)
    for name, colour, line in ((auto(TOP).name, OWN, "-"), (SHOWN, QUIET, "--")):
        if name in by_name:
            _level(axes, by_name[name].gained.value, name, colour, line)
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_xlabel("strength")
    axes.set_ylabel("gained on the remote alone, nats per token")
    axes.set_title("How much likelier what people wrote has become", loc="left")
    axes.legend(loc="lower left", frameon=False)
    save(figure, path)


def candidates(standings: Sequence[Standing], path: Path) -> None:
    """Plots how many candidates the remote lists against the gain."""
    figure, axes = _axes()
    best = constant(BEST_CONSTANT).name
    tops: set[int] = set()
    for prefix, label, colour, beside in (
        (f"{best}, top ", f"{best}, the remote's candidates alone", STEERED, 0.98),
        (f"{AUTO}, top ", f"{AUTO}, with five of the local model's", OWN, 1.02),
    ):
        found = {int(top): one.gained for one in standings if (top := _after(one.rule, prefix)) is not None}
        tops |= found.keys()
        if found:
            axes.errorbar(
                [top * beside for top in found],
                [one.value for one in found.values()],
                yerr=_error(found.values()),
                label=label,
                color=colour,
                marker="o",
                elinewidth=0.8,
                capsize=2,
            )
    for one in standings:
        if one.rule == best:
            _level(axes, one.gained.value, f"{best}, whole vocabulary", QUIET, "--")
    axes.set_xscale("log")
    axes.set_xticks(sorted(tops), [str(top) for top in sorted(tops)])
    axes.minorticks_off()
    axes.set_xlabel("tokens that the remote lists")
    axes.set_ylabel("gained on the remote alone, nats per token")
    axes.set_title("What a short list costs", loc="left")
    if tops:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.legend(loc="lower right", frameon=False)
    save(figure, path)


def replies(figures: Sequence[Figures], form: str, path: Path) -> None:
    """Plots harm against personalisation, as the remote sees it that is shown the context in this form; one
    point per system."""
    figure, axes = _axes()
    for one in figures:
        lift = one.lift[form]
        if lift is None:
            continue
        colour = {AUTO: OWN, REMOTE_ALONE: INK, SHOWN: QUIET, LOCAL_ALONE: QUIET}.get(one.system, STEERED)
        axes.errorbar(
            one.perplexity.value,
            lift.value,
            xerr=_error([one.perplexity]),
            yerr=_error([lift]),
            fmt="o",
            color=colour,
            elinewidth=0.8,
            capsize=2,
        )
        axes.annotate(
            one.system,
            (one.perplexity.value, lift.value),
            (6, 5),
            textcoords="offset points",
            color=colour,
        )
    axes.set_xlabel("perplexity of the replies under the remote alone (harm)")
    axes.set_ylabel("likelier once the context is shown, nats per token")
    axes.set_title("Personalisation against harm", loc="left")
    axes.margins(x=0.15, y=0.15)
    save(figure, path)


def _axes() -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """No frame, and quiet lines behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def _level(axes: Axes, value: float, name: str, colour: str, line: str) -> None:
    """A horizontal line, with its name above its right end."""
    axes.axhline(value, color=colour, linestyle=line, linewidth=1.2)
    axes.annotate(
        name,
        (1, value),
        (-4, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        color=colour,
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


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG file that says nothing of what made it."""
    figure.savefig(path, metadata={"Software": None})
