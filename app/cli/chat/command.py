"""`costeer chat`: a conversation in the terminal, or one reply for the shell."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from app.cli.completion import profile_ids
from app.cli.environment import read_settings
from app.cli.models import fetch
from app.cli.numbers import finite
from app.cli.strengths import METAVAR, typed
from app.cli.terminal import asked, mistakes_named, on_terminal, say
from app.errors import CoSteerError, InvalidRequest
from app.logs import write_log
from app.network.address import without_user
from app.settings.settings import Settings

EPILOG = """Examples:

costeer chat -p isabel

costeer chat -p isabel "Write an invitation to dinner."

cat letter.txt | costeer chat -p isabel "Shorten this:" > shorter.txt"""

# MiB that are read of a pipe: as many as the server takes of a request.
MOST_PIPED = 32


@mistakes_named()
def chat(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="MESSAGE", help="What to ask; with none, a conversation begins."),
    ] = None,
    *,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            "-p",
            metavar="PROFILE",
            help="Whose profile steers the replies.",
            autocompletion=profile_ids,
        ),
    ] = None,
    strength: Annotated[
        Any,  # typer takes no unions
        typer.Option(parser=typed, metavar=METAVAR, help="How strongly; unset: as the profile has it."),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="MESSAGE", help="A system message, which the remote reads too.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The most tokens of a reply.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0, max=2, metavar="0..2", callback=finite, help="0 takes the likeliest word each time."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same seed draws the same reply.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another model of the remote's, which is not steered.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The server to ask; unset: the one of the settings, if it runs."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="An API key, if the server asks for one; better in COSTEER_API_KEY, where nobody sees it.",
        ),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="No colours and no marks.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one reply as JSON, for programs, once it is whole.")
    ] = False,
) -> None:
    """Talk to the model, steered by a profile.

    With a message, typed or piped or both, one reply is written to the standard output. Without, a
    conversation begins: /help in it lists its commands.

    The running server is asked; where there is none, the models are loaded here, which takes a while.
    """
    from app.cli.chat.one_shot import joined  # noqa: PLC0415  # httpx and rich, for no other command

    question = joined(" ".join(words or []), _piped())
    _can_begin(question, as_json=as_json)
    settings = read_settings()
    write_log("error", settings.log_format)
    address = _server(settings, url)
    if address is None:
        # Before the event loop runs, so that Ctrl-C ends a download at once.
        fetch(settings.model_names(), settings.cache_dir, settings.weights_dir)
    from app.cli.chat.conversation import CANDIDATES, Conversation, Wishes  # noqa: PLC0415
    from app.cli.chat.talking import talk  # noqa: PLC0415

    wishes = Wishes(
        profile=profile,
        strength=strength,
        model=model,
        system=system,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
    )
    conversation = Conversation(wishes, 0 if question else CANDIDATES)
    whole = talk(settings, address, _key(settings, key), conversation, question, plain=plain, as_json=as_json)
    if not whole:
        raise typer.Exit(130)


def _piped() -> str:
    """What comes by the standard input, nothing from a terminal. Raises InvalidRequest if it is no text, or
    more than any request may have: a pipe may have no end."""
    if asked() or sys.stdin is None:
        return ""
    piped = sys.stdin.buffer.read(MOST_PIPED * 2**20 + 1)
    if len(piped) > MOST_PIPED * 2**20:
        raise InvalidRequest(
            f"The standard input has more than {MOST_PIPED} MiB, which is too much for one message."
        )
    try:
        return piped.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest("The standard input is not UTF-8 text.") from error


def _can_begin(question: str, *, as_json: bool) -> None:
    """Raises InvalidRequest where there is neither a question nor a person to have a conversation with."""
    question.encode()
    if not question and (as_json or not (asked() and on_terminal())):
        raise InvalidRequest(
            "There is nothing to answer. Give a message, or pipe one in; a conversation needs a terminal."
        )


def _server(settings: Settings, url: str | None) -> str | None:
    """The address of the server that is asked; None: there is none, and the models are loaded here. Says
    which it is. Raises CoSteerError where none answers at the `url` that was given."""
    from app.cli.chat.address import Answer, answer, configured, given  # noqa: PLC0415

    address = given(url) if url is not None else configured(settings)
    found = answer(address) if address is not None else Answer.NONE
    shown = without_user(address or "")
    if found in (Answer.READY, Answer.NOT_READY):
        warning = "" if found is Answer.READY else " It is not ready yet: `costeer doctor` says why."
        say(f"Asking the CoSteer server at {shown}.{warning}")
        return address
    what = "What answers there is no CoSteer server" if found is Answer.ANOTHER else "No server answers there"
    if url is not None:
        raise CoSteerError(f"{shown}: {what}. Start one with `costeer serve`, or leave --url out.")
    where = f"No CoSteer server answers at {shown}" if address is not None else "No CoSteer server is known"
    say(f"{where}: the models are loaded here.")
    return None


def _key(settings: Settings, given: str | None) -> str:
    """The API key that is sent; empty for none. Raises InvalidRequest for what no header takes."""
    key = (settings.api_key.get_secret_value() if given is None else given).strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidRequest("The key must be plain ASCII on one line, as `costeer keys create` prints it.")
    return key
