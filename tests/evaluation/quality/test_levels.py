"""Levels of disclosure with fake models: what each reply told is kept, and texts are read with a guard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import as_hits

from app.evaluation.quality.folder import Folder
from app.evaluation.quality.grids import grids
from app.evaluation.quality.heard import Heard, named
from app.evaluation.quality.likelihood import TEMPERATURES, among_candidates, matcher_of, rule_nlls
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.rules import REMOTE_ALONE, auto
from app.evaluation.quality.run import is_done
from app.evaluation.quality.strengths import (
    AS_THE_PRODUCT,
    OPEN,
    Levels,
    Tried,
    at_levels,
    of_budget,
    of_margin,
)
from app.evaluation.quality.summary import summarise
from app.evaluation.quality.written import Written
from app.local.model import direct
from app.profiles.disclosure import IDENTIFIERS, Disclosure
from app.profiles.profile import HistoryItem, Profile
from app.prompts.message import Message
from app.prompts.private import PrivateContext
from app.remote.interface import DraftToken
from app.steering.formula import likeliest, log_softmax
from app.tokenization.vocabulary import SpelledVocabulary
from evaluation.quality.examples import CASES, planned, written
from evaluation.quality.test_run import PLAN, Models, ran

ALL = [at_levels(one) for one in Levels]
WORDS = ["", " ann", " bob", " sails", " boats", " the", " old", " horn", " sounds", " twice", " fog", " kim"]
SPELLED = SpelledVocabulary([word.encode() for word in WORDS], {}, frozenset({0}), None)
BOB = PrivateContext(
    Profile("bob", "Bob Ann", (("hobby", "sails boats"),)),
    as_hits([HistoryItem("Old", "The old horn sounds twice.")]),
)
ASKED = (Message("user", "Say it."),)
REMOTE, AWARE, AGNOSTIC = log_softmax(np.random.default_rng(5).normal(0.0, 2.0, (3, len(WORDS))))
LOCAL = direct(np.array([[AWARE], [AGNOSTIC]], np.float32), np.array([[0, 1]]))


@pytest.mark.parametrize(
    ("tried", "name", "disclosure"),
    [
        (at_levels(Levels.OPEN), "auto, all open", OPEN),
        (at_levels(Levels.DEFAULT), "auto, default levels", Disclosure()),
        (at_levels(Levels.SHAPE), "auto, all shape", Disclosure("shape")),
        (at_levels(Levels.FILL), "auto, all fill", Disclosure("fill")),
        (of_budget(5.0), "auto, default levels, budget 5", Disclosure(budget=5.0)),
        (of_budget(0.5), "auto, default levels, budget 0.5", Disclosure(budget=0.5)),
    ],
)
def test_levels_and_budgets_are_systems_and_rules_of_their_own(
    tried: Tried, name: str, disclosure: Disclosure
) -> None:
    assert (tried.name, tried.disclosure) == (name, disclosure)
    rule = {one.name: one for one in Plan(PLAN.cases, strengths=(tried,)).rules(one_vocabulary=True)}
    assert rule[f"{name}, top 20"].disclosure == disclosure
    assert {one for one in rule if name in one} == {f"{name}, top 20"}
    assert all(one.disclosure is None for other, one in rule.items() if name not in other)


def test_with_everything_open_no_identifier_is_stricter() -> None:
    assert {OPEN.of_identifier(kind, "open", alone=True) for kind in IDENTIFIERS} == {"open"}


def nlls(tried: Tried, behind: list[int], private: PrivateContext = BOB) -> np.ndarray:
    """[V, temperatures]: how likely each token is behind those, by the rule over a list of six."""
    rule = auto(6, tried)
    rows = []
    for token in range(len(WORDS)):
        ids = [*behind, token]
        matcher = matcher_of(rule, private, ASKED, SPELLED)
        matchers = {rule.name: matcher} if matcher is not None else {}
        logits = np.repeat(REMOTE[np.newaxis], len(ids), axis=0).astype(np.float32)
        every = [each for _ in ids for each in LOCAL]
        whole = np.array(rule_nlls([rule], logits, every, [1.0], ids, matchers=matchers)[rule.name]) * len(
            ids
        )
        rows.append(whole)
    return np.array(rows)


def last(tried: Tried, behind: list[int]) -> np.ndarray:
    """The probabilities of the last token alone, behind a text of the same tokens."""
    whole = nlls(tried, behind)
    before = nlls(tried, behind[:-1])[behind[-1]] if behind else 0.0
    return np.exp(before - whole)


@pytest.mark.parametrize("levels", Levels)
@pytest.mark.parametrize("behind", [[], [5, 6, 7, 8], [2]])
def test_at_each_level_it_is_a_distribution_over_the_whole_vocabulary(
    levels: Levels, behind: list[int]
) -> None:
    found = last(at_levels(levels), behind)
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=0), np.ones(len(TEMPERATURES)), atol=1e-6)


def test_what_is_held_gains_nothing_and_the_text_is_followed() -> None:
    free = [last(AS_THE_PRODUCT, behind) for behind in ([], [5, 6, 7, 8])]
    np.testing.assert_allclose(free[0], free[1])
    # Behind four words of an earlier text the fifth is guarded at any level.
    twice = WORDS.index(" twice")
    by_open = [last(at_levels(Levels.OPEN), behind) for behind in ([], [5, 6, 7, 8])]
    np.testing.assert_allclose(by_open[0], free[0])
    assert AWARE[twice] > AGNOSTIC[twice]
    assert (by_open[1][twice] < free[1][twice]).all()


def held_at(levels: Levels) -> dict[str, bool]:
    """Of the candidates at the beginning of a text, which are held; those that are dropped are missing."""
    rule = auto(6, at_levels(levels))
    listed = likeliest(REMOTE, 6)
    drafted = DraftToken(int(listed[0]), listed, REMOTE[listed])
    at = among_candidates(rule, drafted, LOCAL[0], [1.0], matcher_of(rule, BOB, ASKED, SPELLED))
    assert at.held is not None
    return {WORDS[token]: bool(one) for token, one in zip(at.ids, at.held, strict=True)}


def test_stricter_levels_hold_more_and_drop_what_only_the_small_model_would_say() -> None:
    listed = {WORDS[token] for token in likeliest(REMOTE, 6)}
    found = {levels: held_at(levels) for levels in Levels}
    held = {levels: {word for word, one in each.items() if one} for levels, each in found.items()}
    assert not held[Levels.OPEN]
    assert {*found[Levels.OPEN]} > listed
    for levels, secret in (
        (Levels.DEFAULT, {" ann", " bob"}),
        (Levels.SHAPE, {" ann", " bob", " sails", " boats", " old", " horn", " sounds", " twice"}),
        # A placeholder is no word of a text: what it stands for is held.
        (Levels.FILL, {" ann", " bob", " sails", " boats", " old", " horn", " sounds", " twice"}),
    ):
        assert held[levels] == secret & listed
        assert {*found[levels]} == {*found[Levels.OPEN]} - (secret - listed)
    assert held[Levels.DEFAULT] < held[Levels.SHAPE]
    assert {*found[Levels.SHAPE]} < {*found[Levels.DEFAULT]}


@pytest.mark.parametrize(
    ("text", "name", "question", "found"),
    [
        ("Warmly, ISABEL", "Isabel Moreno", "Write.", True),
        ("Warmly, Dr. Moreno.", "Dr. Isabel Moreno", "Write.", True),
        ("Dear Dr., warmly, [Your first name]", "Dr. Isabel Moreno", "Write.", False),
        ("Isabella waits", "Isabel Moreno", "Write.", False),
        ("Warmly, Isabel", "Isabel Moreno", "I am Isabel.", False),
        ("Warmly, Isabel", "Isabel", "I am Isabel.", None),
        ("by José O'Neill", "O'Neill", "Write.", True),
        ("", "Isabel", "Write.", False),
    ],
)
def test_a_part_of_a_name_counts_where_the_question_has_not_said_it(
    text: str, name: str, question: str, found: bool | None
) -> None:
    assert named(text, name, (Message("user", question),)) is found


CAPITALS = tuple(
    replace(
        one,
        private=PrivateContext(
            Profile(one.id, "Hello Wow", (("style", "LOUD world"),)),
            as_hits([HistoryItem("Old", "It sails.")]),
        ),
    )
    for one in CASES[:2]
)
# Capitals are surely wanted at no margin.
LEVELLED = replace(PLAN, cases=CAPITALS, strengths=(of_margin(0.0), *ALL), tokens=20, reply_tokens=11)


async def test_what_each_reply_told_is_kept(tmp_path: Path) -> None:
    _, folder = await ran(tmp_path, LEVELLED)
    assert folder.written is not None
    by_name: Mapping[str, Written] = {one.system: one for one in folder.written if one.case == "a"}
    heard = {name: one.heard for name, one in by_name.items()}
    # The name that the remote says by itself is heard all the same.
    assert heard[REMOTE_ALONE] == Heard("hello world", True, 1, 0, 0, 0.0, 1.0)
    assert heard["remote shown the profile"] is heard["local with context"] is None
    for name in ("auto", *(one.name for one in ALL)):
        one = heard[name]
        assert one is not None
        assert one.nats > 0.0
    opened = heard["auto, all open"]
    own = heard["auto"]
    assert opened is not None and own is not None
    # What is compared by strengths is steered with everything open.
    assert (own.text, own.nats, own.held) == (opened.text, opened.nats, opened.held)
    # And read back it is the same.
    again = Folder(tmp_path, {}, LEVELLED)
    assert again.written is not None
    assert {one.key: one for one in again.written} == {one.key: one for one in folder.written}


async def test_a_reply_becomes_unsteered_where_its_budget_is_spent(tmp_path: Path) -> None:
    unbounded = Tried("auto", 3.0, levels=Levels.DEFAULT)
    few, many = (replace(unbounded, budget=one) for one in (0.3, 1000.0))
    plan = replace(PLAN, strengths=(unbounded, few, many), tokens=0, reply_tokens=11)
    _, folder = await ran(tmp_path, plan)
    assert folder.written is not None
    by_name = {one.system: one.heard for one in folder.written if one.case == "a"}
    free, spent = by_name[unbounded.name], by_name[few.name]
    assert free is not None and spent is not None
    assert (free.unsteered_from, by_name[many.name]) == (None, free)
    assert free.nats > 0.3 >= spent.nats > 0.0
    assert spent.unsteered_from is not None
    # A token is a character here.
    rest = slice(spent.unsteered_from, None)
    assert spent.text[: rest.start] == free.text[: rest.start]
    assert free.text[rest] != spent.text[rest] == "hello world"[rest]


def told(tried: Tried, ids: list[int]) -> np.ndarray:
    """[n]: what each position tells by the rule, from the remote's six and the local model's own."""
    rule, listed = auto(6, tried), likeliest(REMOTE, 6)
    matcher, nats = matcher_of(rule, BOB, ASKED, SPELLED), []
    for token in ids:
        drafted = DraftToken(int(listed[0]), listed, REMOTE[listed])
        nats.append(among_candidates(rule, drafted, LOCAL[0], [1.0], matcher).nats)
        if matcher is not None:
            matcher.push(token)
    return np.array(nats)


@pytest.mark.parametrize("fitting", [0, 1, 3, 5])
def test_a_text_is_read_as_the_remotes_own_from_where_the_budget_ends(fitting: int) -> None:
    ids, free = [3, 6, 2, 9, 4], at_levels(Levels.DEFAULT)
    each = told(free, ids)
    assert (each > 1e-3).all()
    spent = of_budget(float(each[:fitting].sum() + 1e-4))
    alone = np.array([-REMOTE / one + np.logaddexp.reduce(REMOTE / one) for one in TEMPERATURES])
    for length in range(1, len(ids) + 1):
        gained = nlls(spent, ids[: length - 1])[ids[length - 1]]
        steered = min(length, fitting)
        expected = nlls(free, ids[: steered - 1])[ids[steered - 1]] if steered else 0.0
        expected = expected + alone[:, ids[steered:length]].sum(axis=1)
        np.testing.assert_allclose(gained, expected, atol=1e-5)


async def test_the_remote_hears_no_value_that_the_device_writes_in(tmp_path: Path) -> None:
    plan = replace(LEVELLED, tokens=0, reply_tokens=40)
    models, folder = Models(), Folder(tmp_path, {}, plan)
    models.remote.text = "by [your name]."
    await models.run(folder, plan)
    assert folder.written is not None
    for one in folder.written:
        if one.heard is None:
            continue
        assert one.heard.text.lower() == "by [your name]."
        # Only what is written at a level is filled in.
        at_level = one.system in {tried.name for tried in ALL}
        assert (one.heard.filled, one.heard.named) == (int(at_level), False)
        # Systems that are compared by strengths are read as the remote has them.
        client = one.text.lower().replace("hello wow", "[your name]")
        assert client == "by [your name]."
        assert (one.text == one.as_told) == (not at_level)


async def test_texts_are_judged_at_each_level_beside_each_other(tmp_path: Path) -> None:
    _, folder = await ran(tmp_path, replace(LEVELLED, reply_tokens=0))
    assert folder.read is not None
    for one in folder.read:
        assert {f"{tried.name}, top 20" for tried in (AS_THE_PRODUCT, *ALL)} <= one.nll.keys()
        assert all(np.isfinite(each).all() for each in one.nll.values())


async def test_levels_are_added_to_a_folder_from_before(tmp_path: Path) -> None:
    before = replace(LEVELLED, strengths=(of_margin(0.0),))
    await ran(tmp_path, before)
    path = tmp_path / "written.jsonl"
    first, *lines = path.read_bytes().splitlines()
    fields = [json.loads(line) for line in lines]
    for one in fields:
        del one["heard"]
    # This one is from when there were levels, and no budgets yet.
    old = {"text": "Ahoy.", "named": False, "said": 2, "held": 1, "filled": 0, "nats": 3.0, "acceptance": 0.5}
    fields[0]["heard"] = old
    path.write_text("\n".join([first.decode(), *map(json.dumps, fields)]) + "\n")
    folder = Folder(tmp_path, {}, LEVELLED)
    assert not is_done(LEVELLED, folder.read, folder.written)
    assert folder.written is not None and folder.read is not None
    levelled, *others = folder.written
    assert levelled.heard == Heard("Ahoy.", False, 2, 1, 0, 3.0, 0.5, unsteered_from=None)
    assert all(one.heard is None and one.as_told == one.text for one in others)
    models = Models()
    await models.run(folder, LEVELLED)
    assert is_done(LEVELLED, folder.read, folder.written)
    # What those told is not known; what is written now is.
    told = summarise(LEVELLED, folder.read, folder.written).told
    assert [one.system for one in told] == [REMOTE_ALONE, *(tried.name for tried in ALL)]
    assert {one.replies for one in told} == {1}


def heard(**fields: object) -> Heard:
    nothing = {"text": "Boats leave.", "named": False, "said": 0, "held": 0, "filled": 0, "nats": 0.0}
    return Heard(**{**nothing, "acceptance": 1.0, **fields})  # type: ignore[arg-type]


def test_a_table_has_what_systems_told() -> None:
    tried = at_levels(Levels.SHAPE)
    plan = replace(planned(), strengths=(tried,))
    replies = [
        replace(written(case, name, 1.0, 0.8), heard=one, tokens=tokens)
        for case, name, tokens, one in (
            ("a", REMOTE_ALONE, 10, heard()),
            ("b", REMOTE_ALONE, 10, heard()),
            ("c", REMOTE_ALONE, 10, heard()),
            ("a", tried.name, 10, heard(named=True, said=3, held=2, filled=1, nats=4.0, acceptance=0.5)),
            ("b", tried.name, 30, heard(said=1, nats=9.0, acceptance=0.9)),
            ("c", tried.name, 10, heard(named=None, said=5, held=1, filled=2, nats=5.0)),
        )
    ]
    replies.append(written("a", "strength 1", 1.0, 0.8))  # it is not known what it told
    summary = summarise(plan, [], replies)
    alone, one = summary.told
    assert (alone.named, alone.said.value, alone.nats, alone.acceptance.value) == (0, 0.0, 0.0, 1.0)
    assert (one.system, one.replies, one.named, one.nats) == (tried.name, 3, 1, 5.0)
    assert one.naming is not None
    found = (one.naming.value, one.said.value, one.held.value, one.filled.value, one.acceptance.value)
    assert found == pytest.approx((1 / 2, 3.0, 1.0, 1.0, (5 + 27 + 10) / 50))
    (grid,) = (each for each in grids(summary) if "told" in each.title)
    assert [row[0] for row in grid.rows] == [REMOTE_ALONE, tried.name]
    assert {"with the name", "said first", "held", "filled", "nats", "accepted, %"} < {*grid.columns}
    assert all(len(row) == len(grid.columns) for row in grid.rows)
    assert summarise(plan, [], [written("a", REMOTE_ALONE, 1.0, 0.8)]).told == []
    # A case that one of them has not come to counts for none.
    assert {each.replies for each in summarise(plan, [], replies[:5]).told} == {2}


def test_a_table_has_where_replies_became_unsteered() -> None:
    tried = of_budget(5.0)
    plan = replace(planned(), strengths=(tried,))
    found = {"a": heard(unsteered_from=30), "b": heard(), "c": heard(unsteered_from=0)}
    replies = [
        replace(written(case, name, 1.0, 0.8), heard=one if name == tried.name else heard())
        for name in (REMOTE_ALONE, tried.name)
        for case, one in found.items()
    ]
    summary = summarise(plan, [], replies)
    assert [(one.unsteered, one.unsteered_from) for one in summary.told] == [(0, None), (2, 15.0)]
    (grid,) = (each for each in grids(summary) if "told" in each.title)
    place = grid.columns.index("unsteered")
    assert [row[place] for row in grid.rows] == ["", "2, from 15"]
    # Without any such reply there is no such column.
    (without,) = (each for each in grids(summarise(plan, [], replies[:3])) if "told" in each.title)
    assert "unsteered" not in without.columns


def test_levels_are_on_no_curve_of_strengths() -> None:
    plan = replace(planned(), strengths=tuple(ALL))
    replies = [written("a", name, 1.0, 0.8) for name in (REMOTE_ALONE, "auto", *(one.name for one in ALL))]
    (curve,) = summarise(plan, [], replies).frontier
    assert [one.name for one in curve.points] == ["auto"]


def test_nothing_of_a_reply_is_in_a_representation() -> None:
    assert "Boats" not in repr(heard())
