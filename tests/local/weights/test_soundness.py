"""What is made of a GGUF file that nobody has pinned: ends of replies, and laws that wrong ones break."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFWriter
from tokenizers import Tokenizer as RustTokenizer
from tokenizers import decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    Gemma4TextConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
)
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from app.local.weights.conversion import to_transformers
from app.local.weights.endings import endings
from app.local.weights.errors import ConversionFailed
from app.local.weights.files.header import Header, Length, read_header
from app.local.weights.files.suitability import obstacle
from app.local.weights.soundness import check_tokenizer
from app.local.weights.stretching import llama3_factors, stretch
from local.weights.gguf_files import SPECIAL, TEMPLATE, write_model

EACH = "{%% for m in messages %%}{{ m.content }}%s{%% endfor %%}"


def converted(tmp_path: Path, **how: Any) -> Path:
    write_model(tmp_path / "a.gguf", **how)
    folder = tmp_path / "out"
    folder.mkdir()
    to_transformers(tmp_path / "a.gguf", folder, ())
    return folder


def tokenizer(
    special: tuple[str, ...] = SPECIAL, *, template: str = TEMPLATE, decodes: bool = True, whole: bool = True
) -> PreTrainedTokenizerFast:
    """A byte-level one; without `whole` its special tokens are in the vocabulary and not added."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate([*special, *letters])}
    rust = RustTokenizer(models.BPE(vocab=vocab, merges=[]))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if decodes:
        rust.decoder = decoders.ByteLevel()
    more = list(special) if whole else []
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=rust, additional_special_tokens=more, chat_template=template
    )


def cut() -> Any:
    """One whose special tokens are no longer found in a text."""
    sound = tokenizer()

    class Cut(type(sound)):  # type: ignore[misc]
        def encode(self, text: str, **kwargs: Any) -> list[int]:
            return [*super().encode(text, **kwargs), 5] if text in SPECIAL else super().encode(text, **kwargs)

    sound.__class__ = Cut
    return sound


def header(size: int = 256 + len(SPECIAL), **numbers: int) -> Header:
    fields = {f"tokenizer.ggml.{name}": number for name, number in numbers.items()}
    return Header({"tokenizer.ggml.tokens": Length(size), **fields}, {}, 0)


def test_a_reply_ends_with_what_the_template_closes_it_with_and_with_what_the_file_names(
    tmp_path: Path,
) -> None:
    """The file names <|endoftext|> alone."""
    folder = converted(tmp_path)
    generation = json.loads((folder / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [SPECIAL.index("<|im_end|>"), SPECIAL.index("<|endoftext|>")]


@pytest.mark.parametrize(
    ("special", "template", "numbers", "ends"),
    [
        (SPECIAL, TEMPLATE, {"eos_token_id": 0}, ("<|im_end|>", "<|endoftext|>")),
        (SPECIAL, TEMPLATE, {}, ("<|im_end|>", "<|endoftext|>")),
        (("<eot>", "<x>"), EACH % "\n", {"eot_token_id": 0}, ("<eot>",)),
        (("<a>", "<e>", "<m>"), EACH % "<a>", {"eom_token_id": 2}, ("<a>", "<m>")),
        (("<eos>", "<end>"), EACH % "<end>\n", {"eos_token_id": 0}, ("<end>", "<eos>")),
    ],
)
def test_ends_of_several_families(
    special: tuple[str, ...], template: str, numbers: dict[str, int], ends: tuple[str, ...]
) -> None:
    assert endings(header(**numbers), tokenizer(special, template=template)) == ends


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (None, "no chat template"),
        ("{% for", r"cannot write a conversation \(TemplateSyntaxError\)"),
        ("{{ raise_exception('no') }}", r"cannot write a conversation \(TemplateError\)"),
        ("{{ messages + 1 }}", r"cannot write a conversation \(TypeError\)"),
        ("{{ 1 / 0 }}", r"cannot write a conversation \(ZeroDivisionError\)"),
    ],
)
def test_a_model_that_cannot_hold_a_conversation_is_refused_before_its_weights_are_read(
    tmp_path: Path, template: str | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("it read them"))
    with pytest.raises(ConversionFailed, match=why):
        converted(tmp_path, template=template)


def test_a_sound_tokenizer_passes() -> None:
    check_tokenizer(tokenizer(), header())


@pytest.mark.parametrize(
    ("spoilt", "claimed", "why"),
    [
        (tokenizer, header(300), "has 259 tokens, and the file 300"),
        (lambda: tokenizer(decodes=False), header(), "does not give a text back"),
        (cut, header(), "cut into pieces"),
    ],
)
def test_a_tokenizer_that_breaks_a_law_is_noticed(
    spoilt: Callable[[], Any], claimed: Header, why: str
) -> None:
    with pytest.raises(ConversionFailed, match=why):
        check_tokenizer(spoilt(), claimed)


def test_a_file_that_lacks_weights_is_noticed(tmp_path: Path) -> None:
    """transformers would draw them at random."""
    with pytest.raises(ConversionFailed, match=r"lacks 1 of the weights, model\.layers\.0\.post_attention"):
        converted(tmp_path, left_out=("blk.0.ffn_norm.weight",))


def test_biases_that_the_model_has_no_place_for_are_noticed(tmp_path: Path) -> None:
    bias = np.ones(384, np.float32)
    with pytest.raises(ConversionFailed, match="has biases, 384 weights, and transformers' model 0"):
        converted(tmp_path, tensors={"blk.0.attn_q.bias": bias})
    # A block beyond the model's drafts.
    (tmp_path / "out").rmdir()
    converted(tmp_path, tensors={"blk.1.attn_q.bias": bias})


def test_weights_that_know_nothing_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match=r"costs it 5\.\d nats a token, and chance 5\.\d"):
        converted(tmp_path, forgetful=True)


def test_weights_that_are_no_numbers_are_noticed(tmp_path: Path) -> None:
    norm = {"blk.0.ffn_norm.weight": np.full(384, np.nan, np.float32)}
    with pytest.raises(ConversionFailed, match="not finite"):
        converted(tmp_path, tensors=norm)


def test_llama_3s_stretching_is_kept(tmp_path: Path) -> None:
    factors = np.array(llama3_factors(10_000.0, 64, 32.0), np.float32)
    folder = converted(tmp_path, tensors={"rope_freqs.weight": factors})
    config = AutoConfig.from_pretrained(folder)
    assert config.rope_parameters["rope_type"] == "llama3"
    assert config.rope_parameters["factor"] == 32.0
    assert config.rope_parameters["rope_theta"] == 10_000.0


@pytest.mark.parametrize(("theta", "factor"), [(500_000.0, 32.0), (500_000.0, 8.0), (10_000.0, 4.0)])
def test_the_stretching_is_that_of_transformers(theta: float, factor: float) -> None:
    config = LlamaConfig(
        hidden_size=256,
        num_attention_heads=4,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": theta,
            "factor": factor,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    )
    theirs, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = theta ** (-torch.arange(0, 64, 2) / 64)
    assert torch.allclose(plain / theirs, torch.tensor(llama3_factors(theta, 64, factor)), rtol=1e-4)


def test_another_stretching_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionFailed, match="stretches its positions"):
        converted(tmp_path, tensors={"rope_freqs.weight": np.linspace(1, 9, 32, dtype=np.float32)})


@pytest.mark.parametrize(
    ("fields", "tensors", "why"),
    [
        ({"scaling.type": "linear", "scaling.factor": 4.0}, {}, "linear"),
        ({"scaling.type": "yarn", "scaling.factor": 4.0}, {}, "yarn"),
        ({"scaling.factor": 2.0}, {}, "linear"),
        ({"scale_linear": 2.0}, {}, "linear"),
        ({"scaling.attn_factor": 1.19}, {}, "linear"),
        ({"scaling.type": "longrope"}, {"rope_factors_long.weight": np.ones(32, np.float32)}, "longrope"),
    ],
)
def test_stretching_that_nobody_reads_is_refused_and_known_beforehand(
    fields: dict[str, Any], tensors: dict[str, Any], why: str, tmp_path: Path
) -> None:
    def change(writer: GGUFWriter) -> None:
        for name, value in fields.items():
            add = writer.add_string if isinstance(value, str) else writer.add_float32
            add(f"llama.rope.{name}", value)

    with pytest.raises(ConversionFailed, match=rf"stretches its positions \({why}\)"):
        converted(tmp_path, change=change, tensors=tensors)
    assert f"({why})" in obstacle(read_header(tmp_path / "a.gguf"))


def test_a_factor_that_stretches_nothing_is_none(tmp_path: Path) -> None:
    def change(writer: GGUFWriter) -> None:
        writer.add_string("llama.rope.scaling.type", "none")
        writer.add_float32("llama.rope.scaling.factor", 1.0)

    write_model(tmp_path / "a.gguf", change=change)
    assert obstacle(read_header(tmp_path / "a.gguf")) == ""


@pytest.mark.parametrize(
    ("factors", "read"),
    [([1.0] * 64 + [1e30] * 192, True), ([1.0] * 256, False), ([2.0] * 64 + [1e30] * 192, False)],
)
def test_waves_that_gemma_4_holds_still_are_those_of_its_configuration(
    factors: list[float], read: bool, tmp_path: Path
) -> None:
    write_model(tmp_path / "a.gguf", tensors={"rope_freqs.weight": np.array(factors, np.float32)})
    config = Gemma4TextConfig()
    before = copy.deepcopy(config.rope_parameters)
    if read:
        stretch(config, tmp_path / "a.gguf", read_header(tmp_path / "a.gguf"))
        assert config.rope_parameters == before
    else:
        with pytest.raises(ConversionFailed, match="in a way that is not read"):
            stretch(config, tmp_path / "a.gguf", read_header(tmp_path / "a.gguf"))
