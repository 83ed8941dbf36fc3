"""A local model whose vocabulary differs from the remote's, aligned so that it scores the remote's tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from app.local.engine.branch import Branch
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs, RowModel, RowSession, Wanted
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import FloatArray, IntArray, Rows, of_each
from app.tokenization.alignment import ByteAlignment
from app.tokenization.retokenizer import Retokenizer
from app.tokenization.sequence import common_prefix


class AlignedLocalModel:
    """Retokenizes replies in the remote's tokens by their bytes; gives logprobs of the remote's tokens."""

    def __init__(self, local: RowModel, alignment: ByteAlignment) -> None:
        self._local = local
        self._alignment = alignment

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[AlignedSession]:
        """A session over the contrasts' prompts, given in local tokens. Raises ContextLengthExceeded."""
        async with self._local.session(contrasts) as session:
            yield AlignedSession(session, self._alignment)

    async def warm(self, prefix: PrivatePrompt) -> None:
        """Prefill the shared prefix of later prompts, in the background."""
        await self._local.warm(prefix)


class AlignedSession:
    """One reply. The KV cache follows the local tokens of the whole reply; a position whose prefix tokenizes
    otherwise, as where its last token has grown since, is scored as a branch of the same pass."""

    ahead = True

    def __init__(self, session: RowSession, alignment: ByteAlignment) -> None:
        self._session = session
        self._alignment = alignment
        self._reply: Retokenizer = alignment.retokenizer()

    @property
    def cost(self) -> PassCost:
        """What a forward pass costs; scoring a position adds a token to it for each prompt, or a few more."""
        return self._session.cost

    @property
    def prompts(self) -> int:
        """Number of different prompts."""
        return self._session.prompts

    @property
    def prompt_tokens(self) -> int:
        """Number of tokens of all prompts together."""
        return self._session.prompt_tokens

    @property
    def found(self) -> int:
        """How many prompt tokens the prefix cache held when the session first scored; 0 before."""
        return self._session.found

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        """Logprobs at positions `first`..`len(generated)` of a reply in the remote's tokens."""
        self._reply.follow(generated)
        cuts = [self._reply.at(position) for position in range(first, len(generated) + 1)]
        path = cuts[-1]
        branches: list[Branch] = []
        at: list[int] = []  # per position: its local tokens on the path, or minus the branch rows so far
        rows_of_branches = 0
        for cut in cuts:
            shared = common_prefix(cut, path)
            if shared == len(cut):
                at.append(shared)
                continue
            branches.append(Branch(shared, cut[shared:]))
            rows_of_branches += len(cut) - shared
            at.append(-rows_of_branches)
        earliest = min([position for position in at if position >= 0])
        keep = len(path) - earliest + 1
        rows = await self._session.rows(path, keep, branches)
        indices = [one - earliest if one >= 0 else keep - one - 1 for one in at]
        return [AlignedLogprobs(rows[:, index], self._session.pairs, self._alignment) for index in indices]


class AlignedLogprobs:
    """One position's logprobs, from a local model whose vocabulary differs from the remote's."""

    def __init__(self, rows: Rows, pairs: IntArray, alignment: ByteAlignment) -> None:
        """`rows` [prompts, V]: local logprobs; `pairs` [m, 2]: those of each contrast."""
        self._rows = rows
        self._pairs = pairs
        self._alignment = alignment

    def logprobs(self, candidates: IntArray) -> FloatArray:
        """See LocalLogprobs."""
        return self._alignment.logprobs(self._rows, candidates)[self._pairs]

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        """See LocalLogprobs."""
        rows = (self._rows[aware] for aware in self._pairs[:, 0])
        return of_each((partial(self._alignment.likeliest, row, count) for row in rows), without)
