"""`costeer keys`: creates, lists and deletes API keys; by its key an app gets its profile."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.completion import profile_ids
from app.cli.environment import open_store, read_settings
from app.cli.profiles import AsJson, Yes
from app.cli.terminal import confirm, mistakes_named, say, when, write, write_bytes, write_json, write_table
from app.errors import InvalidRequest, LastAdminKey
from app.profiles.store import Store
from app.profiles.store.keys import MAX_LABEL

commands = typer.Typer(help="API keys: each gives an app one profile, or all of them.", no_args_is_help=True)


@commands.command(
    "create",
    epilog="Examples:\n\ncosteer keys create --profile isabel --label 'mail client'\n\n"
    "KEY=$(costeer keys create --admin)",
)
@mistakes_named()
def create(
    profile: Annotated[
        str | None,
        typer.Option(
            help="The only profile that the key opens.", metavar="PROFILE", autocompletion=profile_ids
        ),
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="A key that opens and manages all profiles.")
    ] = False,
    label: Annotated[str, typer.Option(help="A note for yourself: which app has it.")] = "",
) -> None:
    """Make a key, and print it once: only its hash is kept. It stands alone on the standard output."""
    if admin == (profile is not None):
        raise typer.BadParameter("say --profile PROFILE or --admin")
    if len(label) > MAX_LABEL:
        raise InvalidRequest(f"--label: at most {MAX_LABEL} characters; shorten it")
    settings = read_settings()
    with Store.open(settings.data_dir) as store:
        closed = store.keys.required()
        _, secret = store.keys.create(label, profile)
    write_bytes(f"{secret}\n".encode())
    opens = "all profiles" if profile is None else f"the profile {profile!r}"
    say(
        f"This key opens {opens}. It is shown this once only. To use it, give an app\n"
        f"  base_url  {_base_url(settings.host, settings.port)}\n"
        "  api_key   the key"
    )
    if admin and not closed:
        say("From now on every request needs a key.")
    elif not closed:
        say("Requests without a key still open all profiles; `costeer keys create --admin` ends that.")


@commands.command("list")
@mistakes_named()
def list_keys(as_json: AsJson = False) -> None:
    """List the keys; what they are cannot be shown again."""
    with open_store() as store:
        keys = store.keys.list()
    if as_json:
        write_json(
            [
                {
                    "id": key.id,
                    "label": key.label,
                    "profile": key.profile_id,
                    "admin": key.is_admin,
                    "created_at": key.created_at,
                    "last_used_at": key.last_used_at,
                }
                for key in keys
            ]
        )
        return
    rows = [
        (
            str(key.id),
            key.label,
            key.profile_id or "all (admin)",
            when(key.created_at),
            when(key.last_used_at),
        )
        for key in keys
    ]
    write_table(("id", "label", "profile", "created (UTC)", "last used (UTC)"), rows, whole=(0, 2))


@commands.command("delete")
@mistakes_named()
def delete(
    key: Annotated[int, typer.Argument(metavar="ID", min=1, help="The key's id; see `costeer keys list`.")],
    yes: Yes = False,
) -> None:
    """Delete a key: it opens nothing from then on.

    Without an admin key whoever reaches the port opens all profiles, so the last one is asked about first.
    """
    with open_store() as store:
        try:
            opened = store.keys.delete(key)
        except LastAdminKey as last:
            if not confirm(f"{last.message} Delete key {key}?", yes=yes):
                return
            opened = store.keys.delete(key, last_admin=True)
    write(f"key {key}: deleted")
    if opened:
        say("That was the last admin key: requests without a key open all profiles again.")


def _base_url(host: str, port: int) -> str:
    # A wildcard address is reached through the loopback address.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
