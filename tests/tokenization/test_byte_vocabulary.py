"""Tokens by their bytes: what is found is what a search through all of them finds."""

from hypothesis import given
from hypothesis import strategies as st

from app.tokenization.byte_vocabulary import ByteVocabulary

# Few different bytes, the greatest among them, so that many begin alike.
DATA = st.lists(st.sampled_from(b"ab\xfe\xff"), max_size=5).map(bytes)
SPELLINGS = st.lists(st.none() | DATA, max_size=40)


@given(SPELLINGS, DATA)
def test_lookups_find_what_a_search_through_all_tokens_finds(
    spelling: list[bytes | None], data: bytes
) -> None:
    vocabulary = ByteVocabulary(spelling)
    spelled = {token_id: one for token_id, one in enumerate(spelling) if one}
    beginning = sorted(token_id for token_id, one in spelled.items() if one.startswith(data))
    assert sorted(vocabulary.beginning(data).tolist()) == beginning
    same = [token_id for token_id, one in spelled.items() if one == data]
    assert vocabulary.exact(data) == (min(same) if same else None)
    assert (data in vocabulary) == bool(same)
    prefixes = [one for one in spelled.values() if data.startswith(one)]
    longest = vocabulary.longest(data)
    assert (None if longest is None else spelling[longest]) == max(prefixes, key=len, default=None)
    assert len(vocabulary) == len(set(spelled.values()))


@given(st.lists(DATA, max_size=10), DATA)
def test_what_is_spelled_joins_to_the_same_bytes(tokens: list[bytes], data: bytes) -> None:
    vocabulary = ByteVocabulary([*(bytes([byte]) for byte in range(256)), *tokens])
    assert b"".join(vocabulary.spelling[token_id] or b"" for token_id in vocabulary.spell(data)) == data


def test_bytes_that_no_token_begins_with_are_left_out() -> None:
    assert ByteVocabulary([b"a", None, b"bc"]).spell(b"xabcb") == [0, 2]
