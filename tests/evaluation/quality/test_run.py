"""A plan carried out with fake models: only what is missing is computed, and what forms share once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeTokenizer

from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.evaluation.quality.folder import Folder
from app.evaluation.quality.forced import Forcing
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN
from app.evaluation.quality.run import is_done, read_texts, write_replies
from app.evaluation.quality.strengths import Tried, of_margin
from app.evaluation.quality.summary import summarise
from app.evaluation.quality.writing import Writing
from app.profiles.profile import Preference
from app.prompts.private import PrivateContext
from evaluation.quality.examples import CASES, HEADINGS, LETTER
from evaluation.quality.fake_models import CountingLocal, ReadableRemote

PLAN = Plan(tuple(CASES[:2]), strengths=(Tried("strength", 0.5),), tokens=20, reply_tokens=8)


class Models:
    """What an evaluation runs with, anew for each run."""

    def __init__(self) -> None:
        self.remote, self.local = ReadableRemote(), CountingLocal()
        self.matcher = VocabularyMatcher(self.remote, FakeTokenizer())

    async def run(self, folder: Folder, plan: Plan) -> None:
        remote = self.remote.embedded()
        if folder.read is not None:
            forcing = Forcing(remote, self.local, self.matcher, tokens=plan.tokens)
            rules = plan.rules(one_vocabulary=True)
            await read_texts(forcing, plan, rules, folder.read, lambda _: None)
        if folder.written is not None:
            writing = Writing(
                remote,
                self.local,
                remote,
                self.matcher,
                DecodingConfig(max_model_len=4096),
                forms=plan.forms,
                tokens=plan.reply_tokens,
            )
            await write_replies(writing, plan, folder.written, lambda _: None)


async def ran(path: Path, plan: Plan) -> tuple[Models, Folder]:
    models, folder = Models(), Folder(path, {}, plan)
    await models.run(folder, plan)
    assert is_done(plan, folder.read, folder.written)
    return models, folder


async def test_what_forms_share_is_computed_once(tmp_path: Path) -> None:
    plan = replace(PLAN, cases=PLAN.cases[:1], forms=(LETTER, HEADINGS), reply_tokens=0)
    models, folder = await ran(tmp_path, plan)
    # The remote reads the public prompt once, and what it would be shown in each form.
    assert len(models.remote.read_prompts) == 3
    assert sum("style" in prompt.lower() for prompt in models.remote.read_prompts) == 2
    # The local model reads each prompt once: two that know the person, and the conversation as it is.
    assert len(models.local.pairs) == 3
    assert len(set(models.local.pairs)) == 3
    assert folder.read is not None
    letter, headings = folder.read
    assert letter.nll[REMOTE_ALONE] == headings.nll[REMOTE_ALONE]
    assert letter.nll[SHOWN] != headings.nll[SHOWN]


async def test_a_form_is_judged_alike_alone_and_beside_another(tmp_path: Path) -> None:
    both = replace(PLAN, forms=(LETTER, HEADINGS), reply_tokens=0)
    _, folder = await ran(tmp_path / "both", both)
    _, alone = await ran(tmp_path / "alone", replace(both, forms=(HEADINGS,)))
    assert folder.read is not None and alone.read is not None
    for one in alone.read:
        known = folder.read.get(*one.key)
        assert known is not None
        assert known.nll.keys() == one.nll.keys()
        for name, nll in one.nll.items():
            np.testing.assert_allclose(known.nll[name], nll)


async def test_another_context_agnostic_prompt_is_not_taken_for_the_known_one(tmp_path: Path) -> None:
    wanted = (Preference("Be LOUD.", "Be silent."),)
    case = replace(CASES[0], private=PrivateContext(preferences=wanted))
    plan = replace(PLAN, cases=(case,), forms=(LETTER, "no opposite"), reply_tokens=0)
    models, _ = await ran(tmp_path, plan)
    read = [FakeTokenizer().decode(prompt.ids) for prompt, _ in models.local.pairs]
    assert ["LOUD" in text for text in read] == [True, False, False]
    assert ["silent" in text for text in read] == [False, True, False]


CHANGES: dict[str, Callable[[Plan], Plan]] = {
    "lines": lambda plan: replace(plan, cases=tuple(CASES)),
    "forms": lambda plan: replace(plan, forms=(LETTER, HEADINGS)),
    "first form": lambda plan: replace(plan, forms=(HEADINGS, LETTER)),
    "strengths": lambda plan: replace(plan, strengths=(Tried("auto", 0.5), *plan.strengths)),
    "margins": lambda plan: replace(plan, strengths=(*plan.strengths, of_margin(0.5))),
    "nothing": lambda plan: plan,
}


@pytest.mark.parametrize("change", CHANGES)
async def test_only_what_is_missing_is_computed(tmp_path: Path, change: str) -> None:
    await ran(tmp_path / "one", PLAN)
    files = ("read.jsonl", "written.jsonl")
    before = {name: (tmp_path / "one" / name).read_bytes() for name in files}
    wanted = CHANGES[change](PLAN)
    later, folder = await ran(tmp_path / "one", wanted)
    whole, fresh = await ran(tmp_path / "other", wanted)
    for name in files:
        assert (tmp_path / "one" / name).read_bytes().startswith(before[name])
    assert len(later.local.pairs) < len(whole.local.pairs)
    assert (len(later.local.pairs) == 0) == (change == "nothing")
    assert folder.read is not None and fresh.read is not None
    assert folder.written is not None and fresh.written is not None
    for one in fresh.read:
        known = folder.read.get(*one.key)
        assert known is not None
        assert known.nll.keys() == one.nll.keys()
    assert {one.key: (one.text, one.alone, one.shown) for one in fresh.written} == {
        one.key: (one.text, one.alone, one.shown) for one in folder.written
    }
    summary = summarise(wanted, folder.read, folder.written)
    assert {one.replies for one in summary.systems} == {len(wanted.cases)}


async def test_systems_write_in_their_form_and_at_their_strength(tmp_path: Path) -> None:
    strengths = (Tried("auto", 0.0), Tried("auto", 3.0))
    plan = replace(PLAN, strengths=strengths, forms=(LETTER, "no facts"), tokens=0)
    _, folder = await ran(tmp_path, plan)
    assert folder.read is None and folder.written is not None
    by_name = {one.system: one.text for one in folder.written if one.case == "a"}
    # The small model wishes for capitals if it reads the facts; auto's rule follows at a high strength.
    assert by_name[REMOTE_ALONE] == by_name["auto:0"] == by_name["auto:3 [no facts]"] == "hello wo"
    assert (by_name["auto"], by_name["auto:3"]) == ("hello wo", "HELLO WO")
    assert by_name["paper's strength"] != by_name["paper's strength [no facts]"]
    assert f"{REMOTE_ALONE} [no facts]" not in by_name


async def test_preferences_need_no_profile(tmp_path: Path) -> None:
    wanted = (Preference("Be LOUD."),)
    cases = tuple(
        replace(one, private=PrivateContext(preferences=wanted), reference=None) for one in CASES[:2]
    )
    _, folder = await ran(tmp_path, replace(PLAN, cases=cases))
    assert folder.read is None and folder.written is not None
    by_name = {one.system: one.text for one in folder.written}
    assert (by_name[REMOTE_ALONE], by_name["paper's strength"]) == ("hello wo", "HELLO WO")


async def test_margins_are_those_of_the_plan_and_requests_are_counted(tmp_path: Path) -> None:
    strengths = (Tried("auto", 3.0), *map(of_margin, (0.0, 10.0)))
    _, folder = await ran(tmp_path, replace(PLAN, strengths=strengths, tokens=0))
    assert folder.written is not None
    by_name = {one.system: one for one in folder.written if one.case == "a"}
    assert by_name["auto, margin 10"].text == by_name[REMOTE_ALONE].text
    assert by_name["auto, margin 10"].requests == by_name[REMOTE_ALONE].requests == 1
    changing = by_name["auto:3"]
    assert changing.requests is not None
    assert 1 < changing.requests <= changing.tokens
    assert by_name[SHOWN].requests is None
