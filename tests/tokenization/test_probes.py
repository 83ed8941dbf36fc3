"""Two tokenizers count as one only when they cut every probe alike."""

from __future__ import annotations

import pytest

from app.tokenization.probes import PROBES, first_difference

SAME = [[ord(character) for character in text] for text in PROBES]


def test_the_same_ids_are_no_difference() -> None:
    assert first_difference(SAME, [list(ids) for ids in SAME]) is None


@pytest.mark.parametrize("probe", range(len(PROBES)))
@pytest.mark.parametrize("change", ["another id", "one more", "one less"])
def test_one_id_in_any_probe_is_a_difference(probe: int, change: str) -> None:
    other = [list(ids) for ids in SAME]
    if change == "another id":
        other[probe][-1] += 1
    elif change == "one more":
        other[probe].append(0)
    else:
        other[probe].pop()
    assert first_difference(SAME, other) == PROBES[probe]


def test_a_missing_probe_is_no_agreement() -> None:
    with pytest.raises(ValueError, match="zip"):
        first_difference(SAME[:-1], SAME)


def test_the_probes_hold_what_tokenizers_differ_on() -> None:
    text = "".join(PROBES)
    for kind in (str.isdigit, str.isupper, str.isspace):
        assert any(map(kind, text))
    for special in (
        "\t",
        "\n\n",
        "\r\n",
        "    ",
        "\N{ZERO WIDTH JOINER}",
        "\N{COMBINING ACUTE ACCENT}",
        "東",
    ):
        assert special in text
    assert max(text) > "\uffff"
