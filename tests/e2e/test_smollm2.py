"""The real small model, in float32: caches, drafts, and the laws of the whole path on it."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import as_hits
from transformers import AutoModelForCausalLM

from app.api.chat.logprobs import logprobs
from app.decoding.generator import GenerationRequest, Generator
from app.decoding.grammar import ResponseFormat
from app.decoding.request import DecodeRequest, DecodingConfig, Token
from app.decoding.speculative import decode
from app.decoding.stats import Stats
from app.decoding.vocabulary_match import Match, VocabularyMatcher
from app.errors import ContextLengthExceeded, WeightsError
from app.local.engine.branch import Branch
from app.local.engine.kv_cache import KVCache
from app.local.engine.ragged import Part
from app.local.engine.runner import ModelRunner
from app.local.interface import Wanted
from app.local.model import LocalModel
from app.profiles.profile import Preference
from app.profiles.profile_file import read_profile_file
from app.prompts.local_prompts import local_prompts
from app.prompts.message import Message
from app.prompts.private import Contrast, PrivateContext, PrivatePrompt
from app.remote.embedded import EmbeddedRemote
from app.remote.prompt import PublicPrompt
from app.steering.sampling import SamplingParams
from app.steering.strength import Strength
from app.tokenization.alignment import align
from app.tokenization.detokenizer import Detokenizer

PROFILES = Path(__file__).parents[2] / "profiles"
QUESTION = (Message("user", "Write a short invitation to dinner on Saturday."),)
RHYMES = (Preference("Answer in rhymes.", "Answer in plain prose."),)


@pytest.fixture(scope="module")
def runner(bundle_path: str) -> Iterator[ModelRunner]:
    model = ModelRunner(bundle_path, dtype="float32", max_model_len=2048)
    yield model
    model.close()


def fresh_rows(runner: ModelRunner, ids: Sequence[int], keep: int) -> torch.Tensor:
    """The last `keep` rows of log-probabilities with no cache to reuse."""
    return runner.forward([Part(KVCache(), ids, keep)])[0]


def random_ids(rng: np.random.Generator, count: int) -> list[int]:
    return [int(i) for i in rng.integers(100, 40_000, count)]


def test_a_pass_equals_transformers_own(runner: ModelRunner, bundle_path: str) -> None:
    ids = random_ids(np.random.default_rng(0), 300)
    theirs = AutoModelForCausalLM.from_pretrained(bundle_path, dtype=torch.float32)
    with torch.inference_mode():
        own = theirs(input_ids=torch.tensor([ids]), logits_to_keep=5).logits[0].log_softmax(-1)
    torch.testing.assert_close(fresh_rows(runner, ids, 5), own, atol=2e-3, rtol=1e-3)


async def test_sequences_that_change_at_random_give_what_each_would_alone(runner: ModelRunner) -> None:
    """Two that grow, shrink and change, of different lengths, beside others that use the same model."""
    rng = np.random.default_rng(1)
    rows = [random_ids(rng, 30), random_ids(rng, 9)]
    with runner.lease() as lease, runner.lease() as other:
        for _ in range(12):
            for row in rows:
                if len(row) > 12 and rng.random() < 0.5:
                    del row[int(rng.integers(8, len(row))) :]
                row.extend(random_ids(rng, int(rng.integers(0, 7))))
            keep = int(rng.integers(1, 4))
            beside = random_ids(rng, 400)  # more than one pass takes
            (rows_of, _), _ = await asyncio.gather(
                runner.extend(lease, rows, keep, list), runner.extend(other, [beside], 1, list)
            )
            for row, got in zip(rows, rows_of, strict=True):
                torch.testing.assert_close(got, fresh_rows(runner, row, keep), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("keep", [1, 90])
async def test_a_long_prompt_in_several_passes_gives_what_one_pass_gives(
    runner: ModelRunner, monkeypatch: pytest.MonkeyPatch, keep: int
) -> None:
    monkeypatch.setattr("app.local.engine.scheduler.FEWEST", 32)
    monkeypatch.setattr("app.local.engine.scheduler.MOST", 32)
    ids = random_ids(np.random.default_rng(100 + keep), 131)
    with runner.lease() as lease:
        got, found = await runner.extend(lease, [ids], keep, list)
    assert found == 0
    torch.testing.assert_close(got[0], fresh_rows(runner, ids, keep), atol=2e-3, rtol=1e-3)


async def test_branches_see_what_they_continue_and_leave_nothing_behind(runner: ModelRunner) -> None:
    """They leave the sequence in what is held, in what is new, and at its very end."""
    rng = np.random.default_rng(3)
    rows = [random_ids(rng, 40), random_ids(rng, 11)]
    with runner.lease() as lease:
        await runner.extend(lease, [row[:8] for row in rows], 1, list)
        branches = [
            [Branch(5, random_ids(rng, 2)), Branch(len(row) - 2, random_ids(rng, 3)), Branch(len(row), [9])]
            for row in rows
        ]
        found, _ = await runner.extend(lease, rows, 2, list, branches=branches)
        after, _ = await runner.extend(lease, [[*row, 77] for row in rows], 1, list)
    for row, leaving, got, then in zip(rows, branches, found, after, strict=True):
        alone = [fresh_rows(runner, row, 2)]
        alone += [fresh_rows(runner, [*row[: b.start], *b.ids], len(b.ids)) for b in leaving]
        torch.testing.assert_close(got, torch.cat(alone), atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(then, fresh_rows(runner, [*row, 77], 1), atol=2e-3, rtol=1e-3)


def contrast(aware: list[int], agnostic: list[int]) -> Contrast:
    return Contrast(PrivatePrompt(tuple(aware)), PrivatePrompt(tuple(agnostic)))


async def test_what_goes_on_or_begins_alike_is_found_in_the_cache(runner: ModelRunner) -> None:
    rng = np.random.default_rng(2)
    local = LocalModel(runner)
    aware, agnostic = random_ids(rng, 120), random_ids(rng, 40)

    async def missing(aware: list[int], agnostic: list[int]) -> int:
        async with local.session([contrast(aware, agnostic)]) as session:
            await session.score([], 0, Wanted())
            assert session.found is not None
            return len(aware) + len(agnostic) - session.found

    await missing(aware, agnostic)
    for _ in range(5):  # other people's conversations in between
        await missing(random_ids(rng, 50), random_ids(rng, 50))
    more = random_ids(rng, 6)
    assert await missing([*aware, *more], [*agnostic, *more]) == 2 * len(more)
    # A new conversation with the same profile, and then the old one again: neither wipes out the other.
    new = random_ids(rng, 30)
    assert await missing([*aware[:60], *new], new) == 2 * len(new)
    assert await missing([*aware, *more], [*agnostic, *more]) == 2  # one token each, which is scored
    # What runs is read from as well.
    async with local.session([contrast(aware[:100], agnostic)]) as session:
        await session.score([], 0, Wanted())
        assert await missing([*aware[:100], *new], [*agnostic, *new]) == 2 * len(new)


async def reply(
    runner: ModelRunner,
    *,
    profile: str | None,
    strength: Strength,
    sampling: SamplingParams,
    draft_length: int,
    preferences: tuple[Preference, ...] = (),
) -> tuple[str, Stats]:
    remote = EmbeddedRemote(runner)
    config = DecodingConfig(draft_length=draft_length, verify_batch=draft_length // 2, max_context_tokens=300)
    generator = Generator(remote, LocalModel(runner), VocabularyMatcher(remote, runner.tokenizer), config)
    document = read_profile_file(PROFILES / f"{profile}.toml") if profile else None
    order = GenerationRequest(
        model=runner.name,
        messages=QUESTION,
        sampling=sampling,
        max_tokens=24,
        profile=document.profile if document else None,
        history=as_hits(document.history) if document else (),
        strength=strength,
        preferences=preferences,
    )
    written = await generator.prepare(order)
    return "".join([piece.text async for piece in written.pieces()]), written.stats


async def test_by_bytes_the_same_vocabulary_steers_as_it_does_by_identity(runner: ModelRunner) -> None:
    remote = EmbeddedRemote(runner)
    public = PublicPrompt(remote, runner.tokenizer)
    by_bytes = align(runner.tokenizer, runner.tokenizer)
    assert by_bytes.exact == 1.0
    document = read_profile_file(PROFILES / "ingrid.toml")
    tokens: list[list[Token]] = []
    for alignment in (None, by_bytes):
        match = Match(runner.tokenizer, public, alignment, "")
        private = PrivateContext(document.profile, preferences=RHYMES)
        prompts = local_prompts(private, QUESTION, runner.tokenizer, 300)
        assert len(prompts.pairs) == 2
        request = DecodeRequest(
            prompt=runner.tokenizer.chat(QUESTION),
            sampling=SamplingParams(temperature=0.0),
            max_tokens=40,
            eos_ids=runner.tokenizer.eos_ids,
            contrasts=prompts.contrasts(),
            strength=0.5,
        )
        local = match.model(LocalModel(runner))
        tokens.append([one async for one in decode(request, remote=remote, local=local, stats=Stats())])
    assert [one.token_id for one in tokens[0]] == [one.token_id for one in tokens[1]]
    for direct, spelled in zip(*tokens, strict=True):
        np.testing.assert_allclose(np.exp(spelled.logprobs), np.exp(direct.logprobs), atol=5e-5)


@pytest.mark.parametrize("preferences", [(), RHYMES], ids=["one contrast", "two"])
@pytest.mark.parametrize("strength", [0.5, 1.78])
async def test_greedy_text_is_the_same_at_any_draft_length(
    runner: ModelRunner, strength: float, preferences: tuple[Preference, ...]
) -> None:
    greedy = SamplingParams(temperature=0)
    replies = [
        await reply(
            runner,
            profile="isabel",
            strength=strength,
            sampling=greedy,
            draft_length=length,
            preferences=preferences,
        )
        for length in (1, 4, 16)
    ]
    assert len({text for text, _ in replies}) == 1
    assert replies[0][1].changed > 0


async def test_preferences_change_the_text_with_a_person_and_without(runner: ModelRunner) -> None:
    greedy = SamplingParams(temperature=0)
    texts = [
        (
            await reply(
                runner, profile=who, strength=1.0, sampling=greedy, draft_length=8, preferences=preferences
            )
        )[0]
        for who in (None, "isabel")
        for preferences in ((), RHYMES)
    ]
    assert len(set(texts)) == 4


async def test_profiles_and_strength_change_the_text(runner: ModelRunner) -> None:
    greedy = SamplingParams(temperature=0)
    texts = [
        (await reply(runner, profile=who, strength=strength, sampling=greedy, draft_length=8))[0]
        for who, strength in [("isabel", 0.0), (None, 0.5), ("isabel", 0.8), ("walter", 0.8)]
    ]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3


async def test_the_same_seed_gives_the_same_text(runner: ModelRunner) -> None:
    texts = [
        (
            await reply(
                runner, profile="walter", strength=0.5, sampling=SamplingParams(seed=seed), draft_length=8
            )
        )[0]
        for seed in (-7, -7, 8)
    ]
    assert texts[0] == texts[1] != texts[2]


PLAN = {
    "type": "object",
    "properties": {
        "place": {"type": "string", "maxLength": 30},
        "guests": {"type": "integer", "minimum": 1, "maximum": 20},
        "menu": {"type": "array", "items": {"type": "string", "maxLength": 15}, "minItems": 1, "maxItems": 2},
    },
    "required": ["place", "guests", "menu"],
    "additionalProperties": False,
}


async def test_json_of_a_schema_is_steered(runner: ModelRunner) -> None:
    remote = EmbeddedRemote(runner)
    matcher = VocabularyMatcher(remote, runner.tokenizer)
    generator = Generator(remote, LocalModel(runner), matcher, DecodingConfig(max_model_len=2048))
    texts = set()
    for profile in ("isabel", "walter", "ingrid", None):
        order = GenerationRequest(
            model=runner.name,
            messages=(Message("user", "Plan my dinner on Saturday. Answer in JSON: place, guests, menu."),),
            sampling=SamplingParams(temperature=0.0),
            max_tokens=150,
            profile=read_profile_file(PROFILES / f"{profile}.toml").profile if profile else None,
            strength=1.0 if profile else 0.0,
            response_format=ResponseFormat(PLAN),
        )
        written = await generator.prepare(order)
        assert written.request.steered == (profile is not None)
        text = "".join([piece.text async for piece in written.pieces()])
        plan = json.loads(text)
        assert list(plan) == ["place", "guests", "menu"]
        assert type(plan["guests"]) is int
        assert 1 <= plan["guests"] <= 20
        assert len(plan["place"]) <= 30
        texts.add(text)
    assert len(texts) == 4


async def test_a_final_message_is_continued_and_its_tokens_are_told(runner: ModelRunner) -> None:
    remote = EmbeddedRemote(runner)
    matcher = VocabularyMatcher(remote, runner.tokenizer)
    generator = Generator(remote, LocalModel(runner), matcher, DecodingConfig(verify_batch=4))
    document = read_profile_file(PROFILES / "isabel.toml")
    order = GenerationRequest(
        model=runner.name,
        messages=(*QUESTION, Message("assistant", "Dear friend, \N{PARTY POPPER} come to")),
        sampling=SamplingParams(
            temperature=0, logit_bias={runner.tokenizer.encode("\N{PARTY POPPER}")[0]: 8}
        ),
        max_tokens=12,
        profile=document.profile,
        strength=0.5,
        continue_final=True,
    )
    written = await generator.prepare(order)
    assert runner.tokenizer.decode(written.request.prompt).endswith("come to")
    assert written.request.steered
    pieces = [piece async for piece in written.pieces()]
    text = "".join(piece.text for piece in pieces)
    assert text.strip()
    assert not text.startswith("Dear")
    told = logprobs((s for piece in pieces for s in piece.token_texts), 3, runner.tokenizer)["content"]
    assert b"".join(bytes(entry["bytes"]) for entry in told).decode(errors="replace") == text
    assert all(entry["logprob"] <= entry["top_logprobs"][0]["logprob"] <= 0 for entry in told)


async def test_the_embedded_remote_drafts_as_a_vllm_does(runner: ModelRunner) -> None:
    remote = EmbeddedRemote(runner)
    prompt = await remote.tokenize(QUESTION)
    sampling = SamplingParams(temperature=1.5, seed=4)
    drafted = [p async for p in remote.draft(prompt, sampling=sampling, top_logprobs=5, max_tokens=12)]
    rows = fresh_rows(runner, [*prompt, *(p.token_id for p in drafted)], len(drafted) + 1)
    for position, row in zip(drafted, rows.double().numpy(), strict=False):
        top = np.argsort(-row)[:5]
        assert position.candidates[0] == position.token_id
        assert set(position.candidates) == {position.token_id, *top}
        np.testing.assert_allclose(position.logprobs, row[position.candidates], atol=1e-3)


async def test_a_reply_ends_at_the_end_token(runner: ModelRunner) -> None:
    remote = EmbeddedRemote(runner)
    prompt = await remote.tokenize((Message("user", "Reply with the one word: yes"),))
    wanted = DecodeRequest(prompt=prompt, sampling=SamplingParams(temperature=0), max_tokens=400)
    wanted = replace(wanted, eos_ids=runner.tokenizer.eos_ids)
    tokens = [token async for token in decode(wanted, remote=remote, local=None, stats=Stats())]
    assert tokens[-1].finish_reason == "stop"
    assert tokens[-1].token_id in runner.tokenizer.eos_ids


async def test_concurrent_replies_do_not_mix(runner: ModelRunner) -> None:
    greedy = SamplingParams(temperature=0)
    who = ["isabel", "walter", "ingrid"]
    alone = [await reply(runner, profile=w, strength=0.8, sampling=greedy, draft_length=4) for w in who]
    together = await asyncio.gather(
        *(reply(runner, profile=w, strength=0.8, sampling=greedy, draft_length=4) for w in who)
    )
    assert [text for text, _ in together] == [text for text, _ in alone]


async def test_a_prompt_past_the_limit_is_refused_before_any_pass(runner: ModelRunner) -> None:
    remote = EmbeddedRemote(runner)
    with pytest.raises(ContextLengthExceeded, match="COSTEER_MAX_MODEL_LEN"):
        await remote.tokenize((Message("user", "word " * 4000),))


@pytest.mark.parametrize(
    "text",
    [
        "Hello, world!",
        "naïve café — “quotes”",
        "東京タワーは高い。",
        "😀👩‍👩‍👧‍👦🇳🇴 e\u0301",
        "a\n\n  b\tc",
        "\U0001f9ff" * 5,
    ],
)
def test_text_comes_out_whole_however_its_tokens_cut_characters(runner: ModelRunner, text: str) -> None:
    detokenizer = Detokenizer(runner.tokenizer)
    pieces = [detokenizer.push(token) for token in runner.tokenizer.encode(text)]
    assert "".join(pieces) + detokenizer.flush() == text
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)


def test_bytes_that_never_become_a_character_show_at_the_end(runner: ModelRunner) -> None:
    detokenizer = Detokenizer(runner.tokenizer)
    first = runner.tokenizer.encode("\U0001f9ff")[0]
    assert detokenizer.push(first) == ""
    assert detokenizer.flush() == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("config", [None, "{", '{"model_type": "llama", "num_hidden_layers": "two"}'])
def test_a_folder_that_is_no_model_is_a_clear_error(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(WeightsError, match="cannot be loaded"):
        ModelRunner(str(tmp_path))
