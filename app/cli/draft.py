"""`costeer profiles draft`: proposes fields and preferences from a history, for the person to accept."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack, aclosing
from typing import Annotated, Any, Self

import typer
from rich.text import Text

from app.api.schemas.history import ITEM_PREFIX
from app.api.schemas.profiles import ProfilePatch
from app.api.schemas.proposals import MOST_SECONDS, Proposals
from app.cli.environment import read_settings, require_in_process
from app.cli.models import fetch
from app.cli.numbers import finite
from app.cli.preferences import preference_tables, preference_text
from app.cli.profiles import ProfileId, checked
from app.cli.progress import ItemProgress, RichProgress
from app.cli.terminal import asked, counted, mistakes_named, one_line, out, say, write, write_json
from app.errors import CoSteerError, InvalidRequest
from app.logs import printable
from app.profiles.preferences import preference_fields
from app.profiles.profile import Profile
from app.profiles.store import Store
from app.proposals.drafter import SECONDS, Drafted, Drafter, Stage, Step
from app.proposals.proposal import Proposal
from app.settings.settings import Settings

STAGES: dict[Stage, str] = {
    "reading": "Reading the history",
    "fields": "Looking for facts",
    "preferences": "Looking for preferences",
}
ASK = "[a]ccept, [e]dit, [d]rop or [q]uit?"
ANSWERS = ("accept", "edit", "drop", "quit")
EPILOG = "Example:\n\ncosteer profiles draft isabel"
BETWEEN = "; "


@mistakes_named()
def draft(
    profile: ProfileId,
    *,
    seconds: Annotated[
        float,
        typer.Option(min=1, max=MOST_SECONDS, callback=finite, help="How long the small model may work."),
    ] = SECONDS,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the proposals as JSON; nothing is asked and stored.")
    ] = False,
) -> None:
    """Propose facts and preferences from a profile's history, each with the passage that it comes from.

    You accept, edit or drop each. What you accept is stored at once, and nothing else. Only the small model
    on this device reads the history. Facts are found in English texts; habits of writing in any language.
    """
    if not as_json and not asked():
        raise CoSteerError(
            "Proposals are accepted one by one on a terminal, and this is none. Add --json to print them."
        )
    settings = read_settings()
    with Store.open(settings.data_dir) as store:
        person = store.profiles.get(profile)
        if not store.profiles.read(profile).history_count:
            raise InvalidRequest(
                f"The profile {profile!r} has no history to draft from. `costeer history add` gives it some."
            )
        require_in_process(settings)
        fetch([settings.local_model], settings.cache_dir, settings.weights_dir)
        drafted = asyncio.run(_draft(settings, store, person, seconds))
        if as_json:
            write_json(Proposals.of(drafted).model_dump())
        else:
            _ask(store, profile, drafted)


async def _draft(settings: Settings, store: Store, person: Profile, seconds: float) -> Drafted:
    from app.assembly import open_local  # noqa: PLC0415  # these import torch, for seconds
    from app.local.model import LocalModel  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        with RichProgress() as progress:
            runner = open_local(settings, stack, progress)
        model, bounds = LocalModel(runner), (settings.bounds,)
        drafter = Drafter(store.history, model, runner.tokenizer, bounds=bounds)
        steps = await stack.enter_async_context(aclosing(drafter.draft(person, seconds)))
        with _Bars() as bars:
            async for one in steps:
                if isinstance(one, Drafted):
                    return one
                bars.show(one)
    raise AssertionError("a draft ends with its proposals")


class _Bars:
    """A bar for each stage, one after the other. A context manager."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._bar: ItemProgress | None = None
        self._last = Step("reading", 0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.close()

    def show(self, step: Step) -> None:
        if self._bar is None or step.stage != self._last.stage:
            self._open.close()
            bar = ItemProgress(STAGES[step.stage], step.total, rate=False)
            self._bar, self._last = self._open.enter_context(bar), Step(step.stage, 0, step.total)
        self._bar.advance(step.done - self._last.done)
        self._last = step


def _ask(store: Store, profile_id: str, drafted: Drafted) -> None:
    """Asks about each proposal, and stores what is accepted at once; Ctrl-C keeps that."""
    accepted = 0
    total = len(drafted.proposals)
    if drafted.cut:
        say("The time was over before everything was looked at; --seconds gives it more.")
    if not total:
        write(f"{counted(drafted.texts, 'text')} read: there is nothing to propose that is not known yet.")
        return
    try:
        for number, one in enumerate(drafted.proposals, 1):
            _show(one, f"{number}/{total}")
            answer = _answer()
            if answer == "quit":
                break
            if answer == "edit":
                accepted += _edited(store, profile_id, one)
            elif answer == "accept":
                _store(store, profile_id, one.key, one.value, one.opposite)
                accepted += 1
    finally:
        write(f"\nprofile {profile_id}: {accepted} of {counted(total, 'proposal')} accepted")


def _show(one: Proposal, place: str) -> None:
    what = f"{one.key}: {one.value}" if one.kind == "field" else preference_text(one.preference)
    write(f"\n{place}  {one.kind}  {one_line(what)}")
    passage = Text(one.passage)
    passage.stylize("bold reverse", one.start, one.end)
    out.print(Text("     "), passage, sep="", soft_wrap=True)
    level = f", level {one.level}" if one.kind == "field" and one.level != "open" else ""
    others = f", {counted(one.passages, 'passage')}" if one.passages > 1 else ""
    write(f"     {ITEM_PREFIX}{one.item_id}, {one.confidence:.0%} sure{others}{level}")


def _answer() -> str:
    while True:
        typed = str(typer.prompt(ASK, default="", show_default=False, prompt_suffix=" ")).strip().lower()
        found = [one for one in ANSWERS if typed and one.startswith(typed)]
        if found:
            return found[0]


def _edited(store: Store, profile_id: str, one: Proposal) -> bool:
    """Asks for another text until it is one that a profile can have; an empty one drops the proposal."""
    while True:
        key = str(typer.prompt("key", default=one.key)).strip() if one.kind == "field" else ""
        whole = one.value if one.kind == "field" else preference_text(one.preference)
        text = str(typer.prompt("text (- drops it)", default=printable(whole))).strip()
        if text == "-":
            return False
        try:
            if one.kind == "field":
                _store(store, profile_id, key, text, "")
            else:
                (table,) = preference_tables([text])
                _store(store, profile_id, "", table["text"], table["opposite"])
        except (CoSteerError, typer.BadParameter) as error:
            say(f"error: {error}")
            continue
        return True


def _store(store: Store, profile_id: str, key: str, value: str, opposite: str) -> None:
    """Adds a field, or with no key a preference. A field that is there already has both texts."""

    def changed(before: Profile) -> Profile:
        if not key:
            tables = [preference_fields(one) for one in before.preferences]
            given: dict[str, Any] = {"preferences": [*tables, {"text": value, "opposite": opposite}]}
        else:
            known = dict(before.fields).get(key)
            given = {"fields": {key: f"{known}{BETWEEN}{value}" if known else value}}
        try:
            return checked(ProfilePatch, given).applied(before)
        except ValueError as error:
            raise InvalidRequest(f"{error}; remove some first") from error

    store.profiles.update(profile_id, changed)
