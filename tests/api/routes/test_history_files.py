"""POST /v1/profiles/{id}/history/files: what becomes of files as people have them, and what never happens."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Proxy
from sources import made
from sources.made_folder import ADDRESS, made_folder
from sources.made_folder import NAME as MARLENE

from api.routes.test_proposals import events
from app.api import history_files
from app.api.form_files import MOST_OF_FIELDS
from app.api.received import NAME
from app.errors import StoreError
from app.sources import formats

PATH = "/v1/profiles/loud/history/files"
File = tuple[str, bytes | str]


def form(*files: File) -> list[tuple[str, tuple[str, bytes | str]]]:
    return [("file", one) for one in files]


async def sent(proxy: Proxy, *files: File, **fields: Any) -> dict[str, Any]:
    answer = await proxy.client.post(PATH, files=form(*files), data=fields)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def within(folder: Path) -> Iterator[Path]:
    """All files and folders; what the server removes meanwhile is passed over (glob would raise)."""
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))


def left_behind(proxy: Proxy) -> list[Path]:
    return [*within(proxy.store.path.parent / NAME)]


def others(folder: Path) -> set[Path]:
    """All files but those that were sent and are being read."""
    return {path for path in within(folder) if NAME not in path.parts}


@pytest.fixture(autouse=True)
def nothing_stays_behind(proxy: Proxy) -> Iterator[None]:
    yield
    assert left_behind(proxy) == []


async def test_files_become_items_and_sent_again_add_nothing(proxy: Proxy, tmp_path: Path) -> None:
    report = made.docx(tmp_path / "r.docx", made.paragraph("It rained at the allotment.")).read_bytes()
    files = (("Letters/one.txt", "Dear Ruth, the boat."), ("r.docx", report), ("r.docx", report))
    told = await sent(proxy, *files)
    first, second, third = told["data"]
    assert (told["object"], told["added"], told["known"], told["dry_run"]) == ("history.files", 2, 1, False)
    assert (first["name"], first["added"], first["refused"]) == ("Letters/one.txt", 1, None)
    assert (second["added"], third["added"], third["known"]) == (1, 0, 1)
    item = (await proxy.client.get(f"/v1/profiles/loud/history/{first['items'][0]}")).json()
    assert (item["title"], item["source"], item["kind"]) == ("one", "Letters/one.txt", "document")
    await proxy.client.patch(f"/v1/profiles/loud/history/{item['id']}", json={"text": "By hand."})
    again = await sent(proxy, *files)
    assert (again["added"], again["known"]) == (0, 3)
    found = await proxy.client.get("/v1/profiles/loud/history/search?q=allotment")
    assert len(found.json()["data"]) == 1


async def test_a_dry_run_says_what_would_be_added_and_stores_nothing(proxy: Proxy) -> None:
    before = proxy.store.profiles.export("loud")
    lines = "".join(json.dumps({"text": f"{n} {'x' * 300}"}) + "\n" for n in range(7))
    told = await sent(proxy, ("a.jsonl", lines), ("b.jsonl", lines), dry_run="true")
    one, other = told["data"]
    assert (told["dry_run"], one["added"], one["items"], other["known"]) == (True, 7, [], 7)
    assert [len(sample["text"]) for sample in one["samples"]] == [200] * 5
    assert proxy.store.profiles.export("loud") == before


async def test_a_file_that_is_refused_stops_no_other(proxy: Proxy) -> None:
    told = await sent(
        proxy,
        ("broken.docx", b"PK\x03\x04 cut off"),
        ("broken.jsonl", '{"text": "One."}\n{"text": "cut of\n'),
        ("photo.jpg", b"\xff\xd8\xff\xe0"),
        ("empty.txt", b""),
        ("old.doc", b"\xd0\xcf\x11\xe0"),
        ("fine.md", "# A heading\n\nIt rained."),
    )
    broken, lines, photo, empty, old, fine = told["data"]
    assert "damaged" in broken["refused"] and lines["refused"].startswith("line 2")
    assert photo["left_out"] == [{"reason": "not a kind of file that is read", "count": 1}]
    assert empty["left_out"] == [{"reason": "there is no text in it", "count": 1}]
    assert "save it as .docx" in old["refused"] and old["left_out"] == []
    assert (fine["added"], fine["refused"], told["added"]) == (1, None, 1)


async def test_who_the_person_is_decides_what_of_mail_and_chats_is_theirs(proxy: Proxy) -> None:
    mails = (("a.eml", made.mail()), ("b.eml", made.mail(sender="Bo <bo@example.com>", Message_ID="<2@x>")))
    unknown = (await sent(proxy, *mails))["data"][0]
    assert unknown["needs_me"] and "me=you@example.com" in unknown["refused"]
    own, other = (await sent(proxy, *mails, me=["Anna", "anna@example.com"], disclosure="shape"))["data"]
    assert (own["added"], other["added"], own["needs_me"], other["refused"]) == (1, 0, False, None)
    assert other["left_out"] == [{"reason": "mail that somebody else sent", "count": 1}]
    item = (await proxy.client.get(f"/v1/profiles/loud/history/{own['items'][0]}")).json()
    assert (item["title"], item["disclosure"]) == ("The boat", "shape")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("../../../x.txt", "../../../x.txt"),
        ("/etc/passwd", "/etc/passwd"),
        ("..\\..\\x.txt", "../../x.txt"),
        ("a\0b.txt", None),  # no header may have it
        ("..", ".."),
        ("", "without a name"),
        ("<img src=x onerror=alert(1)>.txt", "<img src=x onerror=alert(1)>.txt"),
        ("x" * 5000 + ".txt", "x" * 1000),
        ("\N{RIGHT-TO-LEFT OVERRIDE}txt.exe", "\N{RIGHT-TO-LEFT OVERRIDE}txt.exe"),
    ],
)
async def test_a_name_is_a_label_and_never_a_path(
    proxy: Proxy, tmp_path: Path, name: str, label: str | None
) -> None:
    before = others(tmp_path)
    body = (
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="'
        + name.encode()
        + b'"\r\n\r\nDear Ruth.\r\n--xyz--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=xyz"}
    answer = await proxy.client.post(PATH, content=body, headers=headers)
    if label is None:
        assert answer.status_code == 400
        return
    (only,) = answer.json()["data"]
    assert only["name"] == label
    if only["items"]:
        item = (await proxy.client.get(f"/v1/profiles/loud/history/{only['items'][0]}")).json()
        assert (item["source"], item["text"]) == (label, "Dear Ruth.")
    assert others(tmp_path) == before


async def test_a_stream_tells_of_each_file_and_ends_with_the_same(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sources.sent.BATCH", 10)
    lines = "".join(json.dumps({"text": f"Text {n}."}) + "\n" for n in range(35))
    files = form(("a.jsonl", lines), ("b.docx", b"broken"))
    answer = await proxy.client.post(PATH, files=files, data={"stream": "true"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *told, whole, done = events(answer.text)
    assert done == "[DONE]"
    steps = [json.loads(one) for one in told]
    progress = [one for one in steps if one["object"] == "history.files.progress"]
    assert [one["added"] for one in progress if one["file"] == 0] == [10, 20, 30, 35]
    assert [one["file"] for one in progress] == [0, 0, 0, 0, 1]
    read = [one for one in steps if one["object"] == "history.file"]
    assert json.loads(whole)["data"] == read
    assert [one["added"] for one in read] == [35, 0]


async def test_a_failure_in_a_stream_is_an_event_without_an_end(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StoreError("The database is locked.")

    monkeypatch.setattr(proxy.store.history, "add", broken)
    answer = await proxy.client.post(PATH, files=form(("a.txt", "One.")), data={"stream": "true"})
    assert json.loads(events(answer.text)[-1])["error"]["code"] == "store_error"
    answer = await proxy.client.post(PATH, files=form(("a.txt", "One.")))
    assert answer.json()["error"]["code"] == "store_error"


async def test_the_same_files_sent_at_once_are_stored_once(proxy: Proxy) -> None:
    lines = "".join(json.dumps({"text": f"Text {n}."}) + "\n" for n in range(50))
    answers = await asyncio.gather(*(sent(proxy, (f"{n}.jsonl", lines)) for n in range(4)))
    assert sorted(one["added"] for one in answers) == [0, 0, 0, 50]
    assert proxy.store.profiles.read("loud").history_count == 50 + 1


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_work_ends_when_the_client_leaves_and_sent_again_the_rest_is_added(
    proxy: Proxy, base_url: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sources.sent.BATCH", 1)
    before, one_is_stored = proxy.store.profiles.read("loud").history_count, asyncio.Event()
    take = history_files._take

    async def slow(*given: Any, **named: Any) -> None:
        await take(*given, **named)
        one_is_stored.set()
        await asyncio.sleep(0.02)

    monkeypatch.setattr(history_files, "_take", slow)
    lines = "".join(json.dumps({"text": f"Text {n}."}) + "\n" for n in range(500))
    async with httpx.AsyncClient() as client:
        files, data = form(("a.jsonl", lines)), {"stream": stream}
        asking = asyncio.create_task(
            client.post(f"{base_url}/profiles/loud/history/files", files=files, data=data)
        )
        await one_is_stored.wait()
        asking.cancel()
        await asyncio.wait([asking])
    while left_behind(proxy):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    stored = proxy.store.profiles.read("loud").history_count - before
    assert 0 < stored < 500
    monkeypatch.undo()
    told = await sent(proxy, ("a.jsonl", lines))
    assert (told["added"], told["known"]) == (500 - stored, stored)


async def test_a_file_that_takes_long_keeps_no_other_profile_and_no_client_waiting(
    proxy: Proxy, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PDF of some kilobytes can take a parser minutes, and no thread can be stopped."""
    began, released = threading.Event(), threading.Event()
    read = formats.read

    def slowly(path: Path, *given: Any, **named: Any) -> Iterator[Any]:
        if path.suffix == ".pdf":
            began.set()
            released.wait()
        yield from read(path, *given, **named)

    monkeypatch.setattr("app.sources.sent.read", slowly)
    async with httpx.AsyncClient(base_url=base_url) as client:
        asking = asyncio.create_task(client.post("/profiles/loud/history/files", files=form(("a.pdf", "x"))))
        await asyncio.to_thread(began.wait)
        other = await client.post("/profiles/joined/history/files", files=form(("b.txt", "Dear Bo.")))
        assert other.json()["added"] == 1
        asking.cancel()
        await asyncio.wait([asking])
        while left_behind(proxy):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(
            client.post("/profiles/loud/history/files", files=form(("c.txt", "C.")))
        )
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()  # the profile has one thread at most
        released.set()
        assert (await waiting).json()["added"] == 1


async def test_what_is_read_for_a_profile_goes_into_none_that_has_its_id_since(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = formats.read

    def meanwhile(*given: Any, **named: Any) -> Iterator[Any]:
        document = proxy.store.profiles.export("loud")
        proxy.store.profiles.delete("loud")
        proxy.store.profiles.put(replace(document, history=()))
        yield from read(*given, **named)

    monkeypatch.setattr("app.sources.sent.read", meanwhile)
    answer = await proxy.client.post(PATH, files=form(("a.txt", "Dear Ruth.")))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "profile_not_found")
    assert proxy.store.profiles.read("loud").history_count == 0


async def test_a_body_that_is_cut_off_leaves_nothing(proxy: Proxy) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=xyz"}
    body = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nDear'
    answer = await proxy.client.post(PATH, content=body, headers=headers)
    assert (answer.status_code, "cut off" in answer.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"disclosure": "secret"}, "disclosure"),
        ({"dry_run": "perhaps"}, "dry_run"),
        ({"stream": ["true", "true"]}, "stream"),
        ({"title": "A"}, "title"),
        ({"me": " "}, "me[0]"),
        ({"me": ["a"] * 51}, "me"),
        ({"me": "x" * (MOST_OF_FIELDS + 1)}, None),
    ],
)
async def test_fields_that_are_wrong_are_refused_by_name(
    proxy: Proxy, fields: dict[str, Any], param: str | None
) -> None:
    answer = await proxy.client.post(PATH, files=form(("a.txt", "One.")), data=fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("head", "value"), [(b"\xfc", b"1"), (b"%ED%A0%80", b"\xff"), (b"x" * 8000, b"\xff"), (b"x" * 8000, b"1")]
)
async def test_names_of_fields_that_nobody_can_be_told_are_refused(
    proxy: Proxy, head: bytes, value: bytes
) -> None:
    part = b'--xyz\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    body = part % (head, b"", value) * 2 + part % (b"file", b'; filename="a"', b"One.") + b"--xyz--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=xyz"}
    answer = await proxy.client.post(PATH, content=body, headers=headers)
    assert answer.status_code == 400
    assert len(answer.text) < 1000


async def test_where_files_cannot_be_kept_the_answer_says_so(proxy: Proxy) -> None:
    place = proxy.store.path.parent / NAME
    place.write_text("no folder")
    answer = await proxy.client.post(PATH, files=form(("a.txt", "One.")))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "store_error")
    assert "cannot be kept" in answer.json()["error"]["message"] and str(place) not in answer.text


async def test_a_form_without_a_file_and_other_bodies_are_refused(proxy: Proxy) -> None:
    for files in ({"me": (None, "Jo")}, {"file": (None, "text")}, {"letter": ("a.txt", "One.")}):
        answer = await proxy.client.post(PATH, files=files)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")
    assert (await proxy.client.post(PATH, json={})).status_code == 415
    packed = await proxy.client.post(PATH, files=form(("a", "1")), headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 415


async def test_a_profile_s_key_opens_its_own_alone_and_other_sites_none(proxy: Proxy) -> None:
    files = form(("a.txt", "One."))
    foreign = await proxy.client.post(PATH, files=files, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403

    def headers(profile_id: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {proxy.store.keys.create('test', profile_id)[1]}"}

    admin = headers(None)
    for given, status in ((admin, 200), (headers("loud"), 200), (headers("joined"), 403), ({}, 401)):
        assert (await proxy.client.post(PATH, files=files, headers=given)).status_code == status
    proxy.store.profiles.delete("loud")
    gone = await proxy.client.post(PATH, files=files, headers=admin)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "profile_not_found")


async def test_a_made_up_person_s_disk_is_read_and_nothing_of_it_is_logged(
    proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "disk"
    made_folder(folder, mails=40, large=20_000)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [(str(path.relative_to(folder)), path.read_bytes()) for path in paths]
    told = await sent(proxy, *files, me=[MARLENE, ADDRESS])
    by_name = {one["name"]: one for one in told["data"]}
    assert by_name["Mail/All.mbox"]["added"] == 10
    assert by_name["Chats/WhatsApp Chat with Ruth.txt"]["added"] > 0
    assert by_name["chatgpt-export.zip"]["added"] == 25 == len(by_name["chatgpt-export.zip"]["items"])
    assert by_name["Documents/broken.pdf"]["refused"] and by_name["Data/broken.jsonl"]["refused"]
    again = await sent(proxy, *files, me=[MARLENE, ADDRESS])
    assert (again["added"], again["known"]) == (0, told["added"] + told["known"])
    assert "Ruth" not in caplog.text and "Marlene" not in caplog.text
