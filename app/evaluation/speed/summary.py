"""Summarises the measured replies: each mode, the modes compared, and an upper bound on the speed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.evaluation.speed.bench import Crowd, Measured
from app.evaluation.speed.bound import least_seconds
from app.evaluation.speed.edits import share_changed
from app.evaluation.speed.memory import peak_memory
from app.evaluation.speed.modes import DRAFT, PLAIN, SINGLE, Mode
from app.evaluation.speed.quartiles import Quartiles, quartiles
from app.evaluation.speed.run import Run


@dataclass(frozen=True)
class ModeFigures:
    """All replies of a mode; the `short` ones count for the first token only. Of the tokens of both its
    prompts the local model `prefilled` some and `found` the others in its KV cache. The last five figures are
    None where nothing is steered."""

    mode: str
    replies: int
    short: int
    first_token_ms: Quartiles | None
    tokens_per_second: Quartiles | None
    requests_per_token: Quartiles | None
    acceptance: Quartiles | None
    local_ms_per_token: Quartiles | None
    local_wait_ms_per_token: Quartiles | None
    prefilled: Quartiles | None
    found: Quartiles | None


@dataclass(frozen=True)
class Ratio:
    """Tokens per second of one mode divided by those of another, for the same prompt and repeat."""

    mode: str
    over: str
    tokens_per_second: Quartiles


@dataclass(frozen=True)
class Bound:
    """The upper bound of draft and verify's tokens per second over the plain stream's: of the fastest
    schedule for each reply's own tokens and rejections, by bound.py, and the `share` of it that was reached.
    `remote_alone` is the same bound for a local model that costs nothing.

    `pace_ms` is the median time per token of the plain streams. A request that continues after a rejected
    token takes distance + restart + pace to its first draft token: over all requests but the first of each
    reply, `distance_ms` is the shortest such time minus the pace, which no schedule can save, and
    `restart_ms` what the median one took beyond that. `pass_ms` are the medians of what a pass over one
    position and over eight costs, by the costs fitted at each reply's end.
    """

    pace_ms: float
    distance_ms: float
    restart_ms: float
    pass_ms: tuple[float, float]
    over_plain: Quartiles
    remote_alone: Quartiles
    share: Quartiles


@dataclass(frozen=True)
class Knob:
    """The share of draft and verify's time per token that a mode saved, and the share of tokens it changed:
    edit distance (Levenshtein over token ids) over the length of the longer text. None where tokens are
    sampled at random, since two texts then differ anyway."""

    mode: str
    time_saved: Quartiles
    tokens_changed: Quartiles | None


@dataclass(frozen=True)
class Together:
    """Several concurrent replies: the throughput of all in tokens per second, its ratio to that of one reply
    after the other, and the slowest one's tokens per second, request to end, as a share of the fastest's."""

    replies: int
    tokens_per_second: float
    over_one: float
    slowest_over_fastest: float


@dataclass(frozen=True)
class Summary:
    """All figures; `complete` is False when the benchmark was interrupted. `repeated` replies were written
    again, since a recording lacked what they visited."""

    complete: bool
    repeated: int
    modes: tuple[ModeFigures, ...]
    ratios: tuple[Ratio, ...]
    bound: Bound | None
    knobs: tuple[Knob, ...]
    together: tuple[Together, ...]
    peak_memory_bytes: int | None


def summarise(measured: Measured, *, greedy: bool, complete: bool) -> Summary:
    """Medians and quartiles."""
    runs, modes = measured.runs, measured.modes
    ratios = [_ratio(runs, DRAFT, other) for other in (PLAIN, SINGLE)]
    knobs = [_knob(runs, mode.name, greedy=greedy) for mode in modes if mode.knob]
    return Summary(
        complete=complete,
        repeated=measured.repeated,
        modes=tuple(_of_mode(mode, runs) for mode in modes),
        ratios=tuple(ratio for ratio in ratios if ratio is not None),
        bound=_bound(runs),
        knobs=tuple(knob for knob in knobs if knob is not None),
        together=tuple(_together(crowd, runs) for crowd in measured.crowds),
        peak_memory_bytes=peak_memory(),
    )


def _of_mode(mode: Mode, everything: Sequence[Run]) -> ModeFigures:
    runs = [run for run in everything if run.mode == mode.name]
    kept = [run for run in runs if run.enough]
    steered = kept if mode.steered else []
    return ModeFigures(
        mode=mode.name,
        replies=len(runs),
        short=len(runs) - len(kept),
        first_token_ms=quartiles(run.first_token_ms for run in runs),
        tokens_per_second=quartiles(run.tokens_per_second for run in kept),
        requests_per_token=quartiles(run.requests_per_token for run in kept),
        acceptance=quartiles(run.stats.acceptance for run in steered),
        local_ms_per_token=quartiles(run.local_ms_per_token for run in steered),
        local_wait_ms_per_token=quartiles(run.local_wait_ms_per_token for run in steered),
        prefilled=quartiles(run.stats.prefilled for run in steered),
        found=quartiles(run.stats.found for run in steered),
    )


def _pairs(runs: Iterable[Run], one: str, other: str) -> Iterator[tuple[Run, Run]]:
    """Replies of two modes to the same prompt in the same repeat, both long enough."""
    kept = {(run.mode, run.case, run.repeat): run for run in runs if run.enough}
    for (mode, case, repeat), run in kept.items():
        if mode == one and (other, case, repeat) in kept:
            yield run, kept[other, case, repeat]


def _ratio(runs: Sequence[Run], mode: str, over: str) -> Ratio | None:
    found = quartiles(a.tokens_per_second / b.tokens_per_second for a, b in _pairs(runs, mode, over))
    return Ratio(mode, over, found) if found else None


def _bound(runs: Sequence[Run]) -> Bound | None:
    pairs = [pair for pair in _pairs(runs, DRAFT, PLAIN) if pair[0].waits and pair[0].passes is not None]
    waits = [wait for drafted, _ in pairs for wait in drafted.waits[1:]]
    if not waits:
        return None
    pace = statistics.median(1 / plain.tokens_per_second for _, plain in pairs)
    distance = max(0.0, min(waits) - pace)
    bounds, alone, shares = list[float](), list[float](), list[float]()
    for drafted, plain in pairs:
        least, least_alone = (_least(drafted, pace, distance, free=free) for free in (False, True))
        if least_alone > 0:  # else it had been drafted to its end before its first token
            followed = len(drafted.moments) - 1
            bounds.append(followed / least / plain.tokens_per_second)
            alone.append(followed / least_alone / plain.tokens_per_second)
            shares.append(drafted.tokens_per_second * least / followed)
    over_plain, remote_alone, share = quartiles(bounds), quartiles(alone), quartiles(shares)
    if over_plain is None or remote_alone is None or share is None:
        return None
    passes = [drafted.passes for drafted, _ in pairs if drafted.passes is not None]
    one, eight = (1000 * statistics.median(known.seconds(n) for known in passes) for n in (1, 8))
    return Bound(
        pace_ms=1000 * pace,
        distance_ms=1000 * distance,
        restart_ms=1000 * (statistics.median(waits) - pace - distance),
        pass_ms=(one, eight),
        over_plain=over_plain,
        remote_alone=remote_alone,
        share=share,
    )


def _least(drafted: Run, pace: float, distance: float, *, free: bool) -> float:
    """Least seconds after the first token; `free`: if the local model cost nothing."""
    passes = drafted.passes
    return least_seconds(
        drafted.steps,
        pace=pace,
        distance=distance,
        pass_seconds=(lambda _: 0.0) if free or passes is None else passes.seconds,
        lead=max(0.0, drafted.moments[0] - drafted.waits[0]),
    )


def _knob(runs: Sequence[Run], mode: str, *, greedy: bool) -> Knob | None:
    pairs = list(_pairs(runs, mode, DRAFT))
    saved = quartiles(1 - drafted.tokens_per_second / run.tokens_per_second for run, drafted in pairs)
    changed = quartiles(share_changed(drafted.token_ids, run.token_ids) for run, drafted in pairs)
    return Knob(mode, saved, changed if greedy else None) if saved else None


def _together(crowd: Crowd, runs: Sequence[Run]) -> Together:
    cases = {run.case for run in crowd.runs}
    alone = [run for run in runs if run.mode == DRAFT and run.case in cases]
    one = sum(run.stats.tokens for run in alone) / sum(run.seconds for run in alone)
    each = [run.stats.tokens / run.seconds for run in crowd.runs]
    all_of_them = sum(run.stats.tokens for run in crowd.runs) / crowd.seconds
    return Together(len(crowd.runs), all_of_them, all_of_them / one, min(each) / max(each))
