"""The vocabulary that a vLLM's endpoints tell is the tokenizer's own, as far as they tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import respx
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenization.test_tokenizer import CORPUS, SPECIAL, TEMPLATE, saved
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models, pre_tokenizers, trainers

from app.errors import RemoteError, TokenizerMismatch
from app.remote.vllm import VLLMRemote
from app.remote.vocabulary import CHECKED, SEPARATORS, Learned, learn_vocabulary
from app.tokenization.tokenizer import Tokenizer
from app.tokenization.vocabulary import THINK
from remote.recordings import BASE, sent

# No text has them, so that nothing tells one from the other.
NEVER = [bytes([byte]) for byte in (0xC0, 0xC1, *range(0xF5, 0x100))]
Refusal = Callable[[dict[str, Any]], httpx.Response | None]


class Imitation:
    """A vLLM's /tokenize and /detokenize over a real tokenizer."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        refuses: Refusal | None = None,
        cleans: bool = False,
        tells_texts: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._own: Any = tokenizer._tokenizer
        self._refuses = refuses
        self._cleans = cleans
        self._tells_texts = tells_texts
        self.asked: list[dict[str, Any]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "imitated", "max_model_len": 64}]})
        asked = orjson.loads(request.content)
        self.asked.append(asked)
        refused = self._refuses(asked) if self._refuses else None
        return refused or httpx.Response(200, json=self._tokens(asked))

    def _tokens(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "messages" in asked:
            rendered = self._own.apply_chat_template(
                asked["messages"],
                tokenize=False,
                add_generation_prompt=asked["add_generation_prompt"],
                continue_final_message=asked.get("continue_final_message", False),
            )
            return {"tokens": self._tokenizer.encode(rendered)}
        if "prompt" in asked:
            ids = self._tokenizer.encode(asked["prompt"])
            if self._tells_texts:
                return {"tokens": ids, "token_strs": [self._own.decode([token_id]) for token_id in ids]}
            return {"tokens": ids, "token_strs": self._own.convert_ids_to_tokens(ids)}
        text = self._own.decode(asked["tokens"])
        return {"prompt": self._own.clean_up_tokenization(text) if self._cleans else text}

    async def learned(self, progress: Callable[[float], None] | None = None) -> Learned:
        transport = httpx.MockTransport(self.answer)
        async with aclosing(VLLMRemote(BASE, transport=transport, spare=False)) as remote:
            return await learn_vocabulary(remote, progress)


def byte_level(folder: Path, template: str = TEMPLATE, think: bool = True) -> Tokenizer:
    """As GPT-2, Llama 3 and Qwen have it."""
    rust = Rust(models.BPE())
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    rust.train_from_iterator(
        [*CORPUS * 2, " 丁七万 😀😁😂", *CHECKED],
        trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
    )
    return saved(rust, folder, template, think)


def pieces(folder: Path, *more: str) -> Tokenizer:
    """As Llama 2 and Mistral have it. Of some signs there are two tokens, of which one is a byte."""
    letters = sorted({letter for text in CORPUS for letter in text.replace(" ", "▁")} - {"\n", "¶"})
    data = [f"<0x{byte:02X}>" for byte in range(256)]
    merges = [("▁", "a"), ("▁", "w"), ("l", "l"), ("▁", "▁"), *((token[0], token[1]) for token in more)]
    tokens = ["<unk>", *data, *letters, "¶", "‡", "¦", *map("".join, merges)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    rust = Rust(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    rust.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    rust.decoder = decoders.Sequence(parts)
    return saved(rust, folder)


def words(folder: Path) -> Tokenizer:
    """As BERT has it: what a token adds to a text depends on where it stands."""
    signs = [*SEPARATORS, *"abcdefghijklmnopqrstuvwxyzHTLEP"]
    vocabulary = {token: n for n, token in enumerate(["<unk>", *signs, *(f"##{sign}" for sign in signs)])}
    rust = Rust(models.WordPiece(vocabulary, unk_token="<unk>"))
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.decoder = decoders.WordPiece(cleanup=False)
    return saved(rust, folder)


@dataclass(frozen=True)
class Lesson:
    tokenizer: Tokenizer
    learned: Learned

    def differences(self) -> dict[int, tuple[bytes | None, bytes | None]]:
        """Ids of other bytes than the tokenizer's own; but of the markers of thoughts, which are special."""
        known, own = self.learned.vocabulary, self.tokenizer
        pairs = {i: (known.token_bytes(i), own.token_bytes(i)) for i in range(len(own._tokenizer) + 10)}
        markers = own.think_ids or ()
        return {i: (got, real) for i, (got, real) in pairs.items() if got != real and i not in markers}


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lesson]:
    tokenizers = {
        "byte level": byte_level(tmp_path_factory.mktemp("byte")),
        "pieces": pieces(tmp_path_factory.mktemp("piece")),
    }
    return {name: Lesson(own, asyncio.run(Imitation(own).learned())) for name, own in tokenizers.items()}


FAMILIES = pytest.mark.parametrize("family", ["byte level", "pieces"])


@FAMILIES
def test_all_bytes_are_known_but_those_that_no_text_has(lessons: dict[str, Lesson], family: str) -> None:
    lesson = lessons[family]
    expected = {(None, data) for data in NEVER} | (
        {(b"<unk>", b"<unk>")} if family == "byte level" else set()
    )
    assert set(lesson.differences().values()) <= expected
    assert lesson.learned.unknown == len(NEVER)


@FAMILIES
def test_special_tokens_are_those_that_the_template_writes(lessons: dict[str, Lesson], family: str) -> None:
    own, known = lessons[family].tokenizer, lessons[family].learned.vocabulary
    assert (known.eos_ids, known.think_ids) == (own.eos_ids, own.think_ids)
    assert known.think_ids is not None
    names = {known.special_name(i) for i in range(len(known))} - {None}
    assert names == {*SPECIAL, "<think>", "</think>"}
    assert all(known.token_bytes(i) is None for i in (*known.eos_ids, *known.think_ids))


@FAMILIES
@given(text=st.text(max_size=12) | st.sampled_from(["Hello world", " a  b", "👩‍👩‍👧‍👦 東京", "e\u0301\n\n"]))
def test_texts_are_decoded_as_the_tokenizer_does(lessons: dict[str, Lesson], family: str, text: str) -> None:
    own, known = lessons[family].tokenizer, lessons[family].learned.vocabulary
    # Learned markers of thoughts are special, and have no text; the tokenizer's are ordinary added tokens.
    assume(not any(marker in text for marker in THINK))
    ids = own.encode(text)
    assert known.decode(ids) == own.decode(ids)


async def test_a_vocabulary_is_learned_whose_separators_are_in_its_tokens(tmp_path: Path) -> None:
    own = pieces(tmp_path, "¶a", "a¶", "¶¶", "‡¶", "¦‡", "a¦")
    lesson = Lesson(own, await Imitation(own).learned())
    assert {real for _, real in lesson.differences().values()} == set(NEVER)


@FAMILIES
@pytest.mark.parametrize("how", ["ids", "length", "size"])
async def test_refusals_are_worked_around(lessons: dict[str, Lesson], family: str, how: str) -> None:
    own = lessons[family].tokenizer
    last = len(own._tokenizer) - 1

    def refuses(asked: dict[str, Any]) -> httpx.Response | None:
        ids = asked.get("tokens", [])
        if how == "ids" and max(ids, default=0) > last:
            return httpx.Response(500, json={"error": {"message": "out of range", "code": 500}})
        if how == "length" and len(ids) > 5000:
            return httpx.Response(400, json={"error": {"message": "too long", "param": "input_tokens"}})
        return httpx.Response(413) if len(asked.get("tokens", [])) > 5000 and how == "size" else None

    learned = await Imitation(own, refuses=refuses).learned()
    assert Lesson(own, learned).differences() == lessons[family].differences()
    assert len(learned.vocabulary) == len(lessons[family].learned.vocabulary)


async def test_texts_in_place_of_the_vocabulary_s_strings_are_enough(lessons: dict[str, Lesson]) -> None:
    """As vLLM's Mistral tokenizer tells them."""
    own = lessons["byte level"].tokenizer
    learned = await Imitation(own, tells_texts=True).learned()
    assert Lesson(own, learned).differences() == lessons["byte level"].differences()


async def test_what_a_decoder_cleans_up_is_seen_through(lessons: dict[str, Lesson]) -> None:
    own = lessons["byte level"].tokenizer
    learned = await Imitation(own, cleans=True).learned()
    assert {got for got, _ in Lesson(own, learned).differences().values()} <= {None}


async def test_a_template_that_refuses_tells_less(tmp_path: Path) -> None:
    refusing = "{% if messages|length > 1 %}{{ raise_exception('One message only') }}{% endif %}" + TEMPLATE
    own = byte_level(tmp_path, refusing, think=False)

    def refuses(asked: dict[str, Any]) -> httpx.Response | None:
        several = len(asked.get("messages", [])) > 1
        return httpx.Response(400, json={"error": {"message": "One message only"}}) if several else None

    known = (await Imitation(own, refuses=refuses).learned()).vocabulary
    assert (known.eos_ids, known.think_ids) == (frozenset(), None)


async def test_tokens_without_bytes_of_their_own_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerMismatch, match="COSTEER_REMOTE_TOKENIZER"):
        await Imitation(words(tmp_path)).learned()


async def test_bytes_that_do_not_spell_the_texts_are_refused(lessons: dict[str, Lesson]) -> None:
    imitated = Imitation(lessons["byte level"].tokenizer)
    imitated._tokenizer = lessons["pieces"].tokenizer
    with pytest.raises(TokenizerMismatch, match="COSTEER_REMOTE_TOKENIZER"):
        await imitated.learned()


async def test_it_takes_few_requests_and_tells_how_far_it_is(lessons: dict[str, Lesson]) -> None:
    imitated, shares = Imitation(lessons["byte level"].tokenizer), list[float]()
    await imitated.learned(shares.append)
    assert shares == sorted(shares)
    assert (shares[-1], len(imitated.asked) < 40) == (1.0, True)


# The two requests


async def test_token_strings_asks_for_the_vocabulary_s_own(router: respx.Router, remote: VLLMRemote) -> None:
    answer = {"tokens": [1, 2, 3], "token_strs": ["a", "Ġb", None]}
    route = router.post("http://vllm.test:8001/tokenize").respond(200, json=answer)
    assert await remote.token_strings("a b") == [(1, "a"), (2, "Ġb"), (3, "")]
    assert sent(route) == {
        "model": "qwen",
        "prompt": "a b",
        "add_special_tokens": False,
        "return_token_strs": True,
    }


async def test_detokenize_takes_token_ids_alone(router: respx.Router, remote: VLLMRemote) -> None:
    route = router.post("http://vllm.test:8001/detokenize").respond(200, json={"prompt": "a b"})
    assert await remote.detokenize([1, 2]) == "a b"
    assert sent(route) == {"model": "qwen", "tokens": [1, 2]}
    secret: Any = "private"
    with pytest.raises(TypeError):
        await remote.detokenize(secret)


@pytest.mark.parametrize("answer", [{"tokens": [1]}, {"tokens": [1], "token_strs": None}])
async def test_an_older_vllm_that_tells_no_strings_is_named_so(
    router: respx.Router, remote: VLLMRemote, answer: dict[str, Any]
) -> None:
    router.post("http://vllm.test:8001/tokenize").respond(200, json=answer)
    with pytest.raises(RemoteError, match="does not tell the strings"):
        await learn_vocabulary(remote)


@pytest.mark.parametrize("answer", [{}, [], {"tokens": [1, 2], "token_strs": ["a"]}, {"prompt!": ""}])
async def test_what_is_no_vllm_s_answer_is_named_so(
    router: respx.Router, remote: VLLMRemote, answer: Any
) -> None:
    for path in ("tokenize", "detokenize"):
        router.post(f"http://vllm.test:8001/{path}").respond(200, json=answer)
    with pytest.raises(RemoteError, match="not a vLLM's"):
        await remote.token_strings("a")
    with pytest.raises(RemoteError, match="not a vLLM's"):
        await remote.detokenize([1])


async def test_other_failures_are_the_remote_s(lessons: dict[str, Lesson]) -> None:
    def refuses(asked: dict[str, Any]) -> httpx.Response | None:
        return httpx.Response(503) if "tokens" in asked else None

    with pytest.raises(RemoteError, match="not available"):
        await Imitation(lessons["byte level"].tokenizer, refuses=refuses).learned()
