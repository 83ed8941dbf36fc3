"""The options of levels of disclosure: `--least`, `--level`, `--identifier` and `--budget`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer
from pydantic_core import ErrorDetails

from app.cli.numbers import finite
from app.cli.terminal import one_line
from app.errors import InvalidRequest
from app.profiles.disclosure import Disclosure, Level
from app.profiles.file_errors import NAME, explained
from app.profiles.levels import KINDS, LEVEL, DisclosureIn, no_field, unknown_fields
from app.profiles.profile import Profile

OPTIONS = {"least": "--least", "fields": "--level", "identifiers": "--identifier", "budget": "--budget"}

Least = Annotated[
    Level | None,
    typer.Option(help="What replies may tell the remote: all of the profile is at least as strict."),
]
Levels = Annotated[
    list[str] | None,
    typer.Option(
        "--level",
        metavar="FIELD=LEVEL",
        help=f"How much of a field replies may tell the remote: {LEVEL}; may be given many times.",
    ),
]
Identifiers = Annotated[
    list[str] | None,
    typer.Option(
        "--identifier",
        metavar="KIND=LEVEL",
        help=f"The same for {KINDS}, wherever it stands; may be given many times.",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="NATS", callback=finite, help="How much one conversation may tell the remote, in nats."
    ),
]


def disclosure_table(
    least: Level | None, levels: Sequence[str], identifiers: Sequence[str], budget: float | None
) -> dict[str, Any]:
    """What is given of a disclosure, as a table that is not validated yet; empty if nothing is."""
    table = {
        "least": least,
        "fields": _levels("--level", "employer=shape", levels),
        "identifiers": _levels("--identifier", "name=fill", identifiers),
        "budget": budget,
    }
    return {name: value for name, value in table.items() if value not in (None, {})}


def with_levels(profile: Profile, given: DisclosureIn, *, anew: bool, no_budget: bool) -> Profile:
    """The profile with what is given of a disclosure; the rest stays, but with `anew` no level and with
    `no_budget` no budget. Raises InvalidRequest for a field that the profile has not."""
    fields, before = dict(profile.fields), profile.disclosure
    before = Disclosure(budget=before.budget) if anew else before
    before = replace(before, budget=None) if no_budget else before
    for key in unknown_fields(given.fields, fields):
        raise InvalidRequest(f"--level {key[:NAME]}: {no_field(fields).removeprefix('is ')}")
    merged: dict[str, Any] = {
        name: getattr(given, name) for name in given.model_fields_set & {"least", "budget"}
    }
    merged["fields"] = tuple({**dict(before.fields), **given.fields}.items())
    merged["identifiers"] = tuple({**dict(before.identifiers), **given.identifiers}.items())
    return replace(profile, disclosure=replace(before, **merged))


def level_mistake(mistake: ErrorDetails) -> str:
    """What is wrong with one of the options; pydantic's location begins with `disclosure`."""
    part, *keys = (str(step) for step in mistake["loc"][1:3])
    option = " ".join([OPTIONS[part], *(one_line(key, NAME) for key in keys)])
    return f"{option}: {explained(DisclosureIn, part, mistake, LEVEL if keys else None)}"


def disclosure_lines(disclosure: Disclosure) -> list[str]:
    """What is not the default, a line each."""
    lines = [f"least: {disclosure.least}"] if disclosure.least != "open" else []
    lines += [f"identifier {kind}: {level}" for kind, level in disclosure.identifiers]
    lines += [f"field {one_line(key)}: {level}" for key, level in disclosure.fields if level != "open"]
    if disclosure.budget is not None:
        lines.append(f"budget: {disclosure.budget:g} nats a conversation")
    return lines


def _levels(option: str, example: str, given: Sequence[str]) -> dict[str, str]:
    levels: dict[str, str] = {}
    for one in given:
        key, equals, level = one.rpartition("=")  # a level has no equals sign, a field may
        if not equals:
            raise typer.BadParameter(f"{option} takes KEY=LEVEL, like {option} {example}")
        if key in levels:
            raise typer.BadParameter(f"{option}: the same key is given twice")
        levels[key] = level
    return levels
