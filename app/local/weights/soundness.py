"""Whether a converted model is what the file was: laws of its tokenizer, and that it can repeat a text."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection
from typing import Any

from app.local.weights.errors import ConversionFailed
from app.local.weights.files.header import Header
from app.tokenization.probes import PROBES

# Any language model has read this: the first article of the Universal Declaration of Human Rights.
KNOWN = (
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and "
    "conscience and should act towards one another in a spirit of brotherhood."
)
# The share of chance, the logarithm of the vocabulary's size, that a token of KNOWN may cost at most when it
# is read for the second time. The bundles take 0.01 to 0.04 of it, and 0.29 to 0.80 with attention that is
# read in a wrong order.
CHANCE = 0.15
MOST_ADDED = 8_192
_BIAS = re.compile(r"blk\.(\d{1,9})\..+\.bias")  # those of later blocks draft, and are left out


def check_tokenizer(tokenizer: Any, header: Header) -> None:
    """Raises ConversionFailed for a tokenizer that breaks a law: its size is the file's, its special tokens
    are single, and text comes back as it was."""
    size = 1 + max(tokenizer.get_vocab().values())
    if size != header.vocabulary:
        raise _unsound(f"its tokenizer has {size:,} tokens, and the file {header.vocabulary:,}")
    for number, token in list(tokenizer.added_tokens_decoder.items())[:MOST_ADDED]:
        if tokenizer.encode(token.content, add_special_tokens=False) != [number]:
            raise _unsound(f"its special token {token.content[:40]!r} is cut into pieces")
    for text in PROBES:
        ids = tokenizer.encode(text, add_special_tokens=False)
        back = tokenizer.decode(ids, clean_up_tokenization_spaces=False).removeprefix(" ")
        if back not in {text, unicodedata.normalize("NFC", text)}:
            raise _unsound("its tokenizer does not give a text back as it was")


def check_whole(model: Any, missing: Collection[str], header: Header) -> None:
    """Raises ConversionFailed where the file lacks weights, which transformers draws at random, or has biases
    that its model has no place for, which it leaves out."""
    if missing:
        raise _unsound(f"its file lacks {len(missing)} of the weights, {min(missing)} for one")
    there = sum(one.numel() for name, one in model.state_dict().items() if name.endswith("bias"))
    layers = model.config.num_hidden_layers
    told = sum(
        one.elements
        for name, one in header.tensors.items()
        if (layer := _BIAS.fullmatch(name)) and int(layer[1]) < layers
    )
    if told > there:
        raise _unsound(f"its file has biases, {told:,} weights, and transformers' model {there:,}")


def check_weights(model: Any, tokenizer: Any) -> None:
    """Raises ConversionFailed for a model that does not know how a sentence goes on which it has just read,
    as with weights that were stored or read wrongly."""
    import torch  # noqa: PLC0415  # seconds

    once = tokenizer.encode(f"{KNOWN}\n", add_special_tokens=False)
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    with torch.inference_mode():
        logits = model(torch.tensor([start + once + once])).logits[0].float()
    if not bool(logits.isfinite().all()):
        raise _unsound("its logits are not finite")
    again = logits[-len(once) - 1 : -1].log_softmax(-1)
    cost = -float(again.gather(-1, torch.tensor(once)[:, None]).mean())
    chance = math.log(logits.shape[-1])
    if cost > CHANCE * chance:
        raise _unsound(
            f"a sentence that it has read costs it {cost:.1f} nats a token, and chance {chance:.1f}"
        )


def _unsound(why: str) -> ConversionFailed:
    return ConversionFailed(
        f"The model was converted, but is not what the file was: {why}. Take another file of the model, or "
        "its hub id."
    )
