"""`costeer profiles`: creates, lists, shows, changes and erases profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from app.api.schemas.history import Item
from app.api.schemas.profiles import ProfileOut, ProfilePatch
from app.cli.completion import profile_ids
from app.cli.environment import open_store, read_settings
from app.cli.levels import (
    Budget,
    Identifiers,
    Least,
    Levels,
    disclosure_lines,
    disclosure_table,
    level_mistake,
    with_levels,
)
from app.cli.preferences import EXPECTED, Given, preference_tables, preference_text
from app.cli.strengths import METAVAR, strength_text, typed
from app.cli.terminal import (
    confirm,
    counted,
    mistakes_named,
    one_line,
    say,
    when,
    write,
    write_json,
    write_table,
)
from app.errors import InvalidRequest
from app.profiles.document import FIELD, ProfileIn
from app.profiles.file_errors import explained
from app.profiles.levels import DisclosureIn
from app.profiles.profile import Profile, ProfileDocument, StoredItem, StoredProfile
from app.profiles.store import Store
from app.steering.strength import Strength

commands = typer.Typer(help="Profiles: who replies are steered towards.", no_args_is_help=True)

NEWEST = 5
OPTIONS = {"id": "ID", "name": "--name", "fields": "--field", "preferences": "--preference"}
# What is expected inside of an option that may be given many times.
INSIDE = {"fields": FIELD, "preferences": EXPECTED}
Checked = TypeVar("Checked", bound=BaseModel)

ProfileId = Annotated[
    str, typer.Argument(help="The profile's id.", metavar="PROFILE", autocompletion=profile_ids)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="KEY=VALUE", help="A line about the person; may be given many times."),
]


@commands.command("list")
@mistakes_named()
def list_profiles(as_json: AsJson = False) -> None:
    """List the profiles."""
    with open_store() as store:
        profiles = store.profiles.list()
    if as_json:
        write_json([ProfileOut.of(one).model_dump() for one in profiles])
        return
    columns = ("id", "name", "default", "strength", "records", "history", "updated (UTC)")
    write_table(columns, [_row(one) for one in profiles])
    if not profiles:
        say('There are none yet. `costeer profiles create ID --name "..."` makes one.')


@commands.command(
    "show",
    epilog="Example:\n\ncosteer profiles show isabel",
)
@mistakes_named()
def show(profile: ProfileId, as_json: AsJson = False) -> None:
    """Show what a profile holds: its fields, preferences, levels that are not the default, and settings, and
    its newest history items."""
    settings = read_settings()
    with Store.open(settings.data_dir) as store:
        stored = store.profiles.read(profile)
        newest = store.history.page(profile, limit=NEWEST).items
    if as_json:
        short = {"id", "kind", "title", "created_at"}
        items = [Item.of(one).model_dump(include=short) for one in newest]
        write_json({**ProfileOut.of(stored).model_dump(), "newest": items})
        return
    _describe(stored, settings.strength, newest)


@commands.command(
    "create",
    epilog="Example:\n\ncosteer profiles create isabel --name 'Isabel Martinez' "
    "--field occupation='Estate agent' --preference 'Answer briefly. | Answer at length.' "
    "--level occupation=shape",
)
@mistakes_named()
def create(
    profile_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="1 to 64 lowercase letters, digits, - and _; it cannot be changed."
        ),
    ],
    *,
    name: Annotated[str, typer.Option(help="The person's name.")],
    field: Fields = None,
    preference: Given = None,
    strength: Annotated[
        Any,  # typer takes no unions
        typer.Option(
            parser=typed, metavar=METAVAR, help="How strongly replies are steered; unset: as in the settings."
        ),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Use it for requests that name no profile.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Add each finished exchange to its history.")
    ] = False,
    least: Least = None,
    level: Levels = None,
    identifier: Identifiers = None,
    budget: Budget = None,
) -> None:
    """Create a profile. `costeer history add` then gives it the person's own writing."""
    given = {
        "id": profile_id,
        "name": name,
        "default": default,
        "strength": strength,
        "record_history": record,
        "fields": _pairs(field or []),
        "preferences": preference_tables(preference or []),
        "disclosure": disclosure_table(least, level or [], identifier or [], budget),
    }
    profile = checked(ProfileIn, given).profile()
    with open_store() as store:
        store.profiles.create(ProfileDocument(profile))
    write(f"profile {profile.id}: created")


@commands.command(
    "set",
    epilog="Examples:\n\ncosteer profiles set isabel --field location=Lisbon --remove-field hobby\n\n"
    "costeer profiles set isabel --preference 'Answer briefly. | Answer at length.' --strength 0.8\n\n"
    "costeer profiles set isabel --level employer=off --identifier phone=shape --budget 20",
)
@mistakes_named()
def change(
    profile: ProfileId,
    *,
    name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    field: Fields = None,
    remove_field: Annotated[
        list[str] | None,
        typer.Option("--remove-field", metavar="KEY", help="Remove a field; may be given many times."),
    ] = None,
    preference: Given = None,
    no_preferences: Annotated[bool, typer.Option("--no-preferences", help="Remove all preferences.")] = False,
    strength: Annotated[
        Any, typer.Option(parser=typed, metavar=METAVAR, help="How strongly replies are steered.")
    ] = None,
    no_strength: Annotated[
        bool, typer.Option("--no-strength", help="Leave the strength to the settings.")
    ] = False,
    default: Annotated[
        bool | None,
        typer.Option("--default/--no-default", help="Whether requests that name no profile use it."),
    ] = None,
    record: Annotated[
        bool | None,
        typer.Option("--record/--no-record", help="Whether each finished exchange joins its history."),
    ] = None,
    least: Least = None,
    level: Levels = None,
    identifier: Identifiers = None,
    budget: Budget = None,
    no_levels: Annotated[
        bool, typer.Option("--no-levels", help="Go back to the default levels, but for those given.")
    ] = False,
    no_budget: Annotated[bool, typer.Option("--no-budget", help="Remove the budget.")] = False,
) -> None:
    """Change a profile. What is not named stays; the preferences given replace those before."""
    for one, other, contradicting in (
        ("--strength", "--no-strength", strength is not None and no_strength),
        ("--preference", "--no-preferences", preference and no_preferences),
        ("--budget", "--no-budget", budget is not None and no_budget),
    ):
        if contradicting:
            raise typer.BadParameter(f"{one} and {other} exclude each other")
    removed = remove_field or []
    fields: dict[str, str | None] = dict(_pairs(field or []))
    if both := fields.keys() & set(removed):
        raise typer.BadParameter(f"{counted(len(both), 'field')} both set and removed")
    fields |= dict.fromkeys(removed)
    values = {"name": name, "strength": strength, "default": default, "record_history": record}
    given: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    given |= {"fields": fields} if fields else {}
    given |= {"strength": None} if no_strength else {}
    if preference or no_preferences:
        given["preferences"] = preference_tables(preference or [])
    levels = disclosure_table(least, level or [], identifier or [], budget)
    if not (given or levels or no_levels or no_budget):
        raise typer.BadParameter("name what to change; --help lists the options")
    patch = checked(ProfilePatch, given)
    disclosure = checked(ProfilePatch, {"disclosure": levels}).disclosure or DisclosureIn()

    def changed(before: Profile) -> Profile:
        for key in removed:
            if key not in dict(before.fields):
                raise InvalidRequest(
                    f"--remove-field: there is no such field. `costeer profiles show {before.id}` lists them."
                )
        try:
            after = patch.applied(before)
        except ValueError as error:
            raise InvalidRequest(f"--field: {error}; remove some with --remove-field") from error
        return with_levels(after, disclosure, anew=no_levels, no_budget=no_budget)

    with open_store() as store:
        store.profiles.update(profile, changed)
    write(f"profile {profile}: changed")


@commands.command("delete")
@mistakes_named()
def delete(profile: ProfileId, yes: Yes = False) -> None:
    """Erase a profile with its whole history and its API keys, to the last byte."""
    with open_store() as store:
        items = counted(store.profiles.read(profile).history_count, "history item")
        keys = sum(key.profile_id == profile for key in store.keys.list())
        also = f" and {counted(keys, 'API key')}" if keys else ""
        if confirm(f"Erase the profile {profile!r} with {items}{also}?", yes=yes):
            store.profiles.delete(profile)
            write(f"profile {profile}: erased, with {items}{also}")


def _row(stored: StoredProfile) -> Sequence[str]:
    one = stored.profile
    strength = "" if one.strength is None else strength_text(one.strength)
    default, records = ("yes" if flag else "" for flag in (one.is_default, one.record_history))
    return one.id, one.name, default, strength, records, str(stored.history_count), when(stored.updated_at)


def _describe(stored: StoredProfile, strength: Strength, newest: Sequence[StoredItem]) -> None:
    one = stored.profile
    setting = f"{strength_text(strength)} (from the settings)"
    lines = {
        "id": one.id,
        "name": one.name,
        "default": "yes" if one.is_default else "no",
        "strength": setting if one.strength is None else strength_text(one.strength),
        "records": "yes" if one.record_history else "no",
        "created": f"{when(stored.created_at)} UTC",
        "updated": f"{when(stored.updated_at)} UTC",
        "history": counted(stored.history_count, "item"),
    }
    for key, text in lines.items():
        write(f"{key:<10}{one_line(text)}")
    if one.fields:
        write("\nfields")
        for key, text in one.fields:
            write(f"  {one_line(key)}: {text}")
    if one.preferences:
        write("\npreferences")
        for preference in one.preferences:
            write(f"  {preference_text(preference)}")
    if told := disclosure_lines(one.disclosure):
        write("\ndisclosure")
        for line in told:
            write(f"  {line}")
    if newest:
        write("\nnewest history items")
        for item in newest:
            write(f"  {Item.of(item).id}  {headline(item)}")


def headline(stored: StoredItem, size: int = 60) -> str:
    """The beginning of an item's title, else of its request, else of its text."""
    item = stored.item
    return one_line((item.title or item.request or item.text)[: 4 * size], size)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for one in given:
        key, equals, text = one.partition("=")
        if not equals:
            raise typer.BadParameter("--field takes KEY=VALUE, like --field occupation=Nurse")
        if key in pairs:
            raise typer.BadParameter("--field: the same key is given twice")
        pairs[key] = text
    return pairs


def checked(model: type[Checked], given: dict[str, Any]) -> Checked:
    """The validated model. Raises InvalidRequest, with a sentence for each option that is wrong."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    sentences = []
    for one in mistakes:
        key = str(one["loc"][0])
        if key == "disclosure":
            sentences.append(level_mistake(one))
            continue
        expected = INSIDE[key] if len(one["loc"]) > 1 else None
        sentences.append(f"{OPTIONS[key]}: {explained(model, key, one, expected)}")
    raise InvalidRequest("\n".join(dict.fromkeys(sentences)))
