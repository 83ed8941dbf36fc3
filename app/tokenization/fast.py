"""A tokenizer read from tokenizer.json and its chat template, without transformers: no torch, in a moment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken

from app.tokenization.chat_template import DEFAULT, WITH_TOOLS, ChatTemplates

NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# Special tokens without a name in templates, and with names of their own.
MORE = ("additional_special_tokens", "extra_special_tokens")
# Files that few models have. Another program has fetched the rest of a model without asking for these.
TOOLS_TEMPLATE = f"additional_chat_templates/{WITH_TOOLS}.jinja"
OLDER_NAMES = "special_tokens_map.json"
RARE = (TOOLS_TEMPLATE, OLDER_NAMES)
FLAGS = ("single_word", "lstrip", "rstrip", "normalized")
# Classes of transformers that compose characters first.
COMPOSED = ("Qwen2Tokenizer", "Qwen2TokenizerFast")


class FastTokenizer:
    """As much of a transformers tokenizer as Tokenizer uses; its texts and ids are the same."""

    def __init__(
        self, backend: tokenizers.Tokenizer, templates: Mapping[str, str], special: Mapping[str, str]
    ) -> None:
        """`templates`: chat templates by their names. `special`: the special tokens by their names in
        templates, as bos_token. Raises ValueError for a template that cannot be read."""
        self.backend_tokenizer = backend
        # All of them: whether any writes the date is looked for in it.
        self.chat_template = dict(templates) if DEFAULT in templates else None
        self._templates = ChatTemplates(templates, special) if DEFAULT in templates else None
        eos = special.get("eos_token")
        self.eos_token_id = backend.token_to_id(eos) if eos is not None else None
        self.added_tokens_decoder = backend.get_added_tokens_decoder()

    @classmethod
    def load(cls, path: str) -> FastTokenizer:
        """From a folder or hub id. Raises OSError and ValueError."""
        tokenizer = _file(path, "tokenizer.json")
        if tokenizer is None:
            raise OSError(f"{path} has no tokenizer.json.")
        config = _json(path, "tokenizer_config.json")
        # Older models have some of them here alone.
        config = {
            **_json(path, OLDER_NAMES),
            **{k: v for k, v in config.items() if v is not None},
        }
        try:
            backend = tokenizers.Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # tokenizers raises no other class
            raise ValueError(f"{path} has a tokenizer.json that cannot be read.") from error
        # transformers' class adds it, and files made of a GGUF lack it.
        if config.get("tokenizer_class") in COMPOSED and backend.normalizer is None:
            backend.normalizer = tokenizers.normalizers.NFC()
        backend.no_truncation()
        backend.no_padding()
        try:
            special = {name: _token(token) for name, token in _named(config)}
            _complete(backend, config, special)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} has a tokenizer_config.json whose special tokens are none.") from error
        return cls(backend, _templates(path, config), {name: one.content for name, one in special.items()})

    def get_vocab(self) -> dict[str, int]:
        return self.backend_tokenizer.get_vocab(with_added_tokens=True)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        ids: list[int] = self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(
        self, ids: Sequence[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool
    ) -> str:
        assert not clean_up_tokenization_spaces  # noqa: S101  # nobody asks for it
        return self.backend_tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)

    def convert_ids_to_tokens(self, token_id: int) -> str | None:
        return self.backend_tokenizer.id_to_token(token_id)

    def apply_chat_template(
        self, conversation: Sequence[Mapping[str, Any]], *, tokenize: bool, **how: Any
    ) -> str:
        """The rendered conversation; `how` is that of ChatTemplates. Raises as it does."""
        assert not tokenize  # noqa: S101  # nobody asks for it
        if self._templates is None:
            raise ValueError("there is no chat template")
        return self._templates.render(conversation, **how)


def fast_eos_ids(path: str) -> frozenset[int]:
    """The ids that end a text of this model, by its generation_config.json or config.json."""
    for name in ("generation_config.json", "config.json"):
        eos = _json(path, name).get("eos_token_id")
        if eos is not None:
            return frozenset(eos if isinstance(eos, list) else [eos])
    return frozenset()


def _named(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The special tokens that templates have names for."""
    yield from ((name, config[name]) for name in NAMES if config.get(name) is not None)
    more = config.get("extra_special_tokens")
    if isinstance(more, dict):
        yield from more.items()


def _complete(
    backend: tokenizers.Tokenizer, config: Mapping[str, Any], special: Mapping[str, AddedToken]
) -> None:
    """Adds what the configuration has and tokenizer.json lacks, and marks as special what it says is."""
    listed = config.get("added_tokens_decoder") or {}
    there = backend.get_added_tokens_decoder()
    missing = [
        token
        for number, token in sorted((int(number), _token(one)) for number, one in listed.items())
        if _state(there.get(number)) != _state(token)
    ]
    backend.add_tokens(missing)
    known = {token.content for token in backend.get_added_tokens_decoder().values() if token.special}
    more = [_token(one) for name in MORE if isinstance(config.get(name), list) for one in config[name]]
    backend.add_special_tokens([one for one in (*special.values(), *more) if one.content not in known])


def _state(token: AddedToken | None) -> tuple[Any, ...]:
    return () if token is None else (token.content, token.special, *(getattr(token, one) for one in FLAGS))


def _token(token: Any) -> AddedToken:
    """A token of a configuration, where it is a text or an object."""
    if isinstance(token, str):
        return AddedToken(token, special=True, normalized=False)
    flags = {name: bool(token[name]) for name in (*FLAGS, "special") if name in token}
    return AddedToken(token["content"], **flags)


def _templates(path: str, config: Mapping[str, Any]) -> dict[str, str]:
    """The chat templates by their names."""
    files = {DEFAULT: "chat_template.jinja", WITH_TOOLS: TOOLS_TEMPLATE}
    found = {name: file for name, where in files.items() if (file := _file(path, where)) is not None}
    if found:
        return {name: file.read_text(encoding="utf-8") for name, file in found.items()}
    template = config.get("chat_template")
    if isinstance(template, list):
        named = [one for one in template if isinstance(one, dict)]
        return {str(one.get("name")): str(one.get("template")) for one in named}
    return {DEFAULT: template} if isinstance(template, str) else {}


def _json(path: str, name: str) -> dict[str, Any]:
    found = _file(path, name)
    if found is None:
        return {}
    try:
        read = json.loads(found.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} has a {name} that cannot be read.") from error
    return read if isinstance(read, dict) else {}


def _file(path: str, name: str) -> Path | None:
    """A file of the folder, or of the hub's repository; None where it has none. Raises OSError where the hub
    has not the repository, or cannot be reached and nothing is known of the file."""
    if Path(path).is_dir():
        return found if (found := Path(path) / name).is_file() else None
    from huggingface_hub import (  # noqa: PLC0415  # slow to import
        _CACHED_NO_EXIST,
        hf_hub_download,
        try_to_load_from_cache,
    )
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(hf_hub_download(path, name))
    except LocalEntryNotFoundError as error:
        if name in RARE or try_to_load_from_cache(path, name) is _CACHED_NO_EXIST:
            return None
        raise OSError(f"{path} is not here, and the hub cannot be reached.") from error
    except EntryNotFoundError:
        return None
