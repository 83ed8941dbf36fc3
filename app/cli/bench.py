"""`costeer bench`: measures what steering costs on this machine with this remote."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from dataclasses import replace as changed
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.completion import profile_ids
from app.cli.environment import read_settings
from app.cli.models import fetch
from app.cli.numbers import finite
from app.cli.private_file import write_privately
from app.cli.profiles import AsJson
from app.cli.progress import ItemProgress, RichProgress
from app.cli.strengths import METAVAR, typed
from app.cli.terminal import mistakes_named, say, write, write_json, write_table
from app.errors import InvalidRequest
from app.evaluation.speed.cases import Case, pair, read_profiles, read_prompts
from app.network.address import without_user
from app.profiles.disclosure import Disclosure
from app.profiles.profile import Profile
from app.profiles.store import Store
from app.prompts.context import decided, personal_context
from app.prompts.message import Message
from app.prompts.retrieval import Retriever
from app.settings.settings import EMBEDDED, Settings
from app.steering.strength import Strength, resolve_strength, steers

if TYPE_CHECKING:
    from app.evaluation.speed.bench import Measured
    from app.evaluation.speed.recording import Recording

MAX_MS = 60_000
EPILOG = (
    "Examples:\n\ncosteer bench --remote http://host:8001/v1 --tokens 64\n\n"
    "costeer bench --remote http://127.0.0.1:8001/v1 --rtt-ms 160 --pace-ms 100 --json > far.json\n\n"
    "costeer bench --replay remote.jsonl --rtt-ms 40 --pace-ms 25"
)


def _share(value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise typer.BadParameter("give a number above 0, of at most 1")
    return value


@dataclass(frozen=True)
class Given:
    """The command's arguments, with defaults from the settings; part of the JSON output."""

    remote: str
    model: str
    local_model: str
    profiles: tuple[str, ...]
    prompts: int
    strength: tuple[Strength, ...]
    tokens: int
    repeats: int
    temperature: float
    concurrency: int
    confidence_gate: float | None
    margin: float | None
    rtt_ms: float
    pace_ms: float
    replay: str | None

    @property
    def far(self) -> bool:
        """Whether to delay the bytes of a vLLM; one that is played back is not there to be delayed."""
        return self.replay is None and (self.rtt_ms > 0 or self.pace_ms > 0)


@mistakes_named()
def bench(
    *,
    remote: Annotated[
        str | None, typer.Option(help="'embedded', or a vLLM's URL that ends in /v1; the setting unless set.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The remote's model, or the embedded one; the setting unless set.")
    ] = None,
    local_model: Annotated[
        str | None, typer.Option(help="The small model: bundle, hub id or path; the setting unless set.")
    ] = None,
    strength: Annotated[
        Any,  # typer takes no unions
        typer.Option(
            parser=typed, metavar=METAVAR, help="How strongly; the profile's or the setting unless set."
        ),
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(help="A profile file, TOML or JSON; the samples, in turns, unless set.", metavar="FILE"),
    ] = None,
    profile_id: Annotated[
        str | None,
        typer.Option(
            help="A profile of yours instead; it is only read.", metavar="PROFILE", autocompletion=profile_ids
        ),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="One prompt a line; .jsonl: its `prompt`. Ten of its own unless set.",
            metavar="FILE",
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(min=8, help="Tokens of a reply, at most.")] = 128,
    repeats: Annotated[int, typer.Option(min=1, help="Replies to each prompt in each mode.")] = 1,
    temperature: Annotated[
        float, typer.Option(min=0, max=2, callback=finite, help="0 takes the likeliest token each time.")
    ] = 0.0,
    concurrency: Annotated[
        int, typer.Option(min=1, max=1000, help="Write so many replies at once as well.")
    ] = 1,
    confidence_gate: Annotated[
        float | None,
        typer.Option(callback=_share, help="Measure this COSTEER_CONFIDENCE_GATE as well."),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(min=0, max=10, callback=finite, help="Measure this COSTEER_MARGIN as well."),
    ] = None,
    rtt_ms: Annotated[
        float,
        typer.Option(min=0, max=MAX_MS, callback=finite, help="Imitate a vLLM so far away (round trip)."),
    ] = 0.0,
    pace_ms: Annotated[
        float,
        typer.Option(min=0, max=MAX_MS, callback=finite, help="Imitate a vLLM so slow per token."),
    ] = 0.0,
    replay: Annotated[
        Path | None,
        typer.Option(
            help="Record the remote in this file, and play it back at --pace-ms: it takes no processor time.",
            metavar="FILE",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure what steering costs: the remote's plain stream, draft and verify, one request per token.

    They take turns on the same prompts, after a short reply to each that is not measured. Ctrl-C ends it and
    shows what has been measured until then. Nothing of yours is changed. Levels of disclosure are those that
    replies have; a budget is left out.

    With --replay nothing but the local model takes processor time: what the remote answers comes from a file,
    at --pace-ms and --rtt-ms. What the file lacks is asked of the remote and added, and a reply that lacked
    something is written again, so no measured reply has waited for the remote itself. Once nothing is lacking
    the remote need not be there. The file holds the prompts and the replies, for you alone to read, but none
    of the profile's own text; it is one model's, for one COSTEER_TOP_LOGPROBS, at temperature 0.
    """
    if profile is not None and profile_id is not None:
        raise typer.BadParameter("--profile and --profile-id exclude each other")
    settings = _settings(remote, model, local_model)
    if replay is None and (rtt_ms or pace_ms) and settings.remote_base_url == EMBEDDED:
        raise InvalidRequest(
            "--rtt-ms and --pace-ms delay a vLLM's bytes, and the embedded model sends none. Name a vLLM "
            "with --remote URL, record the model with --replay FILE, or leave them out."
        )
    recording = _recording(settings, replay, pace_ms, temperature) if replay is not None else None
    cases = _cases(settings, prompts, profile, profile_id, strength)
    given = Given(
        remote=", ".join(map(without_user, settings.remote_urls)) or EMBEDDED,
        model=settings.embedded_model if settings.remote_base_url == EMBEDDED else settings.remote_model,
        local_model=settings.local_model,
        profiles=tuple(dict.fromkeys(case.profile.id for case in cases)),
        prompts=len(cases),
        strength=tuple(dict.fromkeys(case.strength for case in cases)),
        tokens=tokens,
        repeats=repeats,
        temperature=temperature,
        concurrency=concurrency,
        confidence_gate=confidence_gate,
        margin=margin,
        rtt_ms=rtt_ms,
        pace_ms=pace_ms,
        replay=None if replay is None else str(replay),
    )
    fetch(settings.model_names(), settings.cache_dir, settings.weights_dir)
    # Imported here: torch takes seconds, and few commands need it.
    from app.evaluation.speed.bench import Measured  # noqa: PLC0415

    measured, complete = Measured(), False
    try:
        asyncio.run(_measure(settings, given, cases, measured, recording))
        complete = True
    finally:
        if recording is not None:
            recording.save(write_privately)
        if measured.runs:
            _show(given, measured, complete=complete, as_json=as_json)


def _settings(remote: str | None, model: str | None, local_model: str | None) -> Settings:
    settings = read_settings(remote_base_url=remote, local_model=local_model)
    role = "embedded_model" if settings.remote_base_url == EMBEDDED else "remote_model"
    return settings if model is None else settings.model_copy(update={role: model})


def _recording(settings: Settings, path: Path, pace_ms: float, temperature: float) -> Recording:
    """The recording in the file, empty if there is none yet. Raises InvalidRequest where it does not fit."""
    from app.evaluation.speed.recording import Recording  # noqa: PLC0415  # the commands' start is lean

    if not pace_ms:
        raise InvalidRequest("A recording is played back at a pace: give --pace-ms, such as 25.")
    if temperature:
        raise InvalidRequest(
            "A recording holds greedy drafts: at a temperature each reply is another one. Leave out "
            "--temperature or --replay."
        )
    recording = Recording.read(path)
    model = settings.remote_model
    if settings.remote_base_url == EMBEDDED:
        model = settings.embedded_model
        model = Path(model).name if Path(model).exists() else model  # as the embedded model is listed
    recording.check(model=model, top_logprobs=settings.top_logprobs)
    return recording


def _cases(
    settings: Settings,
    prompts: Path | None,
    profile: Path | None,
    profile_id: str | None,
    strength: Strength | None,
) -> list[Case]:
    def steering(person: Profile) -> Strength:
        return resolve_strength(strength, person.strength, settings.strength)

    asked = read_prompts(prompts)
    if profile_id is None:
        cases = pair(asked, read_profiles(profile), settings.history_top_k, steering)
    else:
        with Store.open(settings.data_dir) as store:
            person = store.profiles.get(profile_id)
            retriever = Retriever(store.history, settings.history_top_k)
            cases = [_case(retriever, person, one, steering(person)) for one in asked]
    if not all(steers(case.strength) for case in cases):
        raise InvalidRequest(
            "At strength 0 nothing is steered, so there is nothing to measure. Give --strength."
        )
    # Without the budget: the same conversation is had again and again, and all of a reply is measured.
    return [changed(one, disclosure=_levels(one.profile, settings)) for one in cases]


def _levels(person: Profile, settings: Settings) -> Disclosure:
    return changed(decided(person, (settings.bounds,)), budget=None)


def _case(retriever: Retriever, person: Profile, prompt: str, strength: Strength) -> Case:
    asked = (Message("user", prompt),)
    context = personal_context(retriever, person, asked, asked=strength, default=strength, remember=False)
    return Case(prompt, person, context.history, context.strength)


async def _measure(
    settings: Settings,
    given: Given,
    cases: Sequence[Case],
    measured: Measured,
    recording: Recording | None,
) -> None:
    from app.assembly import open_models  # noqa: PLC0415
    from app.evaluation.speed.bench import Bench  # noqa: PLC0415  # these import torch
    from app.evaluation.speed.modes import modes  # noqa: PLC0415
    from app.evaluation.speed.replay import ReplayRemote  # noqa: PLC0415
    from app.network.outgoing import network  # noqa: PLC0415
    from app.remote.simulated import FarTransport  # noqa: PLC0415

    through = network(settings.proxy())
    far = FarTransport(through, rtt=given.rtt_ms / 1000, pace=given.pace_ms / 1000) if given.far else None
    replay = None
    if recording is not None:
        replay = partial(
            ReplayRemote,
            recording=recording,
            top_logprobs=settings.top_logprobs,
            rtt=given.rtt_ms / 1000,
            pace=given.pace_ms / 1000,
        )

    def done(replies: int) -> None:
        bar.advance(replies)
        if recording is not None:
            recording.save(write_privately)

    async with AsyncExitStack() as stack:
        with RichProgress() as progress:
            models = await stack.enter_async_context(open_models(settings, progress, far=far, replay=replay))
        bench = Bench(
            models.remote,
            models.local,
            models.matcher,
            modes=modes(models.config, confidence_gate=given.confidence_gate, margin=given.margin),
            cases=cases,
            tokens=given.tokens,
            temperature=given.temperature,
            missed=(lambda: 0) if recording is None else (lambda: recording.missed),
        )
        total = bench.replies(given.repeats, given.concurrency)
        with ItemProgress("Writing replies", total, rate=False) as bar:
            await bench.measure(measured, repeats=given.repeats, concurrency=given.concurrency, done=done)


def _show(given: Given, measured: Measured, *, complete: bool, as_json: bool) -> None:
    from app.evaluation.speed.report import sentences, tables  # noqa: PLC0415
    from app.evaluation.speed.summary import summarise  # noqa: PLC0415

    summary = summarise(measured, greedy=given.temperature == 0, complete=complete)
    if as_json:
        runs = [*measured.runs, *(run for crowd in measured.crowds for run in crowd.runs)]
        arguments = changed(given, model=measured.model)
        write_json({"arguments": arguments, "summary": summary, "runs": [run.figures() for run in runs]})
        return
    for table in tables(summary):
        write_table(table.columns, table.rows)
    for sentence in sentences(summary):
        write(sentence)
    if not complete:
        say("It was broken off: these are the replies that were written until then.")
