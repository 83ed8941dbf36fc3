"""The summary's figures against replies made by hand."""

from __future__ import annotations

import pytest

from app.decoding.request import DecodingConfig
from app.evaluation.speed.bench import Crowd, Measured
from app.evaluation.speed.memory import peak_memory
from app.evaluation.speed.modes import DRAFT, PLAIN, SINGLE, Mode, modes
from app.evaluation.speed.passes import PassTimes
from app.evaluation.speed.quartiles import Quartiles, quartiles
from app.evaluation.speed.report import sentences, tables
from app.evaluation.speed.run import Run
from app.evaluation.speed.summary import Summary, summarise
from app.local.engine.pass_cost import PassCost
from evaluation.speed.made import made

ALL = modes(DecodingConfig(), confidence_gate=0.9, margin=0.5)
GATE, MARGIN = (mode.name for mode in ALL if mode.knob)


def summed(
    *runs: Run,
    crowds: tuple[Crowd, ...] = (),
    which: tuple[Mode, ...] = ALL,
    greedy: bool = True,
    complete: bool = True,
) -> Summary:
    measured = Measured(modes=which, runs=list(runs), crowds=list(crowds))
    return summarise(measured, greedy=greedy, complete=complete)


def shown(summary: Summary) -> str:
    cells = [" ".join(cells) for table in tables(summary) for cells in (table.columns, *table.rows)]
    return "\n".join([*cells, *sentences(summary)])


def test_the_modes_differ_in_what_they_should_and_in_nothing_else() -> None:
    config = DecodingConfig(draft_length=6, verify_batch=6, max_context_tokens=7)
    plain, draft, single, gate, margin = modes(config, confidence_gate=0.9, margin=0.5)
    assert [mode.name for mode in (plain, draft, single)] == [PLAIN, DRAFT, SINGLE]
    assert [mode.steered for mode in (plain, draft, single, gate, margin)] == [False, True, True, True, True]
    assert draft.config == config
    assert single.config == DecodingConfig(draft_length=1, verify_batch=0, max_context_tokens=7)
    assert (gate.config.confidence_gate, gate.config.margin) == (0.9, None)
    assert (margin.config.confidence_gate, margin.config.margin) == (None, 0.5)
    assert len(modes(config)) == 3


def test_quartiles_leave_out_what_is_not_known() -> None:
    assert quartiles([1.0, None, 2.0, 3.0, 4.0, 5.0]) == Quartiles(2.0, 3.0, 4.0, 5)
    assert quartiles([7.0, None]) == Quartiles(7.0, 7.0, 7.0, 1)
    assert quartiles([None]) is None


def test_a_mode_has_its_medians() -> None:
    drafted = [made(rate=rate, case=case, first=0.1 * rate) for case, rate in enumerate((5.0, 10.0, 20.0))]
    figures = summed(*drafted).modes[1]
    assert (figures.mode, figures.replies, figures.short) == (DRAFT, 3, 0)
    assert figures.tokens_per_second is not None
    assert figures.tokens_per_second.median == pytest.approx(10.0)
    assert figures.first_token_ms is not None
    assert figures.first_token_ms.median == pytest.approx(1000.0)
    assert figures.first_token_ms.q1 == pytest.approx(750.0)


def test_a_mode_counts_passes_waits_requests_and_prompts() -> None:
    run = made(tokens=10, requests=4, changed=2)
    run.stats.local_seconds, run.stats.seconds["local"] = 0.5, 0.2
    run.stats.prefilled, run.stats.found = 7, 93
    figures = summed(run).modes[1]
    found = [
        figures.local_ms_per_token,
        figures.local_wait_ms_per_token,
        figures.requests_per_token,
        figures.acceptance,
        figures.prefilled,
        figures.found,
    ]
    assert [one.median for one in found if one] == pytest.approx([50.0, 20.0, 0.4, 0.8, 7.0, 93.0])


def test_a_plain_stream_has_no_figures_of_steering() -> None:
    figures = summed(made(PLAIN)).modes[0]
    assert figures.tokens_per_second is not None
    assert figures.acceptance is figures.local_ms_per_token is figures.found is None


def test_a_short_reply_counts_for_the_first_token_alone_and_is_counted() -> None:
    summary = summed(made(first=0.1), made(tokens=7, rate=1000.0, first=0.3, case=1), made(tokens=0, case=2))
    figures = summary.modes[1]
    assert (figures.replies, figures.short) == (3, 2)
    assert figures.tokens_per_second is not None
    assert figures.first_token_ms is not None
    assert (figures.tokens_per_second.count, figures.first_token_ms.count) == (1, 2)
    assert figures.tokens_per_second.median == pytest.approx(10.0)
    assert figures.first_token_ms.median == pytest.approx(200.0)
    assert "2 of 3 replies ended before 8 tokens" in shown(summary)


def test_ratios_are_paired_by_prompt_and_repeat() -> None:
    runs = [
        *(made(PLAIN, rate=20.0, case=case, repeat=repeat) for case in range(2) for repeat in range(2)),
        *(made(rate=10.0 + 5 * case, case=case, repeat=repeat) for case in range(2) for repeat in range(2)),
        made(SINGLE, rate=5.0, case=1),
        made(SINGLE, rate=1.0, case=0, tokens=3),  # too short for a pair
        made(PLAIN, rate=1.0, case=7),  # without one
    ]
    over_plain, over_single = summed(*runs).ratios
    assert (over_plain.mode, over_plain.over, over_plain.tokens_per_second.count) == (DRAFT, PLAIN, 4)
    assert over_plain.tokens_per_second.median == pytest.approx((0.5 + 0.75) / 2)
    assert (over_single.over, over_single.tokens_per_second.count) == (SINGLE, 1)
    assert over_single.tokens_per_second.median == pytest.approx(3.0)


def test_the_bound_is_that_of_the_measured_pace_distance_passes_and_rejections() -> None:
    plain = made(PLAIN, rate=10.0, tokens=10)  # a pace of 100 ms
    # The first request is none behind a rejection. Of the others the fastest takes 260 ms and the median 300.
    waits = [0.5, 0.26, 0.3, 0.34]
    drafted = made(rate=5.0, tokens=10, changed=2, waits=waits, passes=PassTimes(PassCost(0.04, 0.005), 2))
    bound = summed(plain, drafted).bound
    assert bound is not None
    assert (bound.pace_ms, bound.distance_ms) == pytest.approx((100.0, 160.0))
    assert bound.restart_ms == pytest.approx(40.0)
    assert bound.pass_ms == pytest.approx((50.0, 120.0))
    # Tokens 2 and 3 are changed: after each a round trip. A pass over one token hides behind the next one's.
    least = 0.1 + 0.26 + (0.16 + 7 * 0.1)
    assert bound.over_plain.median == bound.remote_alone.median == pytest.approx(0.9 / least)
    assert bound.share.median == pytest.approx(5.0 / (9 / least))
    assert "160.0 ms more after each rejected one" in shown(summed(plain, drafted))


def test_a_slow_local_model_lowers_the_bound_but_not_that_of_the_remote_alone() -> None:
    plain = made(PLAIN, rate=10.0)
    quick, slow = (
        summed(plain, made(rate=1.0, changed=3, waits=[0.5, 0.3], passes=PassTimes(PassCost(base, 0.01), 2)))
        for base in (0.01, 0.8)
    )
    assert quick.bound is not None
    assert slow.bound is not None
    assert slow.bound.over_plain.median < quick.bound.over_plain.median
    assert slow.bound.remote_alone == quick.bound.remote_alone
    assert slow.bound.share.median > quick.bound.share.median


def test_there_is_no_bound_without_a_pass_or_a_request_that_continues() -> None:
    plain, passes = made(PLAIN), PassTimes(PassCost(), 2)
    assert summed(plain, made(waits=[1.0, 0.3])).bound is None
    assert summed(plain, made(waits=[1.0], passes=passes)).bound is None
    assert summed(made(waits=[1.0, 0.3], passes=passes)).bound is None
    assert summed(plain, made(waits=[1.0, 0.3], passes=passes)).bound is not None


def test_replies_that_were_written_again_are_told() -> None:
    measured = Measured(modes=ALL, runs=[made(PLAIN)], repeated=3)
    assert "3 times the recording lacked something" in shown(summarise(measured, greedy=True, complete=True))
    assert "recording" not in shown(summed(made(PLAIN)))


def test_a_knob_is_compared_with_draft_and_verify_in_time_and_in_tokens() -> None:
    runs = [made(rate=10.0), made(GATE, rate=20.0, token_ids=[99, *range(1, 11)])]
    (knob,) = summed(*runs).knobs
    assert knob.mode == GATE
    assert knob.time_saved.median == pytest.approx(0.5)
    assert knob.tokens_changed is not None
    assert knob.tokens_changed.median == pytest.approx(1 / 11)
    assert "50.0 (50.0-50.0)" in shown(summed(*runs))
    (drawn,) = summed(*runs, greedy=False).knobs
    assert drawn.tokens_changed is None


def test_replies_at_once_are_set_against_the_same_prompts_one_by_one() -> None:
    # 11 tokens in 2 s alone; at once 22 tokens in 2.2 s, one reply in 1.6 s and one in 2.2 s.
    alone = [made(rate=10.0, first=1.0, case=case) for case in range(2)]
    crowd = Crowd((made(rate=10.0, first=0.6), made(rate=10.0, first=1.2, case=1)), 2.2)
    summary = summed(*alone, made(rate=1.0, case=2), crowds=(crowd,))
    (together,) = summary.together
    assert together.replies == 2
    assert together.tokens_per_second == pytest.approx(10.0)
    assert together.over_one == pytest.approx(10.0 / 5.5)
    assert together.slowest_over_fastest == pytest.approx(1.6 / 2.2)
    assert "2 replies at once: 10.0 tokens/s in all, 1.82 times" in shown(summary)


def test_what_was_broken_off_is_summed_up_as_far_as_it_goes() -> None:
    summary = summed(made(PLAIN), complete=False)
    assert (summary.complete, summary.ratios, summary.bound, summary.knobs) == (False, (), None, ())
    assert "tokens/s after it 10.0 (10.0-10.0)" in shown(summary)
    assert "compared" not in shown(summary)


def test_all_figures_of_a_run_but_its_text_go_into_json() -> None:
    run = made(waits=[0.25], tokens=10, changed=1)
    figures = run.figures()
    assert (figures["tokens_per_second"], figures["first_token_ms"]) == (pytest.approx(10.0), 500.0)
    assert (figures["acceptance"], figures["first_drafted_ms"]) == (0.9, [250.0])
    assert "token_ids" not in figures
    assert made(tokens=3).figures()["tokens_per_second"] is None


def test_the_peak_memory_is_counted_in_bytes() -> None:
    peak = peak_memory()
    assert peak is not None
    assert 20e6 < peak < 1e12  # an interpreter with numpy has more than 20 MB, wherever it runs
