"""The `costeer` command line: serves, and manages profiles, history, keys and weights."""

from __future__ import annotations

from typing import Annotated

import typer

from app import __version__
from app.cli import (
    adding,
    backup,
    bench,
    config,
    doctor,
    draft,
    evaluate,
    history,
    keys,
    models,
    preview,
    profiles,
    serve,
    syncing,
    transfer,
)
from app.cli.chat import command as chat
from app.cli.help import read_well
from app.cli.service import command as service
from app.cli.terminal import bear_any_output, write

app = typer.Typer(
    help="A local proxy that personalises a remote model's reply while it is written. Your profile and your "
    "own writing are read on this machine only. The remote sees the conversation and the reply, as it sees "
    "any; what the reply may say of you, you decide (costeer profiles set --level). Your name it reads as a "
    "placeholder, unless you say otherwise.",
    epilog="To begin: costeer profiles create, costeer history add, costeer serve, costeer chat.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.command(epilog=chat.EPILOG)(chat.chat)
app.command(epilog=bench.EPILOG)(bench.bench)
app.command("eval", epilog=evaluate.EPILOG)(evaluate.evaluate)
app.command(epilog=doctor.EPILOG)(doctor.doctor)
app.command(epilog=backup.EPILOG)(backup.backup)
app.command(epilog=backup.RESTORE_EPILOG)(backup.restore)
profiles.commands.command(
    "import", epilog="Example:\n\ncosteer profiles import isabel.toml walter.json --replace"
)(transfer.import_files)
profiles.commands.command("samples", epilog="Example:\n\ncosteer profiles samples --import")(transfer.samples)
profiles.commands.command("export", epilog="Example:\n\ncosteer profiles export isabel isabel.json")(
    transfer.export
)
profiles.commands.command(
    "preview", epilog="Example:\n\ncosteer profiles preview isabel 'Write an invitation to dinner.'"
)(preview.preview)
profiles.commands.command("draft", epilog=draft.EPILOG)(draft.draft)
history.commands.command("add", epilog=adding.EPILOG)(adding.add)
history.commands.command("sync", epilog=syncing.EPILOG)(syncing.sync)
history.commands.command("sources", epilog=syncing.SOURCES_EPILOG)(syncing.sources)
app.add_typer(profiles.commands, name="profiles")
app.add_typer(history.commands, name="history")
app.add_typer(keys.commands, name="keys")
app.add_typer(models.commands, name="models")
app.add_typer(config.commands, name="config")
app.add_typer(service.commands, name="service")


def _version(wanted: bool) -> None:
    if wanted:
        write(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before a command; the help text is the application's own."""


@app.command()
def version() -> None:
    """Print the version."""
    write(__version__)


read_well(app)


def main() -> None:
    """The entry point of the console script."""
    bear_any_output()
    app()
