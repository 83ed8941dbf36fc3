"""Downloads GGUF files from the Hugging Face hub, over plain HTTP with resume."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.local.weights.disk import size_of
from app.local.weights.errors import ChecksumMismatch, SourceFailed
from app.local.weights.sources import Progress

if TYPE_CHECKING:
    import httpx

# Short, so that an unreachable hub is noticed in seconds and the next source is tried.
CONNECT_TIMEOUT = 3.0
ATTEMPTS = 5


@dataclass(frozen=True)
class Hub:
    """One file of a hub repository; honours HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and the proxy variables.

    hf_hub_download is not used: since release 2 it discards an interrupted download, and without a network
    it retries, noisily, for half a minute.
    """

    repo: str
    filename: str
    revision: str = "main"
    key: str = "hub"

    @property
    def label(self) -> str:
        return f"Hugging Face hub ({self.repo})"

    def fetch(self, filename: str, size: int, into: Path, progress: Progress) -> Path:
        import httpx  # noqa: PLC0415 - slow to import, and `models list` needs none of this
        from huggingface_hub import constants, get_token, hf_hub_url  # noqa: PLC0415

        gguf = into / filename
        if gguf.exists():
            return gguf
        if constants.HF_HUB_OFFLINE:
            raise SourceFailed("HF_HUB_OFFLINE is set")
        progress.stage(f"Asking the Hugging Face hub for {filename}", None)
        url = hf_hub_url(self.repo, self.filename, revision=self.revision)
        timeout = httpx.Timeout(constants.HF_HUB_DOWNLOAD_TIMEOUT, connect=CONNECT_TIMEOUT)
        token = get_token()
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            opened = httpx.Client(headers=headers, timeout=timeout, follow_redirects=True)
        except (ImportError, ValueError, httpx.InvalidURL):  # their messages may hold the proxy's password
            raise SourceFailed(
                "the proxy of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY cannot be used; correct or unset it (for "
                'SOCKS: pip install "httpx[socks]")'
            ) from None
        with opened as client:
            unfinished = into / f"{filename}.incomplete"
            try:
                _download(client, url, unfinished, size, progress)
            except httpx.RequestError as error:
                raise SourceFailed(f"{httpx.URL(url).host}: {str(error) or type(error).__name__}") from error
            except OSError:
                # A full disk needs room, not a partial file; after a broken connection it is kept.
                unfinished.unlink(missing_ok=True)
                raise
        unfinished.replace(gguf)
        return gguf


def _download(client: httpx.Client, url: str, unfinished: Path, size: int, progress: Progress) -> None:
    """Requests the missing bytes; retries after a broken connection while each attempt makes progress."""
    import httpx  # noqa: PLC0415

    for attempt in range(1, ATTEMPTS + 1):
        before = size_of(unfinished)
        try:
            if before < size:
                _stream(client, url, unfinished, size, progress)
            return
        except httpx.TransportError:
            if attempt == ATTEMPTS or size_of(unfinished) <= before:
                raise


def _stream(client: httpx.Client, url: str, unfinished: Path, size: int, progress: Progress) -> None:
    start = size_of(unfinished)
    with client.stream("GET", url, headers={"Range": f"bytes={start}-"} if start else {}) as response:
        if response.status_code not in (200, 206):
            raise SourceFailed(f"HTTP {response.status_code} for {url}")
        # 200 to a range request: the server sends the whole file.
        received = start if response.status_code == 206 else 0
        progress.stage(f"Downloading {unfinished.stem} from the Hugging Face hub", size)
        progress.advance(received)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("ab" if received else "wb") as file:
            # Chunks are written as they come: buffered, they would be lost with a broken connection.
            for chunk in response.iter_raw():
                received += len(chunk)
                if received > size:
                    raise ChecksumMismatch(f"{url} has more than {size:,} bytes")
                file.write(chunk)
                progress.advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())
