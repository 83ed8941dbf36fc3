"""Two vocabularies that are the same, that are not, and that cannot go together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from fakes import EOS, LOUD, VOCABULARY, FakeLocal, FakeRemote, FakeSession, FakeTokenizer
from hypothesis import given
from hypothesis import strategies as st

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.errors import RemoteUnavailable, TokenizerMismatch
from app.local.aligned_model import AlignedLocalModel
from app.local.engine.branch import Branch
from app.profiles.profile import Preference
from app.prompts.message import Message
from app.prompts.private import Contrast, PrivatePrompt
from app.remote.interface import RemoteVocabulary
from app.steering.formula import Rows
from app.steering.sampling import SamplingParams
from app.steering.strength import AUTO, Strength

PAIRS = [bytes([first, second]) for first in b"abcdehlorw " for second in b"abcdehlorw "]


class OtherTokenizer(FakeTokenizer):
    """The bytes in another order, and tokens of two letters besides."""

    def __init__(self) -> None:
        super().__init__()
        self._size = VOCABULARY + len(PAIRS)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for token_id in super().encode(text):
            last = self.token_bytes(ids[-1]) if ids else None
            both = (last or b"") + bytes([token_id]) if token_id < EOS else b""
            if both in PAIRS:
                ids[-1] = VOCABULARY + PAIRS.index(both)
            else:
                ids.append(255 - token_id if token_id < EOS else token_id)
        return ids

    def token_bytes(self, token_id: int) -> bytes | None:
        if token_id >= VOCABULARY:
            return PAIRS[token_id - VOCABULARY]
        return bytes([255 - token_id]) if token_id < EOS else None


class OtherLocal(FakeLocal):
    """FakeLocal over that vocabulary: the same wishes."""

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[FakeSession]:
        respelled = [
            replace(one, aware=_respelled(one.aware), agnostic=_respelled(one.agnostic)) for one in contrasts
        ]
        async with super().session(respelled) as session:
            yield OtherSession(session)


def _respelled(prompt: PrivatePrompt) -> PrivatePrompt:
    """The same text in the tokens of FakeTokenizer."""
    spelled = (OtherTokenizer().token_bytes(token_id) for token_id in prompt.ids)
    return PrivatePrompt(tuple(byte for data in spelled for byte in data or b""))


class OtherSession(FakeSession):
    def __init__(self, like: FakeSession) -> None:
        self.__dict__.update(like.__dict__)

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        rows = await super().rows(generated, keep, branches)
        pairs = np.full((*rows.shape[:2], len(PAIRS)), -30.0, np.float32)
        return np.concatenate([rows[..., EOS - 1 :: -1], rows[..., EOS:], pairs], axis=-1)


def generation(strength: Strength, *preferences: Preference) -> GenerationRequest:
    question = (Message("user", "Hello?"),)
    greedy = SamplingParams(temperature=0.0)
    return GenerationRequest(
        "fake-model",
        question,
        greedy,
        max_tokens=400,
        profile=LOUD,
        strength=strength,
        preferences=preferences,
    )


async def written(
    remote: FakeRemote,
    local: FakeLocal,
    matcher: VocabularyMatcher,
    strength: Strength = 1.0,
    *preferences: Preference,
) -> str:
    generator = Generator(remote, local, matcher, DecodingConfig())
    reply = await generator.prepare(generation(strength, *preferences))
    return "".join([piece.text async for piece in reply.pieces()])


def other(remote: FakeRemote) -> VocabularyMatcher:
    return VocabularyMatcher(remote, OtherTokenizer())


async def test_the_same_vocabulary_is_found_to_be() -> None:
    remote, local = FakeRemote(), FakeLocal()
    match = await VocabularyMatcher(remote, FakeTokenizer()).match()
    assert (match.described, match.alignment, match.model(local)) == ("identity", None, local)


async def test_another_vocabulary_steers_to_the_same_text() -> None:
    remote = FakeRemote()
    text = await written(remote, FakeLocal(), VocabularyMatcher(remote, FakeTokenizer()))
    assert text == "HELLO WORLD"
    assert await written(remote, OtherLocal(), other(remote)) == text
    match = await other(remote).match()
    assert isinstance(match.model(OtherLocal()), AlignedLocalModel)
    assert match.described.startswith("bytes: 100% of the remote's tokens")


@pytest.mark.parametrize(("strength", "text"), [(1.0, "HELLO_WORLD"), (AUTO, "hello_world")])
async def test_two_contrasts_steer_in_another_vocabulary_as_in_the_same(
    strength: Strength, text: str
) -> None:
    """LOUD is who the person is, JOINED is how replies should be."""
    remote, other_local = FakeRemote(), OtherLocal()
    own = Preference("Be JOINED.", "Be apart.")
    same = VocabularyMatcher(remote, FakeTokenizer())
    assert await written(remote, FakeLocal(), same, strength, own) == text
    assert await written(remote, other_local, other(remote), strength, own) == text
    assert [len(contrasts) for contrasts in other_local.read] == [2]


@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode(errors="surrogatepass")))
async def test_whatever_the_remote_writes_comes_through_as_it_is(data: bytes) -> None:
    """Parts of characters, characters of parts, half surrogates; a little steering changes none of it."""
    remote = FakeRemote()
    remote.text = data
    text = await written(remote, OtherLocal(), other(remote), strength=0.01)
    assert text == data.decode(errors="replace")


@given(st.text(max_size=30))
async def test_and_so_does_what_is_steered(text: str) -> None:
    remote = FakeRemote()
    remote.text = text
    alike = await written(remote, FakeLocal(), VocabularyMatcher(remote, FakeTokenizer()))
    assert await written(remote, OtherLocal(), other(remote)) == alike


async def test_a_tokenizer_that_is_not_the_remotes_is_refused_and_the_setting_named() -> None:
    remote = FakeRemote()
    matcher = VocabularyMatcher(remote, OtherTokenizer(), RemoteVocabulary(OtherTokenizer(), "another"))
    with pytest.raises(TokenizerMismatch, match="COSTEER_REMOTE_TOKENIZER"):
        await matcher.match()


async def test_who_gives_up_waiting_leaves_the_comparison_to_others() -> None:
    asked = 0
    go = asyncio.Event()

    class Slow(FakeRemote):
        async def vocabulary(self) -> RemoteVocabulary:
            nonlocal asked
            asked += 1
            await go.wait()
            return RemoteVocabulary(FakeTokenizer(), "slowly")

    matcher = VocabularyMatcher(Slow(), OtherTokenizer())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(matcher.match(), 0.01)
    waiting = [asyncio.create_task(matcher.match()) for _ in range(3)]
    await asyncio.sleep(0)
    go.set()
    matches = await asyncio.gather(*waiting)
    assert (asked, len(set(map(id, matches)))) == (1, 1)


async def test_a_remote_that_could_not_be_asked_is_asked_again() -> None:
    class Down(FakeRemote):
        async def tokenize_text(self, text: str) -> list[int]:
            if self.unreachable is not None:
                raise self.unreachable
            return await super().tokenize_text(text)

    remote = Down()
    remote.unreachable = RemoteUnavailable("down")
    matcher = VocabularyMatcher(remote, FakeTokenizer())
    with pytest.raises(RemoteUnavailable):
        await matcher.match()
    remote.unreachable = None
    assert (await matcher.match()).described == "identity"
