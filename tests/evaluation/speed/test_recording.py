"""A recording's file: what is written is read again, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest

from app.errors import InvalidRequest
from app.evaluation.speed import recording as module
from app.evaluation.speed.recording import Recording, chat_question, text_question
from app.prompts.message import Message
from app.remote.interface import DraftToken, ModelCard, RemoteVocabulary
from app.tokenization.vocabulary import SpelledVocabulary

CARD = ModelCard("big", 4096, 7, "vllm")
PROMPT = [5, 6]
HELLO = chat_question([Message("user", "Hello.", name="Al")], continue_final=False)


def token(token_id: int, *, ends: bool = False) -> DraftToken:
    return DraftToken(token_id, np.array([token_id, 99]), np.log([0.75, 0.25]), ends=ends)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "remote.jsonl"


@pytest.fixture
def made(path: Path) -> Recording:
    recording = Recording.read(path)
    recording.begin(CARD, 20)
    recording.add_tokens(HELLO, [1, 2, 3])
    recording.add_draft(PROMPT, [token(7), token(8), token(9, ends=True)])
    recording.save(Path.write_bytes)
    return recording


def test_everything_is_read_again(path: Path, made: Recording) -> None:
    spelling = [b"a", b" b", b"\xff\x00", None, None]
    vocabulary = SpelledVocabulary(spelling, {3: "<end>"}, frozenset({3}), (3, 4), strips_space=True)
    made.add_vocabulary(RemoteVocabulary(vocabulary, "learned"))
    made.save(Path.write_bytes)
    found = Recording.read(path)
    assert found.card == CARD
    assert found.tokens(HELLO) == [1, 2, 3]
    place = found.position(PROMPT)
    for token_id in (7, 8, 9):
        assert place.drafted is not None
        assert (place.drafted.token_id, place.drafted.candidates.tolist()) == (token_id, [token_id, 99])
        assert place.drafted.logprobs == pytest.approx(np.log([0.75, 0.25]), abs=1e-6)
        assert place.drafted.ends == (token_id == 9)
        place = place.after(token_id)
    assert place.drafted is None
    assert found.vocabulary is not None
    again = found.vocabulary.vocabulary
    assert [again.token_bytes(i) for i in range(5)] == spelling
    assert (again.special_name(3), again.eos_ids, again.think_ids) == ("<end>", frozenset({3}), (3, 4))
    assert (again.decode([1, 0]), found.vocabulary.source) == ("ba", "learned")


def test_now_is_played_back_exactly_what_will_be_later(path: Path, made: Recording) -> None:
    one, other = made.position(PROMPT).drafted, Recording.read(path).position(PROMPT).drafted
    assert one is not None
    assert other is not None
    assert one.logprobs.tolist() == other.logprobs.tolist()


def test_questions_that_differ_have_answers_of_their_own(made: Recording) -> None:
    for question in (
        text_question("Hello."),
        chat_question([Message("user", "Hello.")], continue_final=False),
        chat_question([Message("user", "Hello.", name="Al")], continue_final=True),
    ):
        assert made.tokens(question) is None


def test_a_position_keeps_its_first_answer(made: Recording) -> None:
    made.add_draft(PROMPT, [token(50), token(51)])
    drafted, other = made.position(PROMPT).drafted, made.position([*PROMPT, 50]).drafted
    assert drafted is not None
    assert other is not None
    assert (drafted.token_id, other.token_id) == (7, 51)


def test_nothing_new_is_not_written_again(made: Recording) -> None:
    def never(_path: Path, _data: bytes) -> None:
        pytest.fail("nothing is new")

    made.save(never)
    Recording.read(made.path).save(never)
    made.add_draft(PROMPT, [])
    made.save(never)


def test_without_a_file_it_is_empty_and_fits_everything(path: Path) -> None:
    recording = Recording.read(path)
    recording.check(model="any", top_logprobs=3)
    assert recording.card is None
    assert not path.exists()


def test_a_folder_that_is_not_there_is_named_at_once(path: Path) -> None:
    for wrong in (path / "none.jsonl", path.parent):
        with pytest.raises(InvalidRequest, match="cannot be read"):
            Recording.read(wrong)


def test_another_model_or_number_of_candidates_is_refused(made: Recording) -> None:
    made.check(model="", top_logprobs=20)
    made.check(model="big", top_logprobs=20)
    with pytest.raises(InvalidRequest, match=r"of the model 'big'.*'small'.*--model"):
        made.check(model="small", top_logprobs=20)
    with pytest.raises(InvalidRequest, match="COSTEER_TOP_LOGPROBS=20, which is 10 now"):
        made.check(model="big", top_logprobs=10)


HEAD = {
    "costeer_bench_recording": 1,
    "model": {"id": "big", "max_model_len": None},
    "top_logprobs": 2,
    "sampling": {"temperature": 0},
}


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([b"Write a SECRET."], 1),
        ([b"[]"], 1),
        ([orjson.dumps({**HEAD, "costeer_bench_recording": 2})], 1),
        ([orjson.dumps({**HEAD, "sampling": {"temperature": 1}})], 1),
        ([orjson.dumps({**HEAD, "model": {"name": "big"}})], 1),
        ([orjson.dumps(HEAD), b'{"SECRET": 1}'], 2),
        ([orjson.dumps(HEAD), b'{"after": [1], "drafted": [[7, [8], [0.0]]], "ends": false}'], 2),
        ([orjson.dumps(HEAD), b'{"after": [1], "drafted": [[7, [7], []]], "ends": false}'], 2),
        ([orjson.dumps(HEAD), b'{"after": ["x"], "drafted": [], "ends": false}'], 2),
        ([orjson.dumps(HEAD), b'{"tokenize": {"text": "x"}, "ids": [1, null]}'], 2),
        ([orjson.dumps(HEAD), b'{"after": [1], "dra'], 2),
    ],
)
def test_what_is_no_recording_is_refused_by_its_line_and_not_quoted(
    path: Path, lines: list[bytes], wrong: int
) -> None:
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(InvalidRequest, match=f"line {wrong}: is not of a recording") as caught:
        Recording.read(path)
    assert "SECRET" not in caught.value.message


def test_it_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch, made: Recording, path: Path) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    with pytest.raises(InvalidRequest, match="Record fewer prompts or tokens"):
        for number in range(100):
            made.add_draft([number], [token(7)])
    made.save(Path.write_bytes)
    assert path.stat().st_size <= 1000
    path.write_bytes(b"x" * 1001)
    with pytest.raises(InvalidRequest, match="is larger than"):
        Recording.read(path)
