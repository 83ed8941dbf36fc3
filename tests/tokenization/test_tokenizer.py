"""What tokens stand for, in both families of vocabularies; thoughts; and prompts that end in the middle."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Rust

from app.api.chat.logprobs import split
from app.decoding.reply import TokenText
from app.decoding.request import Token
from app.errors import InvalidRequest, WeightsError
from app.prompts.message import Message
from app.prompts.private import PrivateMessage
from app.remote.interface import DraftToken
from app.tokenization.alignment import align
from app.tokenization.detokenizer import Detokenizer
from app.tokenization.tokenizer import Tokenizer

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>")
THINK = ("<think>", "</think>")
CORPUS = ["Hello world, hello again. Größe, naïve café; 東京タワーは高い。 a  b\n\n"] * 4
HELLO = (Message("user", "Hello"),)
NONE = np.zeros(1)


def saved(rust: Rust, folder: Path, template: str = TEMPLATE, think: bool = True) -> Tokenizer:
    rust.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL])
    if think:
        rust.add_tokens([AddedToken(name, special=False, normalized=False) for name in THINK])
    rust.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": template,
        "eos_token": "<|end|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return Tokenizer(str(folder))


def byte_level(folder: Path, template: str = TEMPLATE, think: bool = True) -> Tokenizer:
    """As GPT-2, Llama 3 and Qwen have it."""
    rust = Rust(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    rust.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet))
    return saved(rust, folder, template, think)


def sentencepiece(folder: Path) -> Tokenizer:
    """As Llama 2 and Mistral have it: spaces as ▁, unknown characters as bytes, no space in front."""
    letters = [*"▁HeloworldaginGrößeJ,.", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocabulary = {
        token: number for number, token in enumerate(dict.fromkeys(["<unk>", *letters, "▁w", "▁a"]))
    }
    rust = Rust(models.BPE(vocabulary, [("▁", "w"), ("▁", "a")], unk_token="<unk>", byte_fallback=True))
    rust.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    rust.decoder = decoders.Sequence(parts)
    return saved(rust, folder)


def unigram(folder: Path) -> Tokenizer:
    """As T5 and Gemma have it: the likeliest pieces, not merges; a space in front of every text."""
    pieces = [("<unk>", 0.0), *((f"<0x{byte:02X}>", -9.0) for byte in range(256))]
    pieces += [
        (piece, -float(number)) for number, piece in enumerate(["▁", "▁wor", "ld", "▁Hello", "l", "o"], 1)
    ]
    rust = Rust(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    rust.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    rust.decoder = decoders.Sequence(parts)
    return saved(rust, folder)


def wordpiece(folder: Path) -> Tokenizer:
    """As BERT has it: what is no beginning of a word is written with two signs."""
    words = ["[UNK]", *"unspelabygod", *(f"##{letter}" for letter in "unspelabygod")]
    rust = Rust(
        models.WordPiece(
            {word: number for number, word in enumerate(dict.fromkeys(words))}, unk_token="[UNK]"
        )
    )
    rust.pre_tokenizer = pre_tokenizers.Whitespace()
    rust.decoder = decoders.WordPiece()
    return saved(rust, folder)


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    return {
        "byte level": byte_level(tmp_path_factory.mktemp("byte")),
        "sentencepiece": sentencepiece(tmp_path_factory.mktemp("piece")),
        "unigram": unigram(tmp_path_factory.mktemp("unigram")),
    }


def spelled(tokenizer: Tokenizer, ids: list[int]) -> tuple[str, bytes]:
    """The text of `ids` as it is let out, and the bytes that its tokens have of it."""
    text = Detokenizer(tokenizer)
    whole, told, waiting = "", b"", []
    for number, token_id in enumerate([*ids, None]):
        if token_id is not None:
            waiting.append(Token(token_id, DraftToken(token_id, np.array([token_id]), NONE), NONE))
        piece = text.flush() if number == len(ids) else text.push(token_id or 0)
        if piece or number == len(ids):
            told += b"".join(part or b"" for part in split(TokenText(tuple(waiting), piece), tokenizer))
            waiting.clear()
        whole += piece
    return whole, told


TEXTS = st.text(max_size=12) | st.sampled_from(
    ["Hello world", " a  b", "👩‍👩‍👧‍👦 東京", "e\u0301\n\n", "<think>Hello</think> world", "<|end|>Hello"]
)


@pytest.mark.parametrize("family", ["byte level", "sentencepiece"])
@given(text=TEXTS)
def test_the_bytes_of_a_text_s_tokens_are_its_utf_8(
    families: dict[str, Tokenizer], family: str, text: str
) -> None:
    tokenizer = families[family]
    whole, told = spelled(tokenizer, tokenizer.encode(text))
    assert told == whole.encode()


@pytest.mark.parametrize("family", ["byte level", "sentencepiece"])
@given(ids=st.lists(st.integers(0, 270), max_size=12))
def test_whatever_the_tokens_their_bytes_read_as_the_text(
    families: dict[str, Tokenizer], family: str, ids: list[int]
) -> None:
    whole, told = spelled(families[family], ids)
    if "\N{REPLACEMENT CHARACTER}" not in whole:
        assert told == whole.encode()
    if family == "byte level":  # the others replace whole runs of bytes
        assert told.decode(errors="replace") == whole


def test_tokens_of_both_families_have_their_bytes(families: dict[str, Tokenizer]) -> None:
    for tokenizer in families.values():
        ids = tokenizer.encode("a 🦆")
        assert len(ids) >= 4
        joined = b"".join(tokenizer.token_bytes(i) or b"" for i in ids)
        assert joined.strip() == "a 🦆".encode()
        assert "\N{REPLACEMENT CHARACTER}" in [tokenizer.token_text(i) for i in ids]


@pytest.mark.parametrize("family", ["byte level", "sentencepiece", "unigram"])
@given(text=TEXTS)
def test_a_text_that_goes_on_from_another_is_spelled_as_it_is(
    families: dict[str, Tokenizer], family: str, text: str
) -> None:
    """And its tokens, read as those of a remote with the same tokenizer, add up to the same bytes."""
    tokenizer = families[family]
    alignment = align(tokenizer, tokenizer)
    reply = alignment.retokenizer()
    ids = tokenizer.encode_after(text)
    reply.follow(ids)
    data = b"".join(tokenizer.token_bytes(token_id) or b"" for token_id in ids)
    again = b"".join(tokenizer.token_bytes(token_id) or b"" for token_id in reply.at(len(ids)))
    assert again == data
    if not any(sign in text for sign in ("▁", *SPECIAL, *THINK)):
        assert data == text.encode()


def test_tokens_that_do_not_spell_their_text_are_refused_by_name(
    families: dict[str, Tokenizer], tmp_path: Path
) -> None:
    bert = wordpiece(tmp_path)
    with pytest.raises(WeightsError, match=re.escape(str(tmp_path))):
        align(families["byte level"], bert)
    with pytest.raises(WeightsError, match="Choose another"):
        bert.check_spelling()


def test_added_tokens_are_text_and_special_ones_are_names(families: dict[str, Tokenizer]) -> None:
    for tokenizer in families.values():
        assert tokenizer.think_ids is not None
        assert [tokenizer.token_bytes(i) for i in tokenizer.think_ids] == [b"<think>", b"</think>"]
        (end,) = tokenizer.eos_ids
        assert (tokenizer.token_bytes(end), tokenizer.token_text(end)) == (None, "<|end|>")
        assert (tokenizer.token_bytes(10_000), tokenizer.token_text(10_000)) == (None, "")


def test_the_space_of_a_continued_text_is_kept(families: dict[str, Tokenizer]) -> None:
    tokenizer = families["sentencepiece"]
    before, space_w = tokenizer.encode("Hello"), tokenizer.encode("o w")[-1]
    assert tokenizer.token_bytes(space_w) == b" w"
    assert Detokenizer(tokenizer).push(space_w) == "w"
    assert Detokenizer(tokenizer, before).push(space_w) == " w"


# Thoughts


def test_without_the_markers_as_tokens_there_are_no_thoughts(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path, think=False)
    assert tokenizer.think_ids is None
    assert not tokenizer.thinking(tokenizer.encode("<think>"))


@pytest.mark.parametrize(
    ("prompt", "continued", "inside"),
    [
        ("<|user|>Hello<|end|><|assistant|>", None, False),
        ("<|user|>Hello<|end|><|assistant|><think>", None, True),
        ("<|user|>Hello<|end|><|assistant|><think>\n\n", None, True),
        ("<|user|>Hello<|end|><|assistant|><think>\n\n</think>\n\n", None, False),
        ("<|user|>What is <think><|end|><|assistant|>", None, False),
        ("<|user|>What is <think>?<|end|><|assistant|>", None, False),
        ("<|user|>Hello<|end|><|assistant|><think>Well, hello", "<think>Well, hello", True),
        ("<|user|>Hello<|end|><|assistant|><think>\nWell, hello", "Well, hello", True),
        ("<|user|>Hello<|end|><|assistant|><think>Well</think>Hello", "<think>Well</think>Hello", False),
        ("<|user|>What is <think> again?<|end|><|assistant|>a", "a", False),
    ],
)
def test_a_reply_begins_inside_a_thought_that_the_prompt_left_open(
    families: dict[str, Tokenizer], prompt: str, continued: str | None, inside: bool
) -> None:
    tokenizer = families["byte level"]
    assert tokenizer.thinking(tokenizer.encode(prompt), continued) is inside


# Prompts


def test_a_prompt_is_open_for_a_reply_or_for_more_of_the_last_one(families: dict[str, Tokenizer]) -> None:
    tokenizer = families["byte level"]
    begun = (*HELLO, Message("assistant", "Well, hel"))
    assert tokenizer.render(HELLO) == "<|user|>Hello<|end|><|assistant|>"
    rendered = tokenizer.render(begun, continue_final=True)
    assert rendered == "<|user|>Hello<|end|><|assistant|>Well, hel"
    assert tokenizer.chat(begun, continue_final=True) == tokenizer.encode(rendered)


def test_a_template_that_drops_the_final_message_is_refused_and_nothing_quoted(tmp_path: Path) -> None:
    template = "{% for m in messages %}{% if m.role != 'assistant' %}{{ m.content }}{% endif %}{% endfor %}"
    tokenizer = byte_level(tmp_path, template)
    begun = (PrivateMessage("system", "swordfish"), PrivateMessage("assistant", "secretly"))
    with pytest.raises(InvalidRequest, match="cannot be continued") as refused:
        tokenizer.render(begun, continue_final=True)
    error: BaseException | None = refused.value
    assert refused.value.param == "messages"
    while error is not None:
        assert "swordfish" not in str(error)
        assert "secretly" not in str(error)
        error = error.__cause__ or error.__context__
