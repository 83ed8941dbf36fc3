"""Checks whether the remote and the local model have the same tokenizer and chat template."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.doctor import trusted
from app.doctor.check import Check, Verdict, failed, ok, skipped
from app.errors import CoSteerError
from app.remote.interface import RemoteModel, RemoteVocabulary
from app.threads import in_thread

if TYPE_CHECKING:  # seconds to import
    from app.decoding.vocabulary_match import Match
    from app.tokenization.tokenizer import Tokenizer

NAMES = ("tokenizer", "chat template")
MEND = (
    "Set COSTEER_REMOTE_TOKENIZER to the hub id or folder of the remote's model, or COSTEER_LOCAL_MODEL to a "
    "small model of its family."
)


class Alike:
    """Two checks that share one comparison of the vocabularies."""

    def __init__(
        self,
        remote: RemoteModel,
        model: str,
        folder: Callable[[], Path | None],
        *,
        named: str = "",
        named_folder: Callable[[], Path | None] = lambda: None,
        needs: str = "model",
        of_server: Callable[[], Awaitable[Tokenizer]] | None = None,
    ) -> None:
        """`folder` gives the local model's folder, and `named_folder` that of the tokenizer that the settings
        name for the remote, if they name one; None if it is not downloaded yet. Both may block. `needs` is
        the check of the remote without which there is nothing to compare. `of_server` loads the local
        model's tokenizer where a server computes that, which must share it with the remote."""
        self._remote = remote
        self._model = model
        self._folder = folder
        self._named = named
        self._named_folder = named_folder
        self._needs = needs
        self._of_server = of_server
        self._match: Match | None = None
        self._dated = False

    def checks(self) -> list[Check]:
        here = ("torch", "local weights") if self._of_server is None else (trusted.NAMES[3],)
        needs = (*here, self._needs)
        return [
            Check(NAMES[0], self._tokenizer, needs, seconds=90),
            Check(NAMES[1], self._template, (NAMES[0],)),
        ]

    async def _tokenizer(self) -> Verdict:
        if self._of_server is not None:
            tokenizer = await self._of_server()
        elif (folder := self._folder()) is not None:
            tokenizer = await in_thread(lambda: _load(folder))
        else:
            return skipped(
                "Not looked at: the local model's tokenizer is not here yet.",
                f"costeer models pull {self._model}",
            )
        from app.decoding.vocabulary_match import VocabularyMatcher  # noqa: PLC0415

        self._dated = tokenizer.dated
        try:
            named = await in_thread(self._named_folder) if self._named else None
            if self._named and named is None:
                return skipped(
                    "Not looked at: the tokenizer that COSTEER_REMOTE_TOKENIZER names is not here yet.",
                    "costeer serve",
                )
            fast = self._of_server is not None
            known = await in_thread(lambda: _vocabulary(named, self._named, fast=fast)) if named else None
            self._match = await VocabularyMatcher(self._remote, tokenizer, known, alike=fast).match()
        except CoSteerError as error:
            return failed(error.message, MEND)
        return _aligned(self._match, self._model)

    async def _template(self) -> Verdict:
        return _rendered(self._match, dated=self._dated)


def compared(
    match: Callable[[], Awaitable[Match]], model: str, *, dated: bool, needs: tuple[str, ...]
) -> list[Check]:
    """The two checks for a server that compares by itself; `match` gives what it has found."""

    async def tokenizer() -> Verdict:
        try:
            return _aligned(await match(), model)
        except CoSteerError as error:
            return failed(error.message, MEND)

    async def template() -> Verdict:
        return _rendered(await match(), dated=dated)

    return [Check(NAMES[0], tokenizer, needs, seconds=90), Check(NAMES[1], template, (NAMES[0],))]


def _aligned(match: Match, model: str) -> Verdict:
    if match.alignment is None:
        return ok(f"The remote's is that of {model} (alignment: identity)")
    return ok(f"The remote's is not that of {model} (alignment: {match.described})")


def _rendered(match: Match | None, *, dated: bool) -> Verdict:
    if match is not None and match.public.alone:
        return ok("Conversations are rendered here: the remote tells no token ids")
    if match is not None and match.public.rendered_here:
        return ok("Alike: conversations are rendered here, which saves a round trip")
    why = "It writes the date" if dated else "The remote's is not one that is known here"
    return ok(f"{why}: conversations are rendered by the remote, one round trip before each reply")


def _vocabulary(folder: Path, name: str, *, fast: bool) -> RemoteVocabulary:
    """`fast`: as a start takes it that needs no transformers for another tokenizer."""
    from app.tokenization.tokenizer import load_tokenizer  # noqa: PLC0415

    tokenizer = load_tokenizer(str(folder), "COSTEER_REMOTE_TOKENIZER", fast=fast)
    return RemoteVocabulary(tokenizer, f"by the tokenizer of {Path(name).name}")


def _load(folder: Path) -> Tokenizer:
    from app.tokenization.tokenizer import Tokenizer  # noqa: PLC0415

    return Tokenizer(str(folder))
