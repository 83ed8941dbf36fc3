"""`costeer eval`: measures whether steering makes text more personal, and what it costs."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.environment import read_settings
from app.cli.models import fetch
from app.cli.numbers import all_finite, finite
from app.cli.profiles import AsJson
from app.cli.progress import ItemProgress, RichProgress
from app.cli.terminal import mistakes_named, say, write, write_json, write_table
from app.errors import InvalidRequest
from app.profiles.profile_file import read_profile_file
from app.settings.settings import EMBEDDED, Settings

if TYPE_CHECKING:
    from app.evaluation.quality.cases import Case
    from app.evaluation.quality.forced import Forced, Forcing
    from app.evaluation.quality.results import Results
    from app.evaluation.quality.rules import Rule
    from app.evaluation.quality.systems import System
    from app.evaluation.quality.writing import Writing, Written

NEEDED = ("matplotlib", "nltk", "rouge_score")
PREFERENCES = ("concise", "creative", "uplifting", "verbose")
STRENGTHS = (0.5, 1.0)
TOPS = (5, 20, 50)
EPILOG = (
    "Examples:\n\ncosteer eval people.jsonl --model qwen2.5-coder-1.5b-instruct --strength 0.5 --strength 1"
    "\n\ncosteer eval questions.jsonl --limit 40 --preference concise --preference verbose\n\n"
    'A person, one a line: {"id": "1", "query": "Write a toast.", "profile": {"name": "Ann"}, "history": '
    '[{"title": "Note", "text": "..."}], "reference": "what Ann wrote"}\n\n'
    'A question, put for each preference or profile: {"id": "1", "query": "What is a good breakfast?"}'
)


@dataclass(frozen=True)
class Plan:
    """What is to be evaluated."""

    cases: tuple[Case, ...]
    strengths: tuple[float, ...]
    systems: tuple[System, ...]
    tokens: int
    reply_tokens: int
    temperature: float
    at_once: int

    @property
    def read(self) -> list[Case]:
        """The cases with a reference text to score; none if `tokens` is 0."""
        return [case for case in self.cases if case.reference] if self.tokens else []


@mistakes_named()
def evaluate(
    *,
    file: Annotated[Path, typer.Argument(help="People, or questions: JSONL, see below.")],
    model: Annotated[
        str | None, typer.Option(help="The model in the remote's place; COSTEER_EMBEDDED_MODEL unless set.")
    ] = None,
    local_model: Annotated[str | None, typer.Option(help="The small model; the setting unless set.")] = None,
    strength: Annotated[
        list[float] | None,
        typer.Option(
            min=0,
            max=4,
            callback=all_finite,
            help="A strength to compare; several times for several. 0.5 and 1 unless set.",
        ),
    ] = None,
    preference: Annotated[
        list[str] | None,
        typer.Option(help="What a reply to a question should be like; four of the paper's unless set."),
    ] = None,
    profile: Annotated[
        list[Path] | None,
        typer.Option(help="Whose questions they are instead: a profile file; several times.", metavar="FILE"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many lines; all unless set.")] = None,
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
    out: Annotated[Path, typer.Option(help="The folder of results, which a break is gone on from.")] = Path(
        "evaluation"
    ),
    as_json: AsJson = False,
) -> None:
    """Measure whether steering makes text more personal, and whether that does harm.

    Each person's own text is read by both models, and each rule of steering judged by how likely it finds
    that. Then replies are written by the remote alone, the small model alone, both together at each strength,
    and the remote if it were shown the profile. The folder holds a report with pictures, and every reply.

    Ctrl-C ends it; the same command goes on from there.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InvalidRequest(f"Not installed: {', '.join(missing)}. Run: pip install 'costeer[eval]'")
    settings = read_settings(local_model=local_model, embedded_model=model)
    # Fail on errors of the local model, or a partly steered reply would count as steered.
    settings = settings.model_copy(update={"remote_base_url": EMBEDDED, "on_local_failure": "error"})
    from app.evaluation.quality.cases import preference as one_who_prefers  # noqa: PLC0415
    from app.evaluation.quality.cases import read_cases  # noqa: PLC0415

    askers = [read_profile_file(path) for path in profile or ()]
    askers += [one_who_prefers(one) for one in dict.fromkeys(preference or (() if askers else PREFERENCES))]
    cases = read_cases(file, askers=askers, top_k=settings.history_top_k, limit=limit)
    if len(cases) < 2:  # one case gives no interval
        raise InvalidRequest(f"{file}: needs two cases at least, two lines with a profile or a question.")
    strengths = tuple(dict.fromkeys(strength or STRENGTHS))
    from app.evaluation.quality.systems import systems  # noqa: PLC0415

    plan = Plan(
        tuple(cases),
        strengths,
        tuple(systems(strengths, loop=paper_loop)) if reply_tokens else (),
        tokens,
        reply_tokens,
        temperature,
        at_once,
    )
    if not plan.read and not plan.systems:
        raise InvalidRequest(f"{file}: there is no `reference` to read. Give --reply-tokens, or a reference.")
    folder = Folder(out, settings, plan)
    fetch(settings.model_names(), settings.cache_dir, settings.weights_dir)
    try:
        asyncio.run(_evaluate(settings, plan, folder))
    finally:
        _show(folder, plan, as_json=as_json)


class Folder:
    """The results of an evaluation on the disk."""

    def __init__(self, path: Path, settings: Settings, plan: Plan) -> None:
        # Imported here: torch takes seconds, and few commands need it.
        from app.evaluation.quality.forced import Forced  # noqa: PLC0415
        from app.evaluation.quality.results import Results  # noqa: PLC0415
        from app.evaluation.quality.writing import Written  # noqa: PLC0415

        self.path = path
        self.arguments: dict[str, Any] = {
            "model": settings.embedded_model,
            "local_model": settings.local_model,
            "max_context_tokens": settings.max_context_tokens,
            "history_top_k": settings.history_top_k,
            "dtype": settings.dtype,
        }
        try:
            # Private mode: replies contain personal information.
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidRequest(
                f"{path}: cannot be made: {error.strerror}. Choose another --out."
            ) from error
        self.read: Results[Forced] | None = None
        self.written: Results[Written] | None = None
        if plan.read:
            asked = {**self.arguments, "tokens": plan.tokens}
            self.read = Results(path / "read.jsonl", asked, Forced.of)
        if plan.systems:
            asked = {
                **self.arguments,
                "top_logprobs": settings.top_logprobs,
                "reply_tokens": plan.reply_tokens,
                "temperature": plan.temperature,
            }
            self.written = Results(path / "written.jsonl", asked, Written)


async def _evaluate(settings: Settings, plan: Plan, folder: Folder) -> None:
    from app.assembly import open_models  # noqa: PLC0415
    from app.evaluation.quality.forced import Forcing  # noqa: PLC0415
    from app.evaluation.quality.rules import rules  # noqa: PLC0415
    from app.evaluation.quality.writing import Writing  # noqa: PLC0415
    from app.remote.embedded import EmbeddedRemote  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        with RichProgress() as progress:
            models = await stack.enter_async_context(open_models(settings, progress))
        assert isinstance(models.remote, EmbeddedRemote)  # noqa: S101  # as the settings say
        if folder.read is not None:
            forcing = Forcing(
                models.remote,
                models.local,
                models.matcher,
                tokens=plan.tokens,
                max_context_tokens=settings.max_context_tokens,
            )
            one_vocabulary = (await models.matcher.match()).alignment is None
            wanted = rules(plan.strengths, TOPS, one_vocabulary=one_vocabulary)
            await _read(forcing, plan.read, wanted, folder.read)
        if folder.written is not None:
            writing = Writing(
                models.remote,
                models.local,
                models.small,
                models.matcher,
                models.config,
                tokens=plan.reply_tokens,
                temperature=plan.temperature,
            )
            await _write(writing, plan, folder.written)


async def _read(
    forcing: Forcing, cases: Sequence[Case], rules: Sequence[Rule], results: Results[Forced]
) -> None:
    with ItemProgress("Reading texts", len(cases), rate=False) as bar:
        for case in cases:
            known = results.get(case.id)
            if known is None or not known.nll.keys() >= {rule.name for rule in rules}:
                results.add(await forcing.forced(case, rules))
            bar.advance(1)


async def _write(writing: Writing, plan: Plan, results: Results[Written]) -> None:
    with ItemProgress("Writing replies", len(plan.cases) * len(plan.systems), rate=False) as bar:
        for first in range(0, len(plan.cases), plan.at_once):
            group = plan.cases[first : first + plan.at_once]
            for system in plan.systems:
                missing = [case for case in group if results.get(case.id, system.name) is None]
                for one in await writing.written(missing, system) if missing else ():
                    results.add(one)
                bar.advance(len(group))


def _show(folder: Folder, plan: Plan, *, as_json: bool) -> None:
    from app.evaluation.quality.report import grids, write_report  # noqa: PLC0415
    from app.evaluation.quality.summary import summarise  # noqa: PLC0415

    names = [system.name for system in plan.systems]
    written = list(folder.written or ())
    summary = summarise(plan.cases, folder.read or (), written, names)
    if not summary.rules and not summary.systems:
        return
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
    done = len(written) >= len(plan.cases) * len(names) and summary.texts >= len(plan.read)
    if not done:
        say("It was broken off: the same command goes on from here.")
