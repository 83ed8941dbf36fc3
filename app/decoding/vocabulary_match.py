"""Compares the remote's vocabulary with the local model's, and finds how to map one to the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from app.decoding.special_tokens import closing, closing_here, marked_text, same_special_tokens
from app.errors import RemoteError, TokenizerMismatch
from app.local.aligned_model import AlignedLocalModel
from app.local.interface import LocalModel, OwnedModel, with_rows
from app.remote.interface import UNTOLD, RemoteModel, RemoteVocabulary, counted
from app.remote.prompt import PublicPrompt
from app.tokenization.alignment import ByteAlignment, align
from app.tokenization.probes import PROBES, first_difference
from app.tokenization.tokenizer import Tokenizer
from app.tokenization.vocabulary import Vocabulary

IDENTITY = "identity"
UNLIKE = (
    "The remote's tokenizer is not the small model's. A small model on a server has to share it: "
    "have that of COSTEER_LOCAL_BASE_URL serve one of the remote's family, or unset it to run "
    "one in this process, where the two may differ."
)
LOOK_ALIKE = "; the two look alike, but their special tokens are not the same"
ANOTHER = (
    "The tokenizer that COSTEER_REMOTE_TOKENIZER names is not the remote's. Set it to the hub id or the "
    "folder of the model that the remote serves, or leave it empty."
)


@dataclass(frozen=True)
class Match:
    """The remote's vocabulary and prompt, and the alignment; None where the vocabularies are the same.

    `described` says in words which alignment is in use.
    """

    vocabulary: Vocabulary
    public: PublicPrompt
    alignment: ByteAlignment | None
    described: str

    def model(self, local: OwnedModel) -> LocalModel:
        """The local model as one that scores replies in the remote's tokens."""
        return local if self.alignment is None else AlignedLocalModel(with_rows(local), self.alignment)


class VocabularyMatcher:
    """Compares the two vocabularies when first asked, and caches the result."""

    def __init__(
        self,
        remote: RemoteModel,
        tokenizer: Tokenizer,
        known: RemoteVocabulary | None = None,
        *,
        alike: bool = False,
    ) -> None:
        """`tokenizer` is the local model's. Where the two vocabularies differ, `known` is the remote's; if
        that is None the remote is asked for it. `alike`: they must not differ, since the local model has no
        rows to align."""
        self.tokenizer = tokenizer
        self._alike = alike
        self._remote = remote
        self._known = known
        self._comparing: asyncio.Task[Match] | None = None

    async def match(self) -> Match:
        """The result. Raises TokenizerMismatch or WeightsError where the two cannot be aligned, and what the
        remote raises; after an error the next call compares again."""
        if self._comparing is None:
            self._comparing = asyncio.create_task(self._compare())
        comparing = self._comparing
        # It may take seconds: a caller that is cancelled leaves the task running for the next one.
        await asyncio.wait([comparing])
        if comparing.exception() is not None and self._comparing is comparing:
            self._comparing = None
        return comparing.result()

    async def _compare(self) -> Match:
        try:
            async with asyncio.TaskGroup() as group:
                cut = [group.create_task(self._remote.tokenize_text(text)) for text in PROBES]
        except ExceptionGroup as errors:
            error = errors.exceptions[0]
            untold = isinstance(error, RemoteError) and error.code == UNTOLD
            if not untold or self._known is None or not isinstance(self._known.vocabulary, Tokenizer):
                raise error from None
            return await self._trusted(self._known.vocabulary, self._known.source)
        theirs = [task.result() for task in cut]
        named = self._named()
        alike = not _differ(theirs, self.tokenizer)
        if alike and await same_special_tokens(self._remote, self.tokenizer, *named):
            self.tokenizer.end_at(await closing(self._remote, self.tokenizer))
            public = PublicPrompt(self._remote, self.tokenizer)
            await public.compare()
            return Match(self.tokenizer, public, None, IDENTITY)
        if self._alike:
            raise TokenizerMismatch(UNLIKE)
        known = self._known or await self._remote.vocabulary()
        own = known.vocabulary if isinstance(known.vocabulary, Tokenizer) else None
        if own is not None and (_differ(theirs, own) or not await same_special_tokens(self._remote, own)):
            raise TokenizerMismatch(ANOTHER)
        if own is not None:
            own.check_spelling()
            own.end_at(await closing(self._remote, own))
        public = PublicPrompt(self._remote, own, known.vocabulary)
        await public.compare()
        alignment = await asyncio.to_thread(align, known.vocabulary, self.tokenizer)
        described = _by_bytes(alignment, known.source) + (LOOK_ALIKE if alike else "")
        return Match(known.vocabulary, public, alignment, described)

    async def _trusted(self, own: Tokenizer, source: str) -> Match:
        """By the remote's tokenizer as it is named, since the remote tells no token ids: of that no more can
        be checked than how many tokens texts have."""
        marked = marked_text(own, self.tokenizer)
        texts = (*PROBES, marked)
        told = [await counted(self._remote, text) for text in texts]
        more = {theirs - len(own.encode(one)) for theirs, one in zip(told, texts, strict=True) if theirs}
        if not (more <= {0} or more <= {1}):  # one that begins every text
            raise TokenizerMismatch(ANOTHER)
        own.check_spelling()
        public = PublicPrompt(self._remote, own, own)
        compared = await public.trust()
        own.end_at(await asyncio.to_thread(closing_here, own))
        same = all(own.encode(text) == self.tokenizer.encode(text) for text in texts)
        if self._alike and not same:
            raise TokenizerMismatch(UNLIKE)
        alignment = None if same else await asyncio.to_thread(align, own, self.tokenizer)
        checked = "numbers of tokens agree" if compared and more else "nothing could be compared"
        source = f"{source}; the remote tells no token ids, {checked}"
        described = f"{IDENTITY} ({source})" if alignment is None else _by_bytes(alignment, source)
        return Match(own, public, alignment, described)

    def _named(self) -> tuple[Tokenizer, ...]:
        """The remote's tokenizer, where the settings name one."""
        named = self._known.vocabulary if self._known is not None else None
        return (named,) if isinstance(named, Tokenizer) else ()


def _by_bytes(alignment: ByteAlignment, source: str) -> str:
    return f"bytes: {alignment.exact:.0%} of the remote's tokens are tokens here ({source})"


def _differ(theirs: list[list[int]], tokenizer: Tokenizer) -> bool:
    return first_difference(theirs, [tokenizer.encode(text) for text in PROBES]) is not None
