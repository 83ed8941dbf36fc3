"""Summarises the measured replies: each mode, the modes compared, and an upper bound on the speed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.evaluation.speed.bench import Crowd, Measured
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
    """The upper bound of draft and verify's tokens per second over the plain stream's, if only rejected
    drafts cost time: 1 / (1 + (1 - a) * (rtt + restart) / pace), and the `share` of it that was reached.

    `a` is a reply's own acceptance, and `pace_ms` the median time per token of the plain streams. A request
    that continues after a rejected token takes rtt + restart + pace to its first draft token; so `restart_ms`
    is the median of these times, over all requests but the first of each reply, minus rtt and pace. It
    includes the new connection, the remote's prefill of the prompt, and the overhead of this device.
    """

    pace_ms: float
    restart_ms: float
    over_plain: Quartiles
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
    """All figures; `complete` is False when the benchmark was interrupted."""

    complete: bool
    modes: tuple[ModeFigures, ...]
    ratios: tuple[Ratio, ...]
    bound: Bound | None
    knobs: tuple[Knob, ...]
    together: tuple[Together, ...]
    peak_memory_bytes: int | None


def summarise(measured: Measured, *, greedy: bool, rtt_ms: float | None, complete: bool) -> Summary:
    """Medians and quartiles. `rtt_ms` is the simulated round-trip time to the remote, None without one."""
    runs, modes = measured.runs, measured.modes
    ratios = [_ratio(runs, DRAFT, other) for other in (PLAIN, SINGLE)]
    knobs = [_knob(runs, mode.name, greedy=greedy) for mode in modes if mode.knob]
    return Summary(
        complete=complete,
        modes=tuple(_of_mode(mode, runs) for mode in modes),
        ratios=tuple(ratio for ratio in ratios if ratio is not None),
        bound=_bound(runs, rtt_ms) if rtt_ms is not None else None,
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


def _bound(runs: Sequence[Run], rtt_ms: float) -> Bound | None:
    pairs = list(_pairs(runs, DRAFT, PLAIN))
    waits = [1000 * wait for drafted, _ in pairs for wait in drafted.waits[1:]]
    if not waits:
        return None
    pace = statistics.median(1000 / plain.tokens_per_second for _, plain in pairs)
    again = statistics.median(waits) - pace
    bounds = [1 / (1 + (1 - drafted.stats.acceptance) * again / pace) for drafted, _ in pairs]
    reached = [drafted.tokens_per_second / plain.tokens_per_second for drafted, plain in pairs]
    over_plain = quartiles(bounds)
    share = quartiles(ratio / bound for ratio, bound in zip(reached, bounds, strict=True))
    assert over_plain and share  # noqa: S101  # there is at least one pair
    return Bound(pace, again - rtt_ms, over_plain, share)


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
