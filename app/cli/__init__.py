"""`costeer`: serve, and manage profiles, history, keys and weights."""

from __future__ import annotations

import typer

from app import __version__
from app.cli import bench, doctor, evaluate, history, keys, models, preview, profiles, serve, transfer
from app.cli.terminal import write

app = typer.Typer(
    help="A local proxy that personalises a remote model's reply while it is written. Your profile and your "
    "own writing never leave this machine.",
    epilog="To begin: costeer profiles create, costeer history add, costeer serve.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command(epilog=bench.EPILOG)(bench.bench)
app.command("eval", epilog=evaluate.EPILOG)(evaluate.evaluate)
app.command(epilog=doctor.EPILOG)(doctor.doctor)
profiles.commands.command(
    "import", epilog="Example:\n\ncosteer profiles import isabel.toml walter.json --replace"
)(transfer.import_files)
profiles.commands.command("export", epilog="Example:\n\ncosteer profiles export isabel isabel.json")(
    transfer.export
)
profiles.commands.command(
    "preview", epilog="Example:\n\ncosteer profiles preview isabel 'Write an invitation to dinner.'"
)(preview.preview)
app.add_typer(profiles.commands, name="profiles")
app.add_typer(history.commands, name="history")
app.add_typer(keys.commands, name="keys")
app.add_typer(models.commands, name="models")


@app.command()
def version() -> None:
    """Print the version."""
    write(__version__)


def main() -> None:
    """The console script."""
    app()
