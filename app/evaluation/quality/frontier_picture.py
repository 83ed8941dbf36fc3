"""A plot of the frontier: what each rule brings at each strength, against the perplexity of its replies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.evaluation.quality.forms import named
from app.evaluation.quality.frontier import Point
from app.evaluation.quality.interval import Interval
from app.evaluation.quality.pictures import DPI, INK, plain, save
from app.evaluation.quality.replies import Figures
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN
from app.evaluation.quality.summary import Summary

SIZE = (10.0, 7.6)  # inches
COLOURS = ("#c4560a", "#0b6e99", "#4d7d2b", "#8a3ffc", "#b0226b", "#007d79", "#8d6a00", "#5a5a5a", "#1c3f94")
LINES = {"auto": "-", "strength": ":", "margin": "--"}

Brought = Callable[[Point], Interval | None]


def frontier(summary: Summary, path: Path) -> None:
    """Plots four gains, a panel each; one colour for each form, one kind of line for each kind of rule."""
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    first = summary.forms[0]
    panels: dict[str, Brought] = {
        "gained on what people wrote, nats per token": lambda one: one.gained,
        f"likelier than the remote's own ({first}), nats per token": lambda one: _of(one).lifted.get(first),
        "ROUGE-L": lambda one: _of(one).rouge_l,
        "METEOR": lambda one: _of(one).meteor,
    }
    for axes, (title, brought) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        plain(axes)
        _curves(axes, summary, brought)
        _ends(axes, summary, brought)
        axes.set_xlabel("perplexity of the replies under the remote alone (harm)")
        axes.set_title(title, loc="left")
    handles, labels = figure.axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    save(figure, path)


def _colour(summary: Summary, form: str) -> str:
    return COLOURS[summary.forms.index(form) % len(COLOURS)]


def _of(point: Point) -> Figures:
    assert point.figures is not None  # noqa: S101  # those without are not drawn
    return point.figures


def _curves(axes: Axes, summary: Summary, brought: Brought) -> None:
    for curve in summary.frontier:
        drawn = [(one, value) for one in curve.points if one.figures is not None and (value := brought(one))]
        if not drawn:
            continue
        axes.plot(
            [_of(one).perplexity.value for one, _ in drawn],
            [value.value for _, value in drawn],
            color=_colour(summary, curve.form),
            linestyle=LINES[curve.kind],
            marker="o",
            markersize=4,
            label=curve.name,
        )
        for one, value in drawn:
            at = (_of(one).perplexity.value, value.value)
            varied = one.margin if curve.kind == "margin" else one.strength
            axes.annotate(f"{varied:.3g}", at, (4, 4), textcoords="offset points", fontsize=7)


def _ends(axes: Axes, summary: Summary, brought: Brought) -> None:
    """The remote alone, and the remote shown the profile, as crosses."""
    judged = {one.name: one for one in summary.rules}
    written = {one.system: one for one in summary.systems}
    bounds = [(named(SHOWN, form), _colour(summary, form)) for form in summary.forms]
    for name, colour in ((REMOTE_ALONE, INK), *bounds):
        figures = written.get(name)
        value = brought(Point(name, 0.0, 0.0, judged.get(name), figures)) if figures is not None else None
        if figures is not None and value is not None:
            axes.plot([figures.perplexity.value], [value.value], "x", color=colour, label=name)
