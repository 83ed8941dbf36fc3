"""`costeer history`: lists, shows, searches and erases a person's own writing."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from app.api.schemas.history import ITEM_PREFIX, FoundItem, Item
from app.cli.environment import open_store
from app.cli.profiles import AsJson, ProfileId, Yes, headline
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
from app.profiles.disclosure import Level
from app.profiles.profile import HistoryItem
from app.profiles.terms import terms

commands = typer.Typer(
    help="What a person has written: the small model learns from it.",
    no_args_is_help=True,
)
MAX_LIMIT = 1000
MAX_DIGITS = 18


def _item_id(text: str) -> int:
    digits = text.removeprefix(ITEM_PREFIX)
    if not (digits.isascii() and digits.isdigit()):
        raise typer.BadParameter(f"ids look like {ITEM_PREFIX}7; `costeer history list` shows them")
    if len(digits) > MAX_DIGITS:
        raise typer.BadParameter("no item has an id as large as that")
    return int(digits)


ItemId = Annotated[int, typer.Argument(parser=_item_id, metavar="ID", help="The item's id, like item_7.")]
Limit = Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="How many items at most.")]


@commands.command("list", epilog="Example:\n\ncosteer history list isabel --limit 50 --after item_120")
@mistakes_named()
def list_items(
    profile: ProfileId,
    limit: Limit = 20,
    after: Annotated[
        int | None, typer.Option(parser=_item_id, metavar="ID", help="Go on behind this item.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the items, newest first, with the level of those that are not open."""
    with open_store() as store:
        page = store.history.page(profile, after=after, limit=limit)
    if as_json:
        write_json([Item.of(one).model_dump() for one in page.items])
    else:
        rows = [
            (
                f"{ITEM_PREFIX}{one.id}",
                one.item.kind,
                headline(one),
                one.item.source,
                _level(one.item),
                when(one.item.created_at),
            )
            for one in page.items
        ]
        write_table(("id", "kind", "title, request or beginning", "source", "level", "created (UTC)"), rows)
    if page.has_more:
        say(f"There are more: --after {ITEM_PREFIX}{page.items[-1].id}")


@commands.command("show")
@mistakes_named()
def show(
    profile: ProfileId,
    item: ItemId,
    as_json: AsJson = False,
) -> None:
    """Show an item whole."""
    with open_store() as store:
        stored = store.history.get(profile, item)
    if as_json:
        write_json(Item.of(stored).model_dump())
        return
    one = stored.item
    lines = {
        "id": f"{ITEM_PREFIX}{stored.id}",
        "kind": one.kind,
        "title": one.title,
        "request": one.request,
        "source": one.source,
        "level": _level(one),
        "created": f"{when(one.created_at)} UTC",
    }
    for key, text in lines.items():
        if text:
            write(f"{key:<10}{one_line(text)}")
    write(f"\n{one.text}")


@commands.command("level", epilog="Example:\n\ncosteer history level isabel item_7 shape")
@mistakes_named()
def set_level(
    profile: ProfileId,
    item: ItemId,
    level: Annotated[Level, typer.Argument(help="What replies may tell the remote of it.")],
) -> None:
    """Change what replies may tell the remote of an item; `off`: the small model does not read it."""
    with open_store() as store:
        store.history.update(profile, item, lambda before: replace(before, disclosure=level))
    write(f"profile {profile}: {ITEM_PREFIX}{item} is {level}")


@commands.command("search", epilog="Example:\n\ncosteer history search isabel 'house by the water'")
@mistakes_named()
def search(
    profile: ProfileId,
    query: Annotated[str, typer.Argument(help="Words to look for; any of them may match.")],
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """Find items by their words, the best match first."""
    with open_store() as store:
        hits = store.history.search(profile, [(1.0, terms(query))], limit)
    if as_json:
        write_json([FoundItem.of_hit(hit).model_dump() for hit in hits])
        return
    for hit in hits:
        write(f"{hit.score:6.2f}  {ITEM_PREFIX}{hit.stored.id}  {headline(hit.stored)}")
        write("".join(f"        {line}\n" for line in hit.passage.splitlines()))
    if not hits:
        say("Nothing matches. Try other words.")


@commands.command(
    "delete",
    epilog="Examples:\n\ncosteer history delete isabel item_7 item_9\n\ncosteer history delete isabel --all",
)
@mistakes_named()
def delete(
    profile: ProfileId,
    items: Annotated[
        list[int] | None,
        typer.Argument(parser=_item_id, metavar="ID", help="The ids of the items, like item_7."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Erase the whole history.")] = False,
    yes: Yes = False,
) -> None:
    """Erase items, to the last byte: all that are named, or none if one does not exist."""
    if everything == bool(items):
        raise typer.BadParameter("name the items by their ids, or say --all")
    with open_store() as store:
        if items:
            store.history.delete(profile, items)
            write(f"profile {profile}: erased {counted(len(set(items)), 'item')}")
            return
        count = store.profiles.read(profile).history_count
        if confirm(f"Erase all {counted(count, 'history item')} of the profile {profile!r}?", yes=yes):
            gone = store.history.clear(profile)
            write(f"profile {profile}: erased {counted(gone, 'item')}")


def _level(item: HistoryItem) -> str:
    """The item's level where it is not the default."""
    return "" if item.disclosure == "open" else item.disclosure
