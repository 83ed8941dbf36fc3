"""The export of Claude: the person's words, not what they attached or what stands for calls of tools."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sources.exports.claude import ATTACHED, looks_like, read
from app.sources.found import Found
from sources.exports.test_chatgpt import JSON, LETTER, OTHER, SECOND
from sources.laws import NOBODY, hold, sorted_out, written, zipped

ROOT = "00000000-0000-4000-8000-000000000000"
NOTICE = "```\nThis block is not supported on your current device yet.\n```"


def message(key: str, sender: str, text: str, **more: object) -> dict[str, object]:
    return {
        "uuid": key,
        "text": text,
        "content": [{"type": "text", "text": text, "citations": []}],
        "sender": sender,
        "created_at": "2025-03-01T10:00:00.123456Z",
        "updated_at": "2025-03-01T10:00:00.123456Z",
        "attachments": [],
        "files": [],
        **more,
    }


def conversation(*messages: object, **more: object) -> dict[str, object]:
    return {
        "uuid": "c",
        "name": "Letter to the landlord",
        "summary": "",
        "created_at": "2025-03-01T09:59:00Z",
        "updated_at": "2025-03-01T10:10:00Z",
        "account": {"uuid": "a"},
        "chat_messages": list(messages),
        **more,
    }


def export(folder: Path, *conversations: object) -> Path:
    return written(folder / "conversations.json", json.dumps(conversations))


def texts(path: Path) -> list[str]:
    return [one.item.text for one in sorted_out(read(path, NOBODY))[0]]


def test_the_persons_long_messages_are_documents(tmp_path: Path) -> None:
    path = export(
        tmp_path,
        conversation(
            message("1", "human", LETTER), message("2", "assistant", OTHER), message("3", "human", "ok")
        ),
        conversation(name="", created_at=None),
    )
    kept, reasons = sorted_out(read(path, NOBODY))
    assert [(one.item.text, one.item.title, one.part) for one in kept] == [
        (LETTER, "Letter to the landlord", "c/1")
    ]
    assert kept[0].item.created_at == datetime(2025, 3, 1, 10, 0, 0, 123456, UTC)
    assert reasons == {"a message of fewer than 60 characters outside of code": 1}


def test_exchanges_are_turns_without_thoughts_and_tools(tmp_path: Path) -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "name": "web_search", "input": {}},
        {"type": "tool_result", "content": [{"type": "text", "text": "a page"}]},
        {"type": "text", "text": "Yes."},
    ]
    answer = message("2", "assistant", f"Hm.\n{NOTICE}\nYes.", content=blocks)
    path = export(tmp_path, conversation(message("1", "human", "Is it legal?"), answer))
    kept = sorted_out(read(path, NOBODY, exchanges=True))[0]
    assert [(one.item.kind, one.item.request, one.item.text) for one in kept] == [
        ("turn", "Is it legal?", "Let me look.\n\nYes.")
    ]


def test_older_exports_have_flat_text_alone(tmp_path: Path) -> None:
    old = message("1", "human", f"{LETTER}\n{NOTICE}")
    del old["content"]
    assert texts(export(tmp_path, conversation(old))) == [LETTER]


def test_what_is_attached_is_not_the_persons(tmp_path: Path) -> None:
    attachment = {"file_name": "", "file_type": "txt", "file_size": 9, "extracted_content": SECOND}
    path = export(
        tmp_path,
        conversation(
            message("1", "human", LETTER, attachments=[attachment]),
            message("2", "human", "", attachments=[attachment], content=[]),
            message("3", "human", "", files=[{"file_name": "photo.png"}]),
        ),
    )
    kept, reasons = sorted_out(read(path, NOBODY))
    assert [one.item.text for one in kept] == [LETTER]
    assert reasons == {ATTACHED: 2}


def test_of_an_edited_conversation_the_newest_branch_is_read(tmp_path: Path) -> None:
    later = "2025-03-02T10:00:00Z"
    tree = [
        message("1", "human", LETTER, parent_message_uuid=ROOT),
        message("3", "human", SECOND, parent_message_uuid="2", created_at=later),
        message("2", "assistant", "a", parent_message_uuid="1"),
        message("x", "human", OTHER, parent_message_uuid="2"),
    ]
    assert texts(export(tmp_path, conversation(*tree))) == [LETTER, SECOND]
    assert texts(export(tmp_path, conversation(*tree, current_leaf_message_uuid="x"))) == [LETTER, OTHER]
    # Where parents are missing or run in a circle nothing is lost.
    tree[0]["parent_message_uuid"] = "gone"
    assert texts(export(tmp_path, conversation(*tree))) == [LETTER, SECOND, OTHER]
    tree[0]["parent_message_uuid"] = "3"
    assert texts(export(tmp_path, conversation(*tree))) == [LETTER, SECOND, OTHER]


def test_an_archive(tmp_path: Path) -> None:
    content = json.dumps([conversation(message("1", "human", LETTER))])
    path = zipped(
        tmp_path / "data-2025.zip", {"users.json": "[]", "projects.json": "[]", "conversations.json": content}
    )
    assert looks_like(path)
    assert texts(path) == [LETTER]


def test_only_what_is_claudes_looks_like_it(tmp_path: Path) -> None:
    assert looks_like(export(tmp_path, conversation(message("1", "human", LETTER))))
    assert not looks_like(written(tmp_path / "conversations.json", '[{"title": "x", "mapping": {}}]'))
    assert not looks_like(written(tmp_path / "a.json", ""))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.lists(
        st.builds(
            lambda key, sender, text, more: {**message(key, sender, text), **more},
            st.text(max_size=3),
            st.sampled_from(["human", "assistant", ""]),
            st.text(max_size=5) | st.just(LETTER),
            st.dictionaries(
                st.sampled_from(
                    ["uuid", "text", "content", "created_at", "parent_message_uuid", "attachments"]
                ),
                JSON,
                max_size=3,
            ),
        )
        | JSON,
        max_size=4,
    ),
    JSON,
    st.booleans(),
)
def test_no_json_raises_and_all_bounds_hold(
    tmp_path: Path, messages: list[object], value: object, exchanges: bool
) -> None:
    path = export(tmp_path, conversation(*messages), conversation(name=value, chat_messages=value), value)
    looks_like(path)
    hold(lambda: read(path, NOBODY, exchanges=exchanges))


def test_nothing_of_the_content_is_shown(tmp_path: Path) -> None:
    for one in read(export(tmp_path, conversation(message("1", "human", LETTER))), NOBODY):
        assert isinstance(one, Found) and "landlord" not in repr(one)
