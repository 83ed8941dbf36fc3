"""A file of results: nothing is lost by a break, and nothing is mixed."""

from pathlib import Path

import pytest

from app.errors import InvalidRequest
from app.evaluation.quality.forced import Forced
from app.evaluation.quality.results import Results

ARGUMENTS = {"model": "big", "rules": ["remote alone"], "tokens": 160}


def forced(case: str, nll: float = 3.0) -> Forced:
    return Forced(case, "letter", 100, {"remote alone": (nll, nll + 0.1)})


def opened(path: Path, **changed: object) -> Results[Forced]:
    return Results(path, {**ARGUMENTS, **changed}, Forced.of)


def test_it_goes_on_from_where_it_was_broken_off(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    first = opened(path)
    assert list(first) == []
    first.add(forced("a"))
    first.add(forced("b"))
    with path.open("ab") as file:
        file.write(b'{"case": "c", "tok')  # a line that has no end
    second = opened(path)
    assert list(second) == [forced("a"), forced("b")]
    assert second.get("a", "letter") == forced("a")
    assert second.get("c", "letter") is None
    second.add(forced("c"))
    assert list(opened(path)) == [forced("a"), forced("b"), forced("c")]


def test_of_two_with_the_same_key_the_last_counts(tmp_path: Path) -> None:
    first = opened(tmp_path / "out.jsonl")
    for nll in (3.0, 2.0):
        first.add(forced("a", nll))
    assert list(first) == list(opened(tmp_path / "out.jsonl")) == [forced("a", 2.0)]


def test_results_of_another_evaluation_are_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    opened(path).add(forced("a"))
    kept = path.read_bytes()
    with pytest.raises(InvalidRequest, match=r"another evaluation \(model, tokens\)"):
        opened(path, model="small", tokens=80)
    assert path.read_bytes() == kept


@pytest.mark.parametrize(
    "content", ["hello", "hello\n", "[1]\n", '{"other": 1}\n', '{"arguments": {}}\n{"case": 1}\n']
)
def test_another_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(InvalidRequest, match="no file of results"):
        opened(path)
    assert path.read_text() == content


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written"):
        opened(tmp_path / "none" / "out.jsonl")
