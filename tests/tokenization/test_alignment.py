"""How likely a local model finds tokens of another vocabulary, against a plain search through its own."""

import numpy as np
import pytest
from fakes import EOS, VOCABULARY, FakeTokenizer
from hypothesis import given
from hypothesis import strategies as st

from app.errors import WeightsError
from app.local.aligned_model import AlignedLogprobs
from app.local.model import SameVocabularyLogprobs
from app.steering.formula import Rows, log_softmax
from app.tokenization.alignment import ByteAlignment, align
from app.tokenization.byte_vocabulary import ByteVocabulary
from app.tokenization.tokenizer import Tokenizer

PAIRS = np.array([[0, 1]])
DATA = st.lists(st.sampled_from(b"abc"), max_size=4).map(bytes)


def rows_over(size: int, seed: int = 0) -> Rows:
    logits = np.random.default_rng(seed).normal(0.0, 2.0, (2, size))
    return np.stack([log_softmax(row) for row in logits]).astype(np.float32)


def no_text(_: str) -> list[int]:
    raise AssertionError


@given(st.lists(DATA, min_size=1, max_size=12), st.lists(DATA, min_size=1, max_size=30))
def test_a_token_is_as_likely_as_the_local_ones_that_stand_for_it(
    remote: list[bytes], local: list[bytes]
) -> None:
    rows = rows_over(len(local))
    local_logprobs = AlignedLogprobs(rows, PAIRS, ByteAlignment(remote, ByteVocabulary(local), no_text))
    found = local_logprobs.logprobs(np.arange(len(remote)))[0]
    for column, data in zip(found.T, remote, strict=True):
        if data and data in local:
            standing = [local.index(data)]
        else:
            standing = [i for i, one in enumerate(local) if data and one.startswith(data)]
            shorter = [one for one in local if one and data.startswith(one)]
            standing += [local.index(max(shorter, key=len))] if shorter else []
        if standing:
            expected = np.log(np.exp(rows[:, standing].astype(np.float64)).sum(axis=1))
            np.testing.assert_allclose(column, expected, atol=1e-6)
        else:  # nothing is known of it: it is not steered
            assert column[0] == column[1]


@given(st.lists(DATA.filter(bool), min_size=1, max_size=20, unique=True), st.randoms(use_true_random=False))
def test_of_one_vocabulary_in_two_orders_all_are_exact(data: list[bytes], random: object) -> None:
    order = list(range(len(data)))
    random.shuffle(order)  # type: ignore[attr-defined]
    alignment = ByteAlignment(data, ByteVocabulary([data[i] for i in order]), no_text)
    rows = rows_over(len(data))
    direct = SameVocabularyLogprobs(rows[:, np.argsort(order)], PAIRS)
    ids = np.arange(len(data))
    np.testing.assert_array_equal(AlignedLogprobs(rows, PAIRS, alignment).logprobs(ids), direct.logprobs(ids))
    assert alignment.exact == 1.0


@given(
    st.lists(DATA.filter(bool), min_size=1, max_size=12),
    st.lists(DATA.filter(bool), min_size=1, max_size=12, unique=True),
    st.sets(st.integers(0, 11)),
    st.integers(1, 4),
)
def test_the_likeliest_are_those_that_a_local_token_is_exactly(
    remote: list[bytes], local: list[bytes], without: set[int], count: int
) -> None:
    rows = rows_over(len(local))
    local_logprobs = AlignedLogprobs(rows, PAIRS, ByteAlignment(remote, ByteVocabulary(local), no_text))
    # Of the remote's tokens that spell the same the first counts.
    exact = {remote.index(data): rows[0, local.index(data)] for data in set(remote) & set(local)}
    wanted = sorted(exact.keys() - without, key=lambda token_id: -exact[token_id])
    found = local_logprobs.likeliest(count, np.array(sorted(without), np.int64)).tolist()
    assert found == wanted[: len(found)]
    # A few more than are wanted are looked at, not all.
    assert len(found) == min(count, len(wanted)) or len(local) > 2 * (count + len(without))


def test_ids_beyond_the_remotes_vocabulary_are_not_known() -> None:
    local_logprobs = AlignedLogprobs(
        rows_over(2), PAIRS, ByteAlignment([b"a"], ByteVocabulary([b"a", b"b"]), no_text)
    )
    assert (
        local_logprobs.logprobs(np.array([7]))[0, 0] == local_logprobs.logprobs(np.array([7]))[0, 1]
    ).all()


class Named(FakeTokenizer):
    """Special tokens with names of their own, the first of which ends a reply."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._names = names

    def special_name(self, token_id: int) -> str | None:
        return self._names[token_id - EOS] if 0 <= token_id - EOS < len(self._names) else None


def test_special_tokens_are_those_of_the_same_name_or_the_same_part() -> None:
    remote = Named("<|eot|>", "<think>", "<tool>")
    local = Named("</s>", "<fim>", "<think>")
    rows = rows_over(VOCABULARY)
    found = AlignedLogprobs(rows, PAIRS, align(remote, local)).logprobs(np.arange(EOS, EOS + 3))[0]
    np.testing.assert_allclose(found[:, 0], rows[:, EOS])  # the end, by its part
    np.testing.assert_allclose(found[:, 1], rows[:, EOS + 2])  # by its name
    assert found[0, 2] == found[1, 2]  # neither


def test_a_tokenizer_whose_tokens_do_not_spell_their_text_is_refused_by_name() -> None:
    class Pieces(FakeTokenizer):
        def __init__(self) -> None:
            super().__init__()
            self._path, self._lead = "some/wordpiece", None

        def token_bytes(self, token_id: int) -> bytes | None:
            return b"##" + bytes([token_id]) if token_id < EOS else None

    with pytest.raises(WeightsError, match="some/wordpiece"):
        align(FakeTokenizer(), Pieces())


def test_what_goes_on_from_another_text_has_no_space_of_the_tokenizers_own() -> None:
    class Spacing(FakeTokenizer):
        """As SentencePiece: a space before a text, but not after a line's end."""

        def __init__(self) -> None:
            super().__init__()
            self._lead = None

        def encode(self, text: str) -> list[int]:
            return super().encode(text if text.startswith(("\n", " ")) or not text else " " + text)

    tokenizer: Tokenizer = Spacing()
    assert tokenizer.encode("word") != list(b"word")
    assert tokenizer.encode_after("word") == list(b"word")
