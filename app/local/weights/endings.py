"""Which tokens end a reply of a converted model: GGUF names one, and a chat template often another."""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateError

from app.local.weights.errors import ConversionFailed
from app.local.weights.files.header import Header

# The fields with which GGUF names an end: of the text, of a turn, of a message.
FIELDS = ("eos", "eot", "eom")
# Ends of a text, which models write whose turns end otherwise; where they are control tokens, llama.cpp ends
# there too.
TEXT_ENDS = ("<|endoftext|>", "<|end_of_text|>", "<eos>", "</s>", "<|eom_id|>")
CONVERSATION = ({"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."})


def endings(header: Header, tokenizer: Any) -> tuple[str, ...]:
    """The tokens, by their texts: what the template closes a reply with, what the file names, and what ends
    any text. Raises ConversionFailed for a model without a chat template, or with one that cannot write a
    conversation."""
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    numbers = [header.number(f"tokenizer.ggml.{field}_token_id") for field in FIELDS]
    named = [tokenizer.convert_ids_to_tokens(number) for number in numbers if number is not None]
    found = [_closing(tokenizer, special), *named, *(one for one in TEXT_ENDS if one in special)]
    return tuple(dict.fromkeys(one for one in found if one))


def _closing(tokenizer: Any, special: set[str]) -> str | None:
    """The first special token behind the assistant's words; None where the template writes none."""
    if not tokenizer.chat_template:
        raise ConversionFailed("It has no chat template. Choose an instruction-tuned model.")
    try:
        text = str(tokenizer.apply_chat_template(list(CONVERSATION), tokenize=False))
    except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConversionFailed(
            f"Its chat template cannot write a conversation ({type(error).__name__}). Take another file of "
            "the model, or its hub id."
        ) from error
    _, said, behind = text.rpartition(CONVERSATION[1]["content"])
    places = {token: behind.find(token) for token in special if token and token in behind}
    return min(places, key=lambda token: places[token]) if said and places else None
