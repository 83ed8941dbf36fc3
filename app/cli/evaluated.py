"""Parses what `costeer eval` compares: strengths, forms of prompts, preferences, and lines of a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

from app.api.schemas.profiles import ProfilePatch
from app.cli.preferences import preference_tables
from app.cli.profiles import checked
from app.cli.strengths import typed
from app.evaluation.quality.strengths import AS_THE_PRODUCT, Tried
from app.profiles.preferences import preferences
from app.steering.strength import AUTO

if TYPE_CHECKING:
    from app.evaluation.quality.askers import Asker

STRENGTHS = f"0..4|{AUTO}|{AUTO}:0..4"
OF_AUTO = f"{AUTO}:"
LINES = re.compile(r"([1-9]\d{0,8})(?:-([1-9]\d{0,8}))?")


def strength(text: str) -> Tried:
    """Parses a constant, `auto`, or `auto:` and a constant for its rule. Raises BadParameter."""
    value = typed(text.removeprefix(OF_AUTO))
    if value == AUTO:
        if text.startswith(OF_AUTO):
            raise typer.BadParameter(f"give a number behind {OF_AUTO!r}, like {OF_AUTO}0.5")
        return AS_THE_PRODUCT
    return Tried("auto" if text.startswith(OF_AUTO) else "strength", value)


def lines(text: str) -> range:
    """Parses `31-60`, or one number, as the numbers of lines. Raises BadParameter."""
    found = LINES.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first:
        raise typer.BadParameter("give lines like 31-60, from the first to the last, or one number")
    return range(first, last + 1)


def form(text: str) -> str:
    """Checks the name of a form of prompts. Raises BadParameter."""
    from app.evaluation.quality.forms import FORMS  # noqa: PLC0415

    if text not in FORMS:
        raise typer.BadParameter(f"there are: {'; '.join(FORMS)}")
    return text


def asker(text: str) -> Asker:
    """Who has a preference: one word is a wish of the paper's kind, anything else a text, perhaps with an
    opposite. Raises BadParameter, and InvalidRequest for one that no profile could have."""
    from app.evaluation.quality.askers import preferring, wish  # noqa: PLC0415

    (table,) = preference_tables([text])
    (one,) = preferences(checked(ProfilePatch, {"preferences": [table]}).preferences or ())
    return wish(text) if text.split() == [text] else preferring(one)
