"""GGUF files of a few megabytes: a llama that knows by heart which token follows which in a sentence."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from app.local.weights.soundness import KNOWN

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Room for the special tokens, 256 bytes, and the words of the sentence.
WIDTH, HEADS = 384, 6
# How much likelier than any other token the next one of the sentence is, in nats.
SURE = 20.0

Change = Callable[[GGUFWriter], None]


def write_model(
    path: Path,
    *,
    change: Change = lambda writer: None,
    template: str | None = TEMPLATE,
    architecture: str = "llama",
    forgetful: bool = False,
    special: tuple[str, ...] = SPECIAL,
    tensors: dict[str, Any] | None = None,
    left_out: tuple[str, ...] = (),
) -> None:
    """`change` adds fields, `tensors` are more of those, `left_out` some that are not written. A `forgetful`
    model finds all tokens alike."""
    tokens, merges = vocabulary(special)
    writer = GGUFWriter(path, architecture)
    writer.add_name("parrot")
    writer.add_file_type(0)
    for add, value in {
        writer.add_context_length: 4096,
        writer.add_embedding_length: WIDTH,
        writer.add_block_count: 1,
        writer.add_feed_forward_length: 32,
        writer.add_head_count: HEADS,
        writer.add_head_count_kv: HEADS,
        writer.add_vocab_size: len(tokens),
    }.items():
        add(value)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(tokens))
    writer.add_token_types([3] * len(special) + [1] * (len(tokens) - len(special)))
    writer.add_token_merges(merges)
    writer.add_eos_token_id(0)
    if template is not None:
        writer.add_chat_template(template)
    change(writer)
    for name, values in {**_weights(tokens, merges, forgetful=forgetful), **(tensors or {})}.items():
        if name not in left_out:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@cache
def vocabulary(special: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Tokens and merges of byte-level BPE, learned from the sentence."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=WIDTH - len(special), min_frequency=1, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([KNOWN], trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return [*special, *learned["vocab"]], [" ".join(pair) for pair in learned["merges"]]


def _weights(tokens: list[str], merges: list[str], *, forgetful: bool) -> dict[str, Any]:
    """Embeddings that are unit vectors, layers that add nothing, and an output that is the table of pairs."""
    size = len(tokens)
    assert size <= WIDTH
    embedding = np.eye(size, WIDTH, dtype=np.float32)
    output = np.zeros((size, WIDTH), np.float32)
    if not forgetful:
        ids = _tokenized(tokens, merges, f"{KNOWN}\n" * 2)
        for one, following in itertools.pairwise(ids):
            output[following, one] = SURE / WIDTH**0.5  # the last norm scales a unit vector to that length
    none = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (WIDTH, WIDTH),
        "attn_v": (WIDTH, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (32, WIDTH),
        "ffn_up": (32, WIDTH),
        "ffn_down": (WIDTH, 32),
    }
    ones = dict.fromkeys(("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"), np.ones(WIDTH, np.float32))
    layers = {f"blk.0.{name}": np.zeros(shape, np.float32) for name, shape in none.items()}
    found = {"token_embd": embedding, "output": output, **ones, **layers}
    return {f"{name}.weight": values for name, values in found.items()}


def _tokenized(tokens: list[str], merges: list[str], text: str) -> list[int]:
    pairs: Any = [tuple(one.split(" ")) for one in merges]
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(tokens)}, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    ids: list[int] = tokenizer.encode(text).ids
    return ids
