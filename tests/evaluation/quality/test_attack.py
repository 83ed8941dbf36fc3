"""Attacks with fake models: the right one is found, where a reply tells it, and nothing is computed twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import VOCABULARY, FakeTokenizer

from app.decoding.vocabulary_match import VocabularyMatcher
from app.evaluation.quality import attack, run
from app.evaluation.quality.attack import Attack
from app.evaluation.quality.crowd import Crowd
from app.evaluation.quality.folder import Folder
from app.evaluation.quality.forced import Forcing
from app.evaluation.quality.heard import Heard
from app.evaluation.quality.identified import Identified, identified
from app.evaluation.quality.likelihood import TEMPERATURES
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.rules import LOCAL_ALONE, PAPERS, REMOTE_ALONE, listed
from app.evaluation.quality.run import attack_replies, is_done
from app.evaluation.quality.strengths import AS_THE_PRODUCT, Levels, at_levels, of_budget
from app.profiles.profile import Profile
from app.prompts.private import PrivateContext
from evaluation.quality.examples import CASES, written
from evaluation.quality.fake_models import CountingLocal, ReadableRemote

PEOPLE = {
    name: PrivateContext(Profile(name, name, (("style", style),)))
    for name, style in (("loud", "LOUD"), ("joined", "JOINED"), ("plain", "no matter"))
}
ASKED = tuple(replace(CASES[0], id=name, private=private) for name, private in PEOPLE.items())
PLAN = Plan(ASKED, crowd=Crowd(PEOPLE, 3), tokens=0, reply_tokens=8)
# What each of them is written, by both models together and by the small one.
STEERED = {"loud": "HELLO WO", "joined": "____o_wo", "plain": "hello wo"}


class Attacked:
    """Replies in a folder, attacked with new models."""

    def __init__(self, path: Path, plan: Plan = PLAN, *, without: str = "") -> None:
        self.plan = plan
        self.remote, self.local = ReadableRemote(), CountingLocal()
        self.folder = Folder(path, {}, plan)
        assert self.folder.written is not None
        for case in plan.cases:
            for system in plan.systems:
                text = "hello wo" if system.name == REMOTE_ALONE else STEERED[case.id]
                if self.folder.written.get(case.id, system.name) is None and system.name != without:
                    self.folder.written.add(written(case.id, system.name, 1.0, 0.5, text))
        self.advanced = 0

    async def run(self, *, by_remote: bool = False, temperature: float = 0.0) -> dict[str, Identified]:
        one = Attack(
            self.remote.embedded(),
            self.local,
            VocabularyMatcher(self.remote, FakeTokenizer()),
            top=VOCABULARY,
            temperature=temperature,
            by_remote=by_remote,
        )
        assert self.folder.written is not None and self.folder.scored is not None
        await attack_replies(one, self.plan, self.folder.written, self.folder.scored, self.advance)
        return {one.system: one for one in identified(self.plan, self.folder.scored)}

    def forcing(self) -> Forcing:
        """What reads a text as if somebody had written it."""
        matcher = VocabularyMatcher(self.remote, FakeTokenizer())
        return Forcing(self.remote.embedded(), self.local, matcher, tokens=100)

    def readers(self) -> list[str]:
        """As whom the small model has read, in this order."""
        texts = [FakeTokenizer().decode(aware.ids) for aware, _ in self.local.pairs]
        return [name for text in texts for name in PEOPLE if f"The user is {name}." in text]

    def advance(self, pairs: int) -> None:
        self.advanced += pairs

    def done(self) -> bool:
        return is_done(self.plan, self.folder.read, self.folder.written, self.folder.scored)


async def test_a_reply_that_tells_who_it_is_for_is_found_out(tmp_path: Path) -> None:
    attacked = Attacked(tmp_path)
    found = await attacked.run()
    assert attacked.done()
    assert attacked.advanced == 9
    for name in ("auto", "paper's strength", LOCAL_ALONE):
        assert found[name].black.first[3].value == 1.0
    for name in ("auto", "paper's strength"):
        assert found[name].white.first[3].value == 1.0


async def test_a_reply_that_is_nobodys_is_at_chance(tmp_path: Path) -> None:
    found = await Attacked(tmp_path).run()
    alone = found[REMOTE_ALONE]
    for box in (alone.black, alone.white):
        assert box.first[3].value == pytest.approx(1 / 3)
        assert box.first[2].value == pytest.approx(1 / 2)
        assert box.rank.value == pytest.approx(2.0)
    assert alone.nats is None


async def test_the_nats_are_what_steering_changed(tmp_path: Path) -> None:
    attacked = Attacked(tmp_path)
    await attacked.run()
    assert attacked.folder.scored is not None
    nats = {one.case: one.nats for one in attacked.folder.scored if one.system == "auto" and one.nats}
    # The small model reads of the plain one what it would say anyway.
    assert {*nats} == {"loud", "joined"}
    assert min(nats.values()) > 0.1
    strangers = [one for one in attacked.folder.scored if one.case != one.candidate]
    assert all(one.nats is None for one in strangers)


async def test_somebody_is_read_once_for_all_replies_and_nothing_twice(tmp_path: Path) -> None:
    first = Attacked(tmp_path)
    whole = await first.run()
    # People for each of the cases, whose replies are scored together.
    assert first.readers() == ["loud"] * 3 + ["joined"] * 3 + ["plain"] * 3
    # What is not about anybody is read for the first one; all have asked the same.
    assert len(first.local.pairs) - 9 <= len({*STEERED.values()})
    # The remote reads each text once, whoever has written it.
    assert len(first.remote.read_prompts) == 5
    again = Attacked(tmp_path)
    assert await again.run() == whole
    assert again.local.pairs == []
    assert again.remote.read_prompts == []
    assert again.advanced == 9


async def test_few_cases_at_once_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await Attacked(tmp_path / "all").run()
    for module in (run, attack):
        monkeypatch.setattr(module, "CASES_AT_ONCE", 2)
    few = Attacked(tmp_path / "few")
    assert await few.run() == whole
    assert few.readers() == ["loud"] * 2 + ["joined"] * 2 + ["plain"] * 2 + [*PEOPLE]


async def test_it_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    few = replace(PLAN, crowd=Crowd(PEOPLE, 2))
    part = Attacked(tmp_path, few)
    await part.run()
    rest = Attacked(tmp_path)
    assert not rest.done()
    found = await rest.run()
    assert (len(part.readers()), len(rest.readers())) == (6, 3)
    assert rest.done()
    assert found == await Attacked(tmp_path / "other").run()


async def test_a_reply_that_is_not_written_yet_is_attacked_later(tmp_path: Path) -> None:
    part = Attacked(tmp_path, without="auto")
    await part.run()
    assert not part.done()
    rest = Attacked(tmp_path)
    await rest.run()
    assert rest.done()
    assert len(rest.remote.read_prompts) == len(ASKED)
    assert len(rest.readers()) == 9


async def test_the_remotes_model_is_shown_each_candidate(tmp_path: Path) -> None:
    attacked = Attacked(tmp_path, replace(PLAN, crowd=Crowd(PEOPLE, 3, by_remote=True)))
    await attacked.run(by_remote=True)
    shown = [text for text in attacked.remote.read_prompts if "The user is" in text]
    assert len(shown) == 9 * len(PLAN.systems)
    # What one attacker found is not taken for what another one would.
    with pytest.raises(Exception, match="attacker"):
        Folder(tmp_path, {}, PLAN)


async def test_an_empty_reply_tells_nothing(tmp_path: Path) -> None:
    attacked = Attacked(tmp_path, replace(PLAN, cases=ASKED[:1]))
    assert attacked.folder.written is not None
    for system in PLAN.systems:
        attacked.folder.written.add(written("loud", system.name, 1.0, 0.5, ""))
    for one in (await attacked.run()).values():
        assert one.black.first[3].value == one.white.first[3].value == pytest.approx(1 / 3)
        assert not one.black.by_length


async def test_an_attacker_has_what_the_remote_heard(tmp_path: Path) -> None:
    attacked = Attacked(tmp_path)
    assert attacked.folder.written is not None
    for system in PLAN.systems:
        reply = written("loud", system.name, 1.0, 0.5, "WARMLY, LOTTE OHRWURM")
        attacked.folder.written.add(replace(reply, heard=Heard("hello", False, 0, 0, 1, 0.0, 1.0)))
    await attacked.run()
    assert attacked.folder.scored is not None
    assert {one.tokens for one in attacked.folder.scored if one.case == "loud"} == {len("hello")}


@pytest.mark.parametrize("levels", Levels)
@pytest.mark.parametrize("temperature", [1.0, 1.3])
async def test_the_white_box_attacker_knows_the_levels(
    tmp_path: Path, temperature: float, levels: Levels
) -> None:
    tried = at_levels(levels)
    plan = replace(PLAN, strengths=(tried,))
    attacked = Attacked(tmp_path, plan)
    assert attacked.folder.written is not None
    text = "LOTTE SAID LOUD, in lower case. loud"
    attacked.folder.written.add(written("loud", tried.name, 1.0, 0.5, text))
    await attacked.run(temperature=temperature)
    assert attacked.folder.scored is not None
    rules = [listed(one, VOCABULARY) for one in (tried, AS_THE_PRODUCT)]
    (judged,) = await attacked.forcing().forced(replace(ASKED[0], reference=text), {"letter": rules})
    scored = attacked.folder.scored.get("loud", tried.name, "loud")
    assert scored is not None
    held, free = (judged.nll[rule.name][TEMPERATURES.index(temperature)] for rule in rules)
    assert scored.white[-1] == pytest.approx(-held * judged.tokens)
    assert (held == pytest.approx(free)) == (levels is Levels.OPEN)


@pytest.mark.parametrize("budget", [0.01, 3.0, 1000.0])
async def test_the_white_box_attacker_knows_the_budget(tmp_path: Path, budget: float) -> None:
    free, spent = at_levels(Levels.DEFAULT), of_budget(budget)
    attacked = Attacked(tmp_path, replace(PLAN, strengths=(free, spent)))
    assert attacked.folder.written is not None
    text = "LOUD, in lower case. loud"
    for tried in (free, spent):
        attacked.folder.written.add(written("loud", tried.name, 1.0, 0.5, text))
    await attacked.run(temperature=1.0)
    assert attacked.folder.scored is not None
    whole, part = (attacked.folder.scored.get("loud", one.name, "loud") for one in (free, spent))
    assert whole is not None and part is not None and whole.nats is not None and part.nats is not None
    assert whole.black == part.black
    assert part.nats <= budget < 1000.0 or part == replace(whole, system=spent.name)
    rule = listed(spent, VOCABULARY)
    (judged,) = await attacked.forcing().forced(replace(ASKED[0], reference=text), {"letter": [rule]})
    assert part.white[-1] == pytest.approx(-judged.nll[rule.name][0] * judged.tokens)
    # By then the whole text is the remote's own.
    alone = -judged.nll[REMOTE_ALONE][0] * judged.tokens
    assert (part.white[-1] == pytest.approx(alone)) == (budget == 0.01)


@pytest.mark.parametrize("temperature", [1.0, 1.3])
async def test_the_white_box_attacker_knows_the_rule(tmp_path: Path, temperature: float) -> None:
    attacked = Attacked(tmp_path)
    await attacked.run(temperature=temperature)
    assert attacked.folder.scored is not None
    for name, tried in (("auto", AS_THE_PRODUCT), ("paper's strength", PAPERS)):
        rule = listed(tried, VOCABULARY)
        case = replace(ASKED[0], reference=STEERED["loud"])
        (judged,) = await attacked.forcing().forced(case, {"letter": [rule]})
        scored = attacked.folder.scored.get("loud", name, "loud")
        assert scored is not None
        nll = judged.nll[rule.name][TEMPERATURES.index(temperature)]
        assert scored.white[-1] == pytest.approx(-nll * judged.tokens)
