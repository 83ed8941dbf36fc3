"""A tokenizer without transformers is that of transformers: its ids, texts, special tokens and templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequest, WeightsError
from app.prompts.message import Message
from app.tokenization.tokenizer import Tokenizer, load_tokenizer
from tokenization.test_tokenizer import SPECIAL, TEMPLATE, TEXTS, byte_level, sentencepiece, unigram

FAMILIES: dict[str, Callable[[Path], Tokenizer]] = {
    "byte level": byte_level,
    "sentencepiece": sentencepiece,
    "unigram": unigram,
}
# What a template may use.
ALL = (
    "{%- set all = namespace(count=0) %}{{ bos_token }}"
    "{% for m in messages %}\n    {% set all.count = all.count + 1 %}\n<|{{ m.role }}|>{{ m.content | trim }}"
    "{% generation %}{% set inner = 1 %}<|end|>{% endgeneration %}{% if loop.last %}{% break %}{% endif %}"
    "{% endfor %}{{ inner is defined }}{{ all.count }}{{ dict(a=1) | tojson }}{{ eos_token }}{{ pad_token }}"
    "{% if tools %}{{ tools | tojson(indent=2) }}{% endif %}{{ strftime_now('%Y') }}"
    "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TOOLS = ({"type": "function", "function": {"name": "f", "description": "<b> & é", "parameters": {}}},)
CONVERSATIONS = [
    (Message("user", "Hi <b>&"),),
    (Message("system", "Be é."), Message("user", " Hi "), Message("assistant", "Oh "), Message("user", "")),
    (Message("user", "x"), Message("assistant", "  spaced  ")),
]
WAYS: list[dict[str, Any]] = [
    {},
    {"opens": False},
    {"thinks": False},
    {"continue_final": True},
    {"tools": TOOLS},
    {"tools": TOOLS, "continue_final": True},
]
OBJECT = {"content": "<ctl>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}


def written(**fields: Any) -> Callable[[Path], None]:
    """Changes the folder's tokenizer_config.json; None removes a field."""

    def write(folder: Path) -> None:
        path = folder / "tokenizer_config.json"
        config = {**json.loads(path.read_text()), **fields}
        path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))

    return write


def older(folder: Path) -> None:
    """The special tokens' names in a file of their own."""
    written(eos_token=None, chat_template=ALL)(folder)
    names = {"eos_token": "<|end|>", "bos_token": "<|user|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(names))


def newer(folder: Path) -> None:
    """The templates in files of their own."""
    written(chat_template=None)(folder)
    (folder / "chat_template.jinja").write_text(f"{TEMPLATE}\n")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text(ALL)


VARIANTS: dict[str, Callable[[Path], None]] = {
    "usual": written(),
    "all of templates": written(
        chat_template=ALL, bos_token="<|user|>", pad_token={**OBJECT, "__type": "AddedToken"}
    ),
    "one template for tools": written(
        chat_template=[{"name": "default", "template": TEMPLATE}, {"name": "tool_use", "template": ALL}]
    ),
    "files of templates": newer,
    "older names": older,
    "an end that is marked as no special token": written(eos_token="</think>"),
    "an end that is a word of the vocabulary": written(eos_token="o"),
    "an end that is in no vocabulary": written(eos_token="<new>"),
    "more special tokens": written(additional_special_tokens=["<ctl>", "<|user|>"]),
    "more special tokens with names": written(extra_special_tokens={"image_token": "<ctl>"}),
    "more tokens": written(added_tokens_decoder={"900": {**OBJECT, "special": False}}),
    "spaces to be cleaned up": written(clean_up_tokenization_spaces=True),
    "no class": written(tokenizer_class=None),
}
FIXED = [
    "",
    "Hello world",
    " a  b\n\n\tc",
    "e\u0301 \u212b",
    "<ctl> <|end|>x<new></think>",
    "<think>o</think>",
]


def seen(tokenizer: Tokenizer) -> dict[str, Any]:
    """All that is fixed of a tokenizer."""
    ids = range(len(tokenizer) + 3)
    return {
        "ends": tokenizer.eos_ids,
        "added": sorted(tokenizer.added),
        "template": (tokenizer.has_template, tokenizer.dated, tokenizer.think_ids),
        "bytes": [tokenizer.token_bytes(token_id) for token_id in ids],
        "special": [tokenizer.special_name(token_id) for token_id in ids],
        "ids": [tokenizer.encode(text) for text in FIXED],
        "texts": [tokenizer.decode(tokenizer.encode(text)) for text in FIXED],
        "rendered": [
            _rendered(tokenizer, conversation, way) for conversation in CONVERSATIONS for way in WAYS
        ],
    }


def _rendered(tokenizer: Tokenizer, conversation: Any, way: dict[str, Any]) -> str:
    try:
        return tokenizer.render(conversation, **way)
    except InvalidRequest as error:
        return error.message


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_transformers_own(tmp_path: Path, family: str, variant: str) -> None:
    FAMILIES[family](tmp_path)
    VARIANTS[variant](tmp_path)
    assert seen(Tokenizer(str(tmp_path), fast=True)) == seen(Tokenizer(str(tmp_path)))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Tokenizer, Tokenizer]]:
    made = {}
    for number, (family, make) in enumerate(FAMILIES.items()):
        folder = tmp_path_factory.mktemp(f"family{number}")
        made[family] = make(folder), Tokenizer(str(folder), fast=True)
    return made


@pytest.mark.parametrize("family", FAMILIES)
@given(text=TEXTS | st.lists(st.sampled_from([*"aHelo é\u0301<|>\n", *SPECIAL])).map("".join))
def test_texts_have_the_same_ids(
    pairs: dict[str, tuple[Tokenizer, Tokenizer]], family: str, text: str
) -> None:
    theirs, ours = pairs[family]
    ids = theirs.encode(text)
    assert ours.encode(text) == ids
    assert ours.decode(ids) == theirs.decode(ids)


@pytest.mark.parametrize(
    "template",
    [
        "{% set n = namespace(__class__=1) %}",
        "{% set n = namespace() %}{% set n._x = 1 %}",
        "{{ dict.mro() }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
    ],
)
def test_a_template_does_not_leave_its_sandbox(tmp_path: Path, template: str) -> None:
    byte_level(tmp_path, template=template)
    with pytest.raises(InvalidRequest, match="chat template refuses"):
        Tokenizer(str(tmp_path), fast=True).render(CONVERSATIONS[0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tokenizer.json", "{"),
        ("tokenizer_config.json", "{"),
        ("tokenizer_config.json", "[" * 100_000),
        ("tokenizer_config.json", '{"chat_template": "{% if %}"}'),
        ("tokenizer_config.json", '{"eos_token": {"lstrip": true}}'),
        ("tokenizer_config.json", '{"eos_token": 5}'),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {"content": "y"}}}'),
        ("tokenizer_config.json", '{"added_tokens_decoder": ["x"]}'),
        ("tokenizer_config.json", '{"extra_special_tokens": [["x"]]}'),
        ("generation_config.json", "{"),
    ],
)
def test_files_that_cannot_be_read_are_refused_with_what_to_change(
    tmp_path: Path, name: str, text: str
) -> None:
    byte_level(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(WeightsError, match="Set COSTEER_LOCAL_TOKENIZER"):
        load_tokenizer(str(tmp_path), "COSTEER_LOCAL_TOKENIZER", fast=True)


def in_cache(folder: Path, cache: Path, *, absent: list[str]) -> None:
    """The folder as the hub's cache would have it, which knows that some files are not there."""
    repository = cache / "models--org--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots").mkdir()
    folder.rename(repository / "snapshots" / ("0" * 40))
    for name in absent:
        (repository / ".no_exist" / ("0" * 40)).mkdir(parents=True, exist_ok=True)
        (repository / ".no_exist" / ("0" * 40) / name).touch()


def test_without_the_hub_what_was_fetched_before_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "model").mkdir()
    theirs = byte_level(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text('{"eos_token_id": 3}')
    in_cache(tmp_path / "model", tmp_path / "cache", absent=["chat_template.jinja", "generation_config.json"])
    ours = load_tokenizer("org/model", "COSTEER_LOCAL_TOKENIZER", fast=True)
    assert ours.eos_ids == theirs.eos_ids | {3}
    assert ours.render(CONVERSATIONS[0]) == theirs.render(CONVERSATIONS[0])
    with pytest.raises(WeightsError, match="the hub cannot be reached"):
        load_tokenizer("org/other", "COSTEER_LOCAL_TOKENIZER", fast=True)
