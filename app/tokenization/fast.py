"""A tokenizer read from tokenizer.json and its chat template, without transformers: no torch, in a moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import tokenizers
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# Classes of transformers that compose characters first.
COMPOSED = ("Qwen2Tokenizer", "Qwen2TokenizerFast")
# What stands at the end of the final message while it is rendered, so that the text can be cut there.
TAG = "CONTINUE_FINAL_MESSAGE_TAG "


class FastTokenizer:
    """As much of a transformers tokenizer as Tokenizer uses; its texts and ids are the same."""

    def __init__(
        self, backend: tokenizers.Tokenizer, chat_template: str | None, special: Mapping[str, str]
    ) -> None:
        """`special`: the special tokens by their names in templates, as bos_token."""
        self.backend_tokenizer = backend
        self.chat_template = chat_template
        self._special = dict(special)
        self._template = _environment().from_string(chat_template) if chat_template is not None else None
        eos = self._special.get("eos_token")
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
            **_json(path, "special_tokens_map.json"),
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
        special = {name: _text(config[name]) for name in NAMES if config.get(name) is not None}
        return cls(backend, _template(path, config), special)

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
        self,
        conversation: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None,
        tokenize: bool,
        add_generation_prompt: bool,
        continue_final_message: bool,
        **variables: Any,
    ) -> str:
        """The rendered conversation; `variables` are the template's own. Raises ValueError where the final
        message cannot be continued, and what the template raises."""
        assert not tokenize  # noqa: S101  # nobody asks for it
        if self._template is None:
            raise ValueError("there is no chat template")
        if not conversation:
            raise ValueError("there is no message")
        # Templates often fail at a key without a value, and none fails without the key.
        messages = [{name: value for name, value in one.items() if value is not None} for one in conversation]
        final = str(messages[-1].get("content", ""))
        if continue_final_message:
            messages[-1]["content"] = final + TAG
        text = self._template.render(
            messages=messages,
            tools=[dict(tool) for tool in tools] if tools is not None else None,
            documents=None,
            **variables,
            add_generation_prompt=add_generation_prompt,
            **self._special,
        )
        return _cut(text, final) if continue_final_message else text


def fast_eos_ids(path: str) -> frozenset[int]:
    """The ids that end a text of this model, by its generation_config.json or config.json."""
    for name in ("generation_config.json", "config.json"):
        eos = _json(path, name).get("eos_token_id")
        if eos is not None:
            return frozenset(eos if isinstance(eos, list) else [eos])
    return frozenset()


def _cut(text: str, final: str) -> str:
    """The text up to the end of the final message. Raises ValueError, which does not quote it."""
    at = text.rfind(TAG.strip())
    if at < 0 or final.strip() not in text:
        raise ValueError("the template changes the final message")
    if text[at : at + len(TAG)] == TAG:
        return text[:at]
    return text[:at].rstrip()  # the template trims messages


def _template(path: str, config: Mapping[str, Any]) -> str | None:
    found = _file(path, "chat_template.jinja")
    if found is not None:
        return found.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):  # several, by their names
        template = next((one["template"] for one in template if one.get("name") == "default"), None)
    return template if isinstance(template, str) else None


def _text(token: Any) -> str:
    return str(token["content"]) if isinstance(token, dict) else str(token)


def _json(path: str, name: str) -> dict[str, Any]:
    found = _file(path, name)
    if found is None:
        return {}
    read = json.loads(found.read_text(encoding="utf-8"))
    return read if isinstance(read, dict) else {}


def _file(path: str, name: str) -> Path | None:
    """A file of the folder, or of the hub's repository; None where it has none. Raises OSError where the hub
    has not, or cannot be reached and the file was never fetched."""
    if Path(path).is_dir():
        return found if (found := Path(path) / name).is_file() else None
    from huggingface_hub import hf_hub_download  # noqa: PLC0415  # slow to import
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError  # noqa: PLC0415

    try:
        return Path(hf_hub_download(path, name))
    except LocalEntryNotFoundError as error:
        raise OSError(f"{path} is not here, and the hub cannot be reached.") from error
    except EntryNotFoundError:
        return None


def _environment() -> ImmutableSandboxedEnvironment:
    """As transformers compiles templates: they are code of others."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


class Generation(Extension):
    """The tag {% generation %}, around what an assistant said: it renders what is in it."""

    tags = {"generation"}  # noqa: RUF012  # jinja's own declaration

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return list(parser.parse_statements(("name:endgeneration",), drop_needle=True))


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """jinja's own would escape HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
