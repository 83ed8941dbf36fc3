"""`costeer eval`: whether steering makes text more personal, on texts that people really wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.environment import read_settings
from app.cli.models import fetch
from app.cli.profiles import AsJson
from app.cli.terminal import mistakes_named, say, write, write_json, write_table
from app.errors import InvalidRequest
from app.progress import ItemProgress, RichProgress
from app.settings import EMBEDDED, Settings

if TYPE_CHECKING:
    from app.evaluation.cases import Case
    from app.evaluation.interval import Interval
    from app.evaluation.results import Results
    from app.evaluation.rules import Rule

EPILOG = (
    "Example:\n\ncosteer eval people.jsonl --model qwen2.5-coder-1.5b-instruct --strength 0.5 --strength 1"
    "\n\n"
    'A line of the file: {"id": "1", "query": "Write a toast.", "profile": {"name": "Ann"}, "history": '
    '[{"title": "Note", "text": "..."}], "reference": "what Ann wrote"}'
)


@mistakes_named()
def evaluate(
    *,
    file: Annotated[Path, typer.Argument(help="The people: JSONL, one a line, see below.")],
    model: Annotated[
        str | None, typer.Option(help="The model in the remote's place; COSTEER_EMBEDDED_MODEL unless set.")
    ] = None,
    local_model: Annotated[str | None, typer.Option(help="The small model; the setting unless set.")] = None,
    strength: Annotated[
        list[float] | None,
        typer.Option(min=0, max=4, help="A strength to compare; several times for several."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=2, help="The first so many lines; all unless set.")] = None,
    tokens: Annotated[int, typer.Option(min=8, help="Tokens of a text that are read, at most.")] = 160,
    out: Annotated[Path, typer.Option(help="Where results are kept, and gone on from after a break.")] = Path(
        "evaluation.jsonl"
    ),
    as_json: AsJson = False,
) -> None:
    """Measure how much likelier steering makes the text that people wrote themselves.

    Both models read each text token by token, and each rule of steering is judged by its negative
    log-likelihood per token: lower is better. Ctrl-C ends it; the same command goes on from there.
    """
    settings = read_settings(local_model=local_model, embedded_model=model)
    settings = settings.model_copy(update={"remote_base_url": EMBEDDED})
    from app.evaluation.cases import read_cases  # noqa: PLC0415

    cases = [case for case in read_cases(file, top_k=settings.history_top_k) if case.reference]
    cases = cases[:limit]
    if len(cases) < 2:  # nothing can be said of one
        raise InvalidRequest(f"{file}: needs two lines at least with a profile and a `reference`.")
    strengths = tuple(strength or (0.25, 0.5, 0.75, 1.0))
    fetch(settings.model_names(), settings.cache_dir, settings.weights_dir)
    # Imported here: torch takes seconds, and few commands need it.
    from app.evaluation.results import Results  # noqa: PLC0415

    rules = _rules(strengths)
    arguments = {
        "model": settings.embedded_model,
        "local_model": settings.local_model,
        "tokens": tokens,
        "max_context_tokens": settings.max_context_tokens,
        "history_top_k": settings.history_top_k,
        "dtype": settings.dtype,
        "rules": [rule.name for rule in rules],
    }
    results = Results(out, arguments)
    try:
        asyncio.run(_force(settings, cases, rules, results, tokens))
    finally:
        wanted = {case.id for case in cases}
        if results.cases & wanted:
            _show(results, wanted, as_json=as_json)


def _rules(strengths: Sequence[float]) -> list[Rule]:
    from app.evaluation.rules import constant, local_alone, mixed, remote_alone, trusted  # noqa: PLC0415
    from app.steering import strength  # noqa: PLC0415

    unlike = dict.fromkeys(strengths)
    return [
        remote_alone(),
        local_alone(),
        constant(strength(), "the paper's strength"),
        *map(constant, unlike),
        *map(trusted, unlike),
        *(mixed(one, 0.1) for one in unlike),
    ]


async def _force(
    settings: Settings, cases: Sequence[Case], rules: Sequence[Rule], results: Results, tokens: int
) -> None:
    from app.embedded import EmbeddedRemote  # noqa: PLC0415
    from app.evaluation.forced import Forcing  # noqa: PLC0415
    from app.main import open_models  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        with RichProgress() as progress:
            models = await stack.enter_async_context(open_models(settings, progress))
        assert isinstance(models.remote, EmbeddedRemote)  # noqa: S101  # as the settings say
        forcing = Forcing(
            models.remote,
            models.local,
            models.matching,
            tokens=tokens,
            max_context_tokens=settings.max_context_tokens,
        )
        with ItemProgress("Reading texts", len(cases), rate=False) as bar:
            for case in cases:
                if case.id not in results.cases:
                    results.add(await forcing.forced(case, rules))
                bar.advance(1)


def _show(results: Results, wanted: set[str], *, as_json: bool) -> None:
    from app.evaluation.summary import standings  # noqa: PLC0415

    forced = [one for one in results.forced if one.case in wanted]
    found = standings(forced)
    if as_json:
        write_json({"cases": len(forced), "tokens": sum(one.tokens for one in forced), "rules": found})
        return
    rows = [
        (one.rule, f"{one.temperature:g}", _cell(one.nll), _cell(one.gained), _cell(one.closed, of=100))
        for one in found
    ]
    write_table(("rule", "temperature", "nats per token", "gained", "of the gap, %"), rows)
    write(
        f"{len(forced)} texts of {sum(one.tokens for one in forced)} tokens; intervals of 95%. Each rule is "
        "judged at the temperature that suits it best, and gains on the remote alone. The gap is what the "
        "remote would gain if it were shown the profile."
    )
    if len(forced) < len(wanted):
        say("It was broken off: the same command goes on from here.")


def _cell(interval: Interval | None, *, of: int = 1) -> str:
    if interval is None:
        return ""
    digits = 3 if of == 1 else 0
    value, low, high = (f"{of * one:.{digits}f}" for one in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"
