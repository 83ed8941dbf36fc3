"""`costeer eval`: measures whether steering makes text more personal, and what it costs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.environment import read_settings, require_in_process
from app.cli.evaluated import STRENGTHS, asker, form, lines, strength
from app.cli.models import fetch
from app.cli.numbers import all_finite, all_positive, finite
from app.cli.profiles import AsJson
from app.cli.progress import ItemProgress, RichProgress
from app.cli.terminal import mistakes_named, say, write, write_json, write_table
from app.errors import InvalidRequest, NotInstalled
from app.evaluation.quality.strengths import Levels, Tried, at_levels, of_budget, of_margin
from app.local import packages
from app.profiles.profile_file import read_profile_file
from app.settings.settings import EMBEDDED, Settings

if TYPE_CHECKING:
    from app.evaluation.quality.folder import Folder
    from app.evaluation.quality.plan import Plan

NEEDED = (*packages.PACKAGES, "matplotlib", "nltk", "rouge_score")
PREFERENCES = ("concise", "creative", "uplifting", "verbose")
COMPARED = (Tried("strength", 0.5), Tried("strength", 1.0))
LETTER = "letter"
EPILOG = (
    "Examples:\n\ncosteer eval people.jsonl --model qwen2.5-coder-1.5b-instruct --strength 0.5 --strength 1"
    "\n\ncosteer eval people.jsonl --lines 31-60 --form letter --form headings --strength auto:0.5 "
    "--against 'auto [headings]'"
    "\n\ncosteer eval people.jsonl --limit 40 --strength auto --attack 50 --questions drawn"
    "\n\ncosteer eval people.jsonl --limit 40 --disclosure open --disclosure default --disclosure shape"
    "\n\ncosteer eval people.jsonl --limit 40 --budget 5 --budget 20"
    "\n\ncosteer eval questions.jsonl --limit 40 --preference concise --preference 'Be brief. | Be thorough.'"
    '\n\nA person, one a line: {"id": "1", "query": "Write a toast.", "profile": {"name": "Ann"}, "history": '
    '[{"title": "Note", "text": "..."}], "reference": "what Ann wrote"}\n\n'
    'A question, put for each preference or profile: {"id": "1", "query": "What is a good breakfast?"}'
)


class History(StrEnum):
    """Which items of a history are read."""

    RETRIEVED = "retrieved"
    NEWEST = "newest"


class Questions(StrEnum):
    """Who asks the question of a line."""

    OWN = "own"
    DRAWN = "drawn"


class Attacker(StrEnum):
    """The model that reads replies for the black box attacker."""

    SMALL = "small"
    REMOTE = "remote"


@mistakes_named()
def evaluate(
    *,
    file: Annotated[Path, typer.Argument(help="People, or questions: JSONL, see below.")],
    model: Annotated[
        str | None, typer.Option(help="The model in the remote's place; COSTEER_EMBEDDED_MODEL unless set.")
    ] = None,
    local_model: Annotated[str | None, typer.Option(help="The small model; the setting unless set.")] = None,
    tried: Annotated[
        list[Any] | None,
        typer.Option(
            "--strength",
            parser=strength,
            metavar=STRENGTHS,
            help="A strength to compare, auto:0.5 for auto's rule at another one than its own; several times "
            "for several. 0.5 and 1 unless set; auto and the paper's always.",
        ),
    ] = None,
    margins: Annotated[
        list[float] | None,
        typer.Option(
            "--margin",
            min=0,
            max=10,
            callback=all_finite,
            help="A margin to compare in nats, with auto: the remote's token stays unless another one is "
            "better by more; several times for several.",
        ),
    ] = None,
    disclosures: Annotated[
        list[Levels] | None,
        typer.Option(
            "--disclosure",
            help="Levels of disclosure to compare, with auto: that of all that is read of a person at least, "
            "or the ones that nobody has changed; several times for several. All else is compared with "
            "everything open.",
        ),
    ] = None,
    budgets: Annotated[
        list[float] | None,
        typer.Option(
            "--budget",
            metavar="NATS",
            callback=all_positive,
            help="A budget to compare in nats, with auto at the levels that nobody has changed: before a "
            "reply would tell the remote more, the rest becomes the remote's own; several times for several.",
        ),
    ] = None,
    forms: Annotated[
        list[str] | None,
        typer.Option(
            "--form",
            parser=form,
            metavar="NAME",
            help="A form of prompts to compare; several times for several. `letter`, the product's, unless "
            "set.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A system, or a rule, that all others are compared with in pairs."),
    ] = None,
    preference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WISH",
            help="What a reply to a question should be like: one word, or a text and perhaps behind ' | ' "
            "the opposite; several times. Four of the paper's unless set.",
        ),
    ] = None,
    profile: Annotated[
        list[Path] | None,
        typer.Option(help="Whose questions they are instead: a profile file; several times.", metavar="FILE"),
    ] = None,
    history: Annotated[
        History, typer.Option(help="Read what a search for the question finds, as replies do, or the newest.")
    ] = History.RETRIEVED,
    chosen: Annotated[
        list[Any] | None,
        typer.Option(
            "--lines",
            parser=lines,
            metavar="A-B",
            help="Lines to take, from A to B; several times; all unless set.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The first so many of the lines; all unless set.")
    ] = None,
    tokens: Annotated[
        int, typer.Option(min=0, help="Tokens of a person's text that are read, at most; 0 reads none.")
    ] = 160,
    reply_tokens: Annotated[
        int, typer.Option(min=0, help="Tokens of a reply, at most; 0 writes none.")
    ] = 128,
    paper_loop: Annotated[
        bool, typer.Option("--paper-loop", help="Write as the paper does as well: one token at a time.")
    ] = False,
    temperature: Annotated[
        float,
        typer.Option(
            min=0, max=2, callback=finite, help="Of replies; 0 takes the likeliest token each time."
        ),
    ] = 0.0,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Replies that are written at once.")] = 4,
    attack: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="N",
            help="Attack the replies: of N people of the file, for whom was each written? So many are read "
            "with their newest texts.",
        ),
    ] = None,
    attacker: Annotated[
        Attacker,
        typer.Option(help="The model by which an attacker who has the replies alone judges them."),
    ] = Attacker.SMALL,
    questions: Annotated[
        Questions,
        typer.Option(
            help="Whose questions people ask: their own, or each is asked by somebody who is drawn, of the N "
            "of an attack or of the file, so that the question does not tell by whom."
        ),
    ] = Questions.OWN,
    out: Annotated[Path, typer.Option(help="The folder of results, which a break is gone on from.")] = Path(
        "evaluation"
    ),
    as_json: AsJson = False,
) -> None:
    """Measure whether steering makes text more personal, and whether that does harm.

    Each person's own text is read by both models, and each rule of steering judged by how likely it finds
    that. Then replies are written by the remote alone, the small model alone, both together at each strength,
    and the remote if it were shown the profile. With --attack, attackers guess from each reply for whom it
    was written. The folder holds a report with pictures, and every reply.

    Ctrl-C ends it; the same command goes on from there, with more lines, strengths, margins, levels or forms
    if wanted.
    """
    if missing := packages.absent(NEEDED):
        raise NotInstalled(f"Not installed: {', '.join(missing)}. Run: {packages.command('eval', missing)}")
    settings = read_settings(local_model=local_model, embedded_model=model)
    require_in_process(settings)
    # Fail on errors of the local model, or a partly steered reply would count as steered.
    settings = settings.model_copy(update={"remote_base_url": EMBEDDED, "on_local_failure": "error"})
    from app.evaluation.quality.askers import somebody  # noqa: PLC0415  # these import torch, for seconds
    from app.evaluation.quality.cases import read_cases, read_people  # noqa: PLC0415
    from app.evaluation.quality.crowd import crowd  # noqa: PLC0415
    from app.evaluation.quality.folder import Folder  # noqa: PLC0415
    from app.evaluation.quality.history import newest_items, retrieval  # noqa: PLC0415
    from app.evaluation.quality.plan import Plan  # noqa: PLC0415

    askers = [somebody(read_profile_file(path)) for path in profile or ()]
    askers += [asker(one) for one in dict.fromkeys(preference or (() if askers else PREFERENCES))]
    top_k = settings.history_top_k
    people = read_people(file, askers) if attack or questions is Questions.DRAWN else []
    drawn = people[:attack] if questions is Questions.DRAWN else []
    if questions is Questions.DRAWN and not drawn:
        raise InvalidRequest(f"{file}: there is nobody to draw. Give lines with a profile, or --profile.")
    with retrieval() if history is History.RETRIEVED else nullcontext(newest_items) as choose:
        cases = read_cases(
            file,
            askers=askers,
            choose=choose,
            top_k=top_k,
            lines=chosen or (),
            limit=limit,
            drawn=drawn,
        )
    if len(cases) < 2:  # one case gives no interval
        raise InvalidRequest(f"{file}: needs two cases at least, two lines with a profile or a question.")
    plan = Plan(
        tuple(cases),
        forms=tuple(dict.fromkeys(forms or [LETTER])),
        strengths=(
            *(tried or COMPARED),
            *map(of_margin, margins or ()),
            *map(at_levels, disclosures or ()),
            *map(of_budget, budgets or ()),
        ),
        top=settings.top_logprobs,
        tokens=tokens,
        reply_tokens=reply_tokens,
        temperature=temperature,
        at_once=at_once,
        loop=paper_loop,
        against=against,
        crowd=crowd(people, attack, top_k, by_remote=attacker is Attacker.REMOTE) if attack else None,
    )
    if attack and not plan.systems:
        raise InvalidRequest("--attack: there are no replies to attack. Give --reply-tokens.")
    if not plan.read and not plan.systems:
        raise InvalidRequest(f"{file}: there is no `reference` to read. Give --reply-tokens, or a reference.")
    plan.check()
    folder = Folder(out, {**_arguments(settings), "history": history.value}, plan)
    fetch(settings.model_names(), settings.cache_dir, settings.weights_dir)
    try:
        asyncio.run(_evaluate(settings, plan, folder))
    finally:
        _show(folder, plan, as_json=as_json)


def _arguments(settings: Settings) -> dict[str, Any]:
    """What results must have in common besides the plan."""
    names = ("local_model", "max_context_tokens", "history_top_k", "dtype")
    return {"model": settings.embedded_model, **{name: getattr(settings, name) for name in names}}


async def _evaluate(settings: Settings, plan: Plan, folder: Folder) -> None:
    from app.assembly import open_models  # noqa: PLC0415
    from app.evaluation.quality.attack import Attack  # noqa: PLC0415
    from app.evaluation.quality.forced import Forcing  # noqa: PLC0415
    from app.evaluation.quality.run import attack_replies, read_texts, write_replies  # noqa: PLC0415
    from app.evaluation.quality.writing import Writing  # noqa: PLC0415
    from app.local.interface import with_rows  # noqa: PLC0415
    from app.remote.embedded import EmbeddedRemote  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        with RichProgress() as progress:
            models = await stack.enter_async_context(open_models(settings, progress))
        assert isinstance(models.remote, EmbeddedRemote)  # noqa: S101  # as the settings say
        assert models.small is not None  # noqa: S101  # likewise
        local = with_rows(models.local)
        if folder.read is not None:
            forcing = Forcing(
                models.remote,
                local,
                models.matcher,
                tokens=plan.tokens,
                max_context_tokens=settings.max_context_tokens,
            )
            rules = plan.rules(one_vocabulary=(await models.matcher.match()).alignment is None)
            with ItemProgress("Reading texts", len(plan.read), rate=False) as bar:
                await read_texts(forcing, plan, rules, folder.read, bar.advance)
        if folder.written is not None:
            writing = Writing(
                models.remote,
                local,
                models.small,
                models.matcher,
                models.config,
                forms=plan.forms,
                tokens=plan.reply_tokens,
                temperature=plan.temperature,
            )
            with ItemProgress("Writing replies", len(plan.cases) * len(plan.systems), rate=False) as bar:
                await write_replies(writing, plan, folder.written, bar.advance)
        if folder.written is not None and folder.scored is not None:
            attack = Attack(
                models.remote,
                local,
                models.matcher,
                top=plan.top,
                max_context_tokens=settings.max_context_tokens,
                temperature=plan.temperature,
                by_remote=plan.crowd is not None and plan.crowd.by_remote,
            )
            pairs = sum(len(candidates) for _, candidates in plan.attacked)
            with ItemProgress("Attacking replies", pairs, rate=False) as bar:
                await attack_replies(attack, plan, folder.written, folder.scored, bar.advance)


def _show(folder: Folder, plan: Plan, *, as_json: bool) -> None:
    from app.evaluation.quality.grids import grids  # noqa: PLC0415
    from app.evaluation.quality.report import write_report  # noqa: PLC0415
    from app.evaluation.quality.run import is_done  # noqa: PLC0415
    from app.evaluation.quality.summary import summarise  # noqa: PLC0415

    written = list(folder.written or ())
    summary = summarise(plan, folder.read or (), written, folder.scored or ())
    if not summary.rules and not summary.systems:
        return
    names = [system.name for system in plan.systems]
    by_system = {name: {one.case: one for one in written if one.system == name} for name in names}
    write_report(folder.path, summary, folder.arguments, plan.cases, by_system)
    if as_json:
        write_json({"arguments": folder.arguments, **vars(summary)})
        return
    for grid in grids(summary):
        write(grid.title)
        write_table(grid.columns, grid.rows)
        write(grid.note)
    replies = " and every reply" if written else ""
    write(f"Intervals are of 95%. The report is in {folder.path}, with pictures{replies}.")
    if not is_done(plan, folder.read, folder.written, folder.scored):
        say("It was broken off: the same command goes on from here.")
