"""`costeer profiles preview`: shows exactly what the small model would read for a message."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from app.api.schemas.profiles import ProfilePatch
from app.cli.environment import read_settings
from app.cli.levels import Budget, Least, disclosure_lines
from app.cli.models import fetch
from app.cli.preferences import Given, preference_tables
from app.cli.profiles import AsJson, ProfileId, checked, headline
from app.cli.strengths import strength_text
from app.cli.terminal import counted, mistakes_named, one_line, say, write, write_json
from app.disclosure.conversation import disclosed
from app.errors import InvalidRequest
from app.profiles.disclosure import Disclosure
from app.profiles.preferences import preferences
from app.profiles.profile import Preference
from app.profiles.store import Store
from app.prompts.context import PersonalContext, personal_context
from app.prompts.message import Message
from app.prompts.retrieval import Retriever
from app.steering.strength import steers

if TYPE_CHECKING:
    from app.api.schemas.preview import MarkedPhrase, Preview
    from app.settings.settings import Settings
    from app.tokenization.tokenizer import Tokenizer

STDIN = "-"
# Characters of a phrase that are shown, and of a field's key.
SHOWN, KEY = 60, 40
ABOUT = {"person": "About the person", "preferences": "About how replies should be"}


@mistakes_named()
def preview(
    profile: ProfileId,
    message: Annotated[str, typer.Argument(help="What the user asks; - reads the standard input.")] = STDIN,
    *,
    preference: Given = None,
    no_preferences: Annotated[
        bool, typer.Option("--no-preferences", help="Leave out the profile's preferences.")
    ] = False,
    least: Least = None,
    budget: Budget = None,
    as_json: AsJson = False,
) -> None:
    """Show what the small model would read for a message: all prompts, the history that was chosen, and what
    of all this is not open to the remote, with its level.

    Preferences that are given take the place of the profile's; --least and --budget can only make its
    disclosure stricter. Nothing is sent. It needs the local model's tokenizer, which is fetched with the
    weights the first time.
    """
    own = _own(preference or [], none=no_preferences)
    settings = read_settings()
    with Store.open(settings.data_dir) as store:
        person = store.profiles.get(profile)
        conversation = (Message("user", _read() if message == STDIN else _checked(message)),)
        retriever = Retriever(store.history, settings.history_top_k)
        context = personal_context(
            retriever,
            person,
            conversation,
            asked=None,
            default=settings.strength,
            preferences=own,
            bounds=(settings.bounds, Disclosure(least=least or "open", budget=budget)),
        )
    from app.api.schemas.preview import Preview  # noqa: PLC0415  # grammars and numpy, for half a second
    from app.prompts.local_prompts import local_prompts  # noqa: PLC0415  # these import transformers, for seconds

    tokenizer = _tokenizer(settings)
    limit = settings.max_context_tokens
    private = disclosed(context.private, conversation, context.disclosure).private
    prompts = local_prompts(private, conversation, tokenizer, limit)
    shown = Preview.of(profile, context, prompts, limit)
    if as_json:
        write_json(shown.model_dump())
    else:
        _describe(shown, context)


def _tokenizer(settings: Settings) -> Tokenizer:
    """That of the small model, wherever it is."""
    if settings.local_base_url:
        return asyncio.run(_of_server(settings))
    from app.tokenization.tokenizer import load_tokenizer  # noqa: PLC0415

    (path,) = fetch([settings.local_model], settings.cache_dir, settings.weights_dir).values()
    return load_tokenizer(path, "COSTEER_LOCAL_MODEL")


async def _of_server(settings: Settings) -> Tokenizer:
    from app.assembly import open_trusted, trusted_tokenizer  # noqa: PLC0415

    async with aclosing(open_trusted(settings)) as server:
        return await trusted_tokenizer(settings, server)


def _own(given: Sequence[str], *, none: bool) -> tuple[Preference, ...] | None:
    """The preferences in place of the profile's; None leaves those."""
    if given and none:
        raise typer.BadParameter("--preference and --no-preferences exclude each other")
    if not given and not none:
        return None
    patch = checked(ProfilePatch, {"preferences": preference_tables(given)})
    return preferences(patch.preferences or ())


def _read() -> str:
    if sys.stdin.isatty():
        say("Type the message, then press Ctrl-D:")
    try:
        return _checked(sys.stdin.buffer.read().decode("utf-8-sig").rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise InvalidRequest("The message on standard input is not UTF-8 text.") from error


def _checked(message: str) -> str:
    message.encode()
    if not message.strip():
        raise InvalidRequest("The message is empty. Give it as an argument, or on the standard input.")
    return message


def _describe(shown: Preview, context: PersonalContext) -> None:
    private, hits = shown.private, context.history
    if not shown.prompts:
        reason = "there is nothing to steer by that fits" if steers(shown.strength) else "the strength is 0"
        write(f"The small model reads nothing, since {reason}: replies are not steered.")
    for pair in shown.prompts:
        for name, prompt in (("aware", pair.context_aware), ("agnostic", pair.context_agnostic)):
            head = f"{ABOUT[pair.about]}: context-{name} prompt, {counted(prompt.tokens, 'token')}"
            write(f"{head}:\n\n{prompt.prompt}\n")
    write(f"History chosen, {counted(len(hits), 'item')}{':' if hits else ''}\n")
    for item, hit in zip(shown.history, hits, strict=True):
        note = "" if item.included else "  (did not fit)"
        write(f"  {item.score:6.2f}  {item.id}  {headline(hit.stored)}{note}")
    left_out = [one.text for one in shown.preferences if not one.included]
    if shown.prompts and left_out:
        write(f"\nPreferences that did not fit, {len(left_out)}:\n")
        for text in left_out:
            write(f"  {text}")
    if told := disclosure_lines(context.disclosure):
        write(f"\nDisclosure: {'; '.join(told)}")
    _describe_levels([one for one in shown.levels if one.level != "open"])
    write(
        f"\n{counted(private.tokens, 'token')} of private text, of at most {private.max_tokens:,} "
        f"(COSTEER_MAX_CONTEXT_TOKENS); strength {strength_text(shown.strength)}"
    )


def _describe_levels(kept: Sequence[MarkedPhrase]) -> None:
    if kept:
        write(f"\nNot open to the remote, {counted(len(kept), 'phrase')}:\n")
    for one in kept:
        write(f"  {one.level:<5}  {_place(one)}: {one_line(one.text, SHOWN)}")


def _place(one: MarkedPhrase) -> str:
    """What a phrase is, and where it stands: name, field job, item_7, email in field contact."""
    place = f"field {one_line(one.key, KEY)}" if one.key is not None else one.item
    if place is None:
        return one.what
    return place if one.what in ("field", "item") else f"{one.what} in {place}"
