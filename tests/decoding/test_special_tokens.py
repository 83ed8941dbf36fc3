"""Vocabularies that share every word and merge, and differ in special tokens, which no plain text shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fakes import FakeRemote
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from app.decoding.vocabulary_match import LOOK_ALIKE, VocabularyMatcher
from app.errors import TokenizerMismatch
from app.remote.interface import RemoteVocabulary
from app.tokenization.tokenizer import Tokenizer

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }}</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TURNS = (
    "{% for m in messages %}{{ '<|User|>' if m.role == 'user' else '<|Assistant|>' }}{{ m.content }}"
    "{{ '<|end|>' if m.role == 'assistant' }}{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|>{% endif %}"
)
QWEN25 = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>")
QWEN3 = (*QWEN25, "<tool_response>", "</tool_response>", "<think>", "</think>")
DISTILLED = ("<|end|>", "<|User|>", "<|Assistant|>", "<tool_call>", "</tool_call>")


def tokenizer(
    special: tuple[str, ...],
    folder: Any,
    *,
    template: str = CHATML,
    padded: int = 0,
    eos: str | None = None,
) -> Tokenizer:
    """A byte-level one, its special tokens behind the 256 bytes, padded as a GGUF file's may be."""
    names = [*LETTERS, *special]
    names += [f"[PAD{len(names) + number}]" for number in range(padded)]
    rust = RustTokenizer(models.BPE(vocab={name: number for number, name in enumerate(names)}, merges=[]))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=rust,
        additional_special_tokens=list(special),
        chat_template=template,
        eos_token=eos or special[0],
    )
    fast.save_pretrained(folder)
    return Tokenizer(str(folder))


def remote(its: Tokenizer) -> FakeRemote:
    found = FakeRemote()
    found.tokenizer = its  # type: ignore[assignment]
    return found


async def test_the_same_special_tokens_are_an_identity(tmp_path: Any) -> None:
    one, other = tokenizer(QWEN3, tmp_path / "a"), tokenizer(QWEN3, tmp_path / "b", padded=7)
    for local, its in ((one, other), (other, one)):
        assert (await VocabularyMatcher(remote(its), local).match()).described == "identity"


@pytest.mark.parametrize(
    ("local", "its"),
    [
        ({"special": QWEN25}, {"special": QWEN3}),
        ({"special": QWEN3}, {"special": QWEN25}),
        ({"special": QWEN25, "padded": 9}, {"special": QWEN3}),
        ({"special": QWEN25}, {"special": DISTILLED, "template": TURNS}),
        ({"special": QWEN25, "padded": 9}, {"special": ("<|new|>", *QWEN25)}),
        ({"special": QWEN25}, {"special": (QWEN25[0], QWEN25[2], QWEN25[1], *QWEN25[3:])}),
        ({"special": (*QWEN25, "<odd>")}, {"special": QWEN25}),
        ({"special": QWEN25, "padded": 9}, {"special": (*QWEN25, "<|odd|>"), "template": f"<|odd|>{CHATML}"}),
        ({"special": QWEN25}, {"special": (*QWEN25, "<|odd|>"), "template": f"<|odd|>{CHATML}"}),
    ],
)
async def test_look_alikes_are_aligned_by_bytes(
    local: Mapping[str, Any], its: Mapping[str, Any], tmp_path: Any
) -> None:
    """More special tokens, fewer, others under the same ids, in another order, in the template alone."""
    own, far = tokenizer(folder=tmp_path / "a", **local), tokenizer(folder=tmp_path / "b", **its)
    match = await VocabularyMatcher(remote(far), own).match()
    assert match.vocabulary is far
    assert match.alignment is not None
    assert match.described.startswith("bytes: 100%")
    assert match.described.endswith(LOOK_ALIKE)


async def test_reasoning_of_a_look_alike_is_told_from_its_reply(tmp_path: Any) -> None:
    own, far = tokenizer(QWEN25, tmp_path / "a", padded=9), tokenizer(QWEN3, tmp_path / "b")
    match = await VocabularyMatcher(remote(far), own).match()
    assert own.think_ids is None
    assert match.vocabulary.think_ids == far.think_ids is not None


async def test_a_base_model_learns_what_ends_the_remotes_replies(tmp_path: Any) -> None:
    """Base and tuned models have one vocabulary, and end their texts with different tokens of it."""
    own = tokenizer(QWEN25, tmp_path / "a", eos="<|endoftext|>")
    far = tokenizer(QWEN25, tmp_path / "b", eos="<|im_end|>")
    match = await VocabularyMatcher(remote(far), own).match()
    assert match.described == "identity"
    assert match.vocabulary.eos_ids == {256, 258}


async def test_a_named_tokenizer_that_only_looks_like_the_remotes_is_refused(tmp_path: Any) -> None:
    far, named = tokenizer(QWEN3, tmp_path / "a"), tokenizer(QWEN25, tmp_path / "b")
    known = RemoteVocabulary(named, "by name")
    with pytest.raises(TokenizerMismatch, match="COSTEER_REMOTE_TOKENIZER"):
        await VocabularyMatcher(remote(far), named, known).match()


async def test_what_is_compared_is_the_same_for_everybody(tmp_path: Any) -> None:
    """The names of tokens and fixed conversations, whatever else the tokenizers hold."""
    its = remote(tokenizer(QWEN3, tmp_path / "a"))
    await VocabularyMatcher(its, tokenizer(QWEN3, tmp_path / "b")).match()
    again = remote(tokenizer(QWEN3, tmp_path / "c"))
    await VocabularyMatcher(again, tokenizer(QWEN3, tmp_path / "d")).match()
    assert sorted(map(repr, its.handed)) == sorted(map(repr, again.handed))
