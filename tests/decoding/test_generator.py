"""From an order to text: the prompts, the room for a reply, and what is refused before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from fakes import EOS, JOINED, LOUD, LOUD_HISTORY, FakeLocal, FakeRemote, FakeTokenizer, as_hits
from hypothesis import given
from hypothesis import strategies as st

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    RemoteUnavailable,
    TokenizerMismatch,
)
from app.local.engine.owner import Owner
from app.profiles.disclosure import Disclosure
from app.profiles.profile import Preference, Profile
from app.prompts.context import decided
from app.prompts.message import Message
from app.prompts.private import PrivatePrompt, introduction
from app.steering.sampling import SamplingParams
from app.steering.strength import AUTO, PREFERENCE_WEIGHT
from app.tokenization.detokenizer import Detokenizer

HELLO = (Message("user", "Say hello."),)
ORDER = GenerationRequest(
    "fake-model",
    HELLO,
    SamplingParams(temperature=0.0),
    profile=LOUD,
    history=as_hits(LOUD_HISTORY),
    strength=0.5,
)


@pytest.fixture
def remote() -> FakeRemote:
    return FakeRemote()


def writer_of(remote: FakeRemote, config: DecodingConfig | None = None) -> Generator:
    return Generator(
        remote, FakeLocal(), VocabularyMatcher(remote, FakeTokenizer()), config or DecodingConfig()
    )


async def written(generator: Generator, generation: GenerationRequest) -> str:
    reply = await generator.prepare(generation)
    return "".join([piece.text async for piece in reply.pieces()])


async def test_the_aware_prompt_alone_has_what_is_private_and_before_the_conversation(
    remote: FakeRemote,
) -> None:
    request = (await writer_of(remote).prepare(ORDER)).request
    public = FakeTokenizer().chat(HELLO)
    assert list(request.prompt) == public
    (person,) = request.contrasts
    assert person.agnostic == PrivatePrompt(tuple(public))
    assert person.weight == 1
    assert list(person.aware.ids[-len(public) :]) == public
    before = FakeTokenizer().decode(person.aware.ids[: -len(public)])
    places = [before.index(text) for text in (LOUD.name, *dict(LOUD.fields).values(), LOUD_HISTORY[0].text)]
    assert places == sorted(places)
    assert request.eos_ids == {EOS}


@pytest.mark.parametrize(
    ("wanted", "drafted", "text"),
    [
        (Preference("Be LOUD."), "hello world", "HELLO WORLD"),
        (Preference("Be JOINED.", "Be apart."), "hello world", "hello_world"),
        (Preference("Be calm.", "Be LOUD."), "HELLO WORLD", "hello world"),
        (Preference("Be LOUD.", "Be very LOUD."), "hello world", "hello world"),
        (Preference("Be calm.", "Be apart."), "hello world", "hello world"),
    ],
    ids=["towards", "towards, with an opposite", "away", "towards and away alike", "neither"],
)
async def test_a_preference_needs_no_profile_and_its_opposite_is_steered_away_from(
    remote: FakeRemote, wanted: Preference, drafted: str, text: str
) -> None:
    remote.text = drafted
    generation = replace(ORDER, profile=None, history=(), preferences=(wanted,))
    reply = await writer_of(remote).prepare(generation)
    assert (reply.request.steered, reply.unsteered) == (True, None)
    assert await written(writer_of(remote), generation) == text
    for sent in (wanted.text, wanted.opposite):
        assert not sent or sent not in remote.everything()


async def test_preferences_change_nothing_in_what_is_read_of_the_person(remote: FakeRemote) -> None:
    """So that the KV cache of it serves whatever is preferred."""
    person, *others = (await writer_of(remote).prepare(ORDER)).request.contrasts
    assert others == []
    for wanted in (Preference("Be JOINED.", "Be apart."), Preference("Hum.")):
        generation = replace(ORDER, preferences=(wanted,))
        same, own = (await writer_of(remote).prepare(generation)).request.contrasts
        alone = (await writer_of(remote).prepare(replace(generation, profile=None, history=()))).request
        assert same == person
        assert alone.contrasts == (own,)
        assert own.weight == PREFERENCE_WEIGHT
        if not wanted.opposite:
            assert own.agnostic == person.agnostic


@pytest.mark.parametrize("draft_length", [1, 3, 100])
async def test_a_person_and_preferences_steer_together(remote: FakeRemote, draft_length: int) -> None:
    generation = replace(ORDER, preferences=(Preference("Be JOINED.", "Be apart."),))
    generator = writer_of(remote, DecodingConfig(draft_length=draft_length))
    assert await written(generator, generation) == "HELLO_WORLD"


async def test_preferences_are_those_of_the_request(remote: FakeRemote) -> None:
    """It has the profile's where it has none of its own; see personal_context."""
    profile = replace(LOUD, fields=(("occupation", "Keeper"),), preferences=(Preference("Be LOUD."),))
    generation = replace(ORDER, profile=profile, history=())
    assert await written(writer_of(remote), generation) == "hello world"
    own = replace(generation, preferences=(Preference("Be JOINED."),))
    assert await written(writer_of(remote), own) == "hello_world"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"profile": None, "history": ()}, "no profile"),
        ({"strength": 0.0}, "strength 0"),
        ({"strength": 0.0, "profile": None, "preferences": (Preference("Be LOUD."),)}, "strength 0"),
        (
            {"profile": None, "history": (), "preferences": (Preference("Be LOUD. " * 500),)},
            "nothing to steer by",
        ),
    ],
)
async def test_what_is_not_steered_says_why(remote: FakeRemote, changed: dict[str, Any], why: str) -> None:
    reply = await writer_of(remote).prepare(replace(ORDER, **changed))
    assert (reply.request.steered, reply.unsteered) == (False, why)
    assert reply.request.contrasts == ()


@pytest.mark.parametrize("strength", [0.0, 0.5])
@pytest.mark.parametrize("profile", [None, replace(LOUD, uid="7e", version=3)])
async def test_what_models_keep_of_a_request_is_its_profile_s(
    remote: FakeRemote, profile: Profile | None, strength: float
) -> None:
    """Of its public side too, whether it is steered or not."""
    local = FakeLocal()
    generator = Generator(remote, local, VocabularyMatcher(remote, FakeTokenizer()), DecodingConfig())
    await generator.prepare(replace(ORDER, profile=profile, strength=strength))
    owner = None if profile is None else Owner("loud", "7e", 3)
    assert remote.kept == local.kept == [owner]


async def test_what_is_warmed_is_the_profile_s(remote: FakeRemote) -> None:
    local = FakeLocal()
    await Generator(remote, local, VocabularyMatcher(remote, FakeTokenizer()), DecodingConfig()).warm(LOUD)
    assert local.kept == [Owner.of(LOUD)]


@pytest.mark.parametrize(
    ("own", "bound"),
    [
        (Disclosure(fields=(("occupation", "off"),)), Disclosure()),
        (Disclosure(identifiers=(("name", "off"),)), Disclosure("fill")),
        (Disclosure(), Disclosure()),
        (Disclosure(), Disclosure("off")),
    ],
)
async def test_what_is_warmed_is_what_a_reply_reads(
    remote: FakeRemote, own: Disclosure, bound: Disclosure
) -> None:
    local = FakeLocal()
    matcher = VocabularyMatcher(remote, FakeTokenizer())
    generator = Generator(remote, local, matcher, DecodingConfig())
    profile = replace(LOUD, disclosure=own)
    await generator.warm(profile, (bound,))
    reply = await generator.prepare(replace(ORDER, profile=profile, disclosure=decided(profile, (bound,))))
    read = [FakeTokenizer().decode(one.aware.ids) for one in reply.request.contrasts]
    # With everything off nothing is read.
    assert len(local.warmed) == len(read) == int(bound.least != "off")
    for warmed, text in zip(local.warmed, read, strict=True):
        assert text.startswith(warmed)
        off = [one for one in (LOUD.name, *dict(LOUD.fields).values()) if one not in warmed]
        assert len(off) == int(own != Disclosure())


@pytest.mark.parametrize(
    "generation",
    [
        replace(ORDER, profile=None),
        replace(ORDER, profile=None, strength=AUTO),
        replace(ORDER, strength=0.0),
        replace(ORDER, profile=Profile(id="empty", name="")),
    ],
    ids=["no profile", "no profile, auto", "strength 0", "empty profile"],
)
async def test_with_nothing_to_steer_by_the_text_is_the_remote_s_own(
    remote: FakeRemote, generation: GenerationRequest
) -> None:
    assert await written(writer_of(remote), generation) == "hello world"


async def test_auto_steers_and_is_what_the_reply_is_told_of(remote: FakeRemote) -> None:
    generation = replace(ORDER, profile=JOINED, history=(), strength=AUTO)
    reply = await writer_of(remote).prepare(generation)
    assert (reply.request.strength, reply.unsteered) == (AUTO, None)
    assert await written(writer_of(remote), generation) == "hello_world"


async def test_a_profile_that_does_not_fit_is_no_profile(remote: FakeRemote) -> None:
    request = (await writer_of(remote, DecodingConfig(max_context_tokens=10)).prepare(ORDER)).request
    assert (request.contrasts, request.steered) == ((), False)


async def test_the_private_text_keeps_its_budget(remote: FakeRemote) -> None:
    budget = len(introduction(LOUD)) + 5
    request = (await writer_of(remote, DecodingConfig(max_context_tokens=budget)).prepare(ORDER)).request
    (person,) = request.contrasts
    text = FakeTokenizer().decode(person.aware.ids)
    assert dict(LOUD.fields)["occupation"] in text
    assert LOUD_HISTORY[0].text not in text


@pytest.mark.parametrize("remote_len", [60, 1000])
@pytest.mark.parametrize("local_len", [500, 600])
@pytest.mark.parametrize("opposite", [None, "Be apart.", "Be apart." * 22])
async def test_prompts_and_reply_fit_both_models(
    remote: FakeRemote, remote_len: int, local_len: int, opposite: str | None
) -> None:
    """However long any prompt is: here it is the person's, or that of the opposite."""
    remote.max_model_len, remote.endless = remote_len, True
    generator = writer_of(remote, DecodingConfig(max_model_len=local_len))
    wanted = (Preference("Be JOINED.", opposite),) if opposite is not None else ()
    reply = await generator.prepare(replace(ORDER, preferences=wanted))
    prompts = [one for pair in reply.request.contrasts for one in (pair.aware, pair.agnostic)]
    assert len(prompts) == 2 + 2 * len(wanted)
    longest = max(len(prompt.ids) for prompt in prompts)
    pieces = [piece async for piece in reply.pieces()]
    assert pieces[-1].finish_reason == "length"
    used = (reply.prompt_tokens + reply.stats.tokens, longest + reply.stats.tokens)
    assert used[0] == remote_len or used[1] == local_len
    assert used <= (remote_len, local_len)


class OnAServer(FakeLocal):
    """A small model on a server, which tells how much it takes once it is there."""

    told: int | None = None
    wanted = 0

    def kept_for(self, owner: Owner | None) -> OnAServer:
        return self

    async def check(self) -> None: ...
    async def try_out(self) -> None: ...

    async def longest(self, wanted: int) -> int | None:
        self.wanted = wanted
        return self.told


async def test_prompts_and_reply_fit_what_a_server_of_the_small_model_tells_even_if_late(
    remote: FakeRemote,
) -> None:
    remote.max_model_len, local = 100_000, OnAServer()
    matcher = VocabularyMatcher(remote, FakeTokenizer())
    generator = Generator(remote, local, matcher, DecodingConfig(max_model_len=800))

    async def longest() -> int:
        request = (await generator.prepare(ORDER)).request
        prompt = max(len(one.aware.ids) for one in request.contrasts)
        assert local.wanted == prompt + 1
        return request.max_tokens + prompt

    assert await longest() == 800
    local.told = 500
    assert await longest() == 500
    local.told = 100
    with pytest.raises(ContextLengthExceeded):
        await longest()
    local.told = 10_000
    assert await longest() == 800


async def test_a_reply_that_is_not_steered_may_be_as_long_as_the_remote_allows(remote: FakeRemote) -> None:
    remote.max_model_len = 100_000
    generator = writer_of(remote, DecodingConfig(max_model_len=400))
    for unsteered in (replace(ORDER, profile=None, history=()), replace(ORDER, strength=0.0)):
        reply = await generator.prepare(unsteered)
        assert reply.request.max_tokens == remote.max_model_len - reply.prompt_tokens


async def test_a_smaller_limit_of_the_client_wins(remote: FakeRemote) -> None:
    assert await written(writer_of(remote), replace(ORDER, max_tokens=2)) == "HE"


@pytest.mark.parametrize(("remote_len", "local_len"), [(13, 8192), (5, 8192), (4096, 100)])
async def test_without_room_for_one_token_the_order_is_refused(
    remote: FakeRemote, remote_len: int, local_len: int
) -> None:
    remote.max_model_len = remote_len
    with pytest.raises(ContextLengthExceeded, match="13 tokens"):
        await writer_of(remote, DecodingConfig(max_model_len=local_len)).prepare(ORDER)


async def test_another_model_is_refused_and_the_right_one_named(remote: FakeRemote) -> None:
    with pytest.raises(ModelNotFound, match="'fake-model'"):
        await writer_of(remote).prepare(replace(ORDER, model="gpt-5"))


async def test_another_tokenizer_is_refused_before_the_conversation_is_sent(remote: FakeRemote) -> None:
    class Other(FakeRemote):
        async def tokenize_text(self, text: str) -> list[int]:
            return [*await super().tokenize_text(text), 1]

    other = Other()
    with pytest.raises(TokenizerMismatch, match="COSTEER_REMOTE_TOKENIZER"):
        await writer_of(other).prepare(ORDER)
    assert "Say hello" not in other.everything()


async def test_the_tokenizers_are_compared_once(remote: FakeRemote) -> None:
    generator = writer_of(remote)
    await written(generator, ORDER)
    asked = [handed for handed in remote.handed if isinstance(handed, str)]
    remote.handed.clear()
    await written(generator, ORDER)
    assert len([handed for handed in remote.handed if isinstance(handed, str)]) < len(asked)


async def test_a_remote_that_comes_back_is_used_again(remote: FakeRemote) -> None:
    generator = writer_of(remote)
    remote.unreachable = RemoteUnavailable("Start it.")
    with pytest.raises(RemoteUnavailable):
        await generator.prepare(ORDER)
    remote.unreachable = None
    assert await written(generator, ORDER) == "HELLO WORLD"


async def test_stats_count_what_was_changed(remote: FakeRemote) -> None:
    reply = await writer_of(remote).prepare(replace(ORDER, profile=JOINED))
    pieces = [piece async for piece in reply.pieces()]
    assert "".join(piece.text for piece in pieces) == "hello_world"
    assert (reply.stats.tokens, reply.stats.changed) == (len("hello world") + 1, 1)
    assert [piece.finish_reason for piece in pieces if piece.finish_reason] == ["stop"]


async def test_leaving_in_the_middle_ends_the_draft_and_the_session(remote: FakeRemote) -> None:
    local = FakeLocal()
    reply = await Generator(
        remote, local, VocabularyMatcher(remote, FakeTokenizer()), DecodingConfig()
    ).prepare(ORDER)
    pieces = reply.pieces()
    await anext(pieces)
    assert local.sessions_open == 1
    await pieces.aclose()
    assert (local.sessions_open, remote.drafts_open) == (0, 0)


async def test_what_a_model_thinks_is_its_own_and_its_answer_is_steered(remote: FakeRemote) -> None:
    class Thinking(FakeTokenizer):
        think_ids = (ord("{"), ord("}"))

    remote.text = "a{hello}world"
    generator = Generator(remote, FakeLocal(), VocabularyMatcher(remote, Thinking()), DecodingConfig())
    assert await written(generator, ORDER) == "A{hello}WORLD"
    begun = (*HELLO, Message("assistant", "a{he"))
    generation = replace(ORDER, messages=begun, continue_final=True)
    assert await written(generator, generation) == "llo}WORLD"


async def test_a_copy_differs_in_its_seed_alone(remote: FakeRemote) -> None:
    reply = await writer_of(remote).prepare(replace(ORDER, sampling=SamplingParams(seed=7)))
    copies = reply.copies(3)
    assert copies[0] is reply
    assert [copy.request.sampling.seed for copy in copies] == [7, 8, 9]
    unseeded = [replace(copy.request, sampling=SamplingParams()) for copy in copies]
    assert unseeded[0] == unseeded[1] == unseeded[2]
    assert len({id(copy.stats) for copy in copies}) == 3


@pytest.mark.parametrize("messages", [HELLO, (*HELLO, Message("system", "Go on."))])
async def test_only_the_assistant_s_message_is_continued(
    remote: FakeRemote, messages: tuple[Message, ...]
) -> None:
    with pytest.raises(InvalidRequest, match="continue_final_message") as refused:
        await writer_of(remote).prepare(replace(ORDER, messages=messages, continue_final=True))
    assert refused.value.param == "messages"
    assert remote.handed == []


# Text from bytes

PIECES = st.text(max_size=20) | st.sampled_from(["naïve", "東京", "👩‍👩‍👧‍👦", "e\u0301"])


def spelled(ids: Sequence[int]) -> list[str]:
    text = Detokenizer(FakeTokenizer())
    return [*map(text.push, ids), text.flush()]


@given(PIECES)
def test_text_comes_whole_and_by_whole_characters(text: str) -> None:
    pieces = spelled(FakeTokenizer().encode(text))
    assert "".join(pieces) == text
    if "\N{REPLACEMENT CHARACTER}" not in text:
        assert "\N{REPLACEMENT CHARACTER}" not in "".join(pieces[:-1])


@given(st.binary(max_size=20))
def test_whatever_bytes_come_the_text_is_theirs(data: bytes) -> None:
    assert "".join(spelled(data)) == data.decode(errors="replace")
