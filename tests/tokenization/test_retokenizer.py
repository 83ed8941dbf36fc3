"""A reply in local tokens: whatever the remote's tokens cut apart, and whatever was there in between."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from app.tokenization.byte_vocabulary import ByteVocabulary
from app.tokenization.retokenizer import Retokenizer
from app.tokenization.vocabulary import BYTE_ALPHABET

TEXTS = [
    "The keeper of the lighthouse keeps the light, and the light keeps the keeper awake.",
    "Größe, naïve café, señor; 東京タワーは高い。서울은 크다. Привет, мир! 😀👩‍👩‍👧 e\u0301",
    "def f(x):\n    return {'a': x ** 2}\n\n\n",
]
SPECIAL = 10_000


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Byte-level BPE that normalises, as Qwen's does, and cuts words like GPT-2's."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s?\p{L}+|\s?\p{N}|\s?[^\s\p{L}\p{N}]+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=450, initial_alphabet=alphabet, show_progress=False)
    )
    return made


@pytest.fixture(scope="module")
def vocabulary(tokenizer: Tokenizer) -> ByteVocabulary:
    names = [tokenizer.id_to_token(token_id) for token_id in range(tokenizer.get_vocab_size())]
    return ByteVocabulary([bytes(BYTE_ALPHABET[letter] for letter in str(name)) for name in names])


def retokenizer(
    tokenizer: Tokenizer, vocabulary: ByteVocabulary, pieces: Sequence[bytes], special: tuple[int, ...] = ()
) -> Retokenizer:
    """The remote's tokens are numbers of `pieces`, and one special token."""

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    return Retokenizer(
        vocabulary, encode, lambda token_id: special if token_id == SPECIAL else pieces[token_id]
    )


PIECES = st.lists(
    st.binary(max_size=4) | st.text(max_size=8).map(str.encode) | st.sampled_from([b" light", b"ep"]),
    max_size=40,
)


@given(PIECES, st.data())
def test_bytes_are_never_lost_or_doubled_and_the_past_does_not_matter(
    tokenizer: Tokenizer, vocabulary: ByteVocabulary, pieces: list[bytes], data: st.DataObject
) -> None:
    """It follows drafts that turn out otherwise; afterwards it is where one is that never left the way."""
    straight = retokenizer(tokenizer, vocabulary, pieces)
    straight.follow(range(len(pieces)))
    wandering = retokenizer(tokenizer, vocabulary, pieces)
    reply: list[int] = []
    while len(reply) < len(pieces):
        drafted = data.draw(st.lists(st.integers(0, len(pieces) - 1), max_size=6))
        wandering.follow([*reply, *drafted])
        reply.append(len(reply))
    wandering.follow(reply)
    for position in range(len(pieces) + 1):
        ids = wandering.at(position)
        assert ids == straight.at(position)
        spelled = b"".join(vocabulary.spelling[token_id] or b"" for token_id in ids)
        assert spelled == b"".join(pieces[:position])


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_whole_characters_are_cut_as_the_tokenizer_cuts_the_text(
    tokenizer: Tokenizer, vocabulary: ByteVocabulary, text: str, size: int
) -> None:
    text = (text.replace("e\u0301", "") + " ") * 5  # long enough that the first tokens are settled
    pieces = [text[at : at + size].encode() for at in range(0, len(text), size)]
    cut = retokenizer(tokenizer, vocabulary, pieces)
    cut.follow(range(len(pieces)))
    for position in range(len(pieces) + 1):
        assert cut.at(position) == tokenizer.encode(text[: size * position]).ids


def test_a_special_token_stands_between_and_one_without_a_counterpart_for_nothing(
    tokenizer: Tokenizer, vocabulary: ByteVocabulary
) -> None:
    pieces = [b" li", b"ght"]
    light, li, ght = (tokenizer.encode(text).ids for text in (" light", " li", "ght"))
    assert light != li + ght
    with_one = retokenizer(tokenizer, vocabulary, pieces, special=(7,))
    with_one.follow([0, SPECIAL, 1])
    assert [with_one.at(n) for n in range(4)] == [[], li, [*li, 7], [*li, 7, *ght]]
    without = retokenizer(tokenizer, vocabulary, pieces)
    without.follow([0, SPECIAL, 1])
    assert without.at(3) == li + ght
