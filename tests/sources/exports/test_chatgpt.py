"""The export of ChatGPT: the branch that is shown, the person's words in it, and what is not theirs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.profiles.profile import MAX_TEXT
from app.sources.exports import chatgpt
from app.sources.exports.chatgpt import INSTRUCTIONS, looks_like, read
from app.sources.found import Found
from sources.laws import NOBODY, hold, sorted_out, written, zipped

LETTER = "Could you help me with the letter to the landlord? I want it firm but not rude: he was decent."
SECOND = (
    "Too stiff. I would never say 'kindly'; and please leave the bit about the heating out, I fixed that."
)
OTHER = (
    "A variant of the question that I edited away afterwards, since it was not what I had wanted to ask him."
)


def message(role: str, *parts: object, kind: str = "text", **more: object) -> dict[str, object]:
    return {
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": 1700000000.25,
        "update_time": None,
        "content": {"content_type": kind, "parts": list(parts)},
        "status": "finished_successfully",
        "end_turn": None,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
        "channel": None,
        **more,
    }


def conversation(*messages: dict[str, object], **more: object) -> dict[str, object]:
    """A conversation as exported, one message after the other, below the empty root."""
    mapping: dict[str, object] = {"root": {"id": "root", "message": None, "parent": None, "children": ["m0"]}}
    for number, one in enumerate(messages):
        mapping[f"m{number}"] = {
            "id": f"m{number}",
            "message": {"id": f"m{number}", **one},
            "parent": f"m{number - 1}" if number else "root",
            "children": [f"m{number + 1}"] if number + 1 < len(messages) else [],
        }
    return {
        "title": "Letter to the landlord",
        "create_time": 1699999999.0,
        "update_time": 1700000100.0,
        "mapping": mapping,
        "moderation_results": [],
        "current_node": f"m{len(messages) - 1}",
        "conversation_id": "c",
        "id": "c",
        **more,
    }


def export(folder: Path, *conversations: object) -> Path:
    return written(folder / "conversations.json", json.dumps(conversations))


def found(path: Path, *, exchanges: bool = False) -> list[Found]:
    return sorted_out(read(path, NOBODY, exchanges=exchanges))[0]


def test_the_persons_long_messages_are_documents(tmp_path: Path) -> None:
    path = export(
        tmp_path,
        conversation(
            message("system", ""),
            message("user", LETTER),
            message("assistant", "Of course. Dear Mr Holm, ..."),
            message("user", "shorter"),
            message("assistant", "Dear Mr Holm, ..."),
            message("user", SECOND),
        ),
    )
    kept, reasons = sorted_out(read(path, NOBODY))
    assert [(one.item.text, one.part, one.item.title) for one in kept] == [
        (LETTER, "c/m1", "Letter to the landlord"),
        (SECOND, "c/m5", "Letter to the landlord"),
    ]
    assert {one.item.kind for one in kept} == {"document"} and not any(one.item.request for one in kept)
    assert kept[0].item.created_at == datetime.fromtimestamp(1700000000.25, UTC)
    assert reasons == {"a message of fewer than 60 characters outside of code": 1}


def test_exchanges_are_turns_with_all_that_the_model_answered(tmp_path: Path) -> None:
    path = export(
        tmp_path,
        conversation(
            message("user", "Is it legal?"),
            message("assistant", '{"q": "law"}', kind="code", recipient="web"),
            message("tool", "results"),
            message("assistant", "Let me think.", channel="commentary"),
            message("assistant", "", kind="thoughts"),
            message("assistant", "Yes.\ue200cite\ue202turn0search1\ue201 With notice【4†source】."),
            message("assistant", "Do ask first."),
            message("user", "Unanswered"),
        ),
    )
    kept, reasons = sorted_out(read(path, NOBODY, exchanges=True))
    assert [(one.item.kind, one.item.request, one.item.text) for one in kept] == [
        ("turn", "Is it legal?", "Yes. With notice.\n\nDo ask first.")
    ]
    assert reasons == {"a question without an answer": 1}


def test_the_branch_that_the_site_shows_is_read(tmp_path: Path) -> None:
    one = conversation(message("user", LETTER), message("assistant", "a"), message("user", SECOND))
    mapping = one["mapping"]
    assert isinstance(mapping, dict)
    edited = {"id": "x", "parent": "m1", "children": [], "message": {"id": "x", **message("user", OTHER)}}
    one["mapping"] = {**mapping, "x": edited}
    assert [f.item.text for f in found(export(tmp_path, one))] == [LETTER, SECOND]
    # Without a current node it is the branch with the latest time, or the last one.
    later = {"id": "x", **message("user", OTHER, create_time=1800000000)}
    one["mapping"] = {"x": {**edited, "message": later}, **mapping}
    for missing in (None, "gone", 7):
        one["current_node"] = missing
        assert [f.item.text for f in found(export(tmp_path, one))] == [LETTER, OTHER]


@pytest.mark.parametrize(
    "left_out",
    [
        message("user", LETTER, metadata={"is_visually_hidden_from_conversation": True}),
        message("user", LETTER, weight=0.0),
        message("user", LETTER, kind="execution_output"),
        message("system", LETTER),
        message("tool", LETTER),
        message("user", {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}),
        message("user", f"```python\n{LETTER}\n```"),
    ],
)
def test_what_is_hidden_or_not_of_the_person_is_left_out(tmp_path: Path, left_out: dict[str, object]) -> None:
    assert found(export(tmp_path, conversation(left_out))) == []


def test_custom_instructions_are_counted_not_kept(tmp_path: Path) -> None:
    content = {"content_type": "user_editable_context", "user_profile": LETTER, "user_instructions": LETTER}
    path = export(tmp_path, conversation(message("user", content=content), message("user", SECOND)))
    kept, reasons = sorted_out(read(path, NOBODY))
    assert [one.item.text for one in kept] == [SECOND]
    assert reasons == {INSTRUCTIONS: 1}


def test_pictures_beside_words_and_what_was_spoken(tmp_path: Path) -> None:
    image = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://x"}
    spoken = {"content_type": "audio_transcription", "text": SECOND, "direction": "in"}
    path = export(
        tmp_path,
        conversation(
            message("user", image, LETTER, kind="multimodal_text"),
            message("user", spoken, {"content_type": "audio_asset_pointer"}, kind="multimodal_text"),
        ),
    )
    assert [one.item.text for one in found(path)] == [LETTER, SECOND]


def test_code_between_fences_is_not_the_persons_style(tmp_path: Path) -> None:
    text = f"{LETTER}\n```sh\nls\n```\n{SECOND}"
    assert found(export(tmp_path, conversation(message("user", text))))[0].item.text == f"{LETTER}\n{SECOND}"


@pytest.mark.parametrize("title", ["New chat", "Neuer Chat", None, 7, " "])
def test_a_chat_without_a_title_of_its_own_has_none(tmp_path: Path, title: object) -> None:
    assert found(export(tmp_path, conversation(message("user", LETTER), title=title)))[0].item.title == ""


def test_a_message_without_a_time_has_that_of_its_conversation(tmp_path: Path) -> None:
    one = conversation(message("user", LETTER, create_time=None))
    assert found(export(tmp_path, one))[0].item.created_at == datetime.fromtimestamp(1699999999, UTC)
    wrongs: list[object] = ["x", -1, 1e300, float("nan"), 10**400, True, []]
    for wrong in wrongs:
        one = conversation(message("user", LETTER, create_time=wrong), create_time=wrong)
        assert found(export(tmp_path, one))[0].item.created_at is None


def test_an_archive_whole_or_in_numbered_files(tmp_path: Path) -> None:
    first, second = (json.dumps([conversation(message("user", text))]) for text in (LETTER, SECOND))
    path = zipped(
        tmp_path / "export.zip",
        {
            "chat.html": "<html>",
            "user.json": "{}",
            "conversations-001.json": second,
            "conversations-000.json": first,
            "shared_conversations.json": "[]",
            "__MACOSX/conversations-000.json": "\0",
        },
    )
    assert looks_like(path)
    # Both have a message m0 of a conversation c: the second is told apart.
    assert [(one.item.text, one.part) for one in found(path)] == [(LETTER, "c/m0"), (SECOND, "c/m0#2")]


def test_one_conversation_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    good = json.dumps(conversation(message("user", LETTER)))
    path = written(
        tmp_path / "conversations.json", f'[{{"mapping": tru}}, {good}, 7, {{"mapping": []}}, {good[:90]}'
    )
    kept, reasons = sorted_out(read(path, NOBODY))
    assert [one.item.text for one in kept] == [LETTER]
    assert sum(reasons.values()) == 4


def test_parents_in_a_circle_end(tmp_path: Path) -> None:
    one = conversation(message("user", LETTER), message("user", SECOND))
    mapping = one["mapping"]
    assert isinstance(mapping, dict)
    mapping["m0"]["parent"] = "m1"
    assert [f.item.text for f in found(export(tmp_path, one))] == [LETTER, SECOND]


def test_only_what_is_chatgpts_looks_like_it(tmp_path: Path) -> None:
    assert looks_like(export(tmp_path, conversation(message("user", LETTER))))
    claude = [{"uuid": "1", "name": "x", "chat_messages": [{"text": 'a "mapping": {} of names'}]}]
    for name, content in {
        "conversations.json": json.dumps(claude),
        "history.json": '[{"text": "a"}]',
        "empty.json": "",
        "broken.zip": "PK\x03\x04 but no archive",
    }.items():
        assert not looks_like(written(tmp_path / name, content))


def test_what_is_no_export_is_said_to_be_broken(tmp_path: Path) -> None:
    utf16 = "[]".encode("utf-16")
    for name, content in {"a.json": utf16, "b.json": b"text", "c.json": b"", "d.zip": b"PK\x03\x04"}.items():
        left_out = list(read(written(tmp_path / name, content), NOBODY))
        assert len(left_out) == 1 and not isinstance(left_out[0], Found) and left_out[0].broken


def test_an_archive_with_a_password_is_broken(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "export.zip", {"conversations.json": json.dumps([conversation(message("user", LETTER))])}
    )
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag of encryption, in the file's header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    assert not looks_like(path)
    kept, reasons = sorted_out(read(path, NOBODY))
    assert not kept and sum(reasons.values()) == 1


def test_a_message_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    path = export(tmp_path, conversation(message("user", "x" * (MAX_TEXT + 1)), message("assistant", "ok")))
    assert sorted_out(read(path, NOBODY)) == ([], {"more than 1,000,000 characters": 1})
    assert len(found(path, exchanges=True)[0].item.request) <= 100_000


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([LETTER, "user", "m0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5)
            | st.sampled_from(
                ["mapping", "message", "author", "role", "content", "parts", "parent", "current_node"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, object]:
    """A conversation with anything in the place of anything."""
    roles = draw(st.lists(st.sampled_from(["user", "assistant", "tool"]), min_size=1, max_size=4))
    one = conversation(*(message(role, draw(JSON), LETTER + draw(st.text(max_size=3))) for role in roles))
    places: list[tuple[dict[str, object], str]] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            places.extend((value, key) for key in value)
            for inner in value.values():
                walk(inner)

    walk(one)
    for _ in range(draw(st.integers(0, 3))):
        inner, key = draw(st.sampled_from(places))
        inner[key] = draw(JSON)
    return one


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.one_of(spoiled(), JSON), st.booleans())
def test_no_json_raises_and_all_bounds_hold(tmp_path: Path, value: object, exchanges: bool) -> None:
    path = written(tmp_path / "conversations.json", json.dumps([value, {"mapping": value}]))
    looks_like(path)
    hold(lambda: chatgpt.read(path, NOBODY, exchanges=exchanges))
