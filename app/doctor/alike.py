"""Checks whether the remote and the local model cut texts and render conversations alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.doctor.check import Check, Verdict, failed, ok, skipped
from app.doctor.examination import in_thread
from app.draft import RemoteModel
from app.errors import TokenizerMismatch

if TYPE_CHECKING:  # seconds to import
    from app.public_prompt import PublicPrompt
    from app.tokenizer import Tokenizer

NAMES = ("tokenizer", "chat template")


class Alike:
    """Two checks over one comparison. `folder` says where the local model lies, None where it is not here."""

    def __init__(self, remote: RemoteModel, model: str, folder: Callable[[], Path | None]) -> None:
        self._remote = remote
        self._model = model
        self._folder = folder
        self._prompt: PublicPrompt | None = None
        self._dated = False

    def checks(self) -> list[Check]:
        needs = ("torch", "local weights", "model")
        return [
            Check(NAMES[0], self._tokenizer, needs, seconds=90),
            Check(NAMES[1], self._template, (NAMES[0],)),
        ]

    async def _tokenizer(self) -> Verdict:
        folder = self._folder()
        if folder is None:
            return skipped(
                "Not looked at: the local model's tokenizer is not here yet.",
                f"costeer models pull {self._model}",
            )
        tokenizer = await in_thread(lambda: _load(folder))
        from app.public_prompt import PublicPrompt  # noqa: PLC0415

        self._dated = tokenizer.dated
        prompt = PublicPrompt(self._remote, tokenizer)
        try:
            await prompt.check()
        except TokenizerMismatch:
            return failed(
                f"The remote's tokenizer is not that of {self._model}: nothing can be steered.",
                "Set COSTEER_LOCAL_MODEL to a small model of the remote's own family.",
            )
        self._prompt = prompt
        return ok(f"The remote's is that of {self._model}")

    async def _template(self) -> Verdict:
        if self._prompt is not None and self._prompt.rendered_here:
            return ok("Alike: conversations are rendered here, which saves a round trip")
        why = "It writes the date" if self._dated else "The remote's is another one than the local model's"
        return ok(f"{why}: conversations are rendered by the remote, one round trip before each reply")


def _load(folder: Path) -> Tokenizer:
    from app.tokenizer import Tokenizer  # noqa: PLC0415

    return Tokenizer(str(folder))
