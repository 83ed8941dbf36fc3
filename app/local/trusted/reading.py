"""The tokenizer of the small model on its server: of the hub or a folder, without the weights."""

from __future__ import annotations

from pathlib import Path

import anyio

from app.errors import CoSteerError, NotInstalled, TrustedError, WeightsError
from app.local.trusted.server import TrustedServer
from app.local.weights import SILENT, Progress, resolve
from app.tokenization.tokenizer import Tokenizer, load_tokenizer

# Seconds that a start waits for the server.
SECONDS = 10.0


async def read_tokenizer(
    server: TrustedServer,
    named: str,
    *,
    cache_dir: Path,
    weights_dir: Path | None,
    progress: Progress = SILENT,
) -> Tokenizer:
    """The tokenizer that is `named`, a hub id or folder, else that of the model which the server has loaded,
    which then has to answer. Raises CoSteerError with what to change. Blocks while it loads."""
    name = named or await _loaded(server, progress)
    try:
        path = resolve(name, cache_dir=cache_dir, weights_dir=weights_dir, progress=progress)
    except (NotInstalled, WeightsError) as error:
        raise type(error)(
            f"The tokenizer of the small model's server: {error.message} Set COSTEER_LOCAL_TOKENIZER to the "
            "hub id or folder of the model that the server has."
        ) from error
    tokenizer = load_tokenizer(path, "COSTEER_LOCAL_TOKENIZER", fast=True)
    if not tokenizer.has_template:
        raise WeightsError(
            f"The model {name} has no chat template. Have the small model's server serve one that is "
            "instruction-tuned."
        )
    return tokenizer


async def _loaded(server: TrustedServer, progress: Progress) -> str:
    """What the server's model was loaded from."""
    progress.stage("Asking the server of the small model", None)
    try:
        with anyio.fail_after(SECONDS):
            return (await server.served()).root
    except (TrustedError, TimeoutError) as error:
        silent = "The server of the small model is silent."
        raise CoSteerError(
            f"{error.message if isinstance(error, TrustedError) else silent} It has to be there at the "
            "start, unless COSTEER_LOCAL_TOKENIZER names its tokenizer."
        ) from error
