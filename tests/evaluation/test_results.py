"""A file of results: nothing is lost by a break, and nothing is mixed."""

from pathlib import Path

import pytest

from app.errors import InvalidRequest
from app.evaluation.forced import SHOWN, TEMPERATURES, Forced
from app.evaluation.results import Results
from app.evaluation.rules import REMOTE_ALONE
from app.evaluation.summary import standings

ARGUMENTS = {"model": "big", "rules": ["remote alone"], "tokens": 160}


def forced(case: str, alone: float = 3.0) -> Forced:
    def around(best: int, nll: float) -> tuple[float, ...]:
        return tuple(nll + 0.01 * abs(number - best) for number in range(len(TEMPERATURES)))

    nll = {
        REMOTE_ALONE: around(2, alone),
        "strength 1": around(1, alone - 0.1),
        SHOWN: around(0, alone - 0.4),
    }
    return Forced(case, 100, nll)


def test_it_goes_on_from_where_it_was_broken_off(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    first = Results(path, ARGUMENTS)
    assert first.forced == []
    first.add(forced("a"))
    first.add(forced("b"))
    with path.open("ab") as file:
        file.write(b'{"case": "c", "tok')  # a line that has no end
    second = Results(path, ARGUMENTS)
    assert second.forced == [forced("a"), forced("b")]
    assert second.cases == {"a", "b"}
    second.add(forced("c"))
    assert Results(path, ARGUMENTS).forced == [forced("a"), forced("b"), forced("c")]


def test_results_of_another_evaluation_are_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    Results(path, ARGUMENTS).add(forced("a"))
    kept = path.read_bytes()
    with pytest.raises(InvalidRequest, match=r"another evaluation \(model, tokens\)"):
        Results(path, {**ARGUMENTS, "model": "small", "tokens": 80})
    assert path.read_bytes() == kept


@pytest.mark.parametrize(
    "content", ["hello", "hello\n", "[1]\n", '{"other": 1}\n', '{"arguments": {}}\n{"case": 1}\n']
)
def test_another_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(InvalidRequest, match="no file of results"):
        Results(path, ARGUMENTS)
    assert path.read_text() == content


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written"):
        Results(tmp_path / "none" / "out.jsonl", ARGUMENTS)


def test_rules_are_compared_at_their_own_best_temperature() -> None:
    alone, steered, shown = standings([forced("a", 3.0), forced("b", 4.0), forced("c", 3.2)])
    assert (alone.temperature, steered.temperature, shown.temperature) == (
        TEMPERATURES[2],
        TEMPERATURES[1],
        TEMPERATURES[0],
    )
    assert alone.nll.value == pytest.approx(3.4)
    assert (alone.gained.low, alone.gained.high) == (0.0, 0.0)
    # The gain is the same in each case, however different the cases are.
    assert (steered.gained.low, steered.gained.high) == pytest.approx((0.1, 0.1))
    assert steered.closed is not None
    assert (steered.closed.value, steered.closed.low) == pytest.approx((0.25, 0.25))
